"""The patch classifier: crops and whole images agree, and the composed answer is that of counting all combinations."""

import itertools

import pytest
import torch

from bakeoff.models import create_model
from bakeoff.models.patch_classifier import FIELD


def tiny_model(rule: str = "highest"):
    torch.manual_seed(0)
    return create_model("patch_classifier", channels=1, classes=4, size=64, width=4, rule=rule).eval()


def mapped(model, images):
    """Log-probabilities of the classes and of none over the padded images."""
    with torch.no_grad():
        return model.log_probabilities(torch.nn.functional.pad(images, (FIELD // 2,) * 4))


def test_a_crop_and_its_place_in_the_image_get_the_same_answer() -> None:
    """`patch_logits` of a crop are those of the map over the whole image, border included."""
    model, image = tiny_model(), torch.rand(1, 1, 64, 60)
    padded = torch.nn.functional.pad(image, (FIELD // 2,) * 4)
    kinds = mapped(model, image)[0]
    for row, column in itertools.product((0, 3, 7), repeat=2):
        crop = padded[:, :, 4 * row : 4 * row + FIELD, 4 * column : 4 * column + FIELD]
        with torch.no_grad():
            log_probabilities = model.patch_logits(crop)[0].log_softmax(0)
        assert log_probabilities.tolist() == pytest.approx(kinds[:, row, column].tolist(), abs=1e-5)


@pytest.mark.parametrize("rule", ["highest", "lowest"])
def test_the_answer_is_the_likeliest_extreme_of_independent_classes(rule: str) -> None:
    """Each class is present or not with the map's greatest probability of it; every combination is counted."""
    model, images = tiny_model(rule), torch.rand(3, 1, 64, 64)
    with torch.no_grad():
        logits = model(images)
        probabilities = mapped(model, images)[:, :-1].exp().amax((2, 3))
    for i, chances in enumerate(probabilities.tolist()):
        expected = [0.0] * 4
        for present in itertools.product((False, True), repeat=4):
            chance = 1.0
            for k in range(4):
                chance *= chances[k] if present[k] else 1 - chances[k]
            if any(present):
                classes = [k for k in range(4) if present[k]]
                expected[max(classes) if rule == "highest" else min(classes)] += chance
        assert logits[i].exp().tolist() == pytest.approx(expected, rel=1e-3)
