"""What the seeds say: how many a difference needs, and how often one alone names the wrong winner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

MOST = 1000
"""Seeds beyond which a number is of no use."""


def power(deviation: float, difference: float, seeds: int, alpha: float = 0.05) -> float:
    """The chance that a paired t test over `seeds` shows a true `difference`.

    Args:
        deviation: standard deviation over the seeds of the difference between two contenders, above 0.
        difference: in the unit of `deviation`.
        seeds: 2 or more.
        alpha: of the two-sided test.
    """
    limit = stats.f.ppf(1 - alpha, 1, seeds - 1)  # t squared is F, whose non-central form SciPy evaluates further out
    shift = min(seeds * (difference / deviation) ** 2, 1e4)
    return float(stats.ncf.sf(limit, 1, seeds - 1, shift))


def seeds_needed(deviation: float, difference: float, *, chance: float = 0.8, alpha: float = 0.05) -> int | None:
    """The fewest seeds whose paired t test shows a true `difference` with the given chance; None beyond MOST.

    The finite test set is left aside: it adds doubt of its own, see compare.py.
    """
    if power(deviation, difference, MOST, alpha) < chance:
        return None
    few, many = 1, MOST  # few does not do (one seed has no t test), many does
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if power(deviation, difference, middle, alpha) >= chance else (middle, many)
    return many


def chance_to_win(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Each contender's chance to come first when every contender is given one of its own seeds at random.

    Exact over all combinations; contenders that tie share the win. `values` holds one or more values of each.
    """
    known = {name: np.sort(np.asarray(found, dtype=float)) for name, found in values.items()}
    chances = {}
    for name, own in known.items():
        total = 0.0
        for value in own:
            # polynomial in the number of ties: coefficient k = chance that k others tie and the rest lie below
            ties = np.array([1.0])
            for other, found in known.items():
                if other != name:
                    below = np.searchsorted(found, value, "left") / len(found)
                    equal = np.searchsorted(found, value, "right") / len(found) - below
                    ties = np.convolve(ties, [below, equal])
            total += float(np.sum(ties / np.arange(1, len(ties) + 1))) / len(own)
        chances[name] = total
    return chances
