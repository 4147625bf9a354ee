"""Composites as images and labels."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from bakeoff.data.composite.arranging import Arranger
from bakeoff.data.composite.digit_shapes import DigitShapes
from bakeoff.data.composite.options import CompositeOptions
from bakeoff.data.composite.parts import Parts
from bakeoff.data.composite.rules import labels_of
from bakeoff.data.composite.textures import texture
from bakeoff.data.dataset import Images, Labels, Split, split_validation
from bakeoff.errors import UsageError

TEST_FRACTION = 1 / 6
"""Of the digits, drawn stratified for the test composites where the source brings no test part."""

CHUNK = 2**22
"""Pixels made at a time, so that the arrays stay in the processor's cache."""


class Composite:
    """An endless set of composites.

    Args:
        options: what they are like.
        digits: images (N, H, W) uint8, white on black, each with ink, and labels (N,) int64 of 0 ... 9.
        seed: 0 ... 2**63 - 1.

    Raises:
        UsageError: the options ask for digits that do not fit into an image.
        BakeoffError: a digit is without ink.
    """

    def __init__(self, options: CompositeOptions, digits: Images, labels: Labels, seed: int = 0) -> None:
        self.options, self.classes = options, options.classes
        shapes = DigitShapes(digits)
        self._arranger = Arranger(options, shapes, labels, seed)
        self._textures = np.stack([texture(kind) for kind in options.backgrounds])
        if options.max_scale * shapes.longest > options.size:
            raise UsageError(
                f"max_scale = {options.max_scale:g} makes digits of {options.max_scale * shapes.longest:.0f} pixels "
                f"where size is {options.size}: at most {math.floor(100 * options.size / shapes.longest) / 100:g} is "
                f"valid"
            )

    def render(self, indices: ArrayLike) -> tuple[Images, Labels, Parts]:
        """The composites with the numbers `indices` (N,), 0 or more: images (N, 1, S, S) uint8, labels (N,) int64, and
        what the images are made of.

        Raises UsageError where no arrangement of the digits is found.
        """
        numbers, size = np.asarray(indices, np.uint64), self.options.size
        images = np.empty((len(numbers), 1, size, size), np.uint8)
        windows = sliding_window_view(self._textures, (size, size), axis=(1, 2))
        step = max(CHUNK // size**2, 1)
        arranged = []
        for start in range(0, max(len(numbers), 1), step):
            here = slice(start, start + step)
            parts, ink = self._arranger.arrange(numbers[here])
            arranged.append(parts)
            images[here, 0] = windows[parts.kinds, parts.crops[:, 0], parts.crops[:, 1]]
            images[here].reshape(-1)[ink] = 255
        parts = Parts.joined(arranged)
        return images, labels_of(self.options.rule, parts.values, self.options.min_digits), parts


def composites(options: CompositeOptions, digits: Split, test_digits: Split | None = None) -> dict[str, Composite]:
    """The endless sets `train` and `test`; no digit image is in both.

    Args:
        digits: images (N, 1, H, W) that training composites are made of.
        test_digits: those that test composites are made of; where None, a sixth of `digits` is set aside, stratified.

    Raises:
        UsageError: options that leave digits no place.
        BakeoffError: a digit without ink.
    """
    if test_digits is None:
        digits, test_digits = split_validation(digits, TEST_FRACTION, seed=1)
    return {
        name: Composite(options, source.images[:, 0], source.labels, seed=2 * options.seed + number)
        for number, (name, source) in enumerate((("train", digits), ("test", test_digits)))
    }


def composite_splits(sets: Mapping[str, Composite]) -> dict[str, tuple[Split, Parts]]:
    """The first `count` images of the set `train` and the first `test_count` of `test`, and what they are made of."""
    counts = {"train": sets["train"].options.count, "test": sets["test"].options.test_count}
    made = {name: composite.render(np.arange(counts[name])) for name, composite in sets.items()}
    return {name: (Split(images, labels), parts) for name, (images, labels, parts) in made.items()}
