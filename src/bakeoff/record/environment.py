"""What a number in a report can be traced to: machine, code and library versions; and where published files lie."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any


def data_folders(name: str) -> list[Path]:
    """Where published files are looked for, in order: below $BAKEOFF_DATA, then in the user's cache, where they are
    downloaded to."""
    data, cache = os.environ.get("BAKEOFF_DATA"), os.environ.get("XDG_CACHE_HOME")
    folders = [Path(data)] if data else []
    folders.append((Path(cache) if cache else Path.home() / ".cache") / "bakeoff")
    return [folder / name for folder in folders]


@functools.cache
def source_digest() -> str:
    """Names the code: a digest over the package's Python files."""
    digest = hashlib.sha256()
    root = Path(__file__).parent.parent
    for file in sorted(root.rglob("*.py")):
        digest.update(file.relative_to(root).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def environment() -> dict[str, Any]:
    """Machine, code and library versions: what a number in a report can be traced to."""
    names = ("bakeoff", "torch", "numpy", "scipy", "scikit-learn")
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        processor = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), processor)
    return {
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in names},
        "source": source_digest(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }
