"""CONV and DROP of the report `deeper-networks`."""

from __future__ import annotations

from torch import nn

from bakeoff.models.blocks import PoolReLU, Size, dense


def conv(channels: int, classes: int, size: Size) -> nn.Module:
    """C32 - P2 - C64 - P2 - C64 - D64, 3x3 valid convolutions, ReLU: 93,322 parameters at 28x28x1."""
    return _conv(channels, classes, size, dropout=0.0)


def drop(channels: int, classes: int, size: Size) -> nn.Module:
    """CONV with dropout 0.5 before the output."""
    return _conv(channels, classes, size, dropout=0.5)


def _conv(channels: int, classes: int, size: Size, dropout: float) -> nn.Module:
    height, wide = (((side - 2) // 2 - 2) // 2 - 2 for side in size)
    return nn.Sequential(
        nn.Conv2d(channels, 32, 3),
        PoolReLU(),
        nn.Conv2d(32, 64, 3),
        PoolReLU(),
        nn.Conv2d(64, 64, 3),
        nn.ReLU(),
        nn.Flatten(),
        dense(64 * height * wide, 64, 2, classes, dropout),
    )
