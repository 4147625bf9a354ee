"""The residual networks: for ImageNet (He et al. 2016, table 1), wide (Zagoruyko & Komodakis 2016), the 6n+2 ones for
small images (He et al. 2016, section 4.2; reports `deeper-networks` and `largest-digit`), all with squeeze and
excitation too (Hu et al. 2018), and the one of the report `augmented-resnet`.

Parameter names and initialisation are torchvision's, so that its published weights load (models/weights.py). The
squeeze-and-excitation networks have the same names, and `gate` besides.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from torch import nn

from bakeoff.models.blocks import Dropout, Size, Stem, Width, family
from bakeoff.models.residual import (
    Block,
    Gate,
    Reduction,
    ResNet,
    ShortcutKind,
    SqueezeExcitation,
    basic_block,
    bottleneck,
    wide_bottleneck,
)

Shortcut = Literal["A", "B"]
"""A: padded, no parameters; B: 1x1 projections."""
Layout = tuple[Block, tuple[int, int, int, int], int]

LAYOUTS: dict[int, Layout] = {
    18: (basic_block, (2, 2, 2, 2), 1),
    34: (basic_block, (3, 4, 6, 3), 1),
    50: (bottleneck, (3, 4, 6, 3), 4),
    101: (bottleneck, (3, 4, 23, 3), 4),
    152: (bottleneck, (3, 8, 36, 3), 4),
}
"""By depth: the block, how many of them each stage has, and `wider` of ResNet."""


@family
def _plain(
    layout: Layout, channels: int, classes: int, _size: Size, *, stem: Stem = "imagenet", width: Width = 64
) -> nn.Module:
    return ResNet(channels, classes, *layout, width, stem)


@family
def _se(
    layout: Layout,
    channels: int,
    classes: int,
    _size: Size,
    *,
    stem: Stem = "imagenet",
    width: Width = 64,
    reduction: Reduction = 16,
) -> nn.Module:
    return ResNet(channels, classes, *layout, width, stem, partial(SqueezeExcitation, reduction=reduction))


resnet18 = _plain("18 layers (He et al. 2016): 11,689,512 parameters at 3 channels and 1,000 classes.", LAYOUTS[18])
resnet34 = _plain("34 layers (He et al. 2016): 21,797,672 parameters at 3 channels and 1,000 classes.", LAYOUTS[34])
resnet50 = _plain("50 layers (He et al. 2016): 25,557,032 parameters at 3 channels and 1,000 classes.", LAYOUTS[50])
resnet101 = _plain("101 layers (He et al. 2016): 44,549,160 parameters at 3 channels and 1,000 classes.", LAYOUTS[101])
resnet152 = _plain("152 layers (He et al. 2016): 60,192,808 parameters at 3 channels and 1,000 classes.", LAYOUTS[152])
wide_resnet50_2 = _plain(
    "ResNet-50 with 3x3 convolutions twice as wide (Zagoruyko & Komodakis 2016): 68,883,240 parameters at 3 channels "
    "and 1,000 classes.",
    (wide_bottleneck, (3, 4, 6, 3), 4),
)
se_resnet18 = _se("ResNet-18 with squeeze and excitation in every block (Hu et al. 2018).", LAYOUTS[18])
se_resnet34 = _se(
    "ResNet-34 with squeeze and excitation in every block (Hu et al. 2018): the best of the table in `largest-digit`.",
    LAYOUTS[34],
)
se_resnet50 = _se("ResNet-50 with squeeze and excitation in every block (Hu et al. 2018).", LAYOUTS[50])
se_resnet101 = _se("ResNet-101 with squeeze and excitation in every block (Hu et al. 2018).", LAYOUTS[101])
se_resnet152 = _se("ResNet-152 with squeeze and excitation in every block (Hu et al. 2018).", LAYOUTS[152])


def resnet34_projection(
    channels: int,
    classes: int,
    _size: Size,
    *,
    dropout: Dropout = 0.5,
    stem: Literal["3x3", "5x5", "7x7"] = "5x5",
    projections: Literal["every-block", "changed-shapes"] = "every-block",
) -> nn.Module:
    """ResNet-34 as the report `augmented-resnet` changed it: a 5x5 stem and 3x3 max-pooling, both with stride 1, and a
    1x1 projection in every block.

    Any stem's padding keeps its output at size - 2. Dropout comes before the last linear layer.
    """
    shortcut: ShortcutKind = "C" if projections == "every-block" else "B"
    return ResNet(channels, classes, *LAYOUTS[34], 64, stem, None, shortcut, dropout)


def small_resnet(
    channels: int, classes: int, blocks: int, width: int, shortcut: ShortcutKind, gate: Gate | None = None
) -> nn.Module:
    """A 3x3 stem and three stages of so many blocks: 6n + 2 layers."""
    return ResNet(channels, classes, basic_block, (blocks,) * 3, 1, width, "small", gate, shortcut)


@family
def _small(
    blocks: int, channels: int, classes: int, _size: Size, *, width: Width = 16, shortcut: Shortcut = "A"
) -> nn.Module:
    return small_resnet(channels, classes, blocks, width, shortcut)


@family
def _small_se(
    blocks: int,
    channels: int,
    classes: int,
    _size: Size,
    *,
    width: Width = 16,
    shortcut: Shortcut = "A",
    reduction: Reduction = 16,
) -> nn.Module:
    return small_resnet(channels, classes, blocks, width, shortcut, partial(SqueezeExcitation, reduction=reduction))


resnet8 = _small("6n + 2 layers with n = 1.", 1)
resnet20 = _small("6n + 2 layers with n = 3: 0.27 M parameters at 3 channels and 10 classes.", 3)
resnet32 = _small("6n + 2 layers with n = 5: 0.46 M parameters at 3 channels and 10 classes.", 5)
resnet44 = _small("6n + 2 layers with n = 7: 0.66 M parameters at 3 channels and 10 classes.", 7)
resnet56 = _small("6n + 2 layers with n = 9: 0.85 M parameters at 3 channels and 10 classes.", 9)
resnet110 = _small("6n + 2 layers with n = 18: 1.7 M parameters at 3 channels and 10 classes.", 18)
se_resnet20 = _small_se("ResNet-20 with squeeze and excitation in every block.", 3)
se_resnet32 = _small_se("ResNet-32 with squeeze and excitation in every block.", 5)
se_resnet44 = _small_se("ResNet-44 with squeeze and excitation in every block.", 7)
se_resnet56 = _small_se("ResNet-56 with squeeze and excitation in every block: the text's best in `largest-digit`.", 9)
se_resnet110 = _small_se("ResNet-110 with squeeze and excitation in every block.", 18)
