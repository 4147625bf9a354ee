"""Losses: (logits (N, K), labels (N,), what mixing images did to the labels) -> the batch's mean."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from bakeoff.data.augment import Mix
from bakeoff.spec import Recipe

Loss = Callable[[Tensor, Tensor, Mix | None], Tensor]


def balance(labels: Tensor, classes: int) -> Tensor:
    """(K,) weights N / (K x count of the class): inverse class frequency, 1 where all classes are equal."""
    counts = torch.bincount(labels, minlength=classes)
    return len(labels) / (classes * counts.float())


def make_loss(recipe: Recipe, labels: Tensor, classes: int, places: int = 1) -> Loss:
    """The recipe's loss; `labels` (N,) of the training split give the class weights.

    Where a class has several `places`, logits and labels count class x places + place, and all places of a class
    have its weight.

    An image that mixing made of two counts as two images, each with its share of one.
    """
    smoothing = recipe.label_smoothing
    balanced = recipe.loss == "balanced_cross_entropy"
    weight = balance(labels, classes).repeat_interleave(places) if balanced else None

    def loss(logits: Tensor, labels: Tensor, mix: Mix | None = None) -> Tensor:
        if recipe.loss == "softmax_output":
            # the reports' fault: probabilities taken for logits; with 10 classes it cannot fall below 1.46
            logits = logits.softmax(1)
        if mix is None:
            return F.cross_entropy(logits, labels, weight, label_smoothing=smoothing)
        lighter, share = mix
        both, shares = torch.cat([labels, lighter]), torch.cat([share, 1 - share])
        each = F.cross_entropy(logits.repeat(2, 1), both, weight, reduction="none", label_smoothing=smoothing)
        return (shares * each).sum() / (shares if weight is None else shares * weight[both]).sum()

    return loss
