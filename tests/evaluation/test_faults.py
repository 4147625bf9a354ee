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
    found = optimize.minimize(
        loss_of_probabilities,
        np.full(classes, 1 / classes),
        bounds=[(0, 1)] * classes,
        constraints={"type": "eq", "fun": lambda p: p.sum() - 1},
    )
    assert found.success
    assert faults.softmax_floor(classes) == pytest.approx(found.fun, abs=1e-6)
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


@pytest.mark.parametrize(
    ("losses", "expected"), [([2.31, 2.3026, 2.30], True), ([2.31, 2.279, 2.5], False), ([2.2796], True)]
)
@pytest.mark.parametrize("kind", ["train_loss", "validation_loss"])
def test_stuck_means_never_one_percent_below_equal_logits(losses, expected, kind):
    rows = [{"train_loss": 2.4, "validation_loss": 2.4, kind: loss} for loss in losses]
    assert faults.stuck(rows, 10, 10) is expected


@pytest.mark.parametrize(("loss", "expected"), [(6.45, True), (3.0, False)])
def test_a_loss_over_places_is_judged_by_their_number(loss, expected):
    """10 classes at 64 places: ln 640 is 6.46."""
    assert faults.stuck([{"train_loss": loss, "validation_loss": 2.31}], 640, 10) is expected


def test_a_network_that_recognises_much_behind_a_softmax_is_not_stuck():
    """Logits 0.2 apart: always right, and yet the loss of their probabilities stays within 1 % of ln 10."""
    logits = 0.2 * torch.eye(10)
    losses = [float(torch.nn.functional.cross_entropy(x, torch.arange(10))) for x in (logits.softmax(1), logits)]
    assert losses[0] >= 0.99 * math.log(10)
    assert not faults.stuck([{"train_loss": losses[0], "validation_loss": losses[1]}], 10, 10)


def chance_of_as_many(right: int, images: int, share: float) -> float:
    return sum(math.comb(images, k) * share**k * (1 - share) ** (images - k) for k in range(right, images + 1))


@pytest.mark.parametrize("counts", [[10, 10, 10, 10, 10, 10, 10, 10, 10, 10], [60, 40], [5, 30, 5]])
def test_guessing_is_what_the_most_frequent_class_would_reach_by_chance(counts):
    images = sum(counts)
    said = [faults.guesses(right / images, counts) for right in range(images + 1)]
    assert said == [chance_of_as_many(right, images, max(counts) / images) >= 0.05 for right in range(images + 1)]
    assert said[max(counts)]
    assert not said[-1]


def test_the_epoch_that_is_chosen():
    rows = [
        {"validation_accuracy": 0.90, "test_accuracy": 0.91},
        {"validation_accuracy": 0.95, "test_accuracy": 0.93},
        {"validation_accuracy": 0.95, "test_accuracy": 0.92},
        {"validation_accuracy": 0.94, "test_accuracy": 0.96},
        {"validation_accuracy": 0.93, "test_accuracy": 0.90},
    ]
    found = faults.epoch_choice(rows)
    assert (found.by_test, found.by_validation, found.last) == (0.96, 0.93, 0.90)
