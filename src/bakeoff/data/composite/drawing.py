"""Composites as images and labels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from bakeoff.data.composite.arranging import Arranger
from bakeoff.data.composite.digit_shapes import DigitShapes
from bakeoff.data.composite.options import TASKS, CompositeOptions
from bakeoff.data.composite.parts import Parts
from bakeoff.data.composite.random_words import Words
from bakeoff.data.composite.rules import labels_of
from bakeoff.data.composite.textures import textures
from bakeoff.data.dataset import Images, Labels, Split, check_labels, split_validation
from bakeoff.errors import BakeoffError, UsageError, closest
from bakeoff.spec.settings import validate

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
        BakeoffError: the digits are of the wrong type or shape, or without ink.
    """

    def __init__(self, options: CompositeOptions, digits: Images, labels: Labels, seed: int = 0) -> None:
        if digits.dtype != np.uint8 or digits.ndim != 3 or 0 in digits.shape:
            raise BakeoffError(f"digits are {digits.dtype} {digits.shape} where uint8 (N, H, W) is valid")
        if labels.dtype != np.int64 or labels.shape != digits.shape[:1]:
            raise BakeoffError(f"labels are {labels.dtype} {labels.shape} where int64 ({len(digits)},) is valid")
        check_labels(labels, 10, "digits")
        self.options, self.classes = options, options.classes
        shapes = DigitShapes(digits)
        self._arranger, self._textures = Arranger(options, shapes, labels, seed), textures(options.backgrounds)
        if options.max_scale * shapes.longest > options.size:
            raise UsageError(
                f"max_scale = {options.max_scale:g} makes digits of {options.max_scale * shapes.longest:.0f} pixels "
                f"where size is {options.size}: at most {math.floor(100 * options.size / shapes.longest) / 100:g} is "
                f"valid"
            )

    def render(self, indices: ArrayLike, *, out: Images | None = None) -> tuple[Images, Labels]:
        """The composites with the numbers `indices` (N,), 0 or more: images (N, 1, S, S) uint8, labels (N,) int64.

        The images are written into `out` where it is given. Raises UsageError where no arrangement of the digits is
        found.
        """
        images, labels, _ = self.compose(indices, out=out)
        return images, labels

    def compose(self, indices: ArrayLike, *, out: Images | None = None) -> tuple[Images, Labels, Parts]:
        """The images and labels of `render`, and what the images are made of, arranged once."""
        numbers, size = _numbers(indices), self.options.size
        images = np.empty((len(numbers), 1, size, size), np.uint8) if out is None else out
        assert images.shape == (len(numbers), 1, size, size)
        assert images.flags.c_contiguous
        windows = sliding_window_view(self._textures, (size, size), axis=(1, 2))
        arranged = []
        for here in self._chunks(len(numbers)):
            parts, ink = self._arranger.arrange(numbers[here])
            arranged.append(parts)
            images[here, 0] = windows[parts.kinds, parts.crops[:, 0], parts.crops[:, 1]]
            images[here].reshape(-1)[ink] = 255
        parts = Parts.joined(arranged)
        return images, labels_of(self.options.rule, parts.values, self.options.min_digits), parts

    def parts(self, indices: ArrayLike) -> Parts:
        """What the composites with the numbers `indices` (N,) are made of."""
        numbers = _numbers(indices)
        return Parts.joined([self._arranger.arrange(numbers[here])[0] for here in self._chunks(len(numbers))])

    def _chunks(self, count: int) -> list[slice]:
        """`count` images in parts of CHUNK pixels; at least one part."""
        step = max(CHUNK // self.options.size**2, 1)
        return [slice(start, start + step) for start in range(0, max(count, 1), step)]


def composites(
    task: str, options: Mapping[str, Any], digits: Split, test_digits: Split | None = None
) -> dict[str, Composite]:
    """The endless sets `train` and `test` of a task of TASKS; no digit image is in both.

    Args:
        task: `largest-digit` or `highest-digit`.
        options: fields of CompositeOptions, perhaps as strings; the task's defaults stand for the others.
        digits: images (N, 1, H, W) that training composites are made of.
        test_digits: those that test composites are made of; where None, a sixth of `digits` is set aside, stratified.

    Raises:
        UsageError: an unknown task or option, a value out of range, options that leave digits no place.
        BakeoffError: the digits are not single digits with ink on one channel.
    """
    if task not in TASKS:
        raise UsageError(f"unknown task {task!r}{closest(task, TASKS)}")
    chosen = validate(TASKS[task], options, task)
    if test_digits is None:
        digits, test_digits = split_validation(digits, TEST_FRACTION, seed=1)
    sets = {}
    for number, (name, source) in enumerate((("train", digits), ("test", test_digits))):
        if source.images.shape[1] != 1:
            raise BakeoffError(f"{task}: digits with {source.images.shape[1]} channels where 1 is valid")
        sets[name] = Composite(chosen, source.images[:, 0], source.labels, seed=2 * chosen.seed + number)
    return sets


def composite_splits(sets: Mapping[str, Composite]) -> dict[str, Split]:
    """The first `count` images of the set `train` and the first `test_count` of `test`."""
    counts = {"train": sets["train"].options.count, "test": sets["test"].options.test_count}
    return {name: Split(*one.render(range(counts[name]))) for name, one in sets.items()}


def _numbers(indices: ArrayLike) -> Words:
    numbers = np.asarray(indices)
    assert numbers.ndim == 1, "indices are (N,)"
    assert numbers.dtype.kind in "iu" or not len(numbers), "indices are whole numbers"
    if len(numbers) and numbers.min() < 0:
        raise UsageError(f"image {numbers.min()} is asked for where 0 or more is valid")
    return numbers.astype(np.uint64)
