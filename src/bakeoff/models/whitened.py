"""A small fast network whose first layer whitens the image (Jordan 2024, arXiv 2404.00498: airbench94)."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from bakeoff.models.blocks import Size, Width

SIDE = 2
"""Pixels of a whitened patch's side."""


class ShiftNorm(nn.BatchNorm2d):
    """Batch normalisation with a learned shift, no learned scale, and a short memory."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, momentum=0.4)
        del self.weight
        self.register_buffer("weight", torch.ones(channels), persistent=False)


class Block(nn.Module):
    """Two 3x3 convolutions, each with ShiftNorm and GELU, max-pooling after the first; they begin as identities."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm1 = ShiftNorm(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = ShiftNorm(outputs)
        for conv in (self.conv1, self.conv2):
            nn.init.dirac_(conv.weight[: conv.in_channels])

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, outputs, H/2, W/2)."""
        images = F.gelu(self.norm1(F.max_pool2d(self.conv1(images), 2)))
        return F.gelu(self.norm2(self.conv2(images)))


class Whitening(nn.Module):
    """A convolution whose filters are no parameters: they come from the images, and only the bias is learned."""

    weight: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        values = channels * SIDE**2
        pixels = torch.eye(values).view(values, channels, SIDE, SIDE)
        self.register_buffer("weight", torch.cat((pixels, -pixels)))
        self.bias = nn.Parameter(torch.zeros(2 * values))

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, 8 x C, H - 1, W - 1)."""
        return F.conv2d(images, self.weight, self.bias)

    @torch.no_grad()
    def set_from(self, images: Tensor) -> None:
        """The filters are the principal directions of all patches, each divided by sqrt(variance + 0.0005), strongest
        first, and then their negatives. Variances are about zero."""
        values = self.weight[0].numel()
        moments = torch.zeros(values, values, dtype=torch.float64)
        count = 0
        for chunk in images.split(256):
            patches = F.unfold(chunk.cpu().double().contiguous(), SIDE).transpose(0, 1).flatten(1)
            moments += patches @ patches.T
            count += patches.shape[1]
        variances, directions = torch.linalg.eigh(moments / count)
        variances, directions = variances.flip(0), directions.T.flip(0)
        # The sign of an eigenvector is arbitrary: the first component that is not small is made positive.
        large = directions.abs() > directions.abs().amax(1, keepdim=True) / 2
        first = directions.gather(1, large.int().argmax(1, keepdim=True))
        filters = directions * first.sign() / (variances.clamp_min(0) + 5e-4).sqrt()[:, None]
        self.weight.copy_(torch.cat((filters, -filters)).view_as(self.weight))


class WhitenedCNN(nn.Module):
    """A frozen 2x2 whitening layer, blocks of 64, 256 and 256 channels, GELU, global max-pooling: 1.97 M parameters at
    3 channels and 10 classes. The filters are computed from the training images.

    A whitening layer, three blocks, the maximum of each map, and a linear layer whose logits are scaled down.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        _size: Size,
        *,
        width: Width = 64,
        scale: Annotated[float, Field(gt=0, le=1, description="factor on the logits")] = 1 / 9,
    ) -> None:
        super().__init__()
        self.whitening = Whitening(channels)
        self.block1 = Block(2 * channels * SIDE**2, width)
        self.block2 = Block(width, 4 * width)
        self.block3 = Block(4 * width, 4 * width)
        self.linear = nn.Linear(4 * width, classes, bias=False)
        self.scale = scale

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, K)."""
        images = F.gelu(self.whitening(images))
        images = self.block3(self.block2(self.block1(images)))
        logits: Tensor = self.linear(images.amax((2, 3)))
        return logits * self.scale

    def whiten(self, images: Tensor) -> None:
        """Set the first layer from training images (N, C, H, W), normalised as the model will see them."""
        self.whitening.set_from(images)


whitened_cnn = WhitenedCNN
