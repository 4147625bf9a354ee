"""The errors of one run: which were the worst, which classes are confused, and did the model know it was unsure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bakeoff.evaluation.metrics import Integers, Labels, Logits, roc_points, softmax


@dataclass(frozen=True)
class ErrorConfidence:
    """Mean highest probability where the model is right and where it is wrong (nan where that never happens).

    `area` is that of the ROC curve of low confidence as a detector of errors: 1 if every error is less sure than
    every right answer, 0.5 if confidence says nothing, nan if all predictions are right or all are wrong.
    """

    right: float
    wrong: float
    area: float


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
    if not wrong.any():
        return ErrorConfidence(float(confidence.mean()), math.nan, math.nan)
    if wrong.all():
        return ErrorConfidence(math.nan, float(confidence.mean()), math.nan)
    false_rate, true_rate = roc_points(wrong, -confidence)
    area = float(np.trapezoid(true_rate, false_rate))
    return ErrorConfidence(float(confidence[~wrong].mean()), float(confidence[wrong].mean()), area)
