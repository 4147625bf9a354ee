"""What is decided after an epoch: whether the round ends, whether its weights are kept, whether training restarts.

Each is a pure function of the history, so that there is nothing to carry along or to save.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from bakeoff.spec.optimizers import OPTIMIZERS
from bakeoff.spec.registry import Entry, Registry
from bakeoff.spec.settings import Frozen

Monitor = Literal["train_loss", "train_accuracy", "validation_loss", "validation_accuracy"]
Rows = Sequence[Mapping[str, Any]]
"""History rows, one for each finished epoch."""


def falling(rows: Rows, monitor: str) -> list[float]:
    """The monitored values, negated for an accuracy, so that lower is better."""
    sign = -1 if monitor.endswith("accuracy") else 1
    return [sign * row[monitor] for row in rows]


def waits(rows: Rows, monitor: str, min_delta: float) -> list[int]:
    """After each row, for how many epochs the monitored value has not improved by more than `min_delta`."""
    counts, best = [0], math.inf
    for value in falling(rows, monitor):
        improved = value < best - min_delta
        counts.append(0 if improved else counts[-1] + 1)
        best = value if improved else best
    return counts


class Stop(Frozen):
    """Every round runs all its epochs."""

    def stops(self, rows: Rows) -> bool:  # noqa: ARG002
        """True where the round ends after the last of `rows`, its finished epochs."""
        return False


class Early(Stop):
    """A round ends after `patience` epochs in a row in which `monitor` has not improved by more than `min_delta`, as
    with Keras's EarlyStopping, whose default is 0: at the first such epoch."""

    monitor: Monitor = "validation_loss"
    patience: int = Field(5, ge=0, description="epochs; 0 means 1")
    min_delta: float = Field(0.0, ge=0)

    def stops(self, rows: Rows) -> bool:
        return waits(rows, self.monitor, self.min_delta)[-1] >= max(self.patience, 1)


STOPS: Registry[Entry[Stop]] = Registry("stop", {"never": Entry(Stop), "early": Entry(Early)})


class Keep(Frozen):
    """The weights after the last epoch."""

    def is_best(self, rows: Rows) -> bool:  # noqa: ARG002
        """True where the weights after the last of `rows` must be set aside, since those of a later epoch may not be
        the ones that are evaluated."""
        return False

    @property
    def criterion(self) -> str:
        """The column of the history that chooses the epoch, such as `validation_loss`; empty: none does."""
        return ""


class Best(Keep):
    """The weights after the epoch with the best `monitor`. `test_accuracy` is a fault some reports have:
    it is there to be reproduced, and every page marks the contender that uses it."""

    monitor: Literal["train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "test_accuracy"] = (
        "validation_loss"
    )

    def is_best(self, rows: Rows) -> bool:
        """True where the last row's monitored value is the best so far; of equals, the first."""
        values = falling(rows, self.monitor)
        return all(values[-1] < value for value in values[:-1])

    @property
    def criterion(self) -> str:
        return self.monitor


KEEPS: Registry[Entry[Keep]] = Registry("keep", {"last": Entry(Keep), "best": Entry(Best)})


class Fallback(Frozen):
    """Training goes on as it began, whether or not the loss falls."""

    def applies(self, rows: Rows, outputs: int) -> bool:  # noqa: ARG002
        """True after the epoch at which training restarts.

        Equal logits have a loss of ln(outputs): a recipe of which that is not known takes no fallback.

        Args:
            rows: all finished epochs of the run.
            outputs: the logits that the loss is over.
        """
        return False

    def changes(self) -> dict[str, Any]:
        """The fields of the recipe that differ after the restart, besides `fallback`; none: it never restarts."""
        return {}


class Switch(Fallback):
    """Training whose loss does not fall restarts, once, with another optimiser: from the initial weights, with
    schedule and stop from their beginning.

    That is where after `after` epochs none had a mean training loss below (1 - gain) x that of equal logits.
    """

    optimizer: str = "sgd"
    lr: float = Field(0.01, gt=0, le=1000)
    momentum: float = Field(0.1, ge=0, lt=1)
    after: int = Field(3, ge=1, description="epochs")
    gain: float = Field(0.01, ge=0, lt=1, description="a part of the loss of equal logits")

    def applies(self, rows: Rows, outputs: int) -> bool:
        limit = (1 - self.gain) * math.log(outputs)
        return len(rows) == self.after and all(row["train_loss"] >= limit for row in rows)

    def changes(self) -> dict[str, Any]:
        takes = "momentum" in OPTIMIZERS.find(self.optimizer).takes or "momentum" in self.model_fields_set
        momentum = self.momentum if takes else 0.0
        return {"optimizer": self.optimizer, "lr": self.lr, "momentum": momentum, "nesterov": False}


FALLBACKS: Registry[Entry[Fallback]] = Registry("fallback", {"never": Entry(Fallback), "switch": Entry(Switch)})
