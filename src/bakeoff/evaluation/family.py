"""One family of tests: two for each pair of contenders, of "no difference" and of "a difference of the margin or more".

Holm, A simple sequentially rejective multiple test procedure, Scand. J. Statist. 6 (1979) 65-70, section 3 (weights);
Goeman & Solari, The sequential rejection principle of familywise error control, Ann. Stat. 38 (2010) 3782-3810.
"""

from __future__ import annotations

import numpy as np

from bakeoff.evaluation.variances import Bools, Floats

EQUIVALENCE_WEIGHT = 0.25
"""Weight of a pair's equivalence test; that of its test for a difference is 1."""


def adjust(difference: Floats, equivalence: Floats, weights: Floats) -> Floats:
    """Adjusted p (2, m) of both tests of m pairs, given their p (m,) and the pairs' weights (m,), which sum to 1.

    Of a pair's two hypotheses only one can be true, so they need not divide the pair's share of the level. A test is
    compared with level x its weight / (its weight + of each other pair the larger weight of its hypotheses that are
    not yet rejected). The true hypotheses, one a pair at most, then never have more than the level between them. A pair
    that differs keeps the weight of its equivalence test: were it passed on whole, as in Holm's own procedure, many
    differences of just the margin would let the rest pass as equivalent. Without equivalence this is weighted Holm.
    """
    p = np.stack([difference, equivalence])
    open_ = np.ones(p.shape, dtype=bool)
    adjusted, reached = np.ones(p.shape), 0.0
    while open_.any():
        needed = np.where(open_, p / shares(open_, weights), np.inf)
        place = np.unravel_index(needed.argmin(), p.shape)
        reached = max(reached, float(needed[place]))
        if reached >= 1:
            break
        adjusted[place], open_[place] = reached, False
    return adjusted


def shares(open_: Bools, weights: Floats) -> Floats:
    """The part (2, m) of the level that each test is compared with, while those `open_` (2, m) are not yet rejected."""
    weight = np.stack([weights, EQUIVALENCE_WEIGHT * weights])
    kept = np.where(open_, weight, 0).max(axis=0)
    return np.asarray(weight / (weight + kept.sum() - kept))
