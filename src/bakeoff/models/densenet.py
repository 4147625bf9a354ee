"""Densely connected networks (Huang et al. 2017)."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import AfterValidator, Field
from torch import Tensor, nn

from bakeoff.models.blocks import Dropout, Size, Stem, kaiming_


class DenseLayer(nn.Module):
    """BN, ReLU, 1x1 to 4 x growth channels; BN, ReLU, 3x3 to `growth` new channels, which join the input."""

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
        self, channels: int, classes: int, size: Size, blocks: tuple[int, ...], growth: int, stem: Stem, dropout: float
    ) -> None:
        super().__init__()
        width, (height, wide) = 2 * growth, size
        self.features = nn.Sequential()
        if stem == "imagenet":
            self.features.conv0 = nn.Conv2d(channels, width, 7, 2, 3, bias=False)
            self.features.norm0 = nn.BatchNorm2d(width)
            self.features.pool0 = nn.MaxPool2d(3, 2, 1)  # before ReLU, as in blocks.PoolReLU
            self.features.relu0 = nn.ReLU(inplace=True)
            height, wide = (height + 3) // 4, (wide + 3) // 4
        else:
            self.features.conv0 = nn.Conv2d(channels, width, 3, 1, 1, bias=False)
        self.stages = [[f"features.{name}" for name, _ in self.features.named_children()]]
        for block, layers in enumerate(blocks, 1):
            dense_block = nn.Sequential()
            for layer in range(1, layers + 1):
                dense_block.add_module(f"denselayer{layer}", DenseLayer(width, growth, dropout))
                width += growth
            self.features.add_module(f"denseblock{block}", dense_block)
            self.stages.append([f"features.denseblock{block}"])
            if block < len(blocks):
                transition = nn.Sequential()
                transition.norm = nn.BatchNorm2d(width)
                transition.relu = nn.ReLU(inplace=True)
                transition.conv = nn.Conv2d(width, width // 2, 1, bias=False)
                transition.pool = nn.AvgPool2d((min(height, 2), min(wide, 2)))
                self.features.add_module(f"transition{block}", transition)
                self.stages[-1].append(f"features.transition{block}")
                width, height, wide = width // 2, max(1, height // 2), max(1, wide // 2)
        self.features.add_module(f"norm{len(blocks) + 1}", nn.BatchNorm2d(width))
        self.classifier = nn.Linear(width, classes)
        nn.init.zeros_(self.classifier.bias)
        kaiming_(self, "fan_in")

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, K)."""
        logits: Tensor = self.classifier(torch.relu(self.features(images)).mean((2, 3)))
        return logits


def _three_blocks(depth: int) -> int:
    if depth % 6 != 4:
        raise ValueError("must be 6n + 4, for n layers of two convolutions in each of three blocks: 40, 58, 76, 100")
    return depth


Depth = Annotated[int, Field(ge=10, le=250, description="6n + 4 layers"), AfterValidator(_three_blocks)]
Growth = Annotated[int, Field(ge=1, le=128, description="new channels of each layer; the stem has twice as many")]


def densenet121(
    channels: int, classes: int, size: Size, *, stem: Stem = "imagenet", dropout: Dropout = 0.0
) -> nn.Module:
    """Blocks of 6, 12, 24 and 16 layers, growth 32: 7,978,856 parameters at 3 channels and 1000 classes."""
    return DenseNet(channels, classes, size, (6, 12, 24, 16), 32, stem, dropout)


def densenet_bc(
    channels: int, classes: int, size: Size, *, depth: Depth = 100, growth: Growth = 12, dropout: Dropout = 0.0
) -> nn.Module:
    """DenseNet-BC for small images, three blocks: 769,162 parameters at depth 100, growth 12, 3 channels and 10
    classes."""
    return DenseNet(channels, classes, size, ((depth - 4) // 6,) * 3, growth, "small", dropout)
