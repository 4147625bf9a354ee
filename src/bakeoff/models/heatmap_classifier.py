"""A network that gives the class of an image and the place it comes from: our own contender on composite images."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from bakeoff.models.blocks import Size, Width, convolution
from bakeoff.models.residual import basic_block


class HeatmapClassifier(nn.Module):
    """A small residual network that says which class it sees, and where. Taught where with `task = "heatmap"`.

    A residual network without pooling at its end: one logit for each class at each place, 8 pixels apart.

    One softmax over all classes and places makes the digits of an image compete, so that the network learns both what
    they are and which of them counts. A class's logit for the whole image is the logarithm of its summed exponentials.
    """

    stride = 8

    def __init__(
        self,
        channels: int,
        classes: int,
        _size: Size,
        *,
        width: Width = 32,
        blocks: Annotated[int, Field(ge=1, le=32, description="residual blocks of the last stage")] = 2,
    ) -> None:
        super().__init__()
        self.body = nn.Sequential(
            convolution(channels, width, 5, 2, 2),
            convolution(width, 2 * width, 3, 2, 1),
            basic_block(2 * width, 2 * width),
            convolution(2 * width, 4 * width, 3, 2, 1),
            *(basic_block(4 * width, 4 * width) for _ in range(blocks)),
        )
        self.head = nn.Conv2d(4 * width, classes, 1)

    def heatmap_logits(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, K, H/8, W/8) of each class at each place, rounded up."""
        logits: Tensor = self.head(self.body(images))
        return logits

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, K)."""
        return self.heatmap_logits(images).float().flatten(2).logsumexp(2)


heatmap_classifier = HeatmapClassifier
