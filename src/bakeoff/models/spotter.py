"""A network that is taught digits one by one and answers for the whole image: the house contender."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from bakeoff.errors import UsageError
from bakeoff.models.blocks import Size

FIELD = 41
"""Pixels that one answer sees, in height and width; there is one every 4 pixels."""


def _block(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class Spotter(nn.Module):
    """Valid convolutions that see 41x41 pixels, slid over the image in steps of 4: which digit stands here, if any, and
    how large is it?

    The answer for the image takes the classes for independent. Class k is there with the greatest probability of it
    anywhere; under the rule `largest`, where probability times size is greatest, and the sizes there tell how
    probably one class is larger than another. Class k is the answer if it is there and no class that would win is.
    """

    field = FIELD

    def __init__(self, channels: int, classes: int, width: int, rule: str, sizes: int) -> None:
        super().__init__()
        self.rule, self.classes, self.sizes = rule, classes, sizes
        self.body = nn.Sequential(
            _block(channels, width, 5, 2),
            _block(width, width + width // 2, 3, 2),
            _block(width + width // 2, 2 * width, 3),
            _block(2 * width, 3 * width, 3),
            _block(3 * width, 4 * width, 5),
        )
        self.head = nn.Conv2d(4 * width, classes + 1 + (sizes if sizes > 1 else 0), 1)

    def look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, H, W) -> log-probabilities at each place: of the classes and none, (N, K + 1, h, w), and of the sizes
        of what is there, (N, sizes, h, w)."""
        found = self.head(self.body(images)).float()
        kinds, sizes = found[:, : self.classes + 1], found[:, self.classes + 1 :]
        return kinds.log_softmax(1), sizes.log_softmax(1) if self.sizes > 1 else torch.zeros_like(kinds[:, :1])

    def spot(self, crops: Tensor) -> Tensor:
        """(N, C, 41, 41) -> logits (N, K x sizes + 1): the digit in the middle of each crop and its size, or, last,
        none."""
        kinds, sizes = (found.flatten(1) for found in self.look(crops))
        both = kinds[:, :-1, None] + sizes[:, None]
        return torch.cat((both.flatten(1), kinds[:, -1:]), 1)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, K) of the whole image; beyond its border all is 0."""
        kinds, sizes = (found.flatten(2) for found in self.look(F.pad(images, (FIELD // 2,) * 4)))
        chances = kinds[:, :-1].exp()
        if self.rule == "largest":
            mean = (sizes.exp() * torch.arange(self.sizes, device=images.device)[:, None]).sum(1, keepdim=True)
            place = (chances * (1 + mean)).argmax(2)  # (N, K)
            seen = chances.gather(2, place[:, :, None])[:, :, 0].clamp(1e-6, 1 - 1e-6)
            size = sizes.exp().gather(2, place[:, None].expand(-1, self.sizes, -1))  # (N, sizes, K)
            below = size.cumsum(1) - size / 2  # of each class, the chance to be smaller than a size
            smaller = torch.einsum("nsj,nsk->njk", below, size)  # j is smaller than k
            beaten = torch.log1p(-(seen[:, :, None] * (1 - smaller)).clamp(max=1 - 1e-6))
            rivals = beaten.sum(1) - beaten.diagonal(dim1=1, dim2=2)
            return seen.log() + rivals
        seen = chances.amax(2).clamp(1e-6, 1 - 1e-6)
        absent = torch.log1p(-seen)
        higher = absent.flip(1).cumsum(1).flip(1) - absent
        lower = absent.cumsum(1) - absent
        logits: Tensor = seen.log() + (higher if self.rule == "highest" else lower)
        return logits


def spotter(
    channels: int,
    classes: int,
    _size: Size,
    *,
    width: Annotated[int, Field(ge=2, le=512, description="filters of the first layer")] = 32,
    rule: Annotated[
        Literal["highest", "lowest", "largest"], Field(description="which of the digits it finds is the answer")
    ] = "highest",
    sizes: Annotated[int, Field(ge=1, le=256, description="steps of size that it tells apart")] = 1,
) -> nn.Module:
    """A digit classifier slid over the image; the highest (lowest, largest) digit it finds is the answer. Taught by
    `feed = "crops"`."""
    if rule == "largest" and sizes < 2:
        raise UsageError(f"model spotter: rule = 'largest' needs sizes of 2 or more, not {sizes}")
    return Spotter(channels, classes, width, rule, sizes)
