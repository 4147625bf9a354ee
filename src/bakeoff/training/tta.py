"""The views of an image whose mean logits are its answer: test-time augmentation."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch
from torch import Tensor

from bakeoff.spec.choices import OneView, Views


def views_of(images: Tensor, choice: Views) -> Iterator[Tensor]:
    """The views of images (N, C, H, W) of any type, each of that shape: first the images as they are."""
    if isinstance(choice, OneView):
        yield images
        return
    moves = (0, -choice.shift, choice.shift) if choice.shift else (0,)
    for seen in (images, images.flip(3)) if choice.mirror else (images,):
        for down, right in itertools.product(moves, repeat=2):
            yield _moved(_moved(seen, 2, down), 3, right)


def _moved(images: Tensor, side: int, pixels: int) -> Tensor:
    """Moved by so many pixels along dimension `side`; what moves in repeats the edge."""
    length = images.shape[side]
    places = torch.arange(length, device=images.device) - pixels
    return images.index_select(side, places.clamp(0, length - 1)) if pixels else images
