"""The heat-map classifier: what it says of places is what it says of the image, and places move with the image."""

import math

import pytest
import torch

from bakeoff.models import create_model


def tiny_model(size: int = 64):
    torch.manual_seed(0)
    return create_model("heatmap_classifier", channels=1, classes=4, size=size, width=4, blocks=1).eval()


def test_a_class_is_as_likely_as_all_its_places_together() -> None:
    model, images = tiny_model(), torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        places, whole = model.heatmap_logits(images), model(images).softmax(1)
    assert places.shape == (2, 4, 8, 8)
    for i in range(2):
        odds = [[math.exp(value) for value in places[i, k].flatten().tolist()] for k in range(4)]
        total = sum(map(sum, odds))
        assert whole[i].tolist() == pytest.approx([sum(of_class) / total for of_class in odds], rel=1e-5)


def test_what_moves_by_eight_pixels_moves_by_one_place() -> None:
    """Convolutions do not know where they are: only near the border, where zeros begin, may the maps differ."""
    model, image = tiny_model(160), torch.rand(1, 1, 160, 160)
    moved = torch.roll(image, (8, 16), (2, 3))
    with torch.no_grad():
        before, after = model.heatmap_logits(image), model.heatmap_logits(moved)
    near = 6  # places that the network sees around each
    inner = slice(near, 20 - near - 2)
    shifted = after[:, :, near + 1 : 20 - near - 1, near + 2 : 20 - near]
    assert torch.allclose(before[:, :, inner, inner], shifted, atol=1e-5)


def test_sizes_that_no_stride_divides_have_a_last_place_of_their_own() -> None:
    model = tiny_model(60)
    assert model.heatmap_logits(torch.zeros(1, 1, 60, 41)).shape == (1, 4, 8, 6)
