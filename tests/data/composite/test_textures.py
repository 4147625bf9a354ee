"""Textures: each looks as its name says, and none can be taken for a digit."""

import hashlib
import runpy

import numpy as np
import pytest
from scipy import ndimage

from bakeoff.data.composite import options
from bakeoff.data.composite.options import CompositeOptions
from bakeoff.data.composite.textures import BRIGHTEST, SIDE, STAR, TEXTURES, texture


@pytest.mark.parametrize("kind", TEXTURES)
def test_no_texture_reaches_a_digits_white(kind: str) -> None:
    pixels = texture(kind)
    assert pixels.shape == (SIDE, SIDE)
    assert pixels.dtype == np.uint8
    assert pixels.max() <= (STAR if kind == "stars" else BRIGHTEST) < 255
    with pytest.raises(ValueError, match="read-only"):
        pixels[0, 0] = 0


@pytest.mark.parametrize("kind", TEXTURES)
def test_every_crop_has_structure(kind: str) -> None:
    crops = texture(kind)[: SIDE // 64 * 64, : SIDE // 64 * 64].reshape(SIDE // 64, 64, SIDE // 64, 64)
    assert crops.std(axis=(1, 3)).min() > 4


def test_stars_are_small_near_white_points_on_a_dark_sky() -> None:
    sky = texture("stars")
    assert np.median(sky) < 40
    points, count = ndimage.label(sky >= 230)
    assert count > 100
    assert np.median(np.bincount(points.ravel())[1:]) <= 5


def test_metal_is_light_with_thin_dark_scratches() -> None:
    metal = texture("metal")
    assert np.median(metal) > 120
    scratches, _ = ndimage.label(metal < 100, np.ones((3, 3)))
    spans = [max(place.stop - place.start for place in box) for box in ndimage.find_objects(scratches)]
    assert max(spans) > 100
    assert 0.005 < (metal < 100).mean() < 0.1


def test_pebbles_are_light_stones_apart() -> None:
    pebbles = texture("pebbles")
    stones, count = ndimage.label(pebbles > 60)
    area = np.bincount(stones.ravel())[1:]
    assert count > 500
    assert 20 < np.median(area) < 120
    assert area.max() < 0.02 * pebbles.size, "gaps part the stones"


def test_gravel_is_grainy() -> None:
    gravel = texture("gravel").astype(float)
    fine = gravel - ndimage.gaussian_filter(gravel, 3)
    assert fine.std() > 0.6 * gravel.std() > 12


def test_water_runs_level() -> None:
    water = texture("water").astype(float)
    down, right = (np.abs(np.diff(water, axis=axis)).mean() for axis in (0, 1))
    assert np.median(water) < 80
    assert down > 1.3 * right


def test_contours_are_closed_lines_between_levels() -> None:
    contours = texture("contours")
    lines, _ = ndimage.label(contours > 110)
    _, areas = ndimage.label(contours < 90)
    assert areas > 30, "lines enclose areas"
    spans = [max(place.stop - place.start for place in box) for box in ndimage.find_objects(lines)]
    assert max(spans) > 100


def test_rings_are_concentric() -> None:
    rings = texture("rings").astype(float)
    down, right = ndimage.sobel(rings, 0), ndimage.sobel(rings, 1)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    normal = np.stack((right.ravel(), -down.ravel()), axis=1)  # the gradient's line goes through the centre
    centre = np.linalg.lstsq(normal, (normal * np.stack((rows.ravel(), columns.ravel()), 1)).sum(1), rcond=None)[0]
    radius = np.hypot(rows - centre[0], columns - centre[1]).round().astype(int)
    mean = np.bincount(radius.ravel(), rings.ravel()) / np.bincount(radius.ravel())
    assert (rings - mean[radius]).var() < 0.05 * rings.var()


def test_the_bytes_are_a_promise() -> None:
    """The same in every process and on every machine; another digest makes every composite another."""
    digest = hashlib.sha256(b"".join(texture(kind).tobytes() for kind in CompositeOptions().backgrounds)).hexdigest()[
        :16
    ]
    assert digest == "f53773c8f6174ab5"


def test_another_texture_changes_no_dataset_that_does_not_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = CompositeOptions().backgrounds
    monkeypatch.setitem(TEXTURES, "clouds", TEXTURES["water"])
    made = runpy.run_path(options.__file__)["CompositeOptions"]
    assert made().backgrounds == before
