"""Digits turned and scaled, against floating-point resampling by scipy."""

import math

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from bakeoff.data.composite.digit_shapes import INK, SCALE, TURN, DigitShapes, Drawn
from bakeoff.errors import BakeoffError


def strokes(count: int, seed: int) -> np.ndarray:
    """(count, 28, 28) of soft strokes; some reach the frame."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:28, :28]
    images = np.zeros((count, 28, 28))
    for image in images:
        place = generator.uniform(0, 27, 2)
        for _ in range(40):
            place = np.clip(place + generator.normal(0, 2, 2), 0, 27)
            np.maximum(image, 280 * np.exp(-((rows - place[0]) ** 2 + (columns - place[1]) ** 2) / 2), out=image)
    return np.clip(images, 0, 255).astype(np.uint8)


def mask(drawn: Drawn, index: int) -> np.ndarray:
    """Digit `index` as a picture of its bounding rectangle."""
    picture = np.zeros((drawn.height[index], drawn.width[index]), bool)
    mine = drawn.owner == index
    picture[drawn.row[mine], drawn.column[mine]] = True
    return picture


def resampled(image: np.ndarray, angle: int, scale: int, reach: int) -> np.ndarray:
    """The grey of (2 reach + 1) x (2 reach + 1) pixels about the middle of the ink."""
    rows, columns = np.nonzero(image >= INK)
    middle = (rows.min() + rows.max()) // 2, (columns.min() + columns.max()) // 2
    down, right = np.mgrid[-reach : reach + 1, -reach : reach + 1] * (SCALE / scale)
    turn = 2 * math.pi * angle / TURN
    y, x = right * math.sin(turn) + down * math.cos(turn), right * math.cos(turn) - down * math.sin(turn)
    return map_coordinates(image.astype(float), (middle[0] + y, middle[1] + x), order=1, mode="grid-constant")


def cropped(picture: np.ndarray) -> np.ndarray:
    rows, columns = np.flatnonzero(picture.any(axis=1)), np.flatnonzero(picture.any(axis=0))
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def test_against_scipy() -> None:
    images, generator = strokes(30, 0), np.random.default_rng(1)
    sources = generator.integers(0, 30, 200)
    angles, scales = generator.integers(-TURN // 2, TURN // 2, 200), generator.integers(SCALE // 2, 3 * SCALE, 200)
    drawn = DigitShapes(images).draw(sources, angles, scales)
    same = 0
    for index, (source, angle, scale) in enumerate(zip(sources, angles, scales, strict=True)):
        grey = resampled(images[source], angle, scale, 70)
        surely, perhaps = cropped(grey >= INK + 3), cropped(grey >= INK - 3)
        assert surely.sum() <= drawn.ink[index] <= perhaps.sum()
        assert surely.shape[0] <= drawn.height[index] <= perhaps.shape[0]
        assert surely.shape[1] <= drawn.width[index] <= perhaps.shape[1]
        if surely.shape == perhaps.shape:
            picture = mask(drawn, index)
            assert (picture >= surely).all()
            assert (picture <= perhaps).all()
            same += 1
    assert same > 100, "most were compared pixel by pixel"


def test_unturned_at_scale_1_a_digit_is_its_threshold() -> None:
    images = strokes(20, 2)
    drawn = DigitShapes(images).draw(np.arange(20), np.zeros(20, int), np.full(20, SCALE))
    for index, image in enumerate(images):
        np.testing.assert_array_equal(mask(drawn, index), cropped(image >= INK))


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_quarter_turns_are_counter_clockwise(quarters: int) -> None:
    images = strokes(20, 3)
    drawn = DigitShapes(images).draw(np.arange(20), np.full(20, quarters * TURN // 4), np.full(20, SCALE))
    for index, image in enumerate(images):
        np.testing.assert_array_equal(mask(drawn, index), cropped(np.rot90(image >= INK, quarters)))


def test_a_digit_does_not_depend_on_its_neighbours() -> None:
    images, generator = strokes(10, 4), np.random.default_rng(5)
    glyphs, sources = DigitShapes(images), generator.integers(0, 10, 300)
    angles, scales = generator.integers(-500, 500, 300), generator.integers(SCALE // 2, 2 * SCALE, 300)
    together = glyphs.draw(sources, angles, scales)
    for index in range(0, 300, 23):
        alone = glyphs.draw(*(part[index : index + 1] for part in (sources, angles, scales)))
        np.testing.assert_array_equal(mask(alone, 0), mask(together, index))


def test_no_digits_are_no_ink() -> None:
    nothing = np.zeros(0, int)
    drawn = DigitShapes(strokes(1, 6)).draw(nothing, nothing, nothing)
    assert len(drawn.ink) == len(drawn.owner) == 0


def test_a_digit_without_ink_gets_a_sentence() -> None:
    images = strokes(5, 7)
    images[3] = INK - 1
    with pytest.raises(BakeoffError, match=f"digit image 3 has no ink: no pixel of {INK} or brighter"):
        DigitShapes(images)
