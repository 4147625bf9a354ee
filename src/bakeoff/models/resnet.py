"""The residual networks for ImageNet (He et al. 2016, table 1), wide (Zagoruyko & Komodakis 2016) and with squeeze
and excitation (Hu et al. 2018), and the one of the report `augmented-resnet`.

Parameter names and initialisation are torchvision's, so that its published weights load (models/weights.py). The
squeeze-and-excitation networks hold theirs under the same names, and `gate` besides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from bakeoff.models.blocks import Size
from bakeoff.models.residual import BasicBlock, Block, Bottleneck, Gate, ShortcutKind, WideBottleneck, initialise, stage
from bakeoff.models.se import Reduction, squeeze

STEMS = {
    # kernel, stride and padding of the first convolution; stride of the max-pooling, 0: none
    "imagenet": (7, 2, 3, 2),
    "small": (3, 1, 1, 0),
    "3x3": (3, 1, 0, 1),
    "5x5": (5, 1, 1, 1),
    "7x7": (7, 1, 2, 1),
}


class ResNet(nn.Module):
    """A stem, four stages of residual blocks, the mean over all pixels, and one linear layer.

    Args:
        blocks: of each stage.
        wider: by what factor a block's output is wider than its stage: 4 for bottlenecks.
        width: channels of the stem and of the first stage; each next doubles.
        stem: a name in STEMS.
        dropout: before the linear layer.
    """

    stages = (("conv1", "bn1"), ("layer1",), ("layer2",), ("layer3",), ("layer4",))

    def __init__(
        self,
        channels: int,
        classes: int,
        block: Block,
        blocks: tuple[int, int, int, int],
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
        out = wider * width
        self.layer1 = stage(block, width, out, blocks[0], 1, shortcut, gate)
        self.layer2 = stage(block, out, 2 * out, blocks[1], 2, shortcut, gate)
        self.layer3 = stage(block, 2 * out, 4 * out, blocks[2], 2, shortcut, gate)
        self.layer4 = stage(block, 4 * out, 8 * out, blocks[3], 2, shortcut, gate)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(8 * out, classes)
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, K)."""
        images = torch.relu(self.maxpool(self.bn1(self.conv1(images))))
        images = self.layer4(self.layer3(self.layer2(self.layer1(images))))
        logits: Tensor = self.fc(self.dropout(images.mean((2, 3))))
        return logits


Stem = Annotated[
    Literal["imagenet", "small"],
    Field(description="imagenet: 7x7 convolution and max-pooling, both with stride 2; small: 3x3 with stride 1"),
]
Width = Annotated[int, Field(ge=1, le=512, description="channels of stem and first stage; each next doubles")]


Layout = tuple[Block, tuple[int, int, int, int], int]

LAYOUTS: dict[int, Layout] = {
    18: (BasicBlock, (2, 2, 2, 2), 1),
    34: (BasicBlock, (3, 4, 6, 3), 1),
    50: (Bottleneck, (3, 4, 6, 3), 4),
    101: (Bottleneck, (3, 4, 23, 3), 4),
    152: (Bottleneck, (3, 8, 36, 3), 4),
}
"""By depth: the block, how many of them each stage has, and by what factor a block's output is wider than its stage."""


def _plain(layout: Layout, about: str) -> Callable[..., nn.Module]:
    def build(channels: int, classes: int, _size: Size, *, stem: Stem = "imagenet", width: Width = 64) -> nn.Module:
        return ResNet(channels, classes, *layout, width, stem)

    build.__doc__ = about
    return build


def _squeezed(layout: Layout, about: str) -> Callable[..., nn.Module]:
    def build(
        channels: int,
        classes: int,
        _size: Size,
        *,
        stem: Stem = "imagenet",
        width: Width = 64,
        reduction: Reduction = 16,
    ) -> nn.Module:
        return ResNet(channels, classes, *layout, width, stem, squeeze(reduction))

    build.__doc__ = about
    return build


resnet18 = _plain(LAYOUTS[18], "18 layers (He et al. 2016): 11,689,512 parameters at 3 channels and 1,000 classes.")
resnet34 = _plain(LAYOUTS[34], "34 layers (He et al. 2016): 21,797,672 parameters at 3 channels and 1,000 classes.")
resnet50 = _plain(LAYOUTS[50], "50 layers (He et al. 2016): 25,557,032 parameters at 3 channels and 1,000 classes.")
resnet101 = _plain(LAYOUTS[101], "101 layers (He et al. 2016): 44,549,160 parameters at 3 channels and 1,000 classes.")
resnet152 = _plain(LAYOUTS[152], "152 layers (He et al. 2016): 60,192,808 parameters at 3 channels and 1,000 classes.")
wide_resnet50_2 = _plain(
    (WideBottleneck, (3, 4, 6, 3), 4),
    "ResNet-50 with 3x3 convolutions twice as wide (Zagoruyko & Komodakis 2016): 68,883,240 parameters at 3 channels "
    "and 1,000 classes.",
)
se_resnet18 = _squeezed(LAYOUTS[18], "ResNet-18 with squeeze and excitation in every block (Hu et al. 2018).")
se_resnet34 = _squeezed(
    LAYOUTS[34],
    "ResNet-34 with squeeze and excitation in every block (Hu et al. 2018): the best of the table in `largest-digit`.",
)
se_resnet50 = _squeezed(LAYOUTS[50], "ResNet-50 with squeeze and excitation in every block (Hu et al. 2018).")
se_resnet101 = _squeezed(LAYOUTS[101], "ResNet-101 with squeeze and excitation in every block (Hu et al. 2018).")
se_resnet152 = _squeezed(LAYOUTS[152], "ResNet-152 with squeeze and excitation in every block (Hu et al. 2018).")


def resnet34_projection(
    channels: int,
    classes: int,
    _size: Size,
    *,
    dropout: Annotated[float, Field(ge=0, lt=1, description="before the last linear layer")] = 0.5,
    stem: Annotated[
        Literal["3x3", "5x5", "7x7"], Field(description="first convolution; the padding keeps its output at size - 2")
    ] = "5x5",
    projections: Annotated[
        Literal["every-block", "changed-shapes"], Field(description="which blocks have a 1x1 convolution around them")
    ] = "every-block",
) -> nn.Module:
    """ResNet-34 as the report `augmented-resnet` changed it: a 5x5 stem and 3x3 max-pooling, both with stride 1, and a
    1x1 projection in every block."""
    shortcut: ShortcutKind = "C" if projections == "every-block" else "B"
    return ResNet(channels, classes, BasicBlock, (3, 4, 6, 3), 1, 64, stem, None, shortcut, dropout)
