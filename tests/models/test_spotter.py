"""The spotter: crops and whole images agree, and the composed answer is that of counting all combinations."""

import itertools

import pytest
import torch

from bakeoff.errors import UsageError
from bakeoff.models import create_model
from bakeoff.models.spotter import FIELD


def made(rule: str = "highest", sizes: int = 1):
    torch.manual_seed(0)
    return create_model("spotter", channels=1, classes=4, size=64, width=4, rule=rule, sizes=sizes).eval()


def mapped(model, images):
    """Log-probabilities of the classes and of the sizes over the padded images."""
    with torch.no_grad():
        return model.look(torch.nn.functional.pad(images, (FIELD // 2,) * 4))


@pytest.mark.parametrize("sizes", [1, 5])
def test_a_crop_and_its_place_in_the_image_get_the_same_answer(sizes: int) -> None:
    """What `spot` says of a crop is what stands in the map over the whole image, border included: the probability of
    each class with each size, and of none."""
    model, image = made(sizes=sizes), torch.rand(1, 1, 64, 60)
    padded = torch.nn.functional.pad(image, (FIELD // 2,) * 4)
    kinds, steps = (found[0].exp() for found in mapped(model, image))
    for row, column in itertools.product((0, 3, 7), repeat=2):
        crop = padded[:, :, 4 * row : 4 * row + FIELD, 4 * column : 4 * column + FIELD]
        with torch.no_grad():
            said = model.spot(crop)[0].softmax(0)
        kind, step = kinds[:, row, column], steps[:, row, column]
        expected = [float(kind[k] * step[s]) for k in range(4) for s in range(sizes)] + [float(kind[4])]
        assert said.tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("rule", ["highest", "lowest"])
def test_the_answer_is_the_likeliest_extreme_of_independent_classes(rule: str) -> None:
    """Each class is there or not with the map's greatest probability of it; every combination is counted."""
    model, images = made(rule), torch.rand(3, 1, 64, 64)
    with torch.no_grad():
        logits = model(images)
        seen = mapped(model, images)[0][:, :-1].exp().amax((2, 3))
    for i, chances in enumerate(seen.tolist()):
        expected = [0.0] * 4
        for there in itertools.product((False, True), repeat=4):
            chance = 1.0
            for k in range(4):
                chance *= chances[k] if there[k] else 1 - chances[k]
            if any(there):
                found = [k for k in range(4) if there[k]]
                expected[max(found) if rule == "highest" else min(found)] += chance
        assert logits[i].exp().tolist() == pytest.approx(expected, rel=1e-3)


def test_the_largest_digit_wins_over_those_that_are_probably_smaller() -> None:
    """The same by loops: where each class is likeliest for its size, and each pair of sizes there."""
    model, images = made("largest", sizes=3), torch.rand(3, 1, 64, 64)
    with torch.no_grad():
        logits = model(images)
    kinds, steps = (found.exp().flatten(2) for found in mapped(model, images))
    for i in range(3):
        chance, size = [], []
        for k in range(4):
            best = max(
                range(kinds.shape[2]),
                key=lambda p: float(kinds[i, k, p]) * (1 + sum(s * float(steps[i, s, p]) for s in range(3))),
            )
            chance.append(float(kinds[i, k, best]))
            size.append([float(steps[i, s, best]) for s in range(3)])
        for k in range(4):
            expected = chance[k]
            for j in set(range(4)) - {k}:
                larger = sum(
                    size[j][a] * size[k][b] * (1.0 if a > b else 0.5 if a == b else 0.0)
                    for a, b in itertools.product(range(3), repeat=2)
                )
                expected *= 1 - chance[j] * larger
            assert float(logits[i, k].exp()) == pytest.approx(expected, rel=1e-3)


def test_the_largest_needs_sizes() -> None:
    with pytest.raises(UsageError, match="rule = 'largest' needs sizes of 2 or more, not 1"):
        made("largest")
