"""Simulated studies: how often the verdicts are false, a true difference is shown, and the intervals cover the truth.

    python bench/simulate_verdicts.py --out results/bench/verdicts-simulation.json --docs docs/statistics.md

A study: image i has a difficulty shared by all contenders and one of its own for each contender; training seed s of
contender c shifts its log-odds on all images; each answer is then drawn on its own (seed x image noise). Seeds spread

    calm     by 0.1 on the log-odds scale, for every contender (half a point at 95 %)
    unequal  log-normally around 0.15, by a factor 2.1 a standard deviation, as in the results/ of this project
    failing  as calm, but one run in ten answers at chance (10 %)

The intercepts are solved for, so that the expected accuracy over seeds and images (of the runs that do not fail) is
the one stated.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import special

from bakeoff.evaluation.family import shares
from bakeoff.evaluation.pairs import compare_pairs
from bakeoff.evaluation.planner import seeds_to_show
from bakeoff.evaluation.sequential import continue_with, looks
from bakeoff.evaluation.variances import moments, seed_variances
from bakeoff.evaluation.verdicts import LEVEL, MARGIN, Verdicts, decide

DIFFICULTY, INTERACTION = 2.5, 1.0  # standard deviations on the log-odds scale
CALM, UNEQUAL, FACTOR = 0.1, 0.15, 0.75
FAILS, CHANCE = 0.1, 0.1
SPREADS = ("calm", "unequal", "failing")
BEGIN, END = "<!-- simulation -->", "<!-- end of simulation -->"


@dataclass(frozen=True)
class Cell:
    """One kind of study: expected accuracies (of runs that do not fail), runs of each, test images, seeds' spread."""

    accuracies: tuple[float, ...]
    runs: int
    images: int
    spread: str

    @property
    def truth(self) -> np.ndarray:
        """Expected accuracy (k,) over all runs, failing ones included."""
        p = np.array(self.accuracies)
        return (1 - FAILS) * p + FAILS * CHANCE if self.spread == "failing" else p

    @property
    def name(self) -> str:
        levels = " against ".join(f"{100 * p:.4g}" for p in sorted(set(self.accuracies)))
        return f"{len(self.accuracies)} contenders, {self.runs} seeds, {self.images} images, {levels} %, {self.spread}"


_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(61)
_INTERCEPTS: dict[float, tuple[np.ndarray, np.ndarray]] = {}


def intercepts(accuracy: float, spread: np.ndarray) -> np.ndarray:
    """Log-odds whose expected accuracy is `accuracy`, under normal deviations of standard deviation `spread`."""
    if accuracy not in _INTERCEPTS:
        grid = np.linspace(0, 8, 161)
        low, high = np.full(161, -40.0), np.full(161, 40.0)
        for _ in range(60):
            middle = (low + high) / 2
            expected = special.expit(middle[:, None] + grid[:, None] * _NODES) @ _WEIGHTS / math.sqrt(2 * math.pi)
            low, high = np.where(expected < accuracy, middle, low), np.where(expected < accuracy, high, middle)
        _INTERCEPTS[accuracy] = grid, (low + high) / 2
    return np.asarray(np.interp(spread, *_INTERCEPTS[accuracy]))


def draw(rng: np.random.Generator, cell: Cell) -> np.ndarray:
    """Answers (k, S, M), right or wrong, of one study."""
    k = len(cell.accuracies)
    of_seeds = np.full(k, CALM)
    if cell.spread == "unequal":
        of_seeds = UNEQUAL * np.exp(FACTOR * rng.standard_normal(k))
    total = np.hypot(math.hypot(DIFFICULTY, INTERACTION), of_seeds)
    base = [float(intercepts(p, s)) for p, s in zip(cell.accuracies, total, strict=True)]
    image = DIFFICULTY * rng.standard_normal(cell.images, np.float32)
    image = image + INTERACTION * rng.standard_normal((k, cell.images), np.float32)
    seed = np.array(base)[:, None] + of_seeds[:, None] * rng.standard_normal((k, cell.runs))
    odds = np.exp(-image)[:, None] * np.exp(-seed).astype(np.float32)[..., None]
    chance = np.float32(65536) / (1 + odds)
    if cell.spread == "failing":
        chance[rng.random((k, cell.runs)) < FAILS] = 65536 * CHANCE
    uniform = np.frombuffer(rng.bytes(2 * chance.size), np.uint16).reshape(chance.shape)
    return np.asarray(uniform < chance)


def judge(cell: Cell, verdicts: Verdicts) -> dict[str, float]:
    """What is false, shown and covered in one study."""
    true = cell.truth
    i, j = np.triu_indices(len(true), 1)
    gap = np.round(true[i] - true[j], 12)
    verdict = np.array([pair.verdict for pair in verdicts.pairs])
    low, high = np.array([(pair.low, pair.high) for pair in verdicts.pairs]).T
    false = ((verdict == "better") & (gap <= 0)) | ((verdict == "worse") & (gap >= 0))
    false_equivalent = (verdict == "equivalent") & (np.abs(gap) > MARGIN - 1e-9)
    told = {
        "false": float(false.any()),
        "false_equivalent": float(false_equivalent.any()),
        "any_false": float(false.any() or false_equivalent.any()),
        "pair_coverage": float(((low <= gap) & (gap <= high)).mean()),
        "leaderboard_coverage": float(
            np.mean([e.low <= p <= e.high for e, p in zip(verdicts.estimates.values(), true, strict=True)])
        ),
        "best_excluded": float(
            np.mean([f"c{c}" not in verdicts.can_be_best for c in np.flatnonzero(true == true.max())])
        ),
    }
    if (gap == 0).any():
        told["equivalent"] = float((verdict == "equivalent")[gap == 0].mean())
    if (gap != 0).any():
        told["shown"] = float(np.isin(verdict, ["better", "worse"])[gap != 0].mean())
    return told


Rows = Sequence[Mapping[str, float]]
Rates = dict[str, tuple[float, float]]
"""Of each measure the mean over studies and its Monte Carlo standard error; both are fractions."""


def rates(rows: Rows) -> Rates:
    """The mean of each measure over the studies in which it occurs."""
    told = {}
    for key in dict.fromkeys(key for row in rows for key in row):
        values = np.array([row[key] for row in rows if key in row])
        told[key] = float(values.mean()), float(values.std() / math.sqrt(len(values)))
    return told


def named(answers: np.ndarray | list[np.ndarray]) -> dict[str, np.ndarray]:
    return {f"c{c}": runs for c, runs in enumerate(answers)}


def simulate(cell: Cell, studies: int, rng: np.random.Generator) -> Rates:
    return rates([judge(cell, decide(named(draw(rng, cell)), margin=MARGIN)) for _ in range(studies)])


def add_seeds(cell: Cell, rng: np.random.Generator) -> dict[str, float]:
    """One study that adds seeds, up to `cell.runs`, until it is decided on a validation split of half the test's size.

    The validation images come before the test images; both are answered by the same runs.
    """
    validation = cell.images // 2
    both = draw(rng, replace(cell, images=validation + cell.images))
    plan = looks(cell.runs)
    runs = np.full(len(both), plan[0][0])
    for (_, level), (more, _) in zip(plan, [*plan[1:], (0, 0.0)], strict=True):
        seen = [answers[:n, :validation] for answers, n in zip(both, runs, strict=True)]
        going = continue_with(named(seen), level, test_images=cell.images).names
        if not going or not more:
            break
        runs[[int(name[1:]) for name in going]] = more
    seen = [answers[:n, validation:] for answers, n in zip(both, runs, strict=True)]
    return judge(cell, decide(named(seen), level=level, margin=MARGIN)) | {"seeds": float(runs.mean())}


def follow_plan(cell: Cell, rng: np.random.Generator, most: int = 60) -> dict[str, float]:
    """A pilot of `cell.runs` seeds plans for the true difference of the first contender to the second; a study of as
    many new seeds of the same contenders then shows it, or not."""
    both = draw(rng, replace(cell, runs=cell.runs + most))
    pilot = list(both[:, : cell.runs])
    pilot_moments = moments(pilot)
    tests = compare_pairs(pilot, pilot_moments, seed_variances(pilot_moments))
    m = len(tests.difference)
    level = LEVEL * shares(np.ones((2, m), bool), np.full(m, 1 / m))[0]
    need = seeds_to_show(tests.only([0]), level[:1], cell.truth[0] - cell.truth[1])[0]
    if need.seeds is None or need.seeds > most:
        return {"not_planned": 1.0}
    after = decide(named(both[:, cell.runs : cell.runs + need.seeds]))
    return {"not_planned": 0.0, "seeds": need.seeds, "shown": float(after.pairs[0].verdict in ("better", "worse"))}


def null_cells() -> list[Cell]:
    """Studies in which all contenders are equally good."""
    return [
        Cell((p,) * k, n, images, spread)
        for k in (2, 4, 15)
        for spread in SPREADS
        for images in (300, 1000, 10_000)
        for n in (3, 5, 10)
        for p in (0.5, 0.95, 0.995)
    ]


def margin_cells() -> list[Cell]:
    """Studies in which half of the contenders are better by exactly the margin."""
    return [
        Cell(tuple(0.95 - MARGIN * (c % 2) / (1 - FAILS * (spread == "failing")) for c in range(k)), n, 10_000, spread)
        for k in (2, 4, 15)
        for spread in SPREADS
        for n in (3, 10)
    ]


POWER = [Cell((0.90, *(0.95,) * 14), 3, 10_000, "calm"), Cell((0.75, *(0.95,) * 14), 3, 10_000, "unequal")]
ADDING = [Cell((0.95,) * k, 10, 5000, spread) for k in (2, 4, 15) for spread in SPREADS] + [
    Cell((0.93,) * 7 + (0.95,) * 8, 10, 5000, "unequal")
]
PLANS = [
    Cell((0.93, 0.95), 3, 10_000, "calm"),
    Cell((0.90, 0.95), 3, 10_000, "unequal"),
    Cell((0.93,) + (0.95,) * 3, 3, 10_000, "unequal"),
    Cell((0.94,) + (0.95,) * 14, 3, 10_000, "calm"),
    Cell((0.92,) + (0.95,) * 14, 3, 10_000, "unequal"),
]
AGAIN = 0.035
"""False findings above which a cell is simulated again, with new studies only: the worst of many cells is by chance."""


def run(studies: int, seed: int) -> dict[str, dict[str, Rates]]:
    """All cells by group and name."""
    numbers = itertools.count()

    def fresh() -> np.random.Generator:
        return np.random.default_rng([seed, next(numbers)])

    told: dict[str, dict[str, Rates]] = {"null": {}, "margin": {}}
    for group, cells in (("null", null_cells()), ("margin", margin_cells())):
        for cell in cells:
            result = simulate(cell, studies, fresh())
            if result["any_false"][0] > AGAIN:
                result = simulate(cell, 6 * studies, fresh())
            told[group][cell.name] = show(cell.name, result)
    told["power"] = {cell.name: show(cell.name, simulate(cell, 2 * studies, fresh())) for cell in POWER}
    for group, cells, study in (("adding seeds", ADDING, add_seeds), ("plan", PLANS, follow_plan)):
        told[group] = {}
        for cell in cells:
            rng = fresh()
            told[group][cell.name] = show(cell.name, rates([study(cell, rng) for _ in range(studies)]))
    return told


def show(name: str, result: Rates) -> Rates:
    print(
        f"{name}: " + "  ".join(f"{key} {mean:.4f}" for key, (mean, _) in result.items()), file=sys.stderr, flush=True
    )
    return {key: (round(mean, 4), round(error, 4)) for key, (mean, error) in result.items()}


def table(told: Mapping[str, Mapping[str, Rates]]) -> str:
    """The results in Markdown: per number of contenders and spread, the worst cell and the ranges over the cells."""
    lines = [
        "| contenders | seeds spread | false findings, worst design | pair interval covers | leaderboard's covers |",
        "|---:|---|---|---|---|",
    ]
    for k, spread in itertools.product((2, 4, 15), SPREADS):
        own = {n: r for n, r in told["null"].items() if n.startswith(f"{k} ") and n.endswith(spread)}
        worst = max(own, key=lambda name: own[name]["any_false"][0])
        mean, error = own[worst]["any_false"]
        design = ", ".join(worst.split(", ")[1:-1])
        covers = []
        for key in ("pair_coverage", "leaderboard_coverage"):
            low, high = (f(r[key][0] for r in own.values()) for f in (min, max))
            covers.append(f"{100 * low:.1f} to {100 * high:.1f} %")
        lines.append(
            f"| {k} | {spread} | {100 * mean:.1f} ± {100 * error:.1f} % ({design}) | " + " | ".join(covers) + " |"
        )
    lines += ["", "| studies of | result |", "|---|---|", *_others(told)]
    return "\n".join(lines) + "\n"


def _others(told: Mapping[str, Mapping[str, Rates]]) -> list[str]:
    def percent(rate: tuple[float, float]) -> str:
        return f"{100 * rate[0]:.1f} ± {100 * rate[1]:.1f} %" if rate[0] else "none"

    def worst(group: str, k: int) -> str:
        return percent(max(r["any_false"] for name, r in told[group].items() if name.startswith(f"{k} ")))

    lines = [
        f"| {k} contenders, half better by exactly the margin | any false verdict, worst design: {worst('margin', k)} |"
        for k in (2, 4, 15)
    ]
    lines += [f"| {name} | difference shown: {percent(r['shown'])} |" for name, r in told["power"].items()]
    lines += [
        f"| {k} contenders, adding up to 10 seeds | any false verdict, worst design: {worst('adding seeds', k)} |"
        for k in (2, 4, 15)
    ]
    for name, r in told["plan"].items():
        seeds = f"as many new seeds ({r['seeds'][0]:.1f})"
        unplanned = f"over 60 or none planned: {percent(r['not_planned'])}"
        lines.append(f"| {name}: a plan, then {seeds} | difference shown: {percent(r['shown'])}; {unplanned} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=None, help="default: a fresh one")
    parser.add_argument("--studies", type=int, default=150, help="of each design; six times as many where it matters")
    parser.add_argument("--out", type=Path, help="JSON")
    parser.add_argument("--docs", type=Path, help="Markdown file whose generated table is replaced")
    args = parser.parse_args()
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if args.seed is None else args.seed
    started = time.process_time()
    told = run(args.studies, seed)
    record = {"seed": seed, "studies": args.studies, "seconds": round(time.process_time() - started), **told}
    if args.out:
        args.out.write_text(json.dumps(record, separators=(",", ":")) + "\n", encoding="utf-8")
    if args.docs:
        head, rest = args.docs.read_text(encoding="utf-8").split(BEGIN)
        text = f"{head}{BEGIN}\n{table(told)}{END}{rest.split(END)[1]}"
        args.docs.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
