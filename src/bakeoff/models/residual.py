"""Residual blocks: what the ResNet families of this package are built from (He et al. 2016)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ShortcutKind = Literal["A", "B", "C"]
"""The paper's options. Where a block changes the shape, A pads with zeros and B projects; C projects in every block."""

Gate = Callable[[int], nn.Module]
"""Makes, for so many channels, a module that maps a block's residual and shortcut to factors (N, C, 1, 1)."""

Block = Callable[[int, int, int, ShortcutKind, Gate | None], nn.Module]
"""Makes a block from the channels that come, the channels that leave, the stride, the shortcut and the gate."""


class PaddedShortcut(nn.Module):
    """Option A: every second pixel, and zeros for the channels that are new. No parameters."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.extra = outputs - inputs

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C + extra, H/2, W/2)."""
        return F.pad(images[:, :, ::2, ::2], (0, 0, 0, 0, self.extra // 2, self.extra - self.extra // 2))


def make_shortcut(inputs: int, outputs: int, stride: int, kind: ShortcutKind) -> nn.Module:
    """What leads around a block."""
    if kind != "C" and stride == 1 and inputs == outputs:
        return nn.Identity()
    if kind == "A":
        return PaddedShortcut(inputs, outputs)
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch normalisation, gated where there is a gate, added to the shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, shortcut: ShortcutKind, gate: Gate | None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = make_shortcut(inputs, outputs, stride, shortcut)
        self.gate = gate(outputs) if gate else None

    def forward(self, images: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H/stride, W/stride)."""
        residual = torch.relu(self.bn1(self.conv1(images)))
        residual = self.bn2(self.conv2(residual))
        return add(residual, self.downsample(images), self.gate)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions, the 3x3 one on a quarter of the channels and with the stride."""

    narrow = 4

    def __init__(self, inputs: int, outputs: int, stride: int, shortcut: ShortcutKind, gate: Gate | None) -> None:
        super().__init__()
        width = outputs // self.narrow
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = make_shortcut(inputs, outputs, stride, shortcut)
        self.gate = gate(outputs) if gate else None

    def forward(self, images: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H/stride, W/stride)."""
        residual = torch.relu(self.bn1(self.conv1(images)))
        residual = torch.relu(self.bn2(self.conv2(residual)))
        residual = self.bn3(self.conv3(residual))
        return add(residual, self.downsample(images), self.gate)


class WideBottleneck(Bottleneck):
    """The 3x3 convolution on half of the channels (Zagoruyko & Komodakis 2016)."""

    narrow = 2


def add(residual: Tensor, shortcut: Tensor, gate: nn.Module | None) -> Tensor:
    """The end of every block: ReLU of shortcut + residual, the residual's channels scaled by the gate."""
    if gate is not None:
        residual = residual * gate(residual, shortcut)
    return torch.relu(residual + shortcut)


def stage(
    block: Block, inputs: int, outputs: int, blocks: int, stride: int, shortcut: ShortcutKind, gate: Gate | None
) -> nn.Sequential:
    """So many blocks in a row; the first brings the new channels and the stride."""
    first = block(inputs, outputs, stride, shortcut, gate)
    return nn.Sequential(first, *(block(outputs, outputs, 1, shortcut, gate) for _ in range(blocks - 1)))


def initialise(model: nn.Module) -> None:
    """Normal weights of variance 2 / fan-out in every convolution (He et al. 2015); the rest stays PyTorch's own:
    ones and zeros in batch normalisation, uniform linear layers."""
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
