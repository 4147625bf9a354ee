"""Kill training, studies and `data make` at random instants, go on, and count the bits that differ.

    python bench/torture.py --kills 200
    python bench/torture.py --kills 12 --case train-sgd

Each trial of a case starts its command in a process of its own, kills it with SIGKILL at random instants, up to four
times, lets it end, and compares every file with that of a command that was never killed; only clocks and counts of
readings may differ. Cases: four recipes, a study with two workers, whose kills also fall into the writing of its
report, and `data make`. After each kill no worker may outlive its parent; at the end of a trial no file may lie about
that an undisturbed command does not leave. With 200 kills or more a row a case goes to results/bench/torture.json.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

MODEL = ["train", "digits", "small_cnn:width=8,dense_layers=2,dropout=0.5"]
SHORT = ["--images", "400", "--batch-size", "32", "--threads", "1", "--checkpoint-seconds", "0.1", "--out", "out"]
STUDY = """
title = "Does a smaller rate do?"
question = "Does a smaller rate do?"
dataset = "digits"
seeds = 2
images = 300
recipe = { epochs = 4, batch_size = 32 }
contenders = { fast = { model = "small_cnn", parameters = { width = 8 } }, slow = { model = "logistic", lr = 0.001 } }
sections = [{ kind = "leaderboard" }]
"""
CASES: dict[str, list[str]] = {
    "train-sgd": [
        *(*MODEL, *SHORT, "--epochs", "12", "--optimizer", "sgd", "--lr", "0.05"),
        *("--schedule", "constant"),
    ],
    "train-adam": [
        *(*MODEL, *SHORT, "--epochs", "12", "--schedule", "one-cycle"),
        *("--augment", "rotate:degrees=10", "--ema", "0.99"),
    ],
    "train-plateau": [
        *(*MODEL, *SHORT, "--epochs", "16", "--schedule", "plateau:monitor=train_loss,patience=1"),
        *("--stop", "early:patience=4", "--keep", "best:monitor=validation_loss", "--rounds", "2"),
    ],
    "train-fresh": ["train", "largest-digit:count=400,test_count=100", "logistic", *SHORT[2:], "--task", "generated"],
    "study": ["run", "study.toml", "--jobs", "2", "--checkpoint-seconds", "0.1", "--out", "out"],
    "make": ["data", "make", "largest-digit", "--count", "600", "--test-count", "100", "--out", "made.npz"],
}
CLOCKS = re.compile(r"seconds|started|ended|images_per_second|time|source")


def start(case: str, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bakeoff", *CASES[case]]
    environment = {key: value for key, value in os.environ.items() if key != "BAKEOFF_DATA"}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )


def timeless(value: object) -> object:
    """A value of JSON without what a clock says, and without the processes that a run was trained by."""
    if isinstance(value, dict):
        plain = {key: timeless(item) for key, item in value.items() if not CLOCKS.search(key)}
        return {key: item for key, item in plain.items() if key not in ("segments", "checksum", "checksums")}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def content(file: Path) -> object:
    """What must be the same after kills: all bits of results, JSON without clocks, of pages that they are whole."""
    data = file.read_bytes()
    if file.suffix == ".json":
        return timeless(json.loads(data))
    if file.name == "history.jsonl":
        return [timeless(json.loads(line)) for line in data.splitlines()]
    if file.suffix == ".npz":
        with np.load(io.BytesIO(data)) as archive:
            return {name: array.tobytes() for name, array in archive.items()}
    if file.suffix == ".html":
        return data.rstrip().endswith(b"</html>")
    pages = (".svg", ".png", ".md", ".csv", ".tex")  # with seconds on them
    return len(data) > 0 if file.suffix in pages or file.name == "test_reads.jsonl" else data


def state(folder: Path) -> dict[str, object]:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {str(file.relative_to(folder)): content(file) for file in sorted(files)}


def prepared(folder: Path) -> Path:
    folder.mkdir()
    (folder / "study.toml").write_text(STUDY)
    return folder


def survivors(group: int) -> list[int]:
    """Processes of a group that run on, two seconds after their parent was killed."""
    deadline, left = time.monotonic() + 10, [group]
    while left and time.monotonic() < deadline:
        left = []
        for entry in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = entry.read_text().rpartition(")")[2].split()
                if int(fields[2]) == group and fields[0] != "Z":
                    left.append(int(entry.parent.name))
        time.sleep(0.05 if left else 0)
    return left


def trial(case: str, root: Path, expected: dict[str, object], length: float, kills: int, dice: random.Random) -> dict:
    """Kill up to `kills` times, go on, compare: counts of kills, orphans, stray files, and names that differ."""
    folder, result = prepared(root / "trial"), {"kills": 0, "orphans": 0, "stray": [], "differ": []}
    result["length"] = length
    for _ in range(kills):
        process, began = start(case, folder), time.monotonic()
        try:
            process.communicate(timeout=dice.uniform(0.1, 1.0) * length)
            if not result["kills"]:
                result["length"] = time.monotonic() - began  # the machine is less busy than it was
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            result["kills"] += 1
            left = survivors(process.pid)
            result["orphans"] += len(left)
            for number in left:
                os.kill(number, signal.SIGKILL)
    process = start(case, folder)
    output = process.communicate()[1].decode()
    after = state(folder)
    result["stray"] = sorted(after.keys() - expected.keys())
    result["differ"] = sorted(name for name in expected if after.get(name) != expected[name])
    if process.returncode or "Traceback" in output:
        result["differ"].append(f"exit status {process.returncode}: {output[-300:]}")
    shutil.rmtree(folder)
    return result


def torture(case: str, kills: int, seed: int = 0) -> dict:
    """Trials of one case until `kills` kills are spent."""
    dice, total = random.Random(f"{case} {seed}"), {"case": case, "kills": 0, "trials": 0, "differences": 0}
    total |= {"orphans": 0, "stray": 0, "amiss": []}
    with tempfile.TemporaryDirectory(prefix="bakeoff-torture-") as name:
        whole = prepared(Path(name) / "whole")
        began = time.monotonic()
        process = start(case, whole)
        output = process.communicate()[1].decode()
        assert process.returncode == 0, output
        length, expected = time.monotonic() - began, state(whole)
        while total["kills"] < kills and total["trials"] < 4 * kills:
            one = trial(case, Path(name), expected, length, min(4, kills - total["kills"]), dice)
            total["trials"] += 1
            length = min(length, one["length"])
            total["kills"] += one["kills"]
            total["orphans"] += one["orphans"]
            total["stray"] += len(one["stray"])
            total["differences"] += len(one["differ"])
            total["amiss"] += [*one["differ"], *one["stray"]]
            print(f"{case}, trial {total['trials']}: {one}", flush=True)
    return total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--case", action="append", choices=CASES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "results/bench/torture.json")
    options = parser.parse_args()
    cases, began = options.case or list(CASES), time.monotonic()
    shares = [len(range(number, options.kills, len(cases))) for number in range(len(cases))]
    rows = [torture(case, share, options.seed) for case, share in zip(cases, shares, strict=True) if share]
    total = {key: sum(row[key] for row in rows) for key in ("kills", "trials", "differences", "orphans", "stray")}
    if options.kills >= 200 and not options.case:
        head = {
            "command": f"python bench/torture.py --kills {options.kills}",
            "seconds": round(time.monotonic() - began),
        }
        options.out.write_text(json.dumps({**head, **total, "cases": rows}, indent=2) + "\n")
    print(
        f"{total['kills']} kills, {total['differences']} differences, {total['orphans']} orphans, "
        f"{total['stray']} stray files ({total['trials']} trials)"
    )
    return int(total["differences"] + total["orphans"] + total["stray"] > 0)


if __name__ == "__main__":
    sys.exit(main())
