"""Seconds of CPU (user and system) that each verb takes which trains nothing, and those until training begins.

    python bench/startup.py             # best of 5
    python bench/startup.py --rounds 1

Seconds of CPU, because they are the same on a busy machine; the best, because nothing but noise makes one longer.
Writes results/bench/startup.json.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
STUDY = ROOT / "tests" / "tiny.toml"
VERBS = (
    "--help",
    "run --help",
    "list studies",
    "list datasets",
    "list models",
    "list runs --out {out}",
    "report {out}",
    "compare {out}",
    "verify {out}",
    "show no-such-model",
    "run no-such-study",
    "run quickstart --scale no-such-scale",
    "run quickstart --epochs many",
    "train no-such-data conv",
    "train digits no-such-model",
    "train digits conv --epochs many",
    "evaluate no-such-run",
    "predict no-such-run images",
    "data fetch no-such-data",
)
FIRST_STEP = """
import os, bakeoff
first = lambda progress: os._exit(0) if progress.step else None
bakeoff.run_study({study!r}, out={out!r}, seeds=1, jobs=1, show=first)
"""


def cpu_seconds(command: list[str], rounds: int) -> float:
    """The least of `rounds` calls."""
    taken = []
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=False, capture_output=True, cwd=ROOT)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return round(min(taken), 3)


def main() -> int:
    from bakeoff.record import environment, write_json

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    program, python = str(Path(sys.executable).parent / "bakeoff"), sys.executable
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, "run", str(STUDY), "--seeds", "1", "--out", folder], check=True, capture_output=True)
        out = str(next(Path(folder).rglob("manifest.json")).parent)
        verbs = {verb: cpu_seconds([program, *verb.format(out=out).split()], rounds) for verb in VERBS}
        first = FIRST_STEP.format(study=str(STUDY), out=str(Path(folder) / "again"))
        others = {
            "python -c pass": cpu_seconds([python, "-c", "pass"], rounds),
            "import bakeoff": cpu_seconds([python, "-c", "import bakeoff"], rounds),
            "the first step of a study": cpu_seconds([python, "-c", first], 1),
        }
    record = {
        "benchmark": "start-up, seconds of CPU",
        "command": "python bench/startup.py",
        "rounds": rounds,
        "verbs": {verb.replace(" {out}", " FOLDER"): seconds for verb, seconds in verbs.items()},
        "others": others,
        "environment": environment(),
    }
    write_json(ROOT / "results" / "bench" / "startup.json", record)
    for name, seconds in {**verbs, **others}.items():
        print(f"{seconds:6.2f} s  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
