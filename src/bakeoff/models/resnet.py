"""The 6n+2 residual networks for small images (He et al. 2016, section 4.2; report `deeper-networks`)."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from bakeoff.models.blocks import Size


class PaddedShortcut(nn.Module):
    """Option A: every second pixel, and zeros for the channels that are new. No parameters."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.extra = outputs - inputs

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C + extra, H/2, W/2)."""
        return F.pad(images[:, :, ::2, ::2], (0, 0, 0, 0, self.extra // 2, self.extra - self.extra // 2))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch normalisation, added to the shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, shortcut: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 and shortcut == "A":
            self.downsample = PaddedShortcut(inputs, outputs)
        elif stride != 1:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, outputs, H/stride, W/stride)."""
        inside = torch.relu(self.bn1(self.conv1(images)))
        return torch.relu(self.bn2(self.conv2(inside)) + self.downsample(images))


def _stage(inputs: int, outputs: int, blocks: int, stride: int, shortcut: str) -> nn.Sequential:
    rest = [BasicBlock(outputs, outputs, 1, shortcut) for _ in range(blocks - 1)]
    return nn.Sequential(BasicBlock(inputs, outputs, stride, shortcut), *rest)


class SmallImageResNet(nn.Module):
    """A 3x3 stem and three stages of n blocks at `width`, 2 x width and 4 x width channels."""

    def __init__(self, channels: int, classes: int, blocks: int, width: int, shortcut: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = _stage(width, width, blocks, 1, shortcut)
        self.layer2 = _stage(width, 2 * width, blocks, 2, shortcut)
        self.layer3 = _stage(2 * width, 4 * width, blocks, 2, shortcut)
        self.fc = nn.Linear(4 * width, classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, K)."""
        images = torch.relu(self.bn1(self.conv1(images)))
        images = self.layer3(self.layer2(self.layer1(images)))
        logits: Tensor = self.fc(images.mean((2, 3)))
        return logits


Width = Annotated[int, Field(ge=1, le=512, description="channels of the first stage; each next doubles")]
Shortcut = Annotated[Literal["A", "B"], Field(description="A: padded, no parameters; B: 1x1 projections")]


def resnet8(channels: int, classes: int, _size: Size, *, width: Width = 16, shortcut: Shortcut = "A") -> nn.Module:
    """6n + 2 layers with n = 1."""
    return SmallImageResNet(channels, classes, 1, width, shortcut)


def resnet20(channels: int, classes: int, _size: Size, *, width: Width = 16, shortcut: Shortcut = "A") -> nn.Module:
    """6n + 2 layers with n = 3: 0.27 M parameters at 3 channels and 10 classes."""
    return SmallImageResNet(channels, classes, 3, width, shortcut)
