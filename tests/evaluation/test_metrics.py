"""Metrics against scikit-learn, slow twins and published figures."""

import math
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as oracle

from bakeoff.evaluation.metrics import (
    METRICS,
    calibration,
    confusion,
    negative_log_likelihood,
    over_seeds,
    per_class,
    roc,
    softmax,
    top_k,
    wilson,
)


@pytest.fixture
def run():
    """Logits (600, 7) that know something, and labels (600,)."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 7, 600)
    logits = rng.normal(size=(600, 7)).astype(np.float32)
    logits[np.arange(600), labels] += 1.5
    return logits, labels


def test_metrics_agree_with_scikit_learn(run):
    logits, labels = run
    probabilities, predicted = softmax(logits), logits.argmax(axis=1)
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(600))
    assert negative_log_likelihood(logits, labels) == pytest.approx(oracle.log_loss(labels, probabilities))
    assert np.array_equal(confusion(logits, labels, 7), oracle.confusion_matrix(labels, predicted))
    assert per_class(logits, labels) == pytest.approx(oracle.recall_score(labels, predicted, average=None))
    for k in (1, 2, 5):
        assert top_k(logits, labels, k) == pytest.approx(oracle.top_k_accuracy_score(labels, logits, k=k))
    assert METRICS["top5"].function(logits, labels) == top_k(logits, labels, 5)


@pytest.mark.parametrize("name", METRICS.builtin)
def test_every_metric_is_a_number_that_needs_only_logits_and_labels(run, name):
    value = METRICS[name].function(*run)
    assert type(value) is float
    assert math.isfinite(value)


def test_ties_count_once():
    logits, labels = np.zeros((10, 4), dtype=np.float32), np.arange(10) % 4
    assert top_k(logits, labels, 1) == 0.3
    assert top_k(logits, labels, 2) == 0.6


def test_top_five_of_three_classes_is_always_right(run):
    logits, labels = run
    assert top_k(logits[:, :3], labels % 3) == 1


def test_a_class_without_images_has_no_accuracy():
    logits = np.eye(3, dtype=np.float32)[[0, 1, 1]]
    assert per_class(logits, np.array([0, 0, 1])) == pytest.approx([0.5, 1, np.nan], nan_ok=True)
    assert confusion(logits, np.array([0, 0, 1]), 3).tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_extreme_logits_stay_finite():
    logits, labels = np.array([[1e4, -1e4], [1e4, -1e4]], dtype=np.float32), np.array([0, 1])
    assert negative_log_likelihood(logits, labels) == pytest.approx(1e4)
    assert softmax(logits).tolist() == [[1, 0], [1, 0]]


def test_calibration_agrees_with_bins_taken_one_by_one(run):
    logits, labels = run
    result = calibration(logits, labels, bins=10)
    confidence = softmax(logits).max(axis=1)
    right = logits.argmax(axis=1) == labels
    error = 0.0
    for m in range(10):
        inside = (confidence > m / 10) & (confidence <= (m + 1) / 10)
        assert result.count[m] == inside.sum()
        if inside.any():
            assert result.confidence[m] == pytest.approx(confidence[inside].mean())
            assert result.accuracy[m] == pytest.approx(right[inside].mean())
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
        else:
            assert math.isnan(result.confidence[m])
    assert result.error == pytest.approx(error)
    assert result.count.sum() == 600


def test_calibration_of_known_cases():
    """Half right at full confidence is wrong by a half; half right at even odds of two classes is calibrated."""
    labels = np.array([0, 1])
    assert calibration(np.array([[99.0, -99], [99, -99]]), labels).error == pytest.approx(0.5)
    assert calibration(np.zeros((2, 2)), labels).error == 0


def test_roc_agrees_with_scikit_learn_and_keeps_its_area_when_thinned():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 5000)
    logits = rng.normal(size=(5000, 3)) + np.eye(3)[labels]
    curves = roc(logits, labels)
    for index, curve in enumerate(curves):
        assert curve.area == pytest.approx(oracle.roc_auc_score(labels == index, softmax(logits)[:, index]))
        assert 150 < len(curve.false_positive_rate) == len(curve.true_positive_rate) <= 200
        assert (curve.false_positive_rate[[0, -1]].tolist(), curve.true_positive_rate[[0, -1]].tolist()) == (
            [0, 1],
        ) * 2
        assert oracle.auc(curve.false_positive_rate, curve.true_positive_rate) == pytest.approx(curve.area, abs=0.002)


def test_roc_of_a_class_without_images_is_empty():
    absent = roc(np.eye(3)[[0, 1, 0]], np.array([0, 1, 1]))[2]
    assert math.isnan(absent.area)
    assert len(absent.false_positive_rate) == 0


def test_wilson_agrees_with_the_published_example():
    """81 of 263: 0.2553 to 0.3662 (Newcombe, Statist. Med. 17, 1998, 857-872, Table I)."""
    interval = wilson(81, 263)
    assert (interval.low, interval.high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert interval.mean == 81 / 263
    assert (wilson(10, 10).high, wilson(0, 10).low) == (1, 0)


def test_over_seeds_is_students_interval():
    values = [0.981, 0.985, 0.979, 0.984]
    interval = over_seeds(values, confidence=0.9)
    low, high = stats.t.interval(0.9, 3, np.mean(values), stats.sem(values))
    assert (interval.mean, interval.low, interval.high) == pytest.approx((np.mean(values), low, high))
    assert over_seeds([0.5, 0.5]).low == 0.5


def test_one_seed_has_no_interval_over_seeds():
    interval = over_seeds([0.98])
    assert interval.mean == 0.98
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)


def test_evaluation_runs_without_torch():
    code = "import sys, bakeoff.evaluation.sequential, bakeoff.evaluation.metrics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
