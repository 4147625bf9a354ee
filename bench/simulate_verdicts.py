"""Simulated studies, and how often the verdicts on them are false, how often a true difference is shown, and how often
the intervals cover: python bench/simulate_verdicts.py [--seed 0] [--studies 1000] [--out results/bench/...json]

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
import json
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import special

from bakeoff.evaluation.verdicts import Verdicts, decide

DIFFICULTY, INTERACTION = 2.5, 1.0  # standard deviations on the log-odds scale
CALM, UNEQUAL, FACTOR = 0.1, 0.15, 0.75
FAILS, CHANCE = 0.1, 0.1
SPREADS = ("calm", "unequal", "failing")
MARGIN = 0.005


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
    return np.interp(spread, *_INTERCEPTS[accuracy])


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
    return uniform < chance


def judge(cell: Cell, found: Verdicts) -> dict[str, float]:
    """What is false, shown and covered in one study."""
    true = cell.truth
    i, j = np.triu_indices(len(true), 1)
    gap = np.round(true[i] - true[j], 12)
    verdict = np.array([pair.verdict for pair in found.pairs])
    low, high = np.array([(pair.low, pair.high) for pair in found.pairs]).T
    false = ((verdict == "better") & (gap <= 0)) | ((verdict == "worse") & (gap >= 0))
    false_equivalent = (verdict == "equivalent") & (np.abs(gap) > MARGIN - 1e-9)
    told = {
        "false": float(false.any()),
        "false_equivalent": float(false_equivalent.any()),
        "any_false": float(false.any() or false_equivalent.any()),
        "pair_coverage": float(((low <= gap) & (gap <= high)).mean()),
        "leaderboard_coverage": float(
            np.mean([e.low <= p <= e.high for e, p in zip(found.estimates.values(), true, strict=True)])
        ),
        "best_excluded": float(np.mean([f"c{c}" not in found.can_be_best for c in np.flatnonzero(true == true.max())])),
    }
    if (gap == 0).any():
        told["equivalent"] = float((verdict == "equivalent")[gap == 0].mean())
    if (gap != 0).any():
        told["shown"] = float(np.isin(verdict, ["better", "worse"])[gap != 0].mean())
    return told


def simulate(cell: Cell, studies: int, rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Each measure's mean over the studies with its Monte Carlo standard error."""
    rows = []
    for _ in range(studies):
        answers = draw(rng, cell)
        rows.append(judge(cell, decide({f"c{c}": runs for c, runs in enumerate(answers)}, margin=MARGIN)))
    table = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    return {
        key: {"mean": float(values.mean()), "error": float(values.std() / math.sqrt(studies))}
        for key, values in table.items()
    }


def cells() -> list[Cell]:
    """The grid: nulls first, then differences of exactly the margin, then the two for power."""
    nulls = [
        Cell((p,) * k, n, images, spread)
        for images in (300, 1000, 10_000)
        for k in (2, 4, 15)
        for n in (3, 5, 10)
        for p in (0.5, 0.95, 0.995)
        for spread in SPREADS
    ]
    at_margin = [
        Cell(tuple(0.95 - MARGIN * (c % 2) / (1 - FAILS * (spread == "failing")) for c in range(k)), n, 10_000, spread)
        for k in (2, 4, 15)
        for n in (3, 10)
        for spread in SPREADS
    ]
    power = [
        Cell((0.90, *(0.95,) * 14), 3, 10_000, "calm"),
        Cell((0.75, *(0.95,) * 14), 3, 10_000, "unequal"),
    ]
    return nulls + at_margin + power


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=None, help="default: a fresh one")
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--only", default="", help="cells whose name has this in it")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if args.seed is None else args.seed
    results, started = {}, time.perf_counter()
    for number, cell in enumerate(cells()):
        if args.only in cell.name:
            results[cell.name] = simulate(cell, args.studies, np.random.default_rng([seed, number]))
            told = "  ".join(f"{key} {100 * one['mean']:.1f}" for key, one in results[cell.name].items())
            print(f"{cell.name}: {told}", file=sys.stderr, flush=True)
    told = {"seed": seed, "studies": args.studies, "seconds": round(time.perf_counter() - started), "cells": results}
    if args.out:
        args.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
