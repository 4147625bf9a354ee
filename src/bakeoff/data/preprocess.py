"""Preprocessing: what is done to the images of every split, to train, to evaluate and to predict alike.

Steps that change pixels are done once, when images are loaded. Steps that only copy them are
done last of all, to each batch, after augmentation and normalisation: they would change nothing there but the cost.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bakeoff.data.dataset import Images
from bakeoff.errors import UsageError
from bakeoff.spec.registry import parse_choice
from bakeoff.spec.steps import PREPROCESSING


def threshold(images: Images, *, at: int) -> Images:
    """Pixels of `at` or more become 255, the others 0."""
    return (images >= at).view(np.uint8) * np.uint8(255)


def downscale(images: Images, *, times: int) -> Images:
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


def repeat(images: Tensor, *, channels: int) -> Tensor:
    """One channel (N, 1, H, W) as `channels` equal ones.

    Raises:
        UsageError: images with more than one channel.
    """
    if images.shape[1] != 1:
        raise UsageError(f"preprocess: repeat needs images of 1 channel, and these have {images.shape[1]}")
    return images.expand(-1, channels, -1, -1)


def upscale(images: Tensor, *, times: int) -> Tensor:
    """Each pixel becomes a square of `times` x `times` equal ones."""
    return F.interpolate(images, scale_factor=times, mode="nearest-exact")


def change(steps: Sequence[str], images: Images) -> Images:
    """The steps that change pixels, done to uint8 images (N, C, H, W).

    Raises:
        UsageError: an unknown step or option, or a size that does not fit.
    """
    changed: Images = _composed(steps, copies=False)(images)
    return changed


def copier(steps: Sequence[str]) -> Callable[[Tensor], Tensor]:
    """The function that does the steps that copy pixels to a batch of float images (N, C, H, W).

    Raises:
        UsageError: an unknown step or option.
    """
    return _composed(steps, copies=True)


def _composed(steps: Sequence[str], *, copies: bool) -> Callable[[Any], Any]:
    """Those of the steps that only copy pixels, or those that change them, one after the other."""
    chosen = [PREPROCESSING.bound(step) for step in steps if _copies(step) == copies]
    return lambda images: functools.reduce(lambda done, step: step(done), chosen, images)


def _copies(step: str) -> bool:
    return PREPROCESSING.find(parse_choice(step)[0]).copies


def model_shape(steps: Sequence[str], shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """(C, H, W) of what the model sees, for data of (C, H, W).

    Raises:
        UsageError: an unknown step or option, steps in an order that cannot be kept, or a shape they do not fit.
    """
    for before, after in itertools.pairwise(steps):
        if _copies(before) and not _copies(after):
            raise UsageError(f"preprocess: {after}, which changes pixels, must come before {before}, which copies them")
    changed = torch.from_numpy(change(steps, np.zeros((1, *shape), np.uint8)))
    _, channels, height, width = copier(steps)(changed.float()).shape
    return channels, height, width
