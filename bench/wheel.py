"""Build the wheel, install it alone in a new venv, and use it as a user would, away from this checkout.

    python bench/wheel.py

Ends with status 1 where a command does; needs a package index. What it shows: that the wheel holds all that the package
reads at run time (studies, templates, embedded data), and that its dependencies are declared.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMANDS = (
    "--version",
    "list studies",
    "show small_cnn",
    "run quickstart --out runs",
    "report runs/quickstart",
    "compare runs/quickstart",
    "verify runs/quickstart",
    "train digits conv --epochs 1 --out runs",
    "data make largest-digit:digits=digits --count 200 --test-count 100 --out composites.npz",
    "data show composites.npz",
)
"""Each in a new folder, one after the other."""


def run(*command: str | Path, cwd: Path) -> None:
    print("$", *command, flush=True)
    plain = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "BAKEOFF_DATA")}
    subprocess.run([str(word) for word in command], cwd=cwd, env=plain, check=True)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="bakeoff-wheel-") as name:
        folder = Path(name)
        run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT, cwd=folder)
        (wheel,) = folder.glob("bakeoff-*.whl")
        venv.create(folder / "venv", with_pip=True)
        programs = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        constraints = ROOT / "constraints.txt"
        run(programs / "python", "-m", "pip", "install", "--quiet", "--constraint", constraints, wheel, cwd=folder)
        for command in COMMANDS:
            run(programs / "bakeoff", *command.split(), cwd=folder)
    print(f"{wheel.name}: {len(COMMANDS)} commands ended with status 0")
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"status {error.returncode}: {' '.join(error.cmd)}") from None
