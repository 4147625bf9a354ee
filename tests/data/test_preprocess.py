"""Preprocessing against Pillow and numpy, image by image."""

import numpy as np
import pytest
import torch
from PIL import Image

from bakeoff.data.preprocess import change, copier, model_shape
from bakeoff.errors import UsageError

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 2, 12, 18), dtype=np.uint8)


def by_pillow(images: np.ndarray, work) -> np.ndarray:
    """`work`, from a Pillow image to another, done to every channel of every image."""
    made = [[np.asarray(work(Image.fromarray(channel))) for channel in image] for image in images]
    return np.array(made)


def test_threshold_against_pillow() -> None:
    expected = by_pillow(IMAGES, lambda image: image.point(lambda value: 255 if value >= 100 else 0))
    made = change(["threshold:at=100"], IMAGES)
    np.testing.assert_array_equal(made, expected)
    assert made.dtype == np.uint8
    assert (IMAGES == 100).any(), "the limit itself is among the pixels"


@pytest.mark.parametrize("times", [2, 3, 6])
def test_downscale_against_sums_and_pillow(times: int) -> None:
    many = np.concatenate([IMAGES] * 300)  # more than one chunk
    made = change([f"downscale:times={times}"], many)
    offsets = [(row, column) for row in range(times) for column in range(times)]
    sums = sum(IMAGES[:, :, row::times, column::times].astype(int) for row, column in offsets)
    np.testing.assert_array_equal(made[:5], np.floor(sums / times**2 + 0.5))
    pillow = by_pillow(IMAGES, lambda image: image.reduce(times))
    np.testing.assert_allclose(made[:5].astype(int), pillow, atol=0 if times == 2 else 1)  # by 9 it divides in 24 bits
    np.testing.assert_array_equal(made, np.concatenate([made[:5]] * 300))
    assert made.dtype == np.uint8


@pytest.mark.parametrize("times", [2, 3, 5, 7, 13])
def test_upscale_against_kronecker(times: int) -> None:
    images = torch.from_numpy(IMAGES).float()
    made = copier([f"upscale:times={times}"])(images)
    np.testing.assert_array_equal(made.numpy(), np.kron(IMAGES, np.ones((times, times))))


def test_repeat_makes_equal_channels() -> None:
    grey = torch.from_numpy(IMAGES[:, :1]).float()
    made = copier(["repeat", "upscale"])(grey)
    assert made.shape == (5, 3, 24, 36)
    for channel in range(3):
        assert torch.equal(made[:, channel], copier(["upscale"])(grey)[:, 0])


def test_steps_act_in_their_order() -> None:
    grey = np.array([[[[0, 0], [0, 255]]]], np.uint8)
    assert change(["threshold:at=60", "downscale"], grey).item() == 64
    assert change(["downscale", "threshold:at=60"], grey).item() == 255


def test_the_models_shape() -> None:
    steps = ["threshold", "downscale:times=3", "repeat:channels=4", "upscale:times=2"]
    assert model_shape(steps, (1, 12, 18)) == (4, 8, 12)
    assert model_shape([], (3, 12, 18)) == (3, 12, 18)


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        (["treshold"], r"preprocess: unknown choice 'treshold' \(closest: threshold"),
        (["threshold:at=300"], "preprocess threshold: at = '300': must be less than or equal to 255"),
        (["downscale:times=5"], "preprocess: downscale:times=5 does not divide images of 12x18 pixels"),
        (["repeat"], "preprocess: repeat needs images of 1 channel, and these have 2"),
        (
            ["upscale", "threshold"],
            "preprocess: threshold, which changes pixels, must come before upscale, which copies them",
        ),
    ],
)
def test_wrong_steps_get_a_sentence(steps: list[str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        model_shape(steps, (2, 12, 18))
