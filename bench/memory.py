"""Peak memory of a whole study on real MNIST: all processes together, sampled ten times a second.

    python bench/memory.py small-cnn --scale laptop --only base,width=10

The arguments are those of `bakeoff run`. Memory is the sum of the proportional set sizes (shared pages counted once)
of the process and all below it. Writes results/bench/memory.json.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def tree(root: int) -> list[int]:
    """`root` and every process below it."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        parents.setdefault(int(fields[1]), []).append(int(folder.name))
    processes = [root]
    for process in processes:
        processes += parents.get(process, [])
    return processes


def memory(process: int) -> int:
    """Proportional set size in bytes; 0 for a process that has ended."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0
    size = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(size[1]) * 1024 if size else 0


def main() -> int:
    from bakeoff.record import environment, write_json

    arguments = sys.argv[1:] or ["small-cnn", "--scale", "laptop", "--only", "base,width=10"]
    with tempfile.TemporaryDirectory() as out:
        process = subprocess.Popen([sys.executable, "-m", "bakeoff.cli", "run", *arguments, "--out", out])
        peak = 0
        while process.poll() is None:
            peak = max(peak, sum(memory(p) for p in tree(process.pid)))
            time.sleep(0.1)
    record = {
        "benchmark": "peak memory of `bakeoff run`, all processes",
        "command": f"python bench/memory.py {' '.join(arguments)}",
        "peak_bytes": peak,
        "environment": environment(),
    }
    write_json(Path("results/bench/memory.json"), record)
    print(f"peak {peak / 1e9:.2f} GB")
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
