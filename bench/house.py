"""The house contender of a study: how far it comes in ten minutes of training on this machine's cores.

    BAKEOFF_DATA=... python bench/house.py [highest-digit | largest-digit] [--out runs]

Trains the study's contender `house` once with all cores (a finished run in OUT is taken as it is) and writes
results/bench/house.json, or house-STUDY.json for another study than highest-digit.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import bakeoff
from bakeoff.evaluation.metrics import wilson
from bakeoff.record import write_json
from bakeoff.studies.runner import find_study

ROOT = Path(__file__).parents[1]
STUDY = "highest-digit"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", nargs="?", default=STUDY, choices=("highest-digit", "largest-digit"))
    parser.add_argument("--out", default="runs")
    given = parser.parse_args()
    study = find_study(given.study)
    house = study.contender("house")
    options = ",".join(f"{key}={value}" for key, value in house.parameters.items())
    model = f"{house.model}:{options}" if options else house.model
    run = bakeoff.train(study.dataset, model, validation=study.validation, out=given.out, **house.recipe.model_dump())
    labels = run.labels("test")
    found = wilson(int((run.logits("test").argmax(1) == labels).sum()), len(labels))
    record = {
        "benchmark": f"{study.name}: test accuracy of the contender house, one seed, all cores",
        "command": f"python bench/house.py {study.name}",
        "test_accuracy": run.metrics["test_accuracy"],
        "interval": [found.low, found.high],
        "test_images": len(labels),
        "validation_accuracy": run.metrics["validation_accuracy"],
        "seconds": run.seconds,
        "parameters": run.parameters,
        "recipe": house.recipe.model_dump(exclude_defaults=True),
        "environment": run.environment,
    }
    name = "house.json" if study.name == STUDY else f"house-{study.name}.json"
    write_json(ROOT / "results" / "bench" / name, record)
    print(f"{study.name}, house: {run.metrics['test_accuracy']:.2%} in {run.seconds:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
