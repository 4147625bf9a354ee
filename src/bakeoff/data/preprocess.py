"""Preprocessing: what is done to the images of every split, to train, to evaluate and to predict alike.

Steps that change pixels (`CHANGES`) are done once, when images are loaded. Steps that only copy them (`COPIES`) are
done last of all, to each batch, after augmentation and normalisation: they would change nothing there but the cost.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from bakeoff.errors import UsageError
from bakeoff.spec.choices import choose, parse_choice, schema_of

Images = NDArray[np.uint8]


def threshold(images: Images, *, at: Annotated[int, Field(ge=1, le=255)] = 230) -> Images:
    """Pixels of `at` or more become 255, the others 0."""
    return (images >= at).view(np.uint8) * np.uint8(255)


def downscale(images: Images, *, times: Annotated[int, Field(ge=2, le=64)] = 2) -> Images:
    """Each square of `times` x `times` pixels becomes one, their mean, rounded half up.

    Raises:
        UsageError: a side that `times` does not divide.
    """
    count, channels, height, width = images.shape
    if height % times or width % times:
        raise UsageError(f"preprocess: downscale:times={times} does not divide images of {height}x{width} pixels")
    small = np.empty((count, channels, height // times, width // times), np.uint8)
    for start in range(0, count, 1024):  # sums take four bytes a pixel: a chunk at a time
        chunk = images[start : start + 1024]
        squares = chunk.reshape(len(chunk), channels, height // times, times, width // times, times)
        small[start : start + 1024] = (2 * squares.sum(axis=(3, 5), dtype=np.uint32) + times**2) // (2 * times**2)
    return small


def repeat(images: Tensor, *, channels: Annotated[int, Field(ge=2, le=16)] = 3) -> Tensor:
    """One channel (N, 1, H, W) as `channels` equal ones.

    Raises:
        UsageError: images with more than one channel.
    """
    if images.shape[1] != 1:
        raise UsageError(f"preprocess: repeat needs images of 1 channel, and these have {images.shape[1]}")
    return images.expand(-1, channels, -1, -1)


def upscale(images: Tensor, *, times: Annotated[int, Field(ge=2, le=16)] = 2) -> Tensor:
    """Each pixel becomes a square of `times` x `times` equal ones."""
    return F.interpolate(images, scale_factor=times, mode="nearest-exact")


CHANGES: dict[str, Callable[..., Images]] = {"threshold": threshold, "downscale": downscale}
"""Steps from uint8 arrays (N, C, H, W) to such arrays."""
COPIES: dict[str, Callable[..., Tensor]] = {"repeat": repeat, "upscale": upscale}
"""Steps from float tensors (N, C, H, W) to such tensors, whose pixels are copies."""


def _chosen(
    steps: Sequence[str], table: dict[str, Callable[..., Any]]
) -> list[tuple[Callable[..., Any], dict[str, Any]]]:
    """Those of the steps that are in `table`, with their options."""
    schemas = {name: schema_of(function) for name, function in (CHANGES | COPIES).items()}
    given = [(choose(step, schemas, "preprocess").model_dump(), parse_choice(step)[0]) for step in steps]
    return [(table[name], options) for options, name in given if name in table]


def change(steps: Sequence[str], images: Images) -> Images:
    """The steps that change pixels, done to uint8 images (N, C, H, W).

    Raises:
        UsageError: an unknown step or option, or a size that does not fit.
    """
    for function, options in _chosen(steps, CHANGES):
        images = function(images, **options)
    return images


def copier(steps: Sequence[str]) -> Callable[[Tensor], Tensor]:
    """The function that does the steps that copy pixels to a batch of float images (N, C, H, W).

    Raises:
        UsageError: an unknown step or option.
    """
    chosen = _chosen(steps, COPIES)

    def copy(images: Tensor) -> Tensor:
        for function, options in chosen:
            images = function(images, **options)
        return images

    return copy


def model_shape(steps: Sequence[str], shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """(C, H, W) of what the model sees, for data of (C, H, W).

    Raises:
        UsageError: an unknown step or option, steps in an order that cannot be kept, or a shape they do not fit.
    """
    names = [parse_choice(step)[0] for step in steps]
    for before, after in itertools.pairwise(names):
        if before in COPIES and after in CHANGES:
            raise UsageError(
                f"preprocess: {after} stands after {before}; steps that change pixels ({', '.join(CHANGES)}) come "
                f"before those that copy them ({', '.join(COPIES)})"
            )
    changed = torch.from_numpy(change(steps, np.zeros((1, *shape), np.uint8)))
    _, channels, height, width = copier(steps)(changed.float()).shape
    return channels, height, width
