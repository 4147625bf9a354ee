"""Which contender is better, and could chance explain it?

Contender a's answers minus b's form a table d (S seeds, M images) of -1, 0 and 1. Two chances shape it, the training
seeds and the test images, and they are crossed: every seed meets every image. Counting all S x M cells as independent
overstates the evidence, for an image that is hard for b is hard in all its runs, and a lucky seed is lucky on all its
images. The same table occurs in radiology, with readers for seeds and cases for images, and its analysis is theirs:

    Cornfield & Tukey, Average values of mean squares in factorials, Ann. Math. Statist. 27 (1956) 907-949.
    Hillis, Berbaum & Metz, Recent developments in the Dorfman-Berbaum-Metz procedure for multireader ROC study
    analysis, Acad. Radiol. 15 (2008) 647-661.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from bakeoff.errors import BakeoffError
from bakeoff.evaluation.metrics import Floats, wilson

Correct = npt.NDArray[np.bool_]

LEVEL = 0.05
NO_DIFFERENCE = "no difference shown"
_TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True)
class Difference:
    """Accuracy of a minus that of b, in [-1, 1], with its interval, the two-sided p, and what they rest on."""

    difference: float
    low: float
    high: float
    p: float
    seeds: int
    images: int


@dataclass(frozen=True)
class Comparison:
    """A `Difference` between two named contenders, with p adjusted for all pairs and the verdict it leads to.

    The interval is that of this pair alone, at 95 %; only `p_adjusted` and the verdict know of the other pairs.
    """

    a: str
    b: str
    difference: float
    low: float
    high: float
    p: float
    p_adjusted: float
    verdict: str
    seeds: int
    images: int


def paired_difference(a: Correct, b: Correct, confidence: float = 0.95) -> Difference:
    """Compare two contenders by their answers a and b (S, M), right or wrong, row s of both from one seed.

    With one seed, or where all seeds answer alike, the images are the only chance there is to see: p is McNemar's
    exact one and the interval Newcombe's. They speak of these runs, not of the runs another seed would give.

    Otherwise p is the largest of three, and the interval the widest: Student's t test of the S seeds' differences,
    of the M images' differences, and of the crossed table. With MS the mean squares of d, the crossed one takes
    (MS_seeds + max(MS_images - MS_rest, 0)) / SM for the variance of the mean difference (Hillis et al.), and
    1/(S - 1) and 1/(M - 1), weighed by the parts of seeds and images in it, for 1/df. Satterthwaite's df would
    square the parts: with few seeds, so that the parts are ill known, that is too many in the tails which a
    correction for many pairs looks at. For the same reason the seeds alone have to show the difference, too.
    """
    assert a.shape == b.shape, (a.shape, b.shape)
    seeds, images = a.shape
    assert seeds >= 1, a.shape
    assert images >= 2, a.shape
    table = a.astype(np.int8) - b.astype(np.int8)
    mean = float(table.mean())
    if (table == table[0]).all():
        low, high = _newcombe(a[0], b[0], confidence)
        return Difference(mean, low, high, mcnemar(a[0], b[0]), seeds, images)
    of_seeds = images * table.mean(axis=1).var(ddof=1)
    of_images = seeds * table.mean(axis=0).var(ddof=1)
    squares = np.count_nonzero(table) - table.size * mean**2
    rest = (squares - (seeds - 1) * of_seeds - (images - 1) * of_images) / ((seeds - 1) * (images - 1))
    crossed = max(of_seeds + max(of_images - rest, 0.0), _TINY)
    part = of_seeds / crossed
    freedom = np.array([seeds - 1, images - 1, 1 / (part / (seeds - 1) + (1 - part) / (images - 1))])
    # A margin with no variance at all must not divide by zero: its t is then huge, and another margin decides.
    error = np.sqrt(np.maximum([of_seeds, of_images, crossed], _TINY) / table.size)
    p = float((2 * special.stdtr(freedom, -abs(mean) / error)).max())
    half = float((special.stdtrit(freedom, (1 + confidence) / 2) * error).max())
    return Difference(mean, max(mean - half, -1.0), min(mean + half, 1.0), p, seeds, images)


def mcnemar(a: Correct, b: Correct) -> float:
    """Two-sided p of McNemar's exact test on the answers a and b (M,) of two single runs; 1 if they never differ."""
    only_a = int(np.count_nonzero(a & ~b))
    only_b = int(np.count_nonzero(b & ~a))
    return float(stats.binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0


def _newcombe(a: Correct, b: Correct, confidence: float) -> tuple[float, float]:
    """Interval for the difference of two paired proportions: method 10 of Newcombe, Statist. Med. 17 (1998) 2635-2650.

    Wilson's intervals of the two proportions, joined with their correlation phi (continuity-corrected if positive).
    """
    n = len(a)
    both, neither = int(np.count_nonzero(a & b)), int(np.count_nonzero(~a & ~b))
    right_a, right_b = int(np.count_nonzero(a)), int(np.count_nonzero(b))
    excess = both * neither - (right_a - both) * (right_b - both)
    margins = right_a * (n - right_a) * right_b * (n - right_b)
    numerator = max(excess - n / 2, 0.0) if excess > 0 else excess
    phi = numerator / math.sqrt(margins) if margins else 0.0
    first, second = wilson(right_a, n, confidence), wilson(right_b, n, confidence)

    def joined(x: float, y: float) -> float:
        return math.sqrt(max(x * x - 2 * phi * x * y + y * y, 0.0))

    mean = first.mean - second.mean
    low = mean - joined(first.mean - first.low, second.high - second.mean)
    high = mean + joined(first.high - first.mean, second.mean - second.low)
    return low, high


def holm(p_values: Sequence[float] | Floats) -> Floats:
    """Adjusted p values in the order given, which keep the chance of any false finding among them below the level.

    Holm, A simple sequentially rejective multiple test procedure, Scand. J. Statist. 6 (1979) 65-70.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted


def compare_all(correct: Mapping[str, Mapping[int, Correct]]) -> list[Comparison]:
    """Every pair of contenders, in the order given, with Holm's correction over all pairs.

    `correct` maps a contender to its runs: seed to answers (M,), right or wrong. A pair is compared on the seeds that
    both have; if they share none, the runs are paired in the order of their seeds, which is as valid (seeds are
    exchangeable) though less sharp. A contender without runs is left out. Raises BakeoffError where the two were not
    tested on equally many images.
    """
    return compare_pairs(correct, itertools.combinations([name for name, runs in correct.items() if runs], 2))


def compare_pairs(correct: Mapping[str, Mapping[int, Correct]], pairs: Iterable[tuple[str, str]]) -> list[Comparison]:
    """`compare_all` of some pairs only, all of which have runs; Holm's correction covers just these."""
    pairs = list(pairs)
    differences = []
    for a, b in pairs:
        first, second = _paired_runs(correct[a], correct[b])
        sizes = sorted({len(run) for run in (*first, *second)})
        if len(sizes) > 1:
            raise BakeoffError(
                f"contenders {a} and {b} cannot be compared: their runs were tested on "
                f"{' and '.join(map(str, sizes))} images, and a paired comparison needs the same test images"
            )
        differences.append(paired_difference(np.stack(first), np.stack(second)))
    adjusted = holm([found.p for found in differences])
    return [
        Comparison(a, b, d.difference, d.low, d.high, d.p, float(p), _verdict(a, b, d, p), d.seeds, d.images)
        for (a, b), d, p in zip(pairs, differences, adjusted, strict=True)
    ]


def _paired_runs(a: Mapping[int, Correct], b: Mapping[int, Correct]) -> tuple[list[Correct], list[Correct]]:
    shared = sorted(a.keys() & b.keys())
    seeds = [(s, s) for s in shared] or list(zip(sorted(a), sorted(b), strict=False))
    return [a[s] for s, _ in seeds], [b[s] for _, s in seeds]


def _verdict(a: str, b: str, found: Difference, p_adjusted: float) -> str:
    if p_adjusted >= LEVEL:
        return NO_DIFFERENCE
    better = a if found.difference > 0 else b
    # one seed each: McNemar's test knows nothing of other seeds, so the verdict is about two runs
    return f"{better} is better" if found.seeds > 1 else f"{better} is better in this one seed"
