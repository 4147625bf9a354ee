"""Network in network (Lin, Chen & Yan 2014; report `deeper-networks`)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import nn

from bakeoff.models.blocks import Dropout, PoolReLU, Size, Width, kaiming_


def _mlpconv(channels: int, filters: tuple[int, ...], kernel: int, batch_norm: bool) -> list[nn.Module]:
    """A convolution that keeps the size, then 1x1 ones, ReLU between them: (N, C, H, W) -> (N, filters[-1], H, W)."""
    parts: list[nn.Module] = []
    for outputs in filters:
        if parts:
            parts.append(nn.ReLU())
            kernel = 1
        parts.append(nn.Conv2d(channels, outputs, kernel, padding=kernel // 2, bias=not batch_norm))
        if batch_norm:
            parts.append(nn.BatchNorm2d(outputs))
        channels = outputs
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
    model = nn.Sequential(
        *_mlpconv(channels, (width, width, width), 5, batch_norm),
        PoolReLU(),
        nn.Dropout(dropout),
        *_mlpconv(width, (2 * width, 2 * width, 2 * width), 3, batch_norm),
        PoolReLU(),
        nn.Dropout(dropout),
        *_mlpconv(2 * width, (3 * width, 3 * width), 3, batch_norm),
        nn.ReLU(),
        nn.Conv2d(3 * width, classes, 1),
        nn.ReLU() if rectify else nn.Identity(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    kaiming_(model, "fan_in")
    return model
