"""The small networks: logistic regression, and those of the reports `small-cnn` (small_cnn), `augmented-resnet`
(baseline_cnn) and `deeper-networks` (conv and drop)."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field
from torch import nn

from bakeoff.models.blocks import Dropout, Hidden, PoolReLU, Size, dense, family


def logistic(channels: int, classes: int, size: Size) -> nn.Module:
    """One linear layer from the pixels to the logits: the floor under every comparison."""
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * size[0] * size[1], classes))


def _odd(kernel: int) -> int:
    if kernel % 2 == 0:
        raise ValueError("must be odd: 1, 3, 5 or 7")
    return kernel


def small_cnn(
    channels: int,
    classes: int,
    size: Size,
    *,
    conv_layers: Annotated[int, Field(ge=1, le=3, description="convolutions, each with 2x2 pooling")] = 2,
    dense_layers: Annotated[int, Field(ge=1, le=3, description="linear layers")] = 1,
    width: Annotated[int, Field(ge=1, le=1024, description="filters of the first layer; each next doubles")] = 50,
    hidden: Hidden = 128,
    kernel: Annotated[int, Field(ge=1, le=7), AfterValidator(_odd)] = 5,
    dropout: Dropout = 0.0,
) -> nn.Module:
    """The report's base: 50 and 100 filters, each with ReLU and pooling, 28 -> 14 -> 7, one linear layer."""
    parts: list[nn.Module] = []
    height, wide = size
    for layer in range(conv_layers):
        filters = width * 2**layer
        parts += [nn.Conv2d(channels, filters, kernel, padding=kernel // 2), PoolReLU()]
        channels, height, wide = filters, height // 2, wide // 2
    head = dense(channels * height * wide, hidden, dense_layers, classes, dropout or None)
    return nn.Sequential(*parts, nn.Flatten(), head)


def baseline_cnn(channels: int, classes: int, size: Size) -> nn.Module:
    """10-20-40 convolutions 3x3, each with ReLU and pooling (28 -> 14 -> 7 -> 4), then 128 units: 92,498
    parameters at 28x28x1."""
    parts: list[nn.Module] = []
    height, wide = size
    for filters in (10, 20, 40):
        last = filters == 40
        parts += [nn.Conv2d(channels, filters, 3, padding=1), PoolReLU(ceil=last)]
        channels, height, wide = filters, (height + last) // 2, (wide + last) // 2
    return nn.Sequential(*parts, nn.Flatten(), dense(channels * height * wide, 128, 2, classes))


@family
def _conv(dropout: float | None, channels: int, classes: int, size: Size) -> nn.Module:
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


conv = _conv("C32 - P2 - C64 - P2 - C64 - D64, 3x3 valid convolutions, ReLU: 93,322 parameters at 28x28x1.", None)
drop = _conv("CONV with dropout 0.5 before the output.", 0.5)
