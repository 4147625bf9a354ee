"""Digits turned and scaled to flat, hard-edged ink, in fixed-point arithmetic: the same pixels on every machine."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bakeoff.data.composite.random_words import Ints
from bakeoff.data.dataset import Images
from bakeoff.errors import BakeoffError

INK = 96
"""Grey from which a point of a digit, interpolated, is ink: low, so that thin strokes survive scaling down."""

TURN, SCALE = 4096, 256
"""Angles are whole multiples of 1 / TURN of a turn, scales of 1 / SCALE."""

FIXED, WEIGHT = 14, 7
"""Binary places of sines, cosines and coordinates, and of the weights of an interpolation (it fits 16 bits)."""

BLOCK = 64
"""Digits drawn at a time, so that the arrays stay in the processor's cache."""

Floats = NDArray[np.float64]

COSINE: Ints = np.array([round(math.cos(2 * math.pi * angle / TURN) * 2**FIXED) for angle in range(TURN)])
SINE: Ints = np.roll(COSINE, TURN // 4)


@dataclass(frozen=True, eq=False)
class Drawn:
    """G drawn digits: `ink`, `height` and `width` (G,) in pixels, zero for one that has vanished, and for every pixel
    of ink (P,) its `owner` among them and its `row` and `column` in the owner's bounding rectangle."""

    ink: Ints
    height: Ints
    width: Ints
    owner: Ints
    row: Ints
    column: Ints


class DigitShapes:
    """N digits to draw: images (N, H, W) uint8, white on black. Raises BakeoffError for one without ink."""

    def __init__(self, images: Images) -> None:
        inked: NDArray[np.bool_] = images >= INK
        rows: NDArray[np.bool_] = np.logical_or.reduce(inked, axis=2)
        if not rows.any(axis=1).all():
            raise BakeoffError(f"digit image {rows.any(axis=1).argmin()} has no ink: no pixel of {INK} or brighter")
        columns: NDArray[np.bool_] = np.logical_or.reduce(inked, axis=1)
        height, width = images.shape[1:]
        first, last = inked.argmax(axis=2), width - 1 - inked[:, :, ::-1].argmax(axis=2)
        top, left = rows.argmax(axis=1), columns.argmax(axis=1)
        bottom, right = height - 1 - rows[:, ::-1].argmax(axis=1), width - 1 - columns[:, ::-1].argmax(axis=1)
        row = np.where(rows, np.arange(height), top[:, None])  # an empty row repeats the top one
        first, last = np.take_along_axis(first, row, axis=1), np.take_along_axis(last, row, axis=1)
        self._images = images
        self._middle = np.stack((top + bottom, left + right), axis=1) // 2
        ends = np.stack((np.tile(row, 2), np.concatenate((first, last), axis=1)), axis=2)
        self._ends = (ends - self._middle[:, None]).astype(np.int16)
        self.ink: Ints = inked.sum(axis=(1, 2))
        """(N,) pixels of ink."""
        self.longest = int(max((bottom - top).max(), (right - left).max())) + 1
        """The longest side of a digit, in pixels."""

    def __len__(self) -> int:
        return len(self._images)

    def extent(self, sources: Ints, angles: Ints) -> tuple[Floats, Floats, Floats, Floats]:
        """Where the outermost pixel centres of the digits `sources` lie when they are turned by `angles`.

        Args:
            sources, angles: (...,); angles are counter-clockwise, in 1 / TURN of a turn.

        Returns:
            Top, left, bottom and right (...,) in the source's pixels, counted from the middle of its ink.
        """
        y, x = np.moveaxis(self._ends[sources].astype(np.int32), -1, 0)
        cosine, sine = (table[angles].astype(np.int32)[..., None] for table in (COSINE, SINE))
        down, right = y * cosine - x * sine, x * cosine + y * sine
        ends = (down.min(axis=-1), right.min(axis=-1), down.max(axis=-1), right.max(axis=-1))
        top, left, bottom, right = (end / np.float64(2**FIXED) for end in ends)
        return top, left, bottom, right

    def draw(self, sources: Ints, angles: Ints, scales: Ints) -> Drawn:
        """The digits `sources` (G,), turned by `angles` counter-clockwise and scaled by `scales`, in 1 / TURN of a
        turn and 1 / SCALE, about the middle pixel of their ink.

        A pixel is ink where the source, interpolated bilinearly, is INK or brighter.
        """
        top, left, bottom, right = self.extent(sources, angles)
        scale = scales / SCALE
        reach = math.sqrt(2)  # along both axes of the source, ink ends within a pixel of the last pixel's centre
        top, left = np.floor((top - reach) * scale), np.floor((left - reach) * scale)
        height, width = np.ceil((bottom + reach) * scale) - top + 1, np.ceil((right + reach) * scale) - left + 1
        cosine, sine = (table[angles] * SCALE // scales for table in (COSINE, SINE))
        pixels = [(np.zeros(0, np.int64),) * 3]
        order = np.argsort(np.maximum(height, width), kind="stable")  # a block is drawn as large as its largest digit
        for start in range(0, len(order), BLOCK):
            block = order[start : start + BLOCK]
            rows = top[block, None].astype(np.int64) + np.arange(int(height[block].max()))
            columns = left[block, None].astype(np.int64) + np.arange(int(width[block].max()))
            inked = self._inked(sources[block], cosine[block], sine[block], rows, columns)
            owner, place = np.divmod(np.flatnonzero(inked), inked[0].size)
            pixels.append((block[owner], *np.divmod(place, inked.shape[2])))
        owner, row, column = (np.concatenate(part) for part in zip(*pixels, strict=True))
        return _drawn(len(sources), owner, row, column)

    def _inked(self, sources: Ints, cosine: Ints, sine: Ints, rows: Ints, columns: Ints) -> NDArray[np.bool_]:
        """(B, H, W): whether there is ink `rows` (B, H) below, `columns` (B, W) right of the middle of `sources` (B,).

        `cosine` and `sine` (B,) are divided by the scale.
        """
        count, height, width = len(sources), self._images.shape[1] + 2, self._images.shape[2] + 2
        padded = np.zeros((count, height, width), np.int16)
        padded[:, 1:-1, 1:-1] = self._images[sources]
        grey = padded.reshape(-1)
        cosine, sine = cosine[:, None], sine[:, None]
        middle = (self._middle[sources, :, None] + 1) << FIXED  # in the padded source
        y = _sum(middle[:, 0] + cosine * rows, sine * columns, height - 1)
        x = _sum(middle[:, 1] - sine * rows, cosine * columns, width - 1)
        down, right = ((part >> FIXED - WEIGHT & 2**WEIGHT - 1).astype(np.int16) for part in (y, x))
        y >>= FIXED
        x >>= FIXED
        y *= width
        y += x
        y += (np.arange(count, dtype=np.int32) * (height * width))[:, None, None]
        index = y.astype(np.intp)
        upper = _between(grey.take(index), grey[1:].take(index), right)
        lower = _between(grey[width:].take(index), grey[width + 1 :].take(index), right)
        inked: NDArray[np.bool_] = _between(upper, lower, down) >= INK
        return inked


def _sum(rows: Ints, columns: Ints, end: int) -> NDArray[np.int32]:
    """`rows` (B, H) + `columns` (B, W) as (B, H, W), kept in 0 ... `end` (excluded), in fixed point."""
    total = rows.astype(np.int32)[:, :, None] + columns.astype(np.int32)[:, None]
    return np.clip(total, 0, (end << FIXED) - 1, out=total)


def _between(first: NDArray[np.int16], second: NDArray[np.int16], weight: NDArray[np.int16]) -> NDArray[np.int16]:
    """From `first` at weight 0 to `second` at 2**WEIGHT, rounded down; written into `second`."""
    second -= first
    second *= weight
    second >>= WEIGHT
    second += first
    return second


def _drawn(count: int, owner: Ints, row: Ints, column: Ints) -> Drawn:
    """The `count` digits whose pixels these are, each one's in a row."""
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    top, left, height, width = (np.zeros(count, np.int64) for _ in range(4))
    for place, low, extent in ((row, top, height), (column, left, width)):
        low[owner[first]] = np.minimum.reduceat(place, first)
        extent[owner[first]] = np.maximum.reduceat(place, first) + 1
        extent -= low
    ink = np.bincount(owner, minlength=count)
    return Drawn(ink, height, width, owner, row - top[owner], column - left[owner])
