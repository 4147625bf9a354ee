"""Which contender is better than which, for new training seeds and new test images.

The estimand is the difference in expected accuracy over training seeds and over images like the test images, for one
training set, split and recipe. Of each pair two hypotheses are tested: "no difference" and, by two one-sided tests
(Schuirmann, J. Pharmacokinet. Biopharm. 15 (1987) 657-680), "a difference of the margin or more". docs/statistics.md
has the formulas and what simulated studies show of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from bakeoff.errors import BakeoffError
from bakeoff.evaluation.family import adjust, shares
from bakeoff.evaluation.metrics import Interval, wilson
from bakeoff.evaluation.pairs import Tests, compare_pairs
from bakeoff.evaluation.planner import LimitedBy, Need, plan, seeds_to_decide
from bakeoff.evaluation.variances import Bools, Correct, Floats, Moments, Variances, moments, seed_variances

Verdict = Literal["better", "worse", "equivalent", "undecided"]

LEVEL = 0.05
MARGIN = 0.005
"""Difference in accuracy below which two contenders count as equally good."""
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Pair:
    """Contender a against b; differences are accuracies of a minus b, in [-1, 1]."""

    a: str
    b: str
    difference: float
    low: float
    """Lower end of the 95 % interval of this pair alone."""
    high: float
    p: float
    """Two-sided and unadjusted, of no difference."""
    p_adjusted: float | None
    """`p` adjusted for the whole family; None where no verdict is possible, see `single_run`."""
    p_equivalent: float | None
    """Adjusted p, in the same family, of a difference of the margin or more."""
    verdict: Verdict
    declared: bool
    runs: tuple[int, int]
    images: int
    single_run: bool
    """A contender has one run and no spread to borrow: interval and p speak of these runs only."""
    images_share: float
    """The part of the test images in the variance of `difference`, in [0, 1], which more seeds leave as it is."""
    seeds_needed: int | None = None
    """Of an undecided pair: seeds of each that decide it in 8 of 10 studies if the difference is the one observed."""
    limited_by: LimitedBy | None = None
    """Why there is no such number, see `planner.Need`."""


@dataclass(frozen=True)
class Estimate(Interval):
    """A contender's accuracy with its 95 % interval: for new seeds and images, or Wilson's of a single run."""

    runs: int
    kind: Literal["new images", "wilson"]


@dataclass(frozen=True)
class Verdicts:
    """All pairs in the order of `itertools.combinations`, and what follows for each contender."""

    pairs: tuple[Pair, ...]
    estimates: Mapping[str, Estimate]
    can_be_best: tuple[str, ...]
    plan: Mapping[float, Need]
    """Seeds that show a true difference of so much between two contenders as well told apart as half of the pairs."""


def decide(
    correct: Mapping[str, Correct],
    *,
    declared: Collection[tuple[str, str]] = (),
    candidates: Collection[str] | None = None,
    margin: float = MARGIN,
    level: float = LEVEL,
) -> Verdicts:
    """Compare all contenders by their answers (S, M), right or wrong: one row a run, one column a test image.

    Contenders need neither equally many runs nor shared seeds; where two have equally many, rows of fewer than four
    contenders are paired in their order. `declared` pairs, in either order, share half the level (all of it if there
    are no others). Only `candidates`, by default all, can be best or keep another from it. The chance of any false
    verdict in the result is to be at most `level`, in (0, 1). `margin` is in
    accuracy, above 0. Raises BakeoffError unless all were tested on the same number of images, 2 or more.
    """
    names = list(correct)
    if not names:
        return Verdicts((), {}, (), {})
    answers = [np.asarray(correct[name], dtype=np.bool_) for name in names]
    _check(dict(zip(names, answers, strict=True)))
    observed = moments(answers)
    spread = seed_variances(observed)
    tests = compare_pairs(answers, observed, spread)
    known = ~np.isnan(tests.per_seed)
    family = tests.only(known)
    among = [(a, b) in declared or (b, a) in declared for a, b in itertools.combinations(names, 2)]
    weights = _weights(np.array(among, bool)[known])
    adjusted = np.full((2, len(known)), np.nan)
    adjusted[:, known] = adjust(family.different(), family.within(margin), weights)
    levels = level * shares(~(adjusted[:, known] < level), weights)
    needs = iter(seeds_to_decide(family, levels, margin))
    needed = [next(needs) if is_known else Need(None, "single run") for is_known in known]
    pairs = tuple(_pairs(names, observed, tests, adjusted, among, needed, level))
    return Verdicts(
        pairs,
        {name: _estimate(observed, spread, c) for c, name in enumerate(names)},
        _can_be_best(names if candidates is None else [n for n in names if n in candidates], pairs, tests, level),
        plan(family, levels[0]),
    )


def estimate(correct: Correct) -> Estimate:
    """The accuracy of one contender by itself, by its answers (S, M)."""
    return decide({"": correct}).estimates[""]


def _pairs(
    names: Sequence[str],
    observed: Moments,
    tests: Tests,
    adjusted: Floats,
    declared: Sequence[bool],
    needed: Sequence[Need],
    level: float,
) -> Iterator[Pair]:
    """All pairs, given the adjusted p (2, m) of both tests, nan where no verdict is possible."""
    p, half = tests.different(), tests.half_width(CONFIDENCE)
    for k, (i, j) in enumerate(itertools.combinations(range(len(names)), 2)):
        difference, known = float(tests.difference[k]), not np.isnan(adjusted[0, k])
        verdict = _verdict(difference, adjusted[0, k], adjusted[1, k], level)
        need = needed[k] if verdict == "undecided" else Need(None)
        yield Pair(
            names[i],
            names[j],
            difference,
            low=max(difference - float(half[k]), -1.0),
            high=min(difference + float(half[k]), 1.0),
            p=float(p[k]),
            p_adjusted=float(adjusted[0, k]) if known else None,
            p_equivalent=float(adjusted[1, k]) if known else None,
            verdict=verdict,
            declared=declared[k],
            runs=(int(observed.runs[i]), int(observed.runs[j])),
            images=observed.images,
            single_run=not known,
            images_share=float(tests.images_part[k] / tests.error[-1, k] ** 2),
            seeds_needed=need.seeds,
            limited_by=need.limited_by,
        )


def _check(answers: Mapping[str, Correct]) -> None:
    images = {name: rows.shape[1] for name, rows in answers.items()}
    if len(sizes := sorted(set(images.values()))) > 1:
        a, b = (next(name for name in images if images[name] == size) for size in (sizes[0], sizes[-1]))
        raise BakeoffError(
            f"contenders {a} and {b} cannot be compared: their runs were tested on {sizes[0]} and {sizes[-1]} images, "
            "and a comparison needs the same test images"
        )
    if sizes[0] < 2:
        raise BakeoffError(f"a comparison needs at least 2 test images; there is {sizes[0]}")
    if empty := [name for name, rows in answers.items() if not len(rows)]:
        raise BakeoffError(f"contender {empty[0]} has no run to compare")


def _weights(declared: Bools) -> Floats:
    """Each pair's share (m,) of the level: declared pairs share half of it and the others half, or one kind all."""
    count = np.where(declared, declared.sum(), (~declared).sum())
    return np.asarray((0.5 if declared.any() and not declared.all() else 1.0) / count)


def _verdict(difference: float, p_adjusted: float, p_equivalent: float, level: float) -> Verdict:
    """A shown difference comes first, though it may be shown to be below the margin as well; nan decides nothing."""
    if p_adjusted < level:
        return "better" if difference > 0 else "worse"
    return "equivalent" if p_equivalent < level else "undecided"


def _can_be_best(names: Sequence[str], pairs: Sequence[Pair], tests: Tests, level: float) -> tuple[str, ...]:
    """Contenders that no other is shown to beat, by a verdict or at one-sided p (k - 1) < level.

    Among k contenders the best one has k - 1 chances to be beaten falsely: Hsu, Ann. Stat. 9 (1981) 1026-1034; Gupta,
    Technometrics 7 (1965) 225-245.
    """
    others = max(len(names) - 1, 1)
    beaten = set()
    for pair, first_better, second_better in zip(pairs, tests.above(0), tests.below(0), strict=True):
        if not {pair.a, pair.b} <= {*names}:
            continue
        if pair.verdict == "better" or (not pair.single_run and first_better * others < level):
            beaten.add(pair.b)
        if pair.verdict == "worse" or (not pair.single_run and second_better * others < level):
            beaten.add(pair.a)
    return tuple(name for name in names if name not in beaten)


def _estimate(observed: Moments, spread: Variances, c: int) -> Estimate:
    """Wilson's interval; of several runs with the number of answers that would vary like their mean, and Student's t.

    Korn & Graubard, Survey Methodology 24 (1998) 193-201, for proportions from clusters.
    """
    n, answers, mean = int(observed.runs[c]), int(observed.runs[c]) * observed.images, float(observed.mean[c])
    if n == 1 or mean in (0.0, 1.0):  # runs that all agree may do so because of the images: no more count than these
        interval = wilson(round(mean * observed.images), observed.images)
        return Estimate(mean, interval.low, interval.high, n, "wilson" if n == 1 else "new images")
    seeds = spread.seeds[c] / n
    images = max(observed.shared[c, c] - observed.noise[c] / n, 0.0) / observed.images
    p = (mean * answers + 0.5) / (answers + 1)
    variance = max(seeds + images, p * (1 - p) / answers)
    images = variance - seeds
    df = variance / (seeds / spread.df[c] + images / (observed.images - 1))
    effective = p * (1 - p) / variance
    t2 = float(special.stdtrit(df, (1 + CONFIDENCE) / 2)) ** 2 / effective
    centre = (mean + t2 / 2) / (1 + t2)
    half = np.sqrt(t2 * mean * (1 - mean) + t2**2 / 4) / (1 + t2)
    return Estimate(mean, float(min(centre - half, mean)), float(max(centre + half, mean)), n, "new images")
