"""The losses, and what of a recipe and of the classes each of them takes."""

from __future__ import annotations

import dataclasses

from bakeoff.spec.registry import Entry, Registry
from bakeoff.spec.settings import Frozen


@dataclasses.dataclass(frozen=True)
class Loss(Entry[Frozen]):
    """A function of (logits (N, K), targets (N,), weight (K,) or None, label smoothing, `mean` or `none`), which gives
    the mean over the images, weighted by their targets' weights, or each image's loss (N,); its settings are
    keyword-only."""

    smoothing: bool = False
    """It takes the recipe's `label_smoothing`."""
    balanced: bool = False
    """Classes are weighted by their inverse frequency in the training split, with a mean weight of 1."""


CROSS_ENTROPY = "bakeoff.training.loss:cross_entropy"
LOSSES: Registry[Loss] = Registry(
    "loss",
    {
        "cross_entropy": Loss(CROSS_ENTROPY, Frozen, smoothing=True),
        "balanced_cross_entropy": Loss(CROSS_ENTROPY, Frozen, smoothing=True, balanced=True),
        "softmax_output": Loss("bakeoff.training.loss:softmax_output", Frozen),
    },
    kind=Loss,
    group="losses",
)
