"""Logistic regression on pixels: the floor under every comparison."""

from __future__ import annotations

from torch import nn

from bakeoff.models.blocks import Size


def logistic(channels: int, classes: int, size: Size) -> nn.Module:
    """One linear layer from the pixels to the logits."""
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * size[0] * size[1], classes))
