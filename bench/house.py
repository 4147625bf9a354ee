"""The house contender of `highest-digit`: how far it comes in ten minutes of training on this machine's cores.

    BAKEOFF_DATA=... python bench/house.py [--out runs]

Trains the study's contender `house` once with all cores (a finished run in OUT is taken as it is) and writes
results/bench/house.json.
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
    parser.add_argument("--out", default="runs")
    out = parser.parse_args().out
    study = find_study(STUDY)
    house = study.contender("house")
    run = bakeoff.train(study.dataset, house.model, validation=study.validation, out=out, **house.recipe.model_dump())
    labels = run.labels("test")
    found = wilson(int((run.logits("test").argmax(1) == labels).sum()), len(labels))
    record = {
        "benchmark": f"{STUDY}: test accuracy of the contender house, one seed, all cores",
        "command": "python bench/house.py",
        "test_accuracy": run.metrics["test_accuracy"],
        "interval": [found.low, found.high],
        "test_images": len(labels),
        "validation_accuracy": run.metrics["validation_accuracy"],
        "seconds": run.seconds,
        "parameters": run.parameters,
        "recipe": house.recipe.model_dump(exclude_defaults=True),
        "environment": run.environment,
    }
    write_json(ROOT / "results" / "bench" / "house.json", record)
    print(f"{STUDY}, house: {run.metrics['test_accuracy']:.2%} in {run.seconds:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
