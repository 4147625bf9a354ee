"""Seconds until `bakeoff --help` answers, beside a Python that does nothing, in turn.

    python bench/startup.py

Writes results/bench/startup.json.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> int:
    from bakeoff.record import environment, write_json

    program = str(Path(sys.executable).parent / "bakeoff")
    sides = {"bakeoff --help": [program, "--help"], "python -c pass": [sys.executable, "-c", "pass"]}
    rounds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(15):
        for name, command in sides.items():
            rounds[name].append(round(seconds(command), 4))
    medians = {name: statistics.median(values) for name, values in rounds.items()}
    record = {
        "benchmark": "start-up, seconds, each round in turn",
        "command": "python bench/startup.py",
        "median_seconds": medians,
        "ratio": medians["bakeoff --help"] / medians["python -c pass"],
        "seconds": rounds,
        "environment": environment(),
    }
    write_json(Path("results/bench/startup.json"), record)
    for name, value in medians.items():
        print(f"{name}: {value:.3f} s (median of 15)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
