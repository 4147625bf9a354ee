"""Grey backgrounds for composite images, made from nothing but arithmetic: the same bytes on every machine.

Only operations that IEEE 754 rounds exactly are used (+, -, x, /, square root, rounding), on random words whose
stream numpy guarantees; no sine, no exponential, no library filter.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

SIDE = 384
"""Height and width of a texture in pixels; images show crops of it."""

BRIGHTEST = 199
"""Of every texture but `stars`, so that a threshold anywhere in 200 ... 255 separates flat white digits."""

STAR = 250
"""The brightest pixel of `stars`: near-white, yet never a digit's 255."""

Plane = NDArray[np.float64]
"""(SIDE, SIDE), mostly in 0 ... 1."""


class _Random:
    """A stream of numbers in [0, 1) for one texture."""

    def __init__(self, seed: int) -> None:
        self._words = np.random.Philox(np.random.SeedSequence(seed))

    def draw(self, *shape: int) -> Plane:
        numbers: Plane = (self._words.random_raw(shape) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return numbers


def _grid() -> tuple[Plane, Plane]:
    """Row and column of every pixel."""
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float64)
    return rows, columns


def _smooth(part: Plane) -> Plane:
    """0 ... 1 onto 0 ... 1 with flat ends; clipped."""
    part = np.clip(part, 0, 1)
    return part * part * (3 - 2 * part)


def _noise(random: _Random, rows: float, columns: float) -> Plane:
    """Value noise: random values on a lattice with cells of `rows` x `columns` pixels, smoothly joined."""

    def join(values: Plane, cell: float) -> Plane:
        place = np.arange(SIDE) / cell
        lower = np.floor(place).astype(np.intp)
        part = _smooth(place - lower)[:, None]
        return values[lower] * (1 - part) + values[lower + 1] * part

    values = random.draw(int(SIDE / rows) + 2, int(SIDE / columns) + 2)
    return join(join(values, rows).T, columns).T


def _fractal(random: _Random, rows: float, columns: float, octaves: int) -> Plane:
    """Value noise of halving cells and halving weights, in 0 ... 1."""
    total = np.zeros((SIDE, SIDE))
    for octave in range(octaves):
        total += _noise(random, rows / 2**octave, columns / 2**octave) / 2 ** (octave + 1)
    return total / (1 - 0.5**octaves)


def _bent(random: _Random, plane: Plane, cell: float, reach: float) -> Plane:
    """`plane` pulled about by up to `reach` pixels, in a wave with cells of `cell` pixels; bilinear."""
    rows, columns = _grid()
    row = np.clip(rows + 2 * reach * (_noise(random, cell, cell) - 0.5), 0, SIDE - 1.001)
    column = np.clip(columns + 2 * reach * (_noise(random, cell, cell) - 0.5), 0, SIDE - 1.001)
    top, left = row.astype(np.intp), column.astype(np.intp)
    down, right = row - top, column - left
    upper = plane[top, left] * (1 - right) + plane[top, left + 1] * right
    lower = plane[top + 1, left] * (1 - right) + plane[top + 1, left + 1] * right
    return upper * (1 - down) + lower * down


def _cells(random: _Random, cell: float, bend: float = 0.0) -> tuple[Plane, Plane, Plane]:
    """Voronoi cells about one random point in every square of `cell` pixels, their sides bent by `bend` pixels.

    Each (SIDE, SIDE): how much farther the second nearest point is than the nearest, in cells; how far below and
    right of its point a pixel lies, in cells; and a random number in [0, 1) that is constant over a Voronoi cell.
    """
    rows, columns = _grid()
    count = int((SIDE + bend) / cell) + 4
    jitter, tones = random.draw(count, count, 2), random.draw(count, count)
    y = (rows + bend * _noise(random, cell / 2, cell / 2)) / cell + 1
    x = (columns + bend * _noise(random, cell / 2, cell / 2)) / cell + 1
    top, left = np.floor(y).astype(np.intp), np.floor(x).astype(np.intp)
    first = np.full((SIDE, SIDE), np.inf)
    second, lean, tone = first, first, first
    for i in (top - 1, top, top + 1):
        for j in (left - 1, left, left + 1):
            dy, dx = y - i - jitter[i, j, 0], x - j - jitter[i, j, 1]
            distance = dy * dy + dx * dx
            nearer = distance < first
            second = np.where(nearer, first, np.minimum(second, distance))
            first = np.where(nearer, distance, first)
            lean, tone = np.where(nearer, dy + dx, lean), np.where(nearer, tones[i, j], tone)
    return np.sqrt(second) - np.sqrt(first), lean, tone


def _segment(start: Plane, end: Plane, reach: int) -> tuple[tuple[slice, slice], Plane]:
    """The box around a line from `start` to `end` (row, column), and every pixel's distance to the line there."""
    low = np.floor(np.minimum(start, end)).astype(int) - reach
    high = np.ceil(np.maximum(start, end)).astype(int) + reach + 1
    (top, left), (bottom, right) = np.clip(low, 0, SIDE).tolist(), np.clip(high, 0, SIDE).tolist()
    y, x = np.mgrid[top:bottom, left:right].astype(np.float64)
    y, x = y - start[0], x - start[1]
    along = end - start
    part = np.clip((y * along[0] + x * along[1]) / (along[0] * along[0] + along[1] * along[1]), 0, 1)
    y, x = y - part * along[0], x - part * along[1]
    return (slice(top, bottom), slice(left, right)), np.sqrt(y * y + x * x)


def _metal(random: _Random) -> Plane:
    """Light sheet metal, brushed and stained, with long dark and short light scratches and pits."""
    grey = 118 + 60 * _fractal(random, 150, 190, 4) + 14 * (_noise(random, 1.5, 24) - 0.5)
    grey += 12 * (random.draw(SIDE, SIDE) - 0.5)
    grey -= 70 * _smooth((_fractal(random, 14, 14, 3) - 0.72) * 9)
    for index in range(110):
        start, turn, depth = random.draw(2) * SIDE, random.draw(2) * 2 - 1, random.draw()
        length = 260 if index < 20 else 40
        box, distance = _segment(start, start + turn * length, 2)
        change = -(25 + 65 * depth) if index < 20 or index % 3 else 28 * depth
        grey[box] += change * np.clip(1.4 - distance, 0, 1)
    return grey


def _gravel(random: _Random) -> Plane:
    """Fine crushed stone: angular shards of every grey, larger ones scattered among them."""
    _, lean, large = _cells(random, 17, bend=4)
    gap, slope, tone = _cells(random, 4)
    fine = 92 + 92 * tone + 35 * slope * (64 * tone % 1 - 0.5) - 46 * _smooth(1 - 5 * gap)
    coverage = 0.8 * _smooth((large - 0.7) * 12)
    grey = fine * (1 - coverage) + (120 + 200 * (large - 0.7) - 25 * lean) * coverage
    return grey + 46 * (random.draw(SIDE, SIDE) - 0.5) + 40 * (_fractal(random, 40, 40, 3) - 0.5)


def _stars(random: _Random) -> Plane:
    """A dark sky with faint nebulae, near-white points of all sizes, and a few stars with spikes."""
    nebula = _fractal(random, 130, 130, 6)
    grey = 10 + 150 * _smooth((nebula - 0.52) * 3) * nebula + 7 * random.draw(SIDE, SIDE)
    for index in range(1500):
        (row, column), light = random.draw(2) * (SIDE - 1), random.draw()
        light = 0.3 + 1.2 * light * light if index >= 14 else 2 + 4 * light
        radius = 3 if index >= 14 else 24
        top, left = max(round(row) - radius, 0), max(round(column) - radius, 0)
        y, x = np.mgrid[top : min(top + 2 * radius, SIDE), left : min(left + 2 * radius, SIDE)].astype(np.float64)
        y, x = y - row, x - column
        near = 1 + 1.3 * (y * y + x * x)
        grey[top : top + 2 * radius, left : left + 2 * radius] += 255 * light / (near * near)
        if index < 14:
            across = np.minimum(np.abs(y - x), np.abs(y + x))
            fade = np.clip(1 - (np.abs(y) + np.abs(x)) / (2 * radius), 0, 1)
            grey[top : top + 2 * radius, left : left + 2 * radius] += 190 * fade * fade * np.clip(1 - across, 0, 1)
    return grey


def _pebbles(random: _Random) -> Plane:
    """Light stones with dark gaps between them, lit from the upper left."""
    gap, lean, tone = _cells(random, 8, bend=4.5)
    stone = _smooth((gap - 0.1) * 5)
    return 14 + stone * (108 + 48 * tone - 38 * lean) + 18 * (random.draw(SIDE, SIDE) - 0.5)


def _water(random: _Random) -> Plane:
    """A dark surface with long, roughly level crests."""
    swell, height = _fractal(random, 34, 110, 3), np.zeros((SIDE, SIDE))
    for tall, wide, weight in ((13, 42, 1.0), (7, 22, 0.6), (4, 11, 0.35)):
        ridge = 1 - np.abs(2 * _noise(random, tall, wide) - 1)
        height += weight * ridge * ridge
    height = _bent(random, height, 30, 6)
    slope = height - np.concatenate((height[:2], height[:-2]))
    return 12 + 26 * height + 75 * np.clip(slope, -0.25, 1) + 26 * swell + 8 * (random.draw(SIDE, SIDE) - 0.5)


def _contours(random: _Random) -> Plane:
    """Warped bands between level lines: light outlines on dark, a faint second set behind them."""
    front = 3.6 * _bent(random, _fractal(random, 38, 38, 2), 24, 9)
    behind = 8 * _bent(random, _fractal(random, 30, 30, 2), 20, 8)
    band, faint = front - np.floor(front), behind - np.floor(behind)
    outline = _smooth(band * 16) * _smooth((0.24 - band) * 16)
    return 22 + 10 * np.floor(front) + 14 * _smooth((faint - 0.75) * 12) + 105 * outline


def _rings(random: _Random) -> Plane:
    """Concentric rings, each a gradient from dark to light."""
    rows, columns = _grid()
    (top, left) = (0.4 + 0.2 * random.draw(2)) * SIDE
    y, x = rows - top, columns - left
    ring = np.sqrt(y * y + x * x) / 26
    part = ring - np.floor(ring)
    rings: Plane = 6 + 178 * (1 - part) * _smooth(part * 9) + 3 * random.draw(SIDE, SIDE)
    return rings


TEXTURES: dict[str, Callable[[_Random], Plane]] = {
    "metal": _metal,
    "gravel": _gravel,
    "stars": _stars,
    "pebbles": _pebbles,
    "water": _water,
    "contours": _contours,
    "rings": _rings,
}
"""The kinds of background. Each has a number of its own, its place here: a new one goes last."""


@cache
def texture(kind: str) -> NDArray[np.uint8]:
    """The texture `kind` of TEXTURES: (SIDE, SIDE) uint8, read-only, always the same bytes."""
    grey = TEXTURES[kind](_Random(list(TEXTURES).index(kind)))
    pixels = np.rint(np.clip(grey, 0, STAR if kind == "stars" else BRIGHTEST)).astype(np.uint8)
    pixels.setflags(write=False)
    return pixels
