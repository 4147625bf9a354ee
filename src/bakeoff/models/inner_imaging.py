"""Competitive squeeze and excitation with inner imaging, for the 6n+2 networks (Y. Hu et al. 2018, arXiv 1807.08920).

In squeeze and excitation the residual alone decides how much of it is taken. Here residual and shortcut compete: the
means of the channels of both form a small picture, and convolutions over it decide the factors. Implemented after the
authors' figures of the modules and their published code, but with the blocks of the 6n+2 networks, activated after the
sum, so that a comparison with plain and squeeze-and-excitation networks varies the gate alone. A reduction of 4 gives
the 4, 8 and 16 hidden units that the authors' 16 gives on bottlenecks of four times the channels; with one unit many
gates would be constant, at the start and for long. The authors' view with 1x1 kernels is left out: the batch
normalisation after it undoes all but the kernel's sign.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from bakeoff.models.blocks import Size, family
from bakeoff.models.residual import Reduction
from bakeoff.models.resnet import Shortcut, small_resnet

FOLD = 8
"""Pixels in a row of the folded picture. The authors' 16 suits their four times wider bottlenecks: ours would leave a
first stage of 16 channels with two rows, too few for a 3x3 convolution."""

View = Literal["2x1", "3x3"]
"""The kernel: 2x1 takes the pair of rows, 3x3 takes it folded to rows of 8."""


class InnerImaging(nn.Module):
    """A gate: factors in (0, 1) for the channels of a block's residual, decided by residual and shortcut together.

    C / reduction filters with batch normalisation see the picture; their mean is squeezed to C / reduction units and
    excited to C factors.
    """

    def __init__(self, channels: int, reduction: int, view: str) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.view = view
        height, width = (2 * channels // FOLD, FOLD) if view == "3x3" else (2, channels)
        tall, wide = (int(side) for side in view.split("x"))
        self.conv = nn.Conv2d(1, hidden, (tall, wide), bias=False)
        self.bn = nn.BatchNorm2d(hidden)
        self.fc1 = nn.Linear((height - tall + 1) * (width - wide + 1), hidden, bias=False)
        self.fc2 = nn.Linear(hidden, channels, bias=False)

    def forward(self, residual: Tensor, shortcut: Tensor) -> Tensor:
        """(N, C, H, W) twice -> (N, C, 1, 1)."""
        picture = torch.stack((residual.mean((2, 3)), shortcut.mean((2, 3))), 1)
        if self.view == "3x3":
            picture = fold(picture)
        features = self.bn(self.conv(picture[:, None])).mean(1).flatten(1)
        return torch.sigmoid(self.fc2(torch.relu(self.fc1(features))))[:, :, None, None]


def fold(pair: Tensor) -> Tensor:
    """(N, 2, C) -> (N, 2C/8, 8): eight channels of the residual, the same eight of the shortcut, the next eight ..."""
    count, _, channels = pair.shape
    return pair.view(count, 2, channels // FOLD, FOLD).transpose(1, 2).reshape(count, -1, FOLD)


@family
def _imaging(
    blocks: int,
    channels: int,
    classes: int,
    _size: Size,
    *,
    shortcut: Shortcut = "A",
    reduction: Reduction = 4,
    view: View = "2x1",
) -> nn.Module:
    gate = partial(InnerImaging, reduction=reduction, view=view)
    return small_resnet(channels, classes, blocks, 16, shortcut, gate)


inner_imaging_resnet20 = _imaging("ResNet-20 with competitive inner-imaging squeeze and excitation in every block.", 3)
inner_imaging_resnet56 = _imaging("ResNet-56 with competitive inner-imaging squeeze and excitation in every block.", 9)
