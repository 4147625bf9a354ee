"""Losses: (logits (N, K), targets (N,), what mixing images did to the targets) -> the batch's mean."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from bakeoff.data.augment import Mix
from bakeoff.spec import Recipe
from bakeoff.spec.losses import LOSSES

Loss = Callable[[Tensor, Tensor, Mix | None], Tensor]


def cross_entropy(logits: Tensor, targets: Tensor, weight: Tensor | None, smoothing: float, reduction: str) -> Tensor:
    """The cross-entropy of the logits' softmax, in nats."""
    return F.cross_entropy(logits, targets, weight, label_smoothing=smoothing, reduction=reduction)


def softmax_output(logits: Tensor, targets: Tensor, weight: Tensor | None, smoothing: float, reduction: str) -> Tensor:
    """Some reports' fault: probabilities taken for logits. With 10 classes it cannot fall below 1.46."""
    return cross_entropy(logits.softmax(1), targets, weight, smoothing, reduction)


def make_loss(recipe: Recipe, weight: Tensor | None = None) -> Loss:
    """The recipe's loss; `weight` (K,) is that of each target, where they differ.

    An image that mixing made of two counts as two images, each with its share of one.
    """
    function, smoothing = LOSSES.bound(recipe.loss), recipe.label_smoothing

    def loss(logits: Tensor, targets: Tensor, mix: Mix | None = None) -> Tensor:
        if mix is None:
            mean: Tensor = function(logits, targets, weight, smoothing, "mean")
            return mean
        lighter, share = mix
        both, shares = torch.cat([targets, lighter]), torch.cat([share, 1 - share])
        each: Tensor = function(logits.repeat(2, 1), both, weight, smoothing, "none")
        return (shares * each).sum() / (shares if weight is None else shares * weight[both]).sum()

    return loss
