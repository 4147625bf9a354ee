"""The textbook tests against scipy.stats and scikit-learn, which are too slow to import for a program that answers."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn_metrics

from bakeoff.evaluation.exact import binomial_tail, fisher_exact, t_quantile, welch
from bakeoff.evaluation.metrics import roc_points, wilson

same = pytest.approx


@pytest.mark.parametrize("df", [1, 2, 4.7, 30, 1e6])
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
def test_t_quantile(confidence, df):
    assert t_quantile(confidence, df) == same(stats.t.interval(confidence, df)[1], rel=1e-12)


@pytest.mark.parametrize(("n", "probability"), [(1, 0.5), (10, 0.1), (300, 0.1135), (10_000, 0.1)])
def test_binomial_tail(n, probability):
    for successes in {0, 1, n // 10, n // 2, n}:
        expected = stats.binomtest(successes, n, probability, alternative="greater").pvalue
        assert binomial_tail(successes, n, probability) == same(expected, rel=1e-10)


@pytest.mark.parametrize(("correct", "n"), [(0, 1), (1, 1), (0, 50), (50, 50), (81, 263), (9876, 10_000)])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_wilson(correct, n, confidence):
    expected = stats.binomtest(correct, n).proportion_ci(confidence, method="wilson")
    interval = wilson(correct, n, confidence)
    assert (interval.low, interval.high) == same((expected.low, expected.high), rel=1e-12, abs=1e-15)


def test_fisher_exact_of_every_small_table():
    for a, b, c, d in np.ndindex(5, 4, 4, 6):
        if min(a + b, c + d):
            assert fisher_exact([(a, b), (c, d)]) == same(stats.fisher_exact([(a, b), (c, d)]).pvalue, rel=1e-10)


def test_welch_of_samples_of_other_sizes_and_spreads():
    rng = np.random.default_rng(0)
    for m, n in [(2, 2), (2, 7), (5, 3), (30, 30)]:
        a, b = rng.normal(0.9, 0.01, m).tolist(), rng.normal(0.91, 0.03, n).tolist()
        test = stats.ttest_ind(a, b, equal_var=False)
        assert welch(a, b) == same((test.pvalue, *test.confidence_interval(0.95)), rel=1e-10)
    assert all(map(math.isnan, welch([0.5, 0.5], [0.5, 0.5])))


@pytest.mark.parametrize("levels", [1, 2, 5, 1000])
def test_roc_points_of_tied_scores(levels):
    """Only the corners, as scikit-learn keeps them."""
    rng = np.random.default_rng(levels)
    positive = rng.random(400) < 0.3
    score = rng.integers(0, levels, 400) / levels
    false, true, _ = sklearn_metrics.roc_curve(positive, score)
    assert tuple(map(list, roc_points(positive, score))) == (same(list(false)), same(list(true)))
    assert np.trapezoid(*roc_points(positive, score)[::-1]) == same(sklearn_metrics.roc_auc_score(positive, score))
