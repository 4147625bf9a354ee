"""Textbook tests and intervals from scipy.special and integers: scipy.stats takes a second to import."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy import special


def t_quantile(confidence: float, df: float) -> float:
    """What |t| with `df` degrees of freedom exceeds with probability 1 - `confidence`."""
    return float(special.stdtrit(df, (1 + confidence) / 2))


def binomial_tail(successes: int, n: int, probability: float) -> float:
    """P(X >= `successes`) of a binomial X: the one-sided binomial test's p."""
    return float(special.betainc(successes, n - successes + 1, probability)) if successes else 1.0


def fisher_exact(table: Sequence[tuple[int, int]]) -> float:
    """Two-sided p of Fisher's exact test: of the 2 x 2 tables with these margins, those no likelier than `table`."""
    (a, b), (c, d) = table
    row, others, column = a + b, c + d, a + c
    ways = {x: math.comb(row, x) * math.comb(others, column - x) for x in range(min(row, column) + 1)}
    return sum(count for count in ways.values() if count <= ways[a]) / math.comb(row + others, column)


def welch(a: Sequence[float], b: Sequence[float], confidence: float = 0.95) -> tuple[float, float, float]:
    """Welch's t test of two samples of 2 or more: p, and the interval of mean(a) - mean(b); nan where nothing varies.

    Welch, The generalization of `Student's' problem, Biometrika 34 (1947) 28-35.
    """
    squares = [float(np.var(values, ddof=1)) / len(values) for values in (a, b)]
    error, difference = math.sqrt(sum(squares)), float(np.mean(a) - np.mean(b))
    if not error:
        return math.nan, math.nan, math.nan
    df = sum(squares) ** 2 / sum(part**2 / (len(values) - 1) for part, values in zip(squares, (a, b), strict=True))
    half = t_quantile(confidence, df) * error
    return 2 * float(special.stdtr(df, -abs(difference) / error)), difference - half, difference + half


def chance_to_win(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Each contender's chance to come first when every contender is given one of its own seeds at random.

    Exact over all combinations; contenders that tie share the win. `values` holds one or more values of each.
    """
    samples = {name: np.sort(np.asarray(scores, dtype=float)) for name, scores in values.items()}
    chances = {}
    for name, sample in samples.items():
        total = 0.0
        for value in sample:
            # polynomial in the number of ties: coefficient k = chance that k others tie and the rest lie below
            ties = np.array([1.0])
            for rival, scores in samples.items():
                if rival != name:
                    below = np.searchsorted(scores, value, "left") / len(scores)
                    equal = np.searchsorted(scores, value, "right") / len(scores) - below
                    ties = np.convolve(ties, [below, equal])
            total += float(np.sum(ties / np.arange(1, len(ties) + 1))) / len(sample)
        chances[name] = total
    return chances


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a continuous `function` whose sign changes between `low` and `high` is 0, by Brent's method."""
    from scipy import optimize  # a quarter of a second, which a page of few contenders does not need

    return float(optimize.brentq(function, low, high))
