"""Augmentation: a pure function of a batch and a generator, on any device.

Geometric steps that follow one another become one resampling: each only notes where its output finds its pixels, and
the first step that needs pixels, or the end, fetches them.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter1d
from torch import Generator, Tensor

from bakeoff.errors import UsageError
from bakeoff.spec.steps import AUGMENTATIONS

Step = Tensor | float
"""A number of each image (N,), or one of all."""
Mix = tuple[Tensor, Tensor]
"""Of each mixed image: the label (N,) of its lighter part, and the share (N,), 0.5 ... 1, of its heavier part."""


@dataclasses.dataclass(frozen=True)
class Batch:
    """Images on their way through the steps, and the geometry that is still to be done to them."""

    images: Tensor
    """(N, C, H, W) of 0 ... 255, uint8 or float32."""
    labels: Tensor
    """(N,) int64; of a mixed image, that of its heavier part."""
    flip_phase: Tensor
    """(N,) int64: the epoch, plus the 0 or 1 of `flip_phases`; alternating flips mirror images where it is odd."""
    mix: Mix | None = None
    matrix: Tensor | None = None
    """(N, 3, 3), from an output place to the input place it shows, in coordinates of -1 ... 1."""
    field: Tensor | None = None
    """(N, H, W, 2), what is added to each of these input places: (x, y)."""

    def uniform(self, generator: Generator) -> Tensor:
        """(N, 2) numbers drawn evenly from -1 ... 1."""
        return torch.rand(len(self.images), 2, generator=generator, device=self.images.device) * 2 - 1

    def moved(
        self, a: Step = 1.0, b: Step = 0.0, c: Step = 0.0, d: Step = 1.0, *, x: Step = 0.0, y: Step = 0.0
    ) -> Batch:
        """With one more geometric step: [[a, b, x], [c, d, y]], from an output place to an input place."""
        (count, _, height, width), device = self.images.shape, self.images.device
        # the grid spans -1 ... 1 along both sides, however long they are
        rows = [a, b * (height / width), x, c * (width / height), d, y, 0.0, 0.0, 1.0]
        columns = [each if isinstance(each, Tensor) else torch.full((count,), each, device=device) for each in rows]
        step = torch.stack(columns, dim=1).view(-1, 3, 3)
        # a later step acts on the earlier one's output, so its way back comes first
        return dataclasses.replace(self, matrix=step if self.matrix is None else self.matrix @ step)

    def resampled(self) -> Batch:
        """With its geometry done: bilinear, black outside."""
        if self.matrix is None and self.field is None:
            return self
        count, _, height, width = self.images.shape
        grid = _places(height, width, self.images.device).expand(count, -1, -1)
        if self.matrix is not None:
            # what affine_grid does, without writing the same places anew for every image
            grid = grid @ self.matrix[:, :2].transpose(1, 2)
        grid = grid[:, :, :2].view(count, height, width, 2)
        if self.field is not None:
            grid = grid + self.field
        images = F.grid_sample(self.images.float(), grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        return dataclasses.replace(self, images=images, matrix=None, field=None)


@functools.cache
def _places(height: int, width: int, device: torch.device) -> Tensor:
    """(height x width, 3) of (x, y, 1): the middles of all pixels, where the image spans -1 ... 1."""
    x, y = (torch.linspace(-1, 1, side, device=device) * (side - 1) / side for side in (width, height))
    return torch.stack([x.repeat(height), y.repeat_interleave(width), torch.ones_like(x).repeat(height)], dim=1)


def rotate(batch: Batch, generator: Generator, *, degrees: float) -> Batch:
    """Turn by an angle drawn evenly from -degrees ... degrees."""
    angle = batch.uniform(generator)[:, 0] * math.radians(degrees)
    return batch.moved(angle.cos(), -angle.sin(), angle.sin(), angle.cos())


def zoom(batch: Batch, generator: Generator, *, by: float) -> Batch:
    """Scale by a factor drawn evenly from 1 - by ... 1 + by."""
    factor = 1 / (1 + batch.uniform(generator)[:, 0] * by)
    return batch.moved(a=factor, d=factor)


def shift(batch: Batch, generator: Generator, *, by: float) -> Batch:
    """Move along each axis by a part of the side drawn evenly from -by ... by."""
    x, y = (-2 * by * batch.uniform(generator)).unbind(1)
    return batch.moved(x=x, y=y)


def shear(batch: Batch, generator: Generator, *, degrees: float) -> Batch:
    """Slant, so that upright lines lean by an angle drawn evenly from -degrees ... degrees."""
    lean = (batch.uniform(generator)[:, 0] * math.radians(degrees)).tan()
    return batch.moved(b=lean)


def flip(batch: Batch, generator: Generator, *, mode: Literal["random", "alternating"]) -> Batch:
    """Mirror left and right: at random for each image, or `alternating`: at random in the first epoch and then every
    other epoch (Jordan 2024, arXiv 2404.00498)."""
    mirrored = batch.uniform(generator)[:, 0] < 0 if mode == "random" else batch.flip_phase % 2 == 1
    if batch.matrix is None and batch.field is None:
        images = torch.where(mirrored[:, None, None, None], batch.images.flip(3), batch.images)
        return dataclasses.replace(batch, images=images)
    return batch.moved(a=1 - 2 * mirrored.float())


def elastic(batch: Batch, generator: Generator, *, alpha: float, sigma: float) -> Batch:
    """Move each pixel along both axes by `alpha` pixels times noise of -1 ... 1 smoothed by a Gaussian of `sigma`
    pixels (Simard, Steinkraus & Platt 2003)."""
    count, _, height, width = batch.images.shape
    device = batch.images.device
    noise = torch.rand(count, 2, height, width, generator=generator, device=device) * 2 - 1
    smooth = _gaussian(height, sigma, device) @ noise @ _gaussian(width, sigma, device).T
    sides = torch.tensor([width, height], device=device)
    field = alpha * 2 / sides * smooth.permute(0, 2, 3, 1)
    return dataclasses.replace(batch, field=field if batch.field is None else batch.field + field)


@functools.cache
def _gaussian(side: int, sigma: float, device: torch.device) -> Tensor:
    """(side, side): the matrix that smooths a column by a Gaussian of `sigma` pixels, with zeros outside."""
    return torch.from_numpy(gaussian_filter1d(np.eye(side, dtype=np.float32), sigma, axis=0, mode="constant")).to(
        device
    )


def crop(batch: Batch, generator: Generator, *, padding: int) -> Batch:
    """Pad by reflection and cut the old size out at random: a shift by up to `padding` whole pixels.

    Raises:
        UsageError: a padding that is not less than the images' sides.
    """
    batch = batch.resampled()
    count, channels, *sides = batch.images.shape
    if padding >= min(sides):
        raise UsageError(
            f"augment: crop:padding={padding} is too much for images of {sides[0]}x{sides[1]} pixels: they can be "
            f"reflected by {min(sides) - 1}"
        )
    device = batch.images.device
    moves = torch.randint(-padding, padding + 1, (count, 2), generator=generator, device=device)
    rows, columns = (
        # places outside are reflected about the first and the last pixel
        side - 1 - (side - 1 - (torch.arange(side, device=device) + move[:, None]).abs()).abs()
        for side, move in zip(sides, moves.unbind(1), strict=True)
    )
    places = (rows[:, :, None] * sides[1] + columns[:, None, :]).flatten(1)
    images = batch.images.flatten(2).gather(2, places[:, None].expand(-1, channels, -1))
    return dataclasses.replace(batch, images=images.view_as(batch.images))


def cutout(batch: Batch, generator: Generator, *, size: int, fill: float) -> Batch:
    """Paint a square of `size` pixels about a random pixel, cut off at the border, with the grey level `fill`
    (DeVries & Taylor 2017)."""
    batch = batch.resampled()
    side = torch.full((len(batch.images),), size, device=batch.images.device)
    hidden = _boxes(batch, generator, side, side)
    return dataclasses.replace(batch, images=batch.images.masked_fill(hidden, fill))


def _boxes(batch: Batch, generator: Generator, height: Tensor, width: Tensor) -> Tensor:
    """(N, 1, H, W) bool: a box of (N,) heights and widths in pixels about a random pixel of each image."""
    covered = []
    for side, length in zip(batch.images.shape[2:], (height, width), strict=True):
        centre = torch.randint(side, (len(length),), generator=generator, device=length.device)
        place = torch.arange(side, device=length.device) - (centre - length // 2)[:, None]
        covered.append((place >= 0) & (place < length[:, None]))
    rows, columns = covered
    return (rows[:, :, None] & columns[:, None, :])[:, None]


def brightness(batch: Batch, generator: Generator, *, by: float) -> Batch:
    """Multiply by a factor drawn evenly from 1 - by ... 1 + by; clipped to 0 ... 255."""
    batch = batch.resampled()
    factor = 1 + by * batch.uniform(generator)[:, :1, None, None]
    return dataclasses.replace(batch, images=(batch.images * factor).clamp(0, 255))


def contrast(batch: Batch, generator: Generator, *, by: float) -> Batch:
    """Stretch about the image's mean by a factor drawn evenly from 1 - by ... 1 + by; clipped to 0 ... 255."""
    batch = batch.resampled()
    images = batch.images.float()
    factor = 1 + by * batch.uniform(generator)[:, :1, None, None]
    mean = images.mean((1, 2, 3), keepdim=True)
    return dataclasses.replace(batch, images=torch.lerp(mean, images, factor).clamp(0, 255))


def noise(batch: Batch, generator: Generator, *, deviation: float) -> Batch:
    """Add normal noise of `deviation` (1 is white) to every value; clipped to 0 ... 255."""
    batch = batch.resampled()
    normal = torch.randn(batch.images.shape, generator=generator, device=batch.images.device)
    return dataclasses.replace(batch, images=(batch.images + 255 * deviation * normal).clamp(0, 255))


def mixup(batch: Batch, generator: Generator, *, alpha: float) -> Batch:
    """Blend each image and its label with the next image's, in shares from Beta(alpha, alpha) (Zhang et al. 2018).

    Shares are drawn for each pair; since both orders of a pair are alike, the larger share is the image's own.
    """
    batch = batch.resampled()
    share = _beta(batch.uniform(generator), alpha)
    share = share.maximum(1 - share)
    images = batch.images.float()
    blend = torch.lerp(images.roll(-1, 0), images, share[:, None, None, None])
    return _mixed(batch, blend, share)


def cutmix(batch: Batch, generator: Generator, *, alpha: float) -> Batch:
    """Paste a box of the next image into each; labels share by area (Yun et al. 2019).

    The box has the image's proportions and a part of its area drawn from Beta(alpha, alpha), about a random pixel, cut
    off at the border.
    """
    batch = batch.resampled()
    height, width = batch.images.shape[2:]
    part = _beta(batch.uniform(generator), alpha).sqrt()
    pasted = _boxes(batch, generator, (height * part).long(), (width * part).long())
    images = torch.where(pasted, batch.images.roll(-1, 0), batch.images)
    return _mixed(batch, images, 1 - pasted.float().mean((1, 2, 3)))


def _mixed(batch: Batch, images: Tensor, share: Tensor) -> Batch:
    """`images` that are mixed: `share` (N,) of each is the batch's image, the rest the next one."""
    if batch.mix is not None:
        raise UsageError("augment: two steps mix labels; a recipe takes one such step, once")
    next_labels, is_heavier = batch.labels.roll(-1, 0), share >= 0.5
    heavier = torch.where(is_heavier, batch.labels, next_labels)
    lighter = torch.where(is_heavier, next_labels, batch.labels)
    return dataclasses.replace(batch, images=images, labels=heavier, mix=(lighter, share.maximum(1 - share)))


def _beta(uniform: Tensor, alpha: float) -> Tensor:
    """(N,) numbers of Beta(alpha, alpha) from (N, 2) uniform ones in -1 ... 1, by Bailey's (1994) t.

    With u and v even in 0 ... 1, w = u^(1 / alpha) and c = cos(2 pi v), t = c sqrt(2 alpha (1 / w - 1)) has Student's
    distribution of 2 alpha degrees of freedom, and 1/2 + t / (2 sqrt(2 alpha + t^2)) is of Beta(alpha, alpha).
    """
    first, second = uniform.double().unbind(1)
    w, c = (1 - (first + 1) / 2) ** (1 / alpha), (math.pi * second).cos()
    rest = (1 - w) * c.square()
    return (0.5 + c.sign() * (rest / (rest + w).clamp_min(1e-300)).sqrt() / 2).float()


def augmenter(steps: Sequence[str]) -> Callable[[Batch, Generator], Batch]:
    """The function that does the steps to a batch, in the order given; none: the batch as it is.

    Raises:
        UsageError: an unknown step or option.
    """
    chosen = [AUGMENTATIONS.bound(step) for step in steps]

    def augment(batch: Batch, generator: Generator) -> Batch:
        for step in chosen:
            batch = step(batch, generator)
        return batch.resampled()

    return augment
