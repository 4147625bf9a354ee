"""Which digits a composite has, how each is turned and scaled, and where it lies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bakeoff.data.composite.digit_shapes import SCALE, TURN, DigitShapes
from bakeoff.data.composite.options import CompositeOptions
from bakeoff.data.composite.parts import Parts
from bakeoff.data.composite.random_words import TRIALS, Ints, Purpose, Words, below, image_keys, random_words, two_below
from bakeoff.data.composite.rules import is_clear
from bakeoff.data.composite.textures import SIDE
from bakeoff.data.dataset import Labels
from bakeoff.errors import UsageError

REDRAW, ATTEMPTS, DRAWINGS = 64, 1024, 32
"""Attempts at an image with the same digits, attempts in all, and those of them that get as far as drawing."""


class Arranger:
    """Arranges the composites of one set: the same for the same number, whatever else is asked for."""

    def __init__(self, options: CompositeOptions, shapes: DigitShapes, labels: Labels, seed: int) -> None:
        self.options, self.shapes, self.labels, self.seed = options, shapes, labels, seed

    def arrange(self, numbers: Words) -> tuple[Parts, Ints]:
        """The parts of N images, and where their ink is, as places in the flat images (N, 1, S, S).

        Raises:
            UsageError: no arrangement of an image's digits is found.
        """
        options, n, k = self.options, len(numbers), self.options.max_digits
        keys = image_keys(self.seed, numbers)
        counts = options.min_digits + below(random_words(keys, Purpose.COUNT), k - options.min_digits + 1)
        sources, angles, scales, ink, top, left, height, width = final = np.zeros((8, n, k), np.int64)
        painted = [np.zeros(0, np.int64)]
        pending, attempts, drawings = np.arange(n), np.zeros(n, np.int64), 0
        while len(pending):
            attempt = self._propose(keys[pending], counts[pending], attempts[pending])
            if attempt.max() >= ATTEMPTS or drawings == DRAWINGS:
                first = attempt.argmax()
                raise self._hopeless(int(numbers[pending[first]]), int(counts[pending[first]]))
            drawings += 1
            shape = self._shape(keys[pending], counts[pending], attempt)
            present = shape[2] > 0
            drawn = self.shapes.draw(*shape[:, present])
            box = np.zeros((3, *present.shape), np.int64)
            box[:, present] = drawn.ink, drawn.height, drawn.width
            place, fits = self._place(keys[pending], attempt, *box[1:])
            good = fits & ((box[0] > 0) == present).all(axis=1) & is_clear(options.rule, options.by, *box)
            final[:, pending[good]] = np.concatenate((shape, box[:1], place, box[1:]))[:, good]

            corner = ((pending[:, None] * options.size + place[0]) * options.size + place[1])[present]
            pixels = corner[drawn.owner] + drawn.row * options.size + drawn.column
            painted.append(pixels[good[np.nonzero(present)[0]][drawn.owner]])
            attempts[pending] = attempt + 1
            pending = pending[~good]

        spare = SIDE - options.size + 1
        absent = scales == 0
        parts = Parts(
            values=np.where(absent, -1, self.labels[sources]),
            sources=np.where(absent, -1, sources),
            boxes=np.stack((top, left, top + height, left + width), axis=2),
            ink=ink,
            angles=angles * np.float64(360 / TURN),
            scales=scales / np.float64(SCALE),
            kinds=below(random_words(keys, Purpose.KIND), len(options.backgrounds)),
            crops=np.stack(two_below(random_words(keys, Purpose.CROP), spare, spare), axis=1),
        )
        return parts, np.concatenate(painted)

    def _shape(self, keys: Words, counts: Ints, attempts: Ints) -> Ints:
        """Sources, angles and scales (3, ..., K) of the digits in attempts (...,), scale 0 for an absent one."""
        options, slots = self.options, np.arange(self.options.max_digits)
        keys, counts, attempts = keys[..., None], counts[..., None], attempts[..., None]
        sources = below(random_words(keys, Purpose.DIGIT, attempts // REDRAW, slots), len(self.shapes))
        low, high = round(options.min_scale * SCALE), round(options.max_scale * SCALE)
        reach = round(options.rotation * TURN / 360)
        larger, turned = two_below(random_words(keys, Purpose.SHAPE, attempts, slots), high - low + 1, 2 * reach + 1)
        shape = np.stack(np.broadcast_arrays(sources, turned - reach, low + larger)) * (slots < counts)
        if options.rule == "largest":
            shape[2] = -np.sort(-shape[2], axis=-1)
        return shape

    def _propose(self, keys: Words, counts: Ints, attempts: Ints) -> Ints:
        """The first attempts (N,), from `attempts` on, whose first digit looks clearly the largest by its outline.

        That is much cheaper than drawing all digits. ATTEMPTS or more: there is none.
        """
        options, proposed = self.options, attempts.copy()
        pending, width = np.arange(len(keys) if options.rule == "largest" else 0), 1
        while len(pending):
            tried = proposed[pending, None] + np.arange(width)
            sources, angles, scales = self._shape(keys[pending, None], counts[pending, None], tried)
            top, left, bottom, right = self.shapes.extent(sources, angles)
            ink, tall, wide = self.shapes.ink[sources] * scales**2, bottom - top + 1, right - left + 1
            clear = is_clear(options.rule, options.by, ink, tall * scales, wide * scales)
            any_clear = clear.any(axis=1)
            proposed[pending] += np.where(any_clear, clear.argmax(axis=1), width)
            pending = pending[~any_clear & (proposed[pending] < ATTEMPTS)]
            width = min(4 * width, 32)
        return proposed

    def _place(self, keys: Words, attempts: Ints, height: Ints, width: Ints) -> tuple[Ints, NDArray[np.bool_]]:
        """Tops and lefts (2, N, K) of rectangles (N, K), one after the other, and whether all have a place (N,)."""
        size, trials = self.options.size, np.arange(TRIALS)
        places, areas = np.zeros((2, *height.shape), np.int64), height * width
        fits: NDArray[np.bool_] = np.logical_and.reduce(np.maximum(height, width) <= size, axis=1)
        for slot in range(height.shape[1]):
            tall, wide, area = height[:, slot, None], width[:, slot, None], areas[:, slot, None]
            word = random_words(keys[:, None], Purpose.PLACE, attempts[:, None], slot, trials)
            top, left = two_below(word, np.maximum(size - tall, 0) + 1, np.maximum(size - wide, 0) + 1)
            free = np.ones(top.shape, np.bool_)
            for other in range(slot):
                above, before = (place[:, other, None] for place in places)
                rows = np.minimum(top + tall, above + height[:, other, None]) - np.maximum(top, above)
                columns = np.minimum(left + wide, before + width[:, other, None]) - np.maximum(left, before)
                shared = np.maximum(rows, 0) * np.maximum(columns, 0)
                free &= shared <= self.options.overlap * np.minimum(area, areas[:, other, None])
            chosen = free.argmax(axis=1)[:, None]
            fits &= free.any(axis=1)
            for place, tried in zip(places, (top, left), strict=True):
                place[:, slot] = np.take_along_axis(tried, chosen, axis=1)[:, 0]
        return places * (areas > 0), fits

    def _hopeless(self, number: int, count: int) -> UsageError:
        options = self.options
        return UsageError(
            f"image {number}: no place for {count} digits of {options.min_scale:g} to {options.max_scale:g} times "
            f"their size with overlap = {options.overlap:g} in {options.size} pixels: use fewer digits, smaller "
            "scales, a larger size, more overlap or, for one digit to be clearly the largest, scales wider apart"
        )
