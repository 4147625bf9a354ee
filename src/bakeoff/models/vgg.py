"""VGG: plain stacks of 3x3 convolutions (Simonyan & Zisserman 2015; report `deeper-networks`)."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from bakeoff.models.blocks import Dropout, Hidden, Size, Width, family, kaiming_

A = (1, 1, 2, 2, 2)
B = (2, 2, 2, 2, 2)
D = (2, 2, 3, 3, 3)
E = (2, 2, 4, 4, 4)
"""Convolutions in each of the five stages, by the paper's letters."""

Pool = Annotated[int, Field(ge=0, le=32, description="side of the map under the head, by averaging; 0: as it comes")]


class VGG(nn.Module):
    """Five stages of convolutions, each ended by 2x2 max-pooling, and three linear layers; torchvision's names.

    A pooling leaves alone a side that is one pixel already: 28 -> 14 -> 7 -> 3 -> 1 -> 1.
    """

    def __init__(
        self,
        stages: tuple[int, ...],
        batch_norm: bool,
        channels: int,
        classes: int,
        size: Size,
        *,
        pool: Pool = 0,
        width: Width = 64,
        hidden: Hidden = 4096,
        dropout: Dropout = 0.5,
    ) -> None:
        super().__init__()
        height, wide = size
        layers: list[nn.Module] = []
        self.stages: list[list[str]] = []
        for stage, convolutions in enumerate(stages):
            filters, first = width * min(2**stage, 8), len(layers)
            for convolution in range(convolutions):
                layers.append(nn.Conv2d(channels, filters, 3, padding=1))
                if batch_norm:
                    layers.append(nn.BatchNorm2d(filters))
                if convolution == convolutions - 1:  # before ReLU, as in blocks.PoolReLU
                    layers.append(nn.MaxPool2d((min(height, 2), min(wide, 2))))
                layers.append(nn.ReLU(inplace=True))
                channels = filters
            self.stages.append([f"features.{layer}" for layer in range(first, len(layers))])
            height, wide = max(1, height // 2), max(1, wide // 2)
        self.features = nn.Sequential(*layers)
        self.avgpool: nn.Module = nn.Identity()
        if pool and (height, wide) != (pool, pool):
            self.avgpool = nn.AdaptiveAvgPool2d(pool)
            height = wide = pool
        head: list[nn.Module] = []
        for inputs in (channels * height * wide, hidden):
            head += [nn.Linear(inputs, hidden), nn.ReLU(inplace=True), nn.Dropout(dropout)]
        self.classifier = nn.Sequential(*head, nn.Linear(hidden, classes))
        kaiming_(self, "fan_out")
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=0.01)
            if isinstance(layer, nn.Linear | nn.Conv2d) and layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, K)."""
        logits: Tensor = self.classifier(torch.flatten(self.avgpool(self.features(images)), 1))
        return logits


_vgg = family(VGG)
vgg11 = _vgg("Configuration A, the report's VGG-A: 132,863,336 parameters at 224x224x3, 1000 classes.", A, False)
vgg13 = _vgg("Configuration B: 133,047,848 parameters at 224x224x3, 1000 classes.", B, False)
vgg16 = _vgg("Configuration D: 138,357,544 parameters at 224x224x3, 1000 classes.", D, False)
vgg19 = _vgg("Configuration E: 143,667,240 parameters at 224x224x3, 1000 classes.", E, False)
vgg11_bn = _vgg("Configuration A with batch normalisation after each convolution.", A, True)
vgg13_bn = _vgg("Configuration B with batch normalisation after each convolution.", B, True)
vgg16_bn = _vgg("Configuration D with batch normalisation after each convolution.", D, True)
vgg19_bn = _vgg("Configuration E with batch normalisation after each convolution.", E, True)
