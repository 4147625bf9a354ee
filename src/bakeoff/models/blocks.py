"""Parts that several families share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal, Protocol, runtime_checkable

import torch
from pydantic import Field
from torch import Tensor, nn

Size = tuple[int, int]
"""Height and width of the images in pixels."""
Width = Annotated[int, Field(ge=1, le=512)]
"""Channels of the first convolution; those of later ones are multiples of it."""
Hidden = Annotated[int, Field(ge=1, le=8192)]
"""Units of each hidden linear layer."""
Dropout = Annotated[float, Field(ge=0, lt=1)]
"""The probability that a value is zeroed."""
Stem = Literal["imagenet", "small"]
"""The first layers. imagenet: 7x7 convolution and max-pooling, both with stride 2; small: 3x3 with stride 1."""


@runtime_checkable
class Whitens(Protocol):
    """A model whose first layer is set from training images before training."""

    def whiten(self, images: Tensor) -> None:
        """Set it from images (N, C, H, W), normalised as the model will see them."""


def family(build: Callable[..., nn.Module]) -> Callable[..., Callable[..., nn.Module]]:
    """A function that makes the members of a family: from a docstring and the first arguments of `build`."""

    def member(about: str, *first: Any) -> Callable[..., nn.Module]:
        model = partial(build, *first)
        model.__doc__, model.__name__ = about, build.__name__  # type: ignore[attr-defined]
        return model

    return member


class PoolReLU(nn.Module):
    """2x2 max-pooling, then ReLU: the values and gradients of ReLU first, on a quarter of the numbers."""

    def __init__(self, *, ceil: bool = False) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(2, ceil_mode=ceil)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H/2, W/2)."""
        return torch.relu(self.pool(images))


def dense(features: int, hidden: int, layers: int, classes: int, dropout: float | None = None) -> nn.Sequential:
    """`layers` linear layers, ReLU between them, dropout, if any, before the last: (N, features) -> (N, classes)."""
    parts: list[nn.Module] = []
    for _ in range(layers - 1):
        parts += [nn.Linear(features, hidden), nn.ReLU()]
        features = hidden
    return nn.Sequential(*parts, *([] if dropout is None else [nn.Dropout(dropout)]), nn.Linear(features, classes))


def kaiming_(model: nn.Module, mode: Literal["fan_in", "fan_out"]) -> None:
    """Normal weights of variance 2 / fan in every convolution (He et al. 2015); the rest stays as it is."""
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode=mode, nonlinearity="relu")


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0) -> nn.Sequential:
    """A convolution, batch normalisation and ReLU: (N, inputs, H, W) -> (N, outputs, H', W')."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def glorot_(model: nn.Module) -> None:
    """Glorot-uniform weights and zero biases in every convolution and linear layer (Glorot & Bengio 2010)."""
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
