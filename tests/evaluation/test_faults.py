"""The floor against a numerical minimum, guessing against a count of all outcomes, choosing against hand-made runs."""

import math

import numpy as np
import pytest
import torch
from scipy import optimize, special

from bakeoff.evaluation import faults


def loss_of_probabilities(p: np.ndarray) -> float:
    """Cross-entropy, in nats, of a network whose softmax output `p` is taken for logits, the label being class 0."""
    return float(special.logsumexp(p) - p[0])


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
def test_the_floor_is_the_least_that_any_probabilities_reach(classes):
    minimum = optimize.minimize(
        loss_of_probabilities,
        np.full(classes, 1 / classes),
        bounds=[(0, 1)] * classes,
        constraints={"type": "eq", "fun": lambda p: p.sum() - 1},
    )
    assert minimum.success
    assert faults.softmax_floor(classes) == pytest.approx(minimum.fun, abs=1e-6)
    assert loss_of_probabilities(np.full(classes, 1 / classes)) == pytest.approx(faults.equal_loss(classes))


def test_the_floor_for_ten_classes_is_what_a_sure_and_right_network_is_charged():
    logits = torch.zeros(1, 10)
    logits[0, 3] = 1e4
    charged = torch.nn.functional.cross_entropy(logits.softmax(1), torch.tensor([3]))
    assert faults.softmax_floor(10) == pytest.approx(float(charged), abs=1e-6)
    assert round(faults.softmax_floor(10), 4) == 1.4612


def test_the_way_down_is_none_at_equal_logits_and_whole_at_the_floor():
    assert faults.way_down(math.log(10), 10) == 0
    assert faults.way_down(1.4611501, 10) == pytest.approx(1, abs=1e-6)
    assert faults.way_down(1.52, 10) == pytest.approx(0.93, abs=0.001)
    assert faults.way_down(2.4, 10) < 0


def chance_of_as_many(right: int, images: int, share: float) -> float:
    return sum(math.comb(images, k) * share**k * (1 - share) ** (images - k) for k in range(right, images + 1))


@pytest.mark.parametrize("counts", [[10, 10, 10, 10, 10, 10, 10, 10, 10, 10], [60, 40], [5, 30, 5]])
def test_guessing_is_what_the_most_frequent_class_would_reach_by_chance(counts):
    images = sum(counts)
    guessed = [faults.guesses(right / images, counts) for right in range(images + 1)]
    assert guessed == [chance_of_as_many(right, images, max(counts) / images) >= 0.05 for right in range(images + 1)]
    assert guessed[max(counts)]
    assert not guessed[-1]


def test_the_epoch_that_is_chosen():
    rows = [
        {"validation_accuracy": 0.90, "test_accuracy": 0.91},
        {"validation_accuracy": 0.95, "test_accuracy": 0.93},
        {"validation_accuracy": 0.95, "test_accuracy": 0.92},
        {"validation_accuracy": 0.94, "test_accuracy": 0.96},
        {"validation_accuracy": 0.93, "test_accuracy": 0.90},
    ]
    choice = faults.epoch_choice(rows)
    assert (choice.by_test, choice.by_validation, choice.last) == (0.96, 0.93, 0.90)
