"""Augmentation: a pure function of a batch and a generator, geometric steps fused into one resampling."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Generator, Tensor

from bakeoff.spec import Frozen, choose


class Rotate(Frozen):
    """Turn by an angle drawn evenly from -degrees ... degrees."""

    degrees: float = Field(10.0, ge=0, le=180)


class Zoom(Frozen):
    """Scale by a factor drawn evenly from 1 - by ... 1 + by."""

    by: float = Field(0.1, ge=0, lt=1)


class Shift(Frozen):
    """Move along each axis by a part of the side drawn evenly from -by ... by."""

    by: float = Field(0.1, ge=0, le=1)


def _rotate(options: Any, uniform: Tensor) -> Tensor:
    angle = uniform[:, 0] * math.radians(options.degrees)
    return _matrices(angle.cos(), -angle.sin(), angle.sin(), angle.cos())


def _zoom(options: Any, uniform: Tensor) -> Tensor:
    factor = 1 / (1 + uniform[:, 0] * options.by)
    zero = torch.zeros_like(factor)
    return _matrices(factor, zero, zero, factor)


def _shift(options: Any, uniform: Tensor) -> Tensor:
    one, zero = torch.ones_like(uniform[:, 0]), torch.zeros_like(uniform[:, 0])
    matrices = _matrices(one, zero, zero, one)
    matrices[:, :2, 2] = -2 * options.by * uniform  # the sampling grid spans -1 ... 1
    return matrices


def _matrices(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """(N,) each -> (N, 3, 3) homogeneous matrices [[a, b, 0], [c, d, 0], [0, 0, 1]]."""
    zero, one = torch.zeros_like(a), torch.ones_like(a)
    return torch.stack([a, b, zero, c, d, zero, zero, zero, one], dim=1).view(-1, 3, 3)


AUGMENTATIONS: dict[str, tuple[type[Frozen], Callable[[Any, Tensor], Tensor]]] = {
    "rotate": (Rotate, _rotate),
    "zoom": (Zoom, _zoom),
    "shift": (Shift, _shift),
}
"""Each: its options, and the function from (options, (N, 2) uniform numbers in -1 ... 1) to the matrices
(N, 3, 3) that lead from an output place to the input place it shows, in coordinates of -1 ... 1."""


def augmenter(steps: Sequence[str]) -> Callable[[Tensor, Generator], Tensor] | None:
    """The function that augments a batch, or None for no steps.

    It maps (images (N, C, H, W) of 0..255, generator on their device) to float32 images of the same shape,
    bilinear, black outside. The steps act in the order given, in one resampling.

    Raises:
        UsageError: an unknown step or option.
    """
    schemas = {name: schema for name, (schema, _) in AUGMENTATIONS.items()}
    chosen = [(choose(step, schemas, "augment"), AUGMENTATIONS[step.split(":")[0].strip()][1]) for step in steps]
    if not chosen:
        return None

    def augment(images: Tensor, generator: Generator) -> Tensor:
        height, width = images.shape[2:]
        aspect = torch.tensor([[1.0, height / width], [width / height, 1.0]], device=images.device)
        matrix = torch.eye(3, device=images.device).expand(len(images), 3, 3)
        for options, function in chosen:
            uniform = torch.rand(len(images), 2, generator=generator, device=images.device) * 2 - 1
            step = function(options, uniform)
            step[:, :2, :2] *= aspect  # the grid spans -1 ... 1 along both sides, however long they are
            matrix = matrix @ step  # a later step acts on the earlier one's output, so its way back comes first
        grid = F.affine_grid(matrix[:, :2], list(images.shape), align_corners=False)
        return F.grid_sample(images.float(), grid, mode="bilinear", padding_mode="zeros", align_corners=False)

    return augment
