"""A split as one uint8 tensor on the device, and batches of it as a pure function of (seed, epoch, step)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bakeoff.data.dataset import Split
from bakeoff.data.preprocess import change, copier

INIT, ORDER, AUGMENT, DROPOUT, FLIP_PHASE, CROP = range(6)
"""What a random number is for: with the seed and a count it decides the number."""


@dataclasses.dataclass(frozen=True)
class DeviceSplit:
    """A split on the device: images (N, C, H, W) uint8, labels (N,) int64."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


def to_device(split: Split, device: torch.device, preprocess: Sequence[str] = ()) -> DeviceSplit:
    """A split on the device, after those steps of `preprocess` that change pixels."""
    images = change(preprocess, split.images)
    return DeviceSplit(torch.from_numpy(images).to(device), torch.from_numpy(split.labels).to(device))


def derived_seed(seed: int, purpose: int, count: int) -> int:
    """A 63-bit seed that is a pure function of its arguments (NumPy's SeedSequence)."""
    return int(np.random.SeedSequence((seed, purpose, count)).generate_state(1, np.uint64)[0] >> 1)


def count_batches(count: int, batch_size: int) -> int:
    """How many batches `count` images make. A last one of a single image joins the one before it, since batch
    normalisation needs two."""
    return max(1, -(-(count - (batch_size > 1)) // batch_size))


def permutation(seed: int, epoch: int, count: int) -> Tensor:
    """The order of an epoch: (count,) int64, a pure function of (seed, epoch)."""
    generator = np.random.Generator(np.random.Philox(derived_seed(seed, ORDER, epoch)))
    return torch.from_numpy(generator.permutation(count))


def flip_phases(seed: int, count: int) -> Tensor:
    """(count,) int64 of 0 and 1, at random: the parity of the epochs in which an alternating flip mirrors each
    training image; a pure function of the seed."""
    return torch.from_numpy(np.random.Philox(derived_seed(seed, FLIP_PHASE, 0)).random_raw(count).astype(np.int64) & 1)


def normaliser(
    pixels: str,
    mean: NDArray[np.float64],
    std: NDArray[np.float64],
    device: torch.device,
    preprocess: Sequence[str] = (),
) -> Callable[[Tensor], Tensor]:
    """The function that turns images on the device (N, C, H, W) of 0 ... 255, augmented or not, into the model's
    float32 input.

    Args:
        pixels: `unit` (pixels / 255) or `standardise` (then less `mean`, over `std`, per channel).
        mean, std: (C,) of the preprocessed training split's pixels / 255.
        preprocess: those steps that copy pixels come last; the others were done by `to_device`.
    """
    centre = mean if pixels == "standardise" else np.zeros_like(mean)
    spread = std if pixels == "standardise" else np.ones_like(std)
    scale = torch.tensor(1 / (255 * spread), dtype=torch.float32, device=device).view(1, -1, 1, 1)
    offset = torch.tensor(-centre / spread, dtype=torch.float32, device=device).view(1, -1, 1, 1)
    copy = copier(preprocess)

    def normalise(images: Tensor) -> Tensor:
        return copy(torch.addcmul(offset, images.float(), scale)).contiguous(memory_format=torch.channels_last)

    return normalise
