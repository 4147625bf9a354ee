"""Our own contenders: how far each comes in ten minutes of training on this machine's cores.

    BAKEOFF_DATA=... python bench/house.py STUDY [--scale SCALE] [--out runs]

Trains what HOUSES names (finished runs in OUT are taken as they are), and writes results/bench/house-STUDY.json. With a
scale it is trained at that one, however long it takes, and the record is house-STUDY-SCALE.json.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import bakeoff
from bakeoff.engines.execute import cores
from bakeoff.record import find_runs, read_run, write_json
from bakeoff.spec.plan import make_plan
from bakeoff.studies.packaged import find_study

ROOT = Path(__file__).parents[1]


class House(NamedTuple):
    """A contender of a study, at a scale; of one seed, all cores train it; of several, each has a core of its own."""

    contender: str
    scale: str
    seeds: int


HOUSES = {
    "small-cnn": House("house", "full", 5),
    "largest-digit": House("house", "full", 1),
    "highest-digit": House("house", "full", 1),
    "deeper-networks": House("house-views-cifar10", "house", 1),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", choices=HOUSES)
    parser.add_argument("--scale", help="instead of the one of ten minutes")
    parser.add_argument("--out", default="runs")
    given = parser.parse_args()
    name, out = given.study, Path(given.out) / "house"
    contender, scale, seeds = HOUSES[name]
    words = [name]
    if given.scale:
        scale, words = given.scale, [name, "--scale", given.scale]
    study = make_plan(find_study(name), scale)
    needs = study.contender(contender).needs
    threads = cores() if seeds == 1 else None
    summary = bakeoff.run_study(name, scale=scale, only=[contender, *needs], seeds=seeds, out=out, threads=threads)
    house = next(c for c in summary["contenders"] if c["name"] == contender)
    trained = study.contender(needs[0] if needs else contender)
    record = {
        "benchmark": f"{name}: the contender {contender} at {scale} scale",
        "command": f"python bench/house.py {' '.join(words)}",
        "contender": contender,
        "scale": scale,
        "seeds": house["n"],
        "test_accuracy": house["test_accuracy"],
        "each": [seed["test_accuracy"] for seed in house["seeds"]],
        "validation_accuracy": house["validation_accuracy"],
        "test_images": read_run(find_runs(out / name)[0]).measured("test"),
        "seconds_a_run": house["seconds"],
        "core_seconds_a_run": house["seconds"] * summary["environment"]["threads"],
        "parameters": house["parameters"],
        "model": trained.model,
        "recipe": trained.recipe.model_dump(exclude_defaults=True),
        "environment": summary["environment"],
    }
    write_json(ROOT / "results" / "bench" / f"house-{'-'.join(words[::2])}.json", record)
    print(f"{name}, {contender}: {house['test_accuracy']['mean']:.2%}, n = {house['n']}, {house['seconds']:.0f} s each")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
