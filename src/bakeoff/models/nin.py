"""Network in network (Lin, Chen & Yan 2014; report `deeper-networks`)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import nn

from bakeoff.models.blocks import Dropout, PoolReLU, Size, Width, kaiming_


def _mlpconv(channels: int, filters: int, layers: int, kernel: int, batch_norm: bool) -> list[nn.Module]:
    """A convolution that keeps the size, then 1x1 ones, ReLU between them: (N, C, H, W) -> (N, filters, H, W)."""
    parts: list[nn.Module] = []
    for layer in range(layers):
        if layer:
            parts.append(nn.ReLU())
            kernel = 1
        parts.append(nn.Conv2d(channels, filters, kernel, padding=kernel // 2, bias=not batch_norm))
        if batch_norm:
            parts.append(nn.BatchNorm2d(filters))
        channels = filters
    return parts


def nin(
    channels: int,
    classes: int,
    _size: Size,
    *,
    width: Width = 64,
    dropout: Dropout = 0.5,
    batch_norm: Annotated[bool, Field(description="after each convolution but the last")] = False,
    rectify: Annotated[bool, Field(description="ReLU on the class maps, as in the paper's mlpconv")] = True,
) -> nn.Module:
    """mlpconv(5x5, 64) - P2 - mlpconv(3x3, 128) - P2 - mlpconv(3x3, 192, K) - global average. Padding that keeps
    the size is chosen: the report prints none."""
    parts: list[nn.Module] = []
    for filters, kernel in ((width, 5), (2 * width, 3)):
        parts += [*_mlpconv(channels, filters, 3, kernel, batch_norm), PoolReLU(), nn.Dropout(dropout)]
        channels = filters
    parts += [*_mlpconv(channels, 3 * width, 2, 3, batch_norm), nn.ReLU(), nn.Conv2d(3 * width, classes, 1)]
    parts += [nn.ReLU() if rectify else nn.Identity(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    model = nn.Sequential(*parts)
    kaiming_(model, "fan_in")
    return model
