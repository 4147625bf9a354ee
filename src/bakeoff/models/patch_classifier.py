"""A network that is taught digits one by one and answers for the whole image: our own contender."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from bakeoff.models.blocks import Size, convolution

FIELD = 41
"""Height and width in pixels of what decides the answer at one place; places are 4 pixels apart."""


class PatchClassifier(nn.Module):
    """A digit classifier slid over the image; the highest (lowest) digit it finds is the answer. Taught by
    `task = "crops"`.

    Valid convolutions that see 41x41 pixels, slid over the image in steps of 4: which digit stands here, if any?

    The answer for the image takes the classes for independent: a class is present with its greatest probability at any
    place, and it is the answer if it is present and no higher class (under the rule `lowest`, no lower one) is.
    """

    field = FIELD

    def __init__(
        self,
        channels: int,
        classes: int,
        _size: Size,
        *,
        width: Annotated[int, Field(ge=2, le=512, description="filters of the first layer")] = 32,
        rule: Literal["highest", "lowest"] = "highest",
    ) -> None:
        super().__init__()
        self.rule = rule
        self.body = nn.Sequential(
            convolution(channels, width, 5, 2),
            convolution(width, width + width // 2, 3, 2),
            convolution(width + width // 2, 2 * width, 3),
            convolution(2 * width, 3 * width, 3),
            convolution(3 * width, 4 * width, 5),
        )
        self.head = nn.Conv2d(4 * width, classes + 1, 1)

    def log_probabilities(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> log-probabilities (N, K + 1, h, w) of the classes and, last, none at each place."""
        logits: Tensor = self.head(self.body(images)).float()
        return logits.log_softmax(1)

    def patch_logits(self, crops: Tensor) -> Tensor:
        """(N, C, 41, 41) -> logits (N, K + 1): the digit in the middle of each crop or, last, none."""
        return self.log_probabilities(crops).flatten(1)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, K) of the whole image; beyond its border all is 0."""
        places = self.log_probabilities(F.pad(images, (FIELD // 2,) * 4))
        present = places[:, :-1].exp().amax((2, 3)).clamp(1e-6, 1 - 1e-6)
        absent = torch.log1p(-present)
        none_higher = absent.flip(1).cumsum(1).flip(1) - absent
        none_lower = absent.cumsum(1) - absent
        return present.log() + (none_higher if self.rule == "highest" else none_lower)


patch_classifier = PatchClassifier
