"""Kill training at random instants, go on, and count the bits that differ from an uninterrupted run.

    python bench/torture.py --kills 12

Each trial starts `bakeoff train` in a process of its own, kills it with SIGKILL at random instants until `--kills`
kills are spent, lets it end, and compares weights, predictions, metrics and history with those of a run that was
never killed. Prints one line a kill and, last, the number of differences.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = [
    *(sys.executable, "-m", "bakeoff.cli", "train", "digits", "small_cnn:width=16,dense_layers=2,dropout=0.5"),
    *("--epochs", "12", "--batch-size", "32", "--ema", "0.99", "--keep", "best:monitor=validation_loss"),
    *("--augment", "rotate:degrees=10", "--threads", "1", "--checkpoint-seconds", "0.2"),
]


def digest(folder: Path) -> dict[str, object]:
    """All of a run but its clocks."""
    (run,) = (file.parent for file in folder.glob("*/run.json"))
    said = json.loads((run / "run.json").read_text())
    rows = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    found: dict[str, object] = {name: (run / name).read_bytes() for name in ("weights.safetensors", "predictions.npz")}
    found["metrics"] = said["metrics"]
    found["history"] = [{key: value for key, value in row.items() if key != "seconds"} for row in rows]
    found["files"] = sorted(file.name for file in run.rglob("*"))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    generator = random.Random(options.seed)
    root = Path(tempfile.mkdtemp(prefix="bakeoff-torture-"))
    began = time.monotonic()
    subprocess.run([*COMMAND, "--out", str(root / "whole")], check=True, capture_output=True)
    length = time.monotonic() - began
    expected = digest(root / "whole")
    kills = differences = trial = 0
    while kills < options.kills:
        trial += 1
        folder = root / f"trial{trial}"
        for _ in range(4):
            process = subprocess.Popen([*COMMAND, "--out", str(folder)], stdout=subprocess.DEVNULL)
            try:
                process.wait(timeout=generator.uniform(0.2, 1.1) * length)
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                kills += 1
                print(
                    f"kill {kills} in trial {trial}: {len(list(folder.glob('*/checkpoint/*.safetensors')))} checkpoint"
                )
        subprocess.run([*COMMAND, "--out", str(folder)], check=True, capture_output=True)
        found = digest(folder)
        wrong = [name for name in expected if found[name] != expected[name]]
        differences += len(wrong)
        print(f"trial {trial}: {'differs in ' + ', '.join(wrong) if wrong else 'the same bits'}", flush=True)
    shutil.rmtree(root)
    print(f"{kills} kills in {trial} trials: {differences} differences")
    return int(differences > 0)


if __name__ == "__main__":
    sys.exit(main())
