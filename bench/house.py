"""Our own contenders: how far each comes in ten minutes of training on this machine's cores.

    BAKEOFF_DATA=... python bench/house.py STUDY [--out runs]

Trains the study's contender `house` at full scale, with as many seeds as SEEDS says (finished runs in OUT are taken as
they are), and writes results/bench/house-STUDY.json.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import bakeoff
from bakeoff.record import find_runs, read_run, write_json
from bakeoff.studies.runner import find_study

ROOT = Path(__file__).parents[1]
SEEDS = {"small-cnn": 5, "largest-digit": 1, "highest-digit": 1}
"""Of one seed, all cores train it; of several, each has a core of its own."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", choices=SEEDS)
    parser.add_argument("--out", default="runs")
    given = parser.parse_args()
    study, out = find_study(given.study), Path(given.out) / "house"
    summary = bakeoff.run_study(study, only="house", seeds=SEEDS[study.name], out=out)
    (house,) = summary["contenders"]
    runs = [read_run(path) for path in find_runs(out / study.name)]
    record = {
        "benchmark": f"{study.name}: the contender house at full scale",
        "command": f"python bench/house.py {study.name}",
        "seeds": house["n"],
        "test_accuracy": house["test_accuracy"],
        "each": [seed["test_accuracy"] for seed in house["seeds"]],
        "validation_accuracy": house["validation_accuracy"],
        "test_images": runs[0].measured("test"),
        "seconds_a_run": house["seconds"],
        "core_seconds_a_run": house["seconds"] * summary["environment"]["threads"],
        "parameters": house["parameters"],
        "recipe": study.contender("house").recipe.model_dump(exclude_defaults=True),
        "environment": summary["environment"],
    }
    write_json(ROOT / "results" / "bench" / f"house-{study.name}.json", record)
    print(f"{study.name}, house: {house['test_accuracy']['mean']:.2%}, n = {house['n']}, {house['seconds']:.0f} s each")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
