"""Where runs are."""

from __future__ import annotations

from pathlib import Path


def find_runs(folder: Path) -> list[Path]:
    """The run directories directly under `folder` or one level below, in order of name."""
    found = {file.parent for pattern in ("*/run.json", "*/*/run.json") for file in folder.glob(pattern)}
    return sorted(path for path in found if ".damaged-" not in path.name)


def find_origin(source: str) -> Path | None:
    """The run's directory that `source` is, or whose weights file it is; None where it is neither."""
    path = Path(source)
    folder = path.parent if path.name == "weights.safetensors" else path
    return folder if (folder / "run.json").is_file() else None
