"""The task `crops`: crops of generated images, with one digit in the middle or none there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch import Tensor

from bakeoff.data.batches import CROP, derived_seed
from bakeoff.data.composite.parts import Parts
from bakeoff.data.dataset import Dataset
from bakeoff.data.preprocess import model_shape
from bakeoff.errors import UsageError
from bakeoff.spec import RunSpec
from bakeoff.spec.tasks import CROPS
from bakeoff.training.tasks.generated import GeneratedTask

ANYWHERE = 3
"""The number of the crop that may be anywhere; those before it show a digit each, those after it what is near one."""


class CropsTask(GeneratedTask):
    """Of each image one crop for each of three digits, the middle off by up to `jitter` pixels; one anywhere, and two
    near a digit, whose middle is at least `apart` pixels from that of every digit. Where an image lacks a digit, or
    such a place lies too near to one, the crop is of a digit again. A target is the digit's value, or 10 for none.
    """

    method = "patch_logits"
    """(N, C, field, field) -> logits (N, K + 1): what is in the middle of each crop or, last, that nothing is. The
    model's `field` is the side of a crop in pixels."""
    of_one_digit = True

    @classmethod
    def check(cls, spec: RunSpec, dataset: Dataset, model: Any) -> None:
        super().check(spec, dataset, model)
        task = spec.recipe.task
        if spec.recipe.loss_entry.balanced:
            raise UsageError(f"task = {task!r}: crops have their own frequency of classes: use loss = 'cross_entropy'")
        shape = spec.recipe.task_choice.image_shape(dataset.shape)
        side = model_shape(spec.recipe.preprocess, shape)[-1]
        if side != model.field:
            raise UsageError(f"task = {task!r}: {spec.model} sees {model.field} pixels where a crop has {side}")

    def batch(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        images, image = np.unique(numbers.numpy() // CROPS, return_inverse=True)
        random = np.random.Generator(np.random.Philox(derived_seed(int(numbers[0]), CROP, len(numbers))))
        pixels, _, parts = self.composite.render(images)
        rows, columns, labels = self._places(parts, random)
        half, size = self.settings.size // 2, self.settings.size
        padded = np.pad(pixels[:, 0], ((0, 0), (half, size - half), (half, size - half)))
        windows = sliding_window_view(padded, (size, size), axis=(1, 2))
        number = numbers.numpy() % CROPS
        crops = np.ascontiguousarray(windows[image, rows[image, number], columns[image, number]][:, None])
        return self.on_device(crops, labels[image, number])

    def _places(self, parts: Parts, random: np.random.Generator) -> tuple[NDArray[np.int64], ...]:
        """Middle row, middle column and label (N, CROPS) of each image's crops."""
        jitter, side = self.settings.jitter, self.composite.options.size
        present = parts.values >= 0
        middles = (parts.boxes[..., :2] + parts.boxes[..., 2:] - 1) / 2  # (N, D, 2)
        count, digits = present.shape
        image = np.arange(count)
        places = np.empty((count, CROPS, 2))
        labels = np.empty((count, CROPS), np.int64)
        for number in range(CROPS):
            shows_digit = number < ANYWHERE
            digit = np.full(count, number) if shows_digit and number < digits else random.integers(0, digits, count)
            digit = np.where(present[image, digit], digit, 0)
            middle = middles[image, digit]
            places[:, number] = middle + random.uniform(-jitter, jitter, (count, 2))
            labels[:, number] = parts.values[image, digit]
            if not shows_digit:
                place = self._place_without_digit(middle, side, number, random)
                distance = np.abs(middles - place[:, None]).max(axis=2)  # (N, D)
                free = np.where(present, distance, np.inf).min(axis=1) >= self.settings.apart
                places[free, number], labels[free, number] = place[free], 10
        pixels = np.clip(np.rint(places), 0, side - 1).astype(np.int64)
        return pixels[..., 0], pixels[..., 1], labels

    def _place_without_digit(
        self, middle: NDArray[np.float64], side: int, number: int, random: np.random.Generator
    ) -> NDArray[np.float64]:
        """A place (N, 2): anywhere, or around `middle` (N, 2), by the crop's number."""
        if number == ANYWHERE:
            return random.uniform(0, side - 1, middle.shape)
        apart = self.settings.apart
        angle = random.uniform(0, 2 * np.pi, len(middle))
        distance = random.uniform(apart, 3 * apart, len(middle))
        around = middle + distance[:, None] * np.stack((np.sin(angle), np.cos(angle)), axis=1)
        clipped: NDArray[np.float64] = np.clip(around, 0, side - 1)
        return clipped
