"""How many seeds would decide a pair of contenders, or why no number of seeds can.

A test shows a true difference with the wanted chance when the difference exceeds so many standard errors. With more
seeds the error shrinks to the images' part, and no further. The seeds' variance is known from few runs, so its upper
80 % confidence limit is planned with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from bakeoff.evaluation.pairs import Tests, least_error
from bakeoff.evaluation.variances import Bools, Floats

CHANCE = 0.8
"""Of studies that show a true difference."""
MOST = 1000
"""Seeds beyond which a number is of no use."""

DIFFERENCES = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
"""True differences of accuracy that a plan is made for."""

LimitedBy = Literal["images", "seeds", "single run"]


@dataclass(frozen=True)
class Need:
    """Seeds of each contender; where there is no such number, `limited_by` says what is short.

    "images": no number of seeds can, for the test set is too small; "seeds": it would take more than `MOST`;
    "single run": one run says nothing of other seeds.
    """

    seeds: int | None
    limited_by: LimitedBy | None = None


def seeds_to_show(tests: Tests, level: Floats, difference: Floats | float) -> list[Need]:
    """Seeds with which each pair's (m,) two-sided test at its `level` (m,) shows a true difference in 8 of 10 studies.

    All pairs' spread between seeds has to be known.
    """
    return _least(tests, level / 2, np.abs(difference), CHANCE, np.ones_like(tests.runs), least_error(tests.images))


def seeds_to_decide(tests: Tests, level: Floats, margin: float) -> list[Need]:
    """Seeds that decide each pair if its true difference is the one observed; `level` (2, m) of both its tests.

    That is the number that shows the difference, or the one that shows it to be below the margin, if that is less: then
    each of the two one-sided tests is to succeed in 9 of 10 studies.
    """
    observed = np.abs(tests.difference)
    error = least_error(tests.images)
    to_show = _least(tests, level[0] / 2, observed, CHANCE, tests.runs, error)
    to_bound = _least(tests, level[1], margin - observed, (1 + CHANCE) / 2, tests.runs, 2 * error)
    return [min(needs, key=_order) for needs in zip(to_show, to_bound, strict=True)]


def plan(tests: Tests, level: Floats) -> dict[float, Need]:
    """Of each of `DIFFERENCES` the seeds that show it in the pair of median standard error; empty without pairs."""
    if not len(level):
        return {}
    middle = [int(np.argsort(tests.error[-1], kind="stable")[(len(level) - 1) // 2])] * len(DIFFERENCES)
    needs = seeds_to_show(tests.only(middle), level[middle], np.array(DIFFERENCES))
    return dict(zip(DIFFERENCES, needs, strict=True))


def _order(need: Need) -> tuple[float, bool]:
    return need.seeds or np.inf, need.limited_by == "images"


def _least(
    tests: Tests,
    one_sided: Floats,
    distance: Floats | float,
    chance: float,
    above: npt.NDArray[np.int64],
    least: float,
) -> list[Need]:
    """The fewest seeds, more than `above` (m,), whose test at the level `one_sided` (m,) reaches over a true distance.

    It is to do so with the given chance. No standard error is taken below `least`.
    """

    def enough(runs: Floats) -> Bools:
        seeds_df = runs - 1 + tests.borrowed
        seeds = upper / runs
        part = np.maximum(tests.images_part, least**2 - seeds)
        variance = seeds + part
        df = variance / (seeds / seeds_df + part / (tests.images - 1))
        limit = -special.stdtrit(df, one_sided)
        # non-central t by the normal approximation of sqrt(chi-squared / df): Johnson & Welch, Biometrika 31 (1940)
        shift = limit * (1 - 1 / (4 * df)) + special.ndtri(chance) * np.sqrt(1 + limit**2 / (2 * df))
        return np.asarray(distance >= shift * np.sqrt(variance))

    limit = np.maximum(special.chdtri(tests.seed_df, CHANCE), 1e-6)  # next to nothing known: no end of variance
    upper = tests.per_seed * tests.seed_df / limit
    few, many = above, np.full(len(upper), MOST)  # few counts as too few
    reachable, unbounded = enough(many), enough(np.full(len(upper), 1e12))
    while (many - few > 1).any():
        middle = (few + many + 1) // 2
        does = enough(middle)
        few, many = np.where(does, few, middle), np.where(does, middle, many)
    return [
        Need(int(seeds)) if ok else Need(None, "seeds" if ever else "images")
        for seeds, ok, ever in zip(many, reachable, unbounded, strict=True)
    ]
