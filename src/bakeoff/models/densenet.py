"""Densely connected networks (Huang et al. 2017)."""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated, Literal

import torch
from pydantic import AfterValidator, Field
from torch import Tensor, nn

from bakeoff.models.blocks import Size, kaiming_


class DenseLayer(nn.Module):
    """BN, ReLU, 1x1 to 4 x growth channels; BN, ReLU, 3x3 to `growth` new channels beside those that came."""

    def __init__(self, inputs: int, growth: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, 4 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C + growth, H, W)."""
        inside = self.conv1(torch.relu(self.norm1(images)))
        new = self.dropout(self.conv2(torch.relu(self.norm2(inside))))
        return torch.cat((images, new), 1)


class DenseNet(nn.Module):
    """A stem and blocks of dense layers; between two blocks half the channels and half the side. torchvision's names.

    A pooling leaves alone a side that is one pixel already.
    """

    def __init__(
        self, channels: int, classes: int, size: Size, blocks: tuple[int, ...], growth: int, stem: str, dropout: float
    ) -> None:
        super().__init__()
        width = 2 * growth
        parts: dict[str, nn.Module] = {}
        if stem == "imagenet":
            parts["conv0"] = nn.Conv2d(channels, width, 7, 2, 3, bias=False)
            parts["norm0"] = nn.BatchNorm2d(width)
            parts["pool0"] = nn.MaxPool2d(3, 2, 1)  # before ReLU, as in blocks.PoolReLU
            parts["relu0"] = nn.ReLU(inplace=True)
            size = ((size[0] + 3) // 4, (size[1] + 3) // 4)
        else:
            parts["conv0"] = nn.Conv2d(channels, width, 3, 1, 1, bias=False)
        stages = [list(parts)]
        for block, layers in enumerate(blocks, 1):
            first = len(parts)
            parts[f"denseblock{block}"] = _dense_block(width, growth, layers, dropout)
            width += layers * growth
            if block < len(blocks):
                parts[f"transition{block}"] = _transition(width, size)
                width, size = width // 2, (max(1, size[0] // 2), max(1, size[1] // 2))
            stages.append(list(parts)[first:])
        parts[f"norm{len(blocks) + 1}"] = nn.BatchNorm2d(width)
        self.stages = tuple(tuple(f"features.{name}" for name in stage) for stage in stages)
        self.features = nn.Sequential(OrderedDict(parts))
        self.classifier = nn.Linear(width, classes)
        nn.init.zeros_(self.classifier.bias)
        kaiming_(self, "fan_in")

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, K)."""
        logits: Tensor = self.classifier(torch.relu(self.features(images)).mean((2, 3)))
        return logits


def _dense_block(width: int, growth: int, layers: int, dropout: float) -> nn.Sequential:
    """(N, width, H, W) -> (N, width + layers * growth, H, W)."""
    made = {f"denselayer{n + 1}": DenseLayer(width + n * growth, growth, dropout) for n in range(layers)}
    return nn.Sequential(OrderedDict(made))


def _transition(width: int, size: Size) -> nn.Sequential:
    """(N, C, H, W) -> (N, C/2, H/2, W/2)."""
    parts = {
        "norm": nn.BatchNorm2d(width),
        "relu": nn.ReLU(inplace=True),
        "conv": nn.Conv2d(width, width // 2, 1, bias=False),
        "pool": nn.AvgPool2d((min(size[0], 2), min(size[1], 2))),
    }
    return nn.Sequential(OrderedDict(parts))


def _three_blocks(depth: int) -> int:
    if depth % 6 != 4:
        raise ValueError("must be 6n + 4, for n layers of two convolutions in each of three blocks: 40, 58, 76, 100")
    return depth


Dropout = Annotated[float, Field(ge=0, lt=1, description="on the new channels of each layer")]
Growth = Annotated[int, Field(ge=1, le=128, description="new channels of each layer; the stem has twice as many")]


def densenet121(
    channels: int,
    classes: int,
    size: Size,
    *,
    stem: Annotated[
        Literal["imagenet", "small"],
        Field(description="imagenet: 7x7, stride 2, and pooling; small: 3x3 at full size, as for CIFAR"),
    ] = "imagenet",
    dropout: Dropout = 0.0,
) -> nn.Module:
    """Blocks of 6, 12, 24 and 16 layers, growth 32: 7,978,856 parameters at 3 channels and 1000 classes."""
    return DenseNet(channels, classes, size, (6, 12, 24, 16), 32, stem, dropout)


def densenet_bc(
    channels: int,
    classes: int,
    size: Size,
    *,
    depth: Annotated[int, Field(ge=10, le=250, description="6n + 4 layers"), AfterValidator(_three_blocks)] = 100,
    growth: Growth = 12,
    dropout: Dropout = 0.0,
) -> nn.Module:
    """DenseNet-BC for small images, three blocks: 769,162 parameters at depth 100, growth 12, 3 channels and 10
    classes."""
    return DenseNet(channels, classes, size, ((depth - 4) // 6,) * 3, growth, "small", dropout)
