"""Where training images come from: the training split, or generated images that are never the same twice."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch import Tensor, nn

from bakeoff.data.batches import CROP, Loaded, derived_seed, permutation
from bakeoff.data.composite import Composite, Parts
from bakeoff.data.dataset import Images, Labels
from bakeoff.data.preprocess import change
from bakeoff.data.sources import find_composites
from bakeoff.errors import UsageError
from bakeoff.spec.choices import CropFeed, FeedChoice, FreshFeed, PlacedFeed, SplitFeed

CROPS = 6
"""Crops of each generated image."""


class Feed(Protocol):
    """Training images by number. Everything is a pure function of (seed, epoch) and the numbers."""

    def __len__(self) -> int:
        """Images an epoch."""

    def order(self, seed: int, epoch: int) -> Tensor:
        """(N,) int64: the numbers of an epoch's images, in the order in which they are trained on."""

    def take(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """The images (B, C, H, W) uint8 and labels (B,) with these numbers."""

    def answer(self, model: nn.Module, images: Tensor) -> Tensor:
        """The model's logits for normalised images of this feed."""
        logits: Tensor = model(images)
        return logits


@dataclasses.dataclass(frozen=True)
class Shuffled(Feed):
    """The training split, in a new order every epoch."""

    split: Loaded

    def __len__(self) -> int:
        return len(self.split)

    def order(self, seed: int, epoch: int) -> Tensor:
        return permutation(seed, epoch, len(self)).to(self.split.labels.device)

    def take(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        return self.split.images[numbers], self.split.labels[numbers]


@dataclasses.dataclass(frozen=True)
class Fresh(Feed):
    """Generated images, new ones in every epoch and for each of 4 million seeds; none of them is in a split."""

    composite: Composite
    count: int
    device: torch.device
    preprocess: Sequence[str]

    def __len__(self) -> int:
        return self.count

    def order(self, seed: int, epoch: int) -> Tensor:
        # Splits begin at 0 and have at most 10 million images, of which no crop is cut either; an epoch's crops are of
        # whole images. The sum stays below 2**63.
        first = CROPS * (10_000_000 + seed % 2**22 * 2**37) + epoch * self.count
        return torch.arange(first, first + self.count)

    def take(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        return self._on_device(*self.composite.render(numbers.numpy()))

    def _on_device(self, images: Images, labels: Labels) -> tuple[Tensor, Tensor]:
        """Images (B, 1, H, W) uint8, preprocessed, and labels (B,) on the device."""
        changed = torch.from_numpy(change(self.preprocess, images))
        return changed.to(self.device), torch.from_numpy(labels).to(self.device)


@dataclasses.dataclass(frozen=True)
class Crops(Fresh):
    """Crops of generated images: a digit in the middle, labelled by its value, or none there, labelled 10.

    Of each image one crop for each of three digits, the middle off by up to `jitter` pixels; one anywhere, and two
    near a digit, whose middle is at least `apart` pixels from that of every digit. Where an image lacks a digit, or
    such a place lies too near to one, the crop is of a digit again.
    """

    crops: CropFeed

    def take(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """The crops (B, 1, S, S) uint8 and labels (B,): 0 ... 9, or 10 for none."""
        images = np.unique(numbers.numpy() // CROPS)
        random = np.random.Generator(np.random.Philox(derived_seed(int(numbers[0]), CROP, len(numbers))))
        pixels, _, parts = self.composite.compose(images)
        rows, columns, labels = self._places(parts, random)
        half, size = self.crops.size // 2, self.crops.size
        padded = np.pad(pixels[:, 0], ((0, 0), (half, size - half), (half, size - half)))
        windows = sliding_window_view(padded, (size, size), axis=(1, 2))
        image = np.searchsorted(images, numbers.numpy() // CROPS)
        number = numbers.numpy() % CROPS
        cut = np.ascontiguousarray(windows[image, rows[image, number], columns[image, number]][:, None])
        return self._on_device(cut, labels[image, number])

    def _places(self, parts: Parts, random: np.random.Generator) -> tuple[NDArray[np.int64], ...]:
        """Middle row, middle column and label (N, CROPS) of each image's crops."""
        jitter, side = self.crops.jitter, self.composite.options.size
        there = parts.values >= 0
        middle = (parts.boxes[..., :2] + parts.boxes[..., 2:] - 1) / 2  # (N, D, 2)
        count, digits = there.shape
        every = np.arange(count)
        rows = np.empty((count, CROPS, 2))
        labels = np.empty((count, CROPS), np.int64)
        for number in range(CROPS):
            digit = random.integers(0, digits, count) if number >= digits or number > 2 else np.full(count, number)
            digit = np.where(there[every, digit], digit, 0)
            rows[:, number] = middle[every, digit] + random.uniform(-jitter, jitter, (count, 2))
            labels[:, number] = parts.values[every, digit]
            if number > 2:
                place = self._elsewhere(middle[every, digit], side, number, random)
                far = np.abs(middle - place[:, None]).max(axis=2)  # (N, D)
                free = np.where(there, far, np.inf).min(axis=1) >= self.crops.apart
                rows[free, number], labels[free, number] = place[free], 10
        at = np.clip(np.rint(rows), 0, side - 1).astype(np.int64)
        return at[..., 0], at[..., 1], labels

    def _elsewhere(
        self, middle: NDArray[np.float64], side: int, number: int, random: np.random.Generator
    ) -> NDArray[np.float64]:
        """A place (N, 2): anywhere for the fourth crop, else around `middle` (N, 2)."""
        if number == 3:
            return random.uniform(0, side - 1, middle.shape)
        angle = random.uniform(0, 2 * np.pi, len(middle))
        distance = random.uniform(self.crops.apart, 3 * self.crops.apart, len(middle))
        around = middle + distance[:, None] * np.stack((np.sin(angle), np.cos(angle)), axis=1)
        clipped: NDArray[np.float64] = np.clip(around, 0, side - 1)
        return clipped

    def answer(self, model: Any, images: Tensor) -> Tensor:
        logits: Tensor = model.spot(images)
        return logits


@dataclasses.dataclass(frozen=True)
class Placed(Fresh):
    """Generated images whose labels also say where the digit is that the image's label comes from.

    Images are divided into `cells` x `cells` places; an image's label is value x cells^2 + row x cells + column of
    the place that the middle of that digit's bounding rectangle is in. Of several such digits the first is taken.
    """

    cells: int

    def take(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        images, labels, parts = self.composite.compose(numbers.numpy())
        digit = (parts.values == labels[:, None]).argmax(1)  # under `largest` the first is the largest
        top, left, bottom, right = parts.boxes[np.arange(len(digit)), digit].T
        side = 2 * self.composite.options.size
        row, column = ((a + b - 1) * self.cells // side for a, b in ((top, bottom), (left, right)))
        return self._on_device(images, labels * self.cells**2 + row * self.cells + column)

    def answer(self, model: Any, images: Tensor) -> Tensor:
        logits: Tensor = model.locate(images).flatten(1)
        return logits


def make_feed(choice: FeedChoice, dataset: str, train: Loaded, preprocess: Sequence[str]) -> Feed:
    """The feed that a recipe chooses.

    Raises:
        UsageError: generated images of a dataset that is not generated, or crops or places where no single digit
            counts.
    """
    if isinstance(choice, SplitFeed):
        return Shuffled(train)
    assert isinstance(choice, FreshFeed | CropFeed | PlacedFeed)
    composite, device = find_composites(dataset)["train"], train.labels.device
    count, rule = choice.times * len(train), composite.options.rule
    if rule in ("sum", "count") and not isinstance(choice, FreshFeed):
        name = "crops" if isinstance(choice, CropFeed) else "placed"
        raise UsageError(f"feed = {name!r}: {dataset}: no single digit counts under rule = {rule}")
    if isinstance(choice, CropFeed):
        return Crops(composite, count // CROPS * CROPS, device, preprocess, choice)
    if isinstance(choice, PlacedFeed):
        return Placed(composite, count, device, preprocess, choice.cells)
    return Fresh(composite, count, device, preprocess)
