"""A model, a dataset and an augmentation for bakeoff."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Generator, nn

from bakeoff.data.augment import Batch
from bakeoff.data.dataset import Contents, Split
from bakeoff.models import Model


def tiny(
    channels: int,
    classes: int,
    _size: tuple[int, int],
    *,
    width: Annotated[int, Field(ge=1, le=512, description="filters of the first layer")] = 8,
) -> nn.Module:
    """Two convolutions, the mean over all pixels, and one linear layer."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, stride=2),
        nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2 * width, classes),
    )


TINY = Model(tiny, smallest=3)
"""A function alone would do for a model that takes images of any size."""


def shapes(
    *,
    size: Annotated[int, Field(ge=8, le=256, description="side of an image in pixels")] = 16,
    count: Annotated[int, Field(ge=30, le=100_000, description="images")] = 600,
    seed: Annotated[int, Field(ge=0, description="another seed gives other images")] = 0,
) -> Contents:
    """Discs, squares and crosses in noise, grey, each somewhere in its image."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    radius = random.uniform(size / 6, size / 4, count)
    middle = random.uniform(size / 4, 3 * size / 4, (count, 2))
    row, column = (np.abs(np.arange(size) - middle[:, [axis]]) for axis in (0, 1))
    row, column, r = row[:, :, None], column[:, None, :], radius[:, None, None]
    disc, square = row**2 + column**2 <= r**2, np.maximum(row, column) <= 0.9 * r
    cross = 3 * np.minimum(row, column) + row + column <= 1.5 * r
    drawn = np.choose(labels[:, None, None], [disc, square, cross])
    images = (drawn * 150 + random.integers(0, 100, drawn.shape)).astype(np.uint8)[:, None]
    splits = {"train": Split(images, labels.astype(np.int64))}  # the other splits are drawn from it
    return Contents("shapes", ("disc", "square", "cross"), splits, mirror=True)


def invert(
    batch: Batch,
    generator: Generator,
    *,
    part: Annotated[float, Field(ge=0, le=1, description="of the images")] = 0.5,
) -> Batch:
    """Exchange black and white in some of the images."""
    batch = batch.resampled()  # rotations and the like that came before are done now
    chosen = torch.rand(len(batch.images), 1, 1, 1, generator=generator, device=batch.images.device) < part
    return dataclasses.replace(batch, images=torch.where(chosen, 255 - batch.images, batch.images))
