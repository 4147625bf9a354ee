"""What can go wrong in training and in choosing, told from a run's history."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bakeoff.evaluation.exact import binomial_tail
from bakeoff.evaluation.verdicts import LEVEL

Rows = Sequence[Mapping[str, Any]]


def equal_loss(classes: int) -> float:
    """ln K: the cross-entropy, in nats, of equal logits for K classes, with or without softmax before it."""
    return math.log(classes)


def softmax_floor(classes: int) -> float:
    """The least cross-entropy, in nats, of probabilities taken for logits: ln(e + K - 1) - 1, 1.4612 for K = 10.

    With probabilities p and label y the loss is ln(sum_k e^p_k) - p_y. Moving probability from a class j to y changes
    it at the rate q_y - q_j - 1 < 0, q = softmax(p), so it is least where p_y = 1 and all others are 0.
    """
    return math.log(math.e + classes - 1) - 1


def way_down(loss: float, classes: int) -> float:
    """How far a loss behind a softmax came: 0 at that of equal logits, 1 at its floor; below 0 if it is worse."""
    return (equal_loss(classes) - loss) / (equal_loss(classes) - softmax_floor(classes))


def guesses(accuracy: float, counts: Sequence[int]) -> bool:
    """Whether an accuracy over images with these counts a class is not shown to beat their most frequent class.

    The binomial test's one-sided p that someone who always says the most frequent class would do as well.
    """
    images = sum(counts)
    return binomial_tail(round(accuracy * images), images, max(counts) / images) >= LEVEL


class EpochChoice(NamedTuple):
    """Test accuracies of one run: of its best epoch by test, of its best by validation, and of its last."""

    by_test: float
    by_validation: float
    last: float


def epoch_choice(rows: Rows) -> EpochChoice:
    """What choosing the epoch on the test set gives, of a history that holds `test_accuracy`; of equals the first."""
    honest = max(rows, key=lambda row: row["validation_accuracy"])  # max gives the first of equals
    best = max(row["test_accuracy"] for row in rows)
    return EpochChoice(best, honest["test_accuracy"], rows[-1]["test_accuracy"])
