"""The figures of one run, from its stored logits (N, K) and labels (N,); everything is computed in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from bakeoff.evaluation.exact import t_quantile
from bakeoff.spec.registry import Entry, Registry
from bakeoff.spec.settings import Frozen

Logits = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

CURVE_POINTS = 200  # a drawn curve needs no more


@dataclass(frozen=True)
class Interval:
    """A mean with its confidence interval, 95 % unless said otherwise; nan where there is none."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Calibration:
    """Expected calibration error, and the reliability diagram's bins (empty bins are nan with count 0)."""

    error: float
    confidence: Floats
    accuracy: Floats
    count: Integers


@dataclass(frozen=True)
class Curve:
    """The ROC curve of one class against the rest, thinned for drawing; the area is that of the full curve."""

    false_positive_rate: Floats
    true_positive_rate: Floats
    area: float


@dataclass(frozen=True)
class ErrorConfidence:
    """Mean highest probability where the model is right and where it is wrong (nan where that never happens).

    `area` is that of the ROC curve of low confidence as a detector of errors: 1 if every error is less sure than
    every right answer, 0.5 if confidence says nothing, nan if all predictions are right or all are wrong.
    """

    right: float
    wrong: float
    area: float


def softmax(logits: Logits) -> Floats:
    """Probabilities (N, K), each row summing to 1."""
    probabilities: Floats = special.softmax(logits.astype(np.float64), axis=1)
    return probabilities


def top_k(logits: Logits, labels: Labels, k: int = 5) -> float:
    """Fraction of images whose label is among the k highest logits; of equal logits the lower class comes first."""
    best = np.argsort(-logits, axis=1, kind="stable")[:, :k]
    return float((best == labels[:, None]).any(axis=1).mean())


def per_class(logits: Logits, labels: Labels) -> Floats:
    """Accuracy (K,) among the images of each class; nan for a class with no image."""
    table = confusion(logits, labels, logits.shape[1])
    images = table.sum(axis=1)
    return np.where(images > 0, table.diagonal() / np.maximum(images, 1), np.nan)


def confusion(logits: Logits, labels: Labels, classes: int) -> Integers:
    """Counts (K, K): rows are the true classes, columns the predicted ones."""
    cells = labels.astype(np.int64) * classes + logits.argmax(axis=1)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def negative_log_likelihood(logits: Logits, labels: Labels) -> float:
    """Mean of -ln p(label), in nats: 0 is perfect, ln K is knowing nothing."""
    log_probabilities = special.log_softmax(logits.astype(np.float64), axis=1)
    return float(-log_probabilities[np.arange(len(labels)), labels].mean())


def calibration(logits: Logits, labels: Labels, bins: int = 15) -> Calibration:
    """How far confidence is from accuracy, over equal bins (low, high] of the highest probability.

    The error is the mean |accuracy - confidence| of the bins, weighted by their counts, in [0, 1]
    (Guo, Pleiss, Sun & Weinberger, On Calibration of Modern Neural Networks, ICML 2017).
    """
    probabilities = softmax(logits)
    confident = probabilities.max(axis=1)
    right = logits.argmax(axis=1) == labels
    place = np.digitize(confident, np.linspace(0, 1, bins + 1)[1:-1], right=True)
    count = np.bincount(place, minlength=bins)
    filled = np.where(count > 0, count, np.nan)
    bin_confidence = np.bincount(place, weights=confident, minlength=bins) / filled
    bin_accuracy = np.bincount(place, weights=right, minlength=bins) / filled
    error = np.nansum(count * np.abs(bin_accuracy - bin_confidence)) / len(labels)
    return Calibration(float(error), bin_confidence, bin_accuracy, count)


def calibration_error(logits: Logits, labels: Labels) -> float:
    """The expected calibration error over 15 bins, in [0, 1]."""
    return calibration(logits, labels).error


def roc(logits: Logits, labels: Labels) -> list[Curve]:
    """One curve a class, its probability telling it from the rest; without both kinds, empty with area nan."""
    return [_roc(labels == index, score) for index, score in enumerate(softmax(logits).T)]


def _roc(positive: npt.NDArray[np.bool_], score: Floats) -> Curve:
    """The curve of a score that is to be high for what is positive."""
    if positive.all() or not positive.any():
        return Curve(np.empty(0), np.empty(0), math.nan)
    false_rate, true_rate = roc_points(positive, score)
    kept = np.unique(np.linspace(0, len(false_rate) - 1, CURVE_POINTS).round().astype(int))
    return Curve(false_rate[kept], true_rate[kept], float(np.trapezoid(true_rate, false_rate)))


def roc_points(positive: npt.NDArray[np.bool_], score: Floats) -> tuple[Floats, Floats]:
    """False and true positive rates from (0, 0) to (1, 1) as the threshold falls past each score; of points on one
    straight line the ends. (scikit-learn's `roc_curve` gives the same, and takes half a second to import.)"""
    order = np.argsort(-score, kind="stable")
    last = np.r_[np.flatnonzero(np.diff(score[order])), len(score) - 1]  # of each group of equal scores
    true = np.cumsum(positive[order])[last]
    false = last + 1 - true
    corner = np.r_[True, (np.diff(true, 2) != 0) | (np.diff(false, 2) != 0), True][-len(last) :]
    return np.r_[0.0, false[corner] / false[-1]], np.r_[0.0, true[corner] / true[-1]]


def wilson(correct: int, n: int, confidence: float = 0.95) -> Interval:
    """Accuracy of one run with Wilson's score interval: the chance in the n images, not in the training."""
    z, share = float(special.ndtri((1 + confidence) / 2)), correct / n
    middle, half = share + z**2 / (2 * n), z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low, high = ((middle + side) / (1 + z**2 / n) for side in (-half, half))
    return Interval(share, low if correct else 0.0, high if correct < n else 1.0)


def over_seeds(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Mean over n >= 1 seeds with Student's t interval, not clipped to any range.

    One seed says nothing about the spread between seeds: low and high are then nan, and callers show `wilson`.
    """
    seeds = np.asarray(values, dtype=np.float64)
    mean = float(seeds.mean())
    if len(seeds) == 1:
        return Interval(mean, math.nan, math.nan)
    half = t_quantile(confidence, len(seeds) - 1) * float(seeds.std(ddof=1)) / math.sqrt(len(seeds))
    return Interval(mean, mean - half, mean + half)


def worst_mistakes(logits: Logits, labels: Labels, count: int) -> Integers:
    """Indices (at most count,) of wrong predictions, the most confident in its wrong answer first."""
    wrong = np.flatnonzero(logits.argmax(axis=1) != labels)
    confidence = softmax(logits[wrong]).max(axis=1)
    return wrong[np.argsort(-confidence, kind="stable")[:count]]


def most_confused(confusion: Integers, count: int) -> list[tuple[int, int, int]]:
    """The count most frequent confusions as (true, predicted, n), most frequent first, never those with n = 0."""
    errors = confusion * ~np.eye(len(confusion), dtype=bool)
    cells = np.argsort(-errors, axis=None, kind="stable")[:count]
    rows, columns = np.unravel_index(cells, errors.shape)
    return [(int(t), int(p), int(errors[t, p])) for t, p in zip(rows, columns, strict=True) if errors[t, p]]


def confidence_of_errors(logits: Logits, labels: Labels) -> ErrorConfidence:
    """Are the errors the unsure ones?"""
    confidence = softmax(logits).max(axis=1)
    wrong = logits.argmax(axis=1) != labels
    of_right, of_wrong = (float(confidence[mask].mean()) if mask.any() else math.nan for mask in (~wrong, wrong))
    return ErrorConfidence(of_right, of_wrong, _roc(wrong, -confidence).area)


METRICS: Registry[Entry[Frozen]] = Registry(
    "metric",
    {
        "top5": Entry(top_k),
        "nll": Entry(negative_log_likelihood),
        "calibration_error": Entry(calibration_error),
    },
    group="metrics",
)
"""From logits (N, K) and labels (N,) to a number."""
