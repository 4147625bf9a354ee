"""EfficientNet-B0 (Tan & Le 2019, table 1). Parameter names and initialisation are torchvision's."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bakeoff.models.blocks import Dropout, Size, Stem

STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
"""Of each stage: how often its blocks widen their channels, output channels, blocks, stride of the first, kernel."""
STEM, HEAD = 32, 1280
"""Channels."""


def convolution(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution of the same size, batch normalisation and SiLU."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.SiLU(inplace=True))


class Squeeze(nn.Module):
    """Squeeze-and-excitation: each channel times a gate of 0 ... 1 made of all channels' means."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        squeezed = nn.functional.silu(self.fc1(images.mean((2, 3), keepdim=True)))
        gates: Tensor = self.fc2(squeezed).sigmoid()
        return images * gates


class Block(nn.Module):
    """Wider channels, each convolved alone, squeeze-and-excitation, and back to few channels; the input is added where
    the shape stays, and then the rest left out of `drop` of the images while training (Huang et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, wider: int, stride: int, kernel: int, drop: float) -> None:
        super().__init__()
        width = inputs * wider
        parts: list[nn.Module] = [convolution(inputs, width)] if wider > 1 else []
        parts += [convolution(width, width, kernel, stride, width), Squeeze(width, max(1, inputs // 4))]
        self.block = nn.Sequential(*parts, convolution(width, outputs)[:2])
        self.adds, self.drop = stride == 1 and inputs == outputs, drop

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, outputs, H / stride, W / stride), rounded up."""
        new: Tensor = self.block(images)
        if not self.adds:
            return new
        if self.training and self.drop:
            kept = torch.empty(len(new), 1, 1, 1, dtype=new.dtype, device=new.device).bernoulli_(1 - self.drop)
            new = new * kept.div_(1 - self.drop)
        return images + new


class EfficientNet(nn.Module):
    """A stem, seven stages of blocks, a convolution to 1,280 channels, their means, dropout, and a linear layer."""

    def __init__(self, channels: int, classes: int, stem: Stem, dropout: float, drop_path: float) -> None:
        super().__init__()
        self.features = nn.Sequential(convolution(channels, STEM, 3, 2 if stem == "imagenet" else 1))
        inputs, number, blocks = STEM, 0, sum(stage[2] for stage in STAGES)
        for wider, outputs, count, stride, kernel in STAGES:
            stage = nn.Sequential()
            for place in range(count):
                drop = drop_path * number / blocks
                stage.append(Block(inputs, outputs, wider, 1 if place else stride, kernel, drop))
                inputs, number = outputs, number + 1
            self.features.append(stage)
        self.features.append(convolution(inputs, HEAD))
        self.stages = [[f"features.{place}"] for place in range(len(self.features))]
        linear = nn.Linear(HEAD, classes)
        self.classifier = nn.Sequential(nn.Dropout(dropout), linear)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.uniform_(linear.weight, -(classes**-0.5), classes**-0.5)
        nn.init.zeros_(linear.bias)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, K)."""
        logits: Tensor = self.classifier(self.features(images).mean((2, 3)))
        return logits


def efficientnet_b0(
    channels: int,
    classes: int,
    _size: Size,
    *,
    stem: Stem = "imagenet",
    dropout: Dropout = 0.2,
    drop_path: Dropout = 0.2,
) -> nn.Module:
    """Inverted bottlenecks with squeeze-and-excitation: 5,288,548 parameters at 3 channels and 1000 classes. The last
    block is left out of `drop_path` of the images while training, earlier ones of fewer."""
    return EfficientNet(channels, classes, stem, dropout, drop_path)
