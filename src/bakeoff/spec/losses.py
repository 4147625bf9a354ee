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
    equal_is_log_classes: bool = False
    """Equal logits for K classes cost ln K, whatever the targets; but where smoothed labels meet weighted classes."""

    double_softmax: bool = False
    """It takes the softmax's output for logits, and applies the softmax once more."""

    @property
    def about(self) -> str:
        """What the function computes, and how it weights the classes."""
        return super().about + (" Classes are weighted by their inverse frequency." if self.balanced else "")


CROSS_ENTROPY = "bakeoff.training.loss:cross_entropy"
LOSSES: Registry[Loss] = Registry(
    "loss",
    {
        "cross_entropy": Loss(CROSS_ENTROPY, Frozen, smoothing=True, equal_is_log_classes=True),
        "balanced_cross_entropy": Loss(CROSS_ENTROPY, Frozen, smoothing=True, balanced=True, equal_is_log_classes=True),
        "softmax_output": Loss(
            "bakeoff.training.loss:softmax_output", Frozen, equal_is_log_classes=True, double_softmax=True
        ),
    },
    kind=Loss,
    group="losses",
)
