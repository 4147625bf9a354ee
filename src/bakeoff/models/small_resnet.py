"""The 6n+2 residual networks for small images (He et al. 2016, section 4.2; reports `deeper-networks` and
`largest-digit`), plain and with squeeze and excitation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from bakeoff.models.blocks import Size
from bakeoff.models.residual import BasicBlock, Gate, ShortcutKind, initialise, stage
from bakeoff.models.se import Reduction, squeeze


class SmallResNet(nn.Module):
    """A 3x3 stem and three stages of n blocks at `width`, 2 x width and 4 x width channels."""

    stages = (("conv1", "bn1"), ("layer1",), ("layer2",), ("layer3",))

    def __init__(
        self, channels: int, classes: int, blocks: int, width: int, shortcut: ShortcutKind, gate: Gate | None = None
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = stage(BasicBlock, width, width, blocks, 1, shortcut, gate)
        self.layer2 = stage(BasicBlock, width, 2 * width, blocks, 2, shortcut, gate)
        self.layer3 = stage(BasicBlock, 2 * width, 4 * width, blocks, 2, shortcut, gate)
        self.fc = nn.Linear(4 * width, classes)
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, K)."""
        images = torch.relu(self.bn1(self.conv1(images)))
        images = self.layer3(self.layer2(self.layer1(images)))
        logits: Tensor = self.fc(images.mean((2, 3)))
        return logits


Width = Annotated[int, Field(ge=1, le=512, description="channels of the first stage; each next doubles")]
Shortcut = Annotated[Literal["A", "B"], Field(description="A: padded, no parameters; B: 1x1 projections")]


def _plain(blocks: int, about: str) -> Callable[..., nn.Module]:
    def build(channels: int, classes: int, _size: Size, *, width: Width = 16, shortcut: Shortcut = "A") -> nn.Module:
        return SmallResNet(channels, classes, blocks, width, shortcut)

    build.__doc__ = about
    return build


def _squeezed(blocks: int, about: str) -> Callable[..., nn.Module]:
    def build(
        channels: int,
        classes: int,
        _size: Size,
        *,
        width: Width = 16,
        shortcut: Shortcut = "A",
        reduction: Reduction = 16,
    ) -> nn.Module:
        return SmallResNet(channels, classes, blocks, width, shortcut, squeeze(reduction))

    build.__doc__ = about
    return build


resnet8 = _plain(1, "6n + 2 layers with n = 1.")
resnet20 = _plain(3, "6n + 2 layers with n = 3: 0.27 M parameters at 3 channels and 10 classes.")
resnet32 = _plain(5, "6n + 2 layers with n = 5: 0.46 M parameters at 3 channels and 10 classes.")
resnet44 = _plain(7, "6n + 2 layers with n = 7: 0.66 M parameters at 3 channels and 10 classes.")
resnet56 = _plain(9, "6n + 2 layers with n = 9: 0.85 M parameters at 3 channels and 10 classes.")
resnet110 = _plain(18, "6n + 2 layers with n = 18: 1.7 M parameters at 3 channels and 10 classes.")
se_resnet20 = _squeezed(3, "ResNet-20 with squeeze and excitation in every block.")
se_resnet32 = _squeezed(5, "ResNet-32 with squeeze and excitation in every block.")
se_resnet44 = _squeezed(7, "ResNet-44 with squeeze and excitation in every block.")
se_resnet56 = _squeezed(9, "ResNet-56 with squeeze and excitation in every block: the text's best in `largest-digit`.")
se_resnet110 = _squeezed(18, "ResNet-110 with squeeze and excitation in every block.")
