"""Residual networks: their blocks (He et al. 2016), the gates of squeeze and excitation (Hu, Shen & Sun 2018), and the
network that the families are built from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from bakeoff.models.blocks import kaiming_

ShortcutKind = Literal["A", "B", "C"]
"""The paper's options. Where a block changes the shape, A pads with zeros and B projects; C projects in every block."""

Gate = Callable[[int], nn.Module]
"""Makes, for so many channels, a module that maps a block's residual and shortcut to factors (N, C, 1, 1)."""

Block = Callable[[int, int, int, ShortcutKind, Gate | None], nn.Module]
"""Makes a block from its input and output channels, the stride, the shortcut and the gate."""

Reduction = Annotated[int, Field(ge=1, le=512, description="channels for each hidden unit of a gate")]


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


class ResidualBlock(nn.Module):
    """Convolutions with batch normalisation and ReLU between them, added to the shortcut, then ReLU.

    Args:
        convolutions: (channels, kernel, stride) of each.
        gate: scales the channels of the last convolution before the sum.
    """

    def __init__(
        self, inputs: int, convolutions: Sequence[tuple[int, int, int]], shortcut: ShortcutKind, gate: Gate | None
    ) -> None:
        super().__init__()
        self.depth, channels = len(convolutions), inputs
        for number, (outputs, kernel, stride) in enumerate(convolutions, 1):
            conv = nn.Conv2d(channels, outputs, kernel, stride, kernel // 2, bias=False)
            self.add_module(f"conv{number}", conv)
            self.add_module(f"bn{number}", nn.BatchNorm2d(outputs))
            channels = outputs
        total_stride = max(stride for _, _, stride in convolutions)
        self.downsample = make_shortcut(inputs, channels, total_stride, shortcut)
        self.gate = gate(channels) if gate else None

    def forward(self, images: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H/stride, W/stride)."""
        residual = images
        for number in range(1, self.depth + 1):
            if number > 1:
                residual = torch.relu(residual)
            residual = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(residual))
        shortcut = self.downsample(images)
        if self.gate is not None:
            residual = residual * self.gate(residual, shortcut)
        return torch.relu(residual + shortcut)


def basic_block(
    inputs: int, outputs: int, stride: int = 1, shortcut: ShortcutKind = "B", gate: Gate | None = None
) -> nn.Module:
    """Two 3x3 convolutions."""
    return ResidualBlock(inputs, [(outputs, 3, stride), (outputs, 3, 1)], shortcut, gate)


def bottleneck(
    inputs: int, outputs: int, stride: int, shortcut: ShortcutKind, gate: Gate | None, narrow: int = 4
) -> nn.Module:
    """1x1, 3x3 and 1x1 convolutions; the 3x3 one has the stride, and outputs / narrow channels."""
    width = outputs // narrow
    return ResidualBlock(inputs, [(width, 1, 1), (width, 3, stride), (outputs, 1, 1)], shortcut, gate)


wide_bottleneck = partial(bottleneck, narrow=2)
"""Of the wide networks (Zagoruyko & Komodakis 2016)."""


class SqueezeExcitation(nn.Module):
    """A gate: factors in (0, 1) for the channels of a block's residual, decided by their means.

    Biases start at zero, as in the authors' networks: batch normalisation centres the means over the batch, so that
    even a single hidden unit is active for some of the images at the start.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.fc1 = nn.Linear(channels, hidden)
        self.fc2 = nn.Linear(hidden, channels)
        nn.init.zeros_(self.fc1.bias)
        nn.init.zeros_(self.fc2.bias)

    def forward(self, residual: Tensor, _shortcut: Tensor) -> Tensor:
        """(N, C, H, W) twice -> (N, C, 1, 1)."""
        hidden = torch.relu(self.fc1(residual.mean((2, 3))))
        return torch.sigmoid(self.fc2(hidden))[:, :, None, None]


STEMS = {
    # kernel, stride and padding of the first convolution; stride of the max-pooling, 0: none
    "imagenet": (7, 2, 3, 2),
    "small": (3, 1, 1, 0),
    "3x3": (3, 1, 0, 1),
    "5x5": (5, 1, 1, 1),
    "7x7": (7, 1, 2, 1),
}


class ResNet(nn.Module):
    """A stem, stages of residual blocks, the mean over all pixels, and one linear layer. Each stage has twice the
    channels of the one before, at half the side.

    Args:
        blocks: of each stage.
        wider: the channels of a block's output over those of its stage: 4 for bottlenecks.
        width: channels of the stem and of the first stage.
        stem: a name in STEMS.
        dropout: before the linear layer.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        block: Block,
        blocks: tuple[int, ...],
        wider: int,
        width: int,
        stem: str,
        gate: Gate | None = None,
        shortcut: ShortcutKind = "B",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        kernel, stride, padding, pooling = STEMS[stem]
        self.conv1 = nn.Conv2d(channels, width, kernel, stride, padding, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, pooling, 1) if pooling else nn.Identity()
        inputs, outputs, stride = width, wider * width, 1
        for number, count in enumerate(blocks, 1):
            first = block(inputs, outputs, stride, shortcut, gate)  # has the new channels and the stride
            rest = (block(outputs, outputs, 1, shortcut, gate) for _ in range(count - 1))
            self.add_module(f"layer{number}", nn.Sequential(first, *rest))
            inputs, outputs, stride = outputs, 2 * outputs, 2
        self.stages = (("conv1", "bn1"), *((f"layer{number}",) for number in range(1, len(blocks) + 1)))
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(inputs, classes)
        kaiming_(self, "fan_out")

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, K)."""
        images = torch.relu(self.maxpool(self.bn1(self.conv1(images))))
        for (name,) in self.stages[1:]:
            images = self.get_submodule(name)(images)
        logits: Tensor = self.fc(self.dropout(images.mean((2, 3))))
        return logits
