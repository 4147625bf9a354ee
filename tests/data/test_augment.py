"""Augmentations against scipy's per-image resampling, with the same random numbers."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import affine_transform

from bakeoff.data.augment import AUGMENTATIONS, augmenter
from bakeoff.errors import UsageError

H, W, N = 20, 28, 6


def smooth_images() -> np.ndarray:
    """(N, 1, H, W) of blobs inside the frame, so that resampling has no edges to quarrel about."""
    rows, columns = np.mgrid[:H, :W]
    generator = np.random.default_rng(0)
    images = [
        sum(
            generator.uniform(50, 200)
            * np.exp(-((rows - generator.uniform(6, 14)) ** 2 + (columns - generator.uniform(8, 20)) ** 2) / 8)
            for _ in range(3)
        )
        for _ in range(N)
    ]
    return np.stack(images)[:, None].astype(np.float32)


def drawn(count: int, seed: int) -> list[np.ndarray]:
    """The uniform numbers of `count` steps, in -1 ... 1."""
    generator = torch.Generator().manual_seed(seed)
    return [(torch.rand(N, 2, generator=generator) * 2 - 1).numpy() for _ in range(count)]


def twin(images: np.ndarray, steps: list[tuple[str, float]], seed: int) -> np.ndarray:
    """Each step's map about the image's centre, multiplied out, one scipy resampling per image."""
    numbers = drawn(len(steps), seed)
    centre = np.array([(H - 1) / 2, (W - 1) / 2])
    out = np.empty_like(images)
    for index in range(N):
        matrix, offset = np.eye(2), np.zeros(2)  # input place = matrix @ (output place - centre) + offset + centre
        for (kind, amount), uniform in zip(steps, numbers, strict=True):
            step, move = np.eye(2), np.zeros(2)
            if kind == "rotate":
                angle = math.radians(amount * uniform[index, 0])
                step = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
            elif kind == "zoom":
                step = np.eye(2) / (1 + amount * uniform[index, 0])
            else:
                move = -amount * np.array([uniform[index, 1] * H, uniform[index, 0] * W])
            matrix, offset = matrix @ step, matrix @ move + offset
        shift = centre + offset - matrix @ centre
        out[index, 0] = affine_transform(images[index, 0], matrix, shift, order=1, mode="grid-constant")
    return out


@pytest.mark.parametrize(
    "steps",
    [
        [("rotate", 30)],
        [("zoom", 0.2)],
        [("shift", 0.1)],
        [("rotate", 10), ("zoom", 0.1), ("shift", 0.1)],
        [("shift", 0.1), ("rotate", 20)],
    ],
)
def test_against_scipy(steps: list[tuple[str, float]]) -> None:
    images = smooth_images()
    keys = {"rotate": "degrees", "zoom": "by", "shift": "by"}
    augment = augmenter([f"{kind}:{keys[kind]}={amount}" for kind, amount in steps])
    assert augment is not None
    got = augment(torch.from_numpy(images), torch.Generator().manual_seed(7)).numpy()
    expected = twin(images, steps, 7)
    np.testing.assert_allclose(got, expected, atol=0.01)
    assert np.abs(got - images).max() > 5, "the images did change"


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_every_augmentation_is_a_pure_function(name: str) -> None:
    augment = augmenter([name])
    assert augment is not None
    images = torch.randint(0, 256, (8, 3, 16, 16), dtype=torch.uint8)
    first = augment(images, torch.Generator().manual_seed(1))
    torch.manual_seed(5)
    again = augment(images, torch.Generator().manual_seed(1))
    assert torch.equal(first, again)
    assert first.shape == images.shape
    assert first.dtype == torch.float32
    assert not torch.equal(first, augment(images, torch.Generator().manual_seed(2)))
    assert first.min() >= 0
    assert first.max() <= 255.01


def test_no_steps_is_no_augmentation() -> None:
    assert augmenter([]) is None


@pytest.mark.parametrize(
    ("step", "sentence"),
    [("rotat:degrees=3", "closest: rotate"), ("zoom:bye=1", "closest: by"), ("rotate:degrees=400", "degrees = '400'")],
)
def test_a_wrong_step_gets_a_sentence(step: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        augmenter([step])
