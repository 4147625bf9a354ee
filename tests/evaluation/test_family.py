"""The adjusted p of a family of pairs: against closed testing, and against Holm's procedure."""

import itertools

import numpy as np
import pytest

from bakeoff.evaluation.family import adjust


@pytest.mark.parametrize("seed", range(6))
def test_adjusted_p_is_never_below_that_of_closed_testing(seed):
    """By all intersections of hypotheses that can be true together: of each pair none, one or the other.

    The step-down procedure is a short cut, which may reject a little less and never more.
    """
    rng = np.random.default_rng(seed)
    m = 3
    p = rng.random((2, m)) ** 4
    weights = rng.random(m) + 0.1
    weights /= weights.sum()
    size = np.stack([weights, 0.25 * weights])
    worst = np.zeros((2, m))
    for choice in itertools.product((None, 0, 1), repeat=m):
        members = [(kind, pair) for pair, kind in enumerate(choice) if kind is not None]
        if members:
            total = sum(size[one] for one in members)
            local = min(1.0, min(p[one] * total / size[one] for one in members))
            for one in members:
                worst[one] = max(worst[one], local)
    adjusted = adjust(p[0], p[1], weights)
    assert (adjusted >= worst - 1e-12).all()
    assert adjusted.min() == pytest.approx(worst.min())
    assert adjusted == pytest.approx(worst, rel=0.1)


def test_without_equivalence_it_is_holms_procedure():
    p = np.array([0.01, 0.04, 0.03, 0.005])
    adjusted = adjust(p, np.ones(4), np.full(4, 0.25))[0]
    # Holm with a quarter kept for the equivalence test of each pair that differs
    expected, reached = [], 0.0
    for rank, one in enumerate(sorted(p)):
        reached = max(reached, one * (4 - rank + 0.25 * rank))
        expected.append(reached)
    assert sorted(adjusted) == pytest.approx(expected)
    both = adjust(p, np.zeros(4), np.full(4, 0.25))[0]
    assert sorted(both) == pytest.approx([0.02, 0.03, 0.06, 0.06])  # Holm's: 4, 3, 2 and 1 times, never falling
