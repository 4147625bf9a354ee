"""The plain CNNs of the composite-digit reports: custom_cnn (`largest-digit`), keras_cnn and pytorch_cnn
(`highest-digit`)."""

from __future__ import annotations

from torch import nn

from bakeoff.models.blocks import Dropout, Hidden, PoolReLU, Size, Width, dense


def custom_cnn(
    channels: int, classes: int, size: Size, *, width: Width = 32, hidden: Hidden = 256, dropout: Dropout = 0.25
) -> nn.Module:
    """22 layers: 20 convolutions with BN and ReLU, pooling in the first, second and last block, two linear layers.
    Five blocks of four 3x3 convolutions and their widths are chosen: the report prints none."""
    parts: list[nn.Module] = []
    height, wide = size
    for block, filters in enumerate((width, 2 * width, 4 * width, 4 * width, 4 * width)):
        for _ in range(4):
            parts += [nn.Conv2d(channels, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters), nn.ReLU()]
            channels = filters
        if block in (0, 1, 4):
            parts[-1] = PoolReLU()
            height, wide = height // 2, wide // 2
        parts.append(nn.Dropout(dropout))
    return nn.Sequential(*parts, nn.Flatten(), *dense(channels * height * wide, hidden, 2, classes, dropout))


def keras_cnn(channels: int, classes: int, size: Size, *, width: Width = 64, dropout: Dropout = 0.3) -> nn.Module:
    """The layers of the report's figure 8, 1,912,906 values at 128x128x1: ReLU before BN, valid convolutions, and
    Keras's BN (momentum 0.99, epsilon 0.001). The dropout rate is chosen: the figure prints none."""
    parts: list[nn.Module] = []
    height, wide = size
    for filters, kernel in ((width, 3), (2 * width, 5), (4 * width, 3)):
        parts += [nn.Conv2d(channels, filters, kernel), nn.ReLU(), nn.Conv2d(filters, filters, kernel), nn.ReLU()]
        parts += [nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01), nn.MaxPool2d(2), nn.Dropout(dropout)]
        channels = filters
        height, wide = ((side - 2 * (kernel - 1)) // 2 for side in (height, wide))
    height, wide = ((side - 2) // 3 for side in (height, wide))
    return nn.Sequential(
        *parts,
        nn.Conv2d(channels, 2 * width, 3),
        nn.MaxPool2d(3),
        nn.ReLU(),
        nn.Flatten(),
        *dense(2 * width * height * wide, 64, 3, classes),
    )


def pytorch_cnn(channels: int, classes: int, size: Size, *, width: Width = 32, dropout: Dropout = 0.3) -> nn.Module:
    """Three sections of two 3x3 valid convolutions (32, 64, 128), BN, ReLU, pooling (2, 2, then 3 with stride 2) and
    dropout, then one linear layer: 18,432 features at 128x128. One ReLU a section, as the report lists its layers."""
    parts: list[nn.Module] = []
    height, wide = size
    for filters, kernel in ((width, 2), (2 * width, 2), (4 * width, 3)):
        parts += [nn.Conv2d(channels, filters, 3), nn.Conv2d(filters, filters, 3), nn.BatchNorm2d(filters)]
        parts += [nn.MaxPool2d(kernel, 2), nn.ReLU(), nn.Dropout(dropout)]
        channels = filters
        height, wide = ((side - 4 - kernel) // 2 + 1 for side in (height, wide))
    return nn.Sequential(*parts, nn.Flatten(), nn.Linear(channels * height * wide, classes))
