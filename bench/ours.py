"""Our own contenders: how far each comes in ten minutes of training on this machine's cores.

    BAKEOFF_DATA=... python bench/ours.py STUDY [--scale SCALE] [--out runs]

Trains what CONTENDERS names (finished runs in OUT are taken as they are), and writes results/bench/ours-STUDY.json.
With a scale it is trained at that one, however long it takes, and the record is ours-STUDY-SCALE.json.
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


class Contender(NamedTuple):
    """A contender of a study, at a scale; of one seed, all cores train it; of several, each has a core of its own."""

    contender: str
    scale: str
    seeds: int


CONTENDERS = {
    "small-cnn": Contender("ours", "full", 5),
    "largest-digit": Contender("ours", "full", 1),
    "highest-digit": Contender("ours", "full", 1),
    "deeper-networks": Contender("ours-tta-cifar10", "ours", 1),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", choices=CONTENDERS)
    parser.add_argument("--scale", help="instead of the one of ten minutes")
    parser.add_argument("--out", default="runs")
    given = parser.parse_args()
    name, out = given.study, Path(given.out) / "ours"
    contender, scale, seeds = CONTENDERS[name]
    words = [name]
    if given.scale:
        scale, words = given.scale, [name, "--scale", given.scale]
    study = make_plan(find_study(name), scale)
    needs = study.contender(contender).needs
    threads = cores() if seeds == 1 else None
    summary = bakeoff.run_study(name, scale=scale, only=[contender, *needs], seeds=seeds, out=out, threads=threads)
    ours = next(c for c in summary["contenders"] if c["name"] == contender)
    trained = study.contender(needs[0] if needs else contender)
    record = {
        "benchmark": f"{name}: the contender {contender} at {scale} scale",
        "command": f"python bench/ours.py {' '.join(words)}",
        "contender": contender,
        "scale": scale,
        "seeds": ours["n"],
        "test_accuracy": ours["test_accuracy"],
        "each": [seed["test_accuracy"] for seed in ours["seeds"]],
        "validation_accuracy": ours["validation_accuracy"],
        "test_images": read_run(find_runs(out / name)[0]).measured("test"),
        "seconds_a_run": ours["seconds"],
        "core_seconds_a_run": ours["seconds"] * summary["environment"]["threads"],
        "parameters": ours["parameters"],
        "model": trained.model,
        "recipe": trained.recipe.model_dump(exclude_defaults=True),
        "environment": summary["environment"],
    }
    write_json(ROOT / "results" / "bench" / f"ours-{'-'.join(words[::2])}.json", record)
    print(f"{name}, {contender}: {ours['test_accuracy']['mean']:.2%}, n = {ours['n']}, {ours['seconds']:.0f} s each")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
