"""Squeeze and excitation (Hu, Shen & Sun 2018)."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from bakeoff.models.residual import Gate

Reduction = Annotated[int, Field(ge=1, le=512, description="channels for each hidden unit of a gate")]


class SqueezeExcitation(nn.Module):
    """A gate: factors in (0, 1) for the channels of a block's residual, decided by their means.

    Biases start at zero, as in the authors' networks: batch normalisation centres the means over the batch, so that
    even a single hidden unit starts awake for some of the images.
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


def squeeze(reduction: int) -> Gate:
    """Squeeze and excitation with a hidden unit for every `reduction` channels, at least one."""
    return partial(SqueezeExcitation, reduction=reduction)
