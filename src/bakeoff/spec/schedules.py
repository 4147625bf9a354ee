"""Schedules of the learning rate: pure functions of the step and the history, with nothing to carry along or save."""

from __future__ import annotations

import math

from pydantic import Field

from bakeoff.spec.registry import Entry, Registry
from bakeoff.spec.settings import Frozen
from bakeoff.spec.stopping import Monitor, Rows, waits


class Schedule(Frozen):
    """The same learning rate throughout."""

    def multiplier(self, step: int, steps: int, epochs: int, rows: Rows) -> float:  # noqa: ARG002
        """What the learning rate is multiplied by, 0 ... 1.

        Args:
            step: steps done in this round.
            steps: steps in an epoch.
            epochs: epochs in this round.
            rows: the history rows of this round's finished epochs.
        """
        return 1.0


class Step(Schedule):
    """lr x gamma^floor(epoch / every)."""

    every: int = Field(3, ge=1, description="epochs between two drops")
    gamma: float = Field(0.1, gt=0, le=1, description="factor of each drop")

    def multiplier(self, step: int, steps: int, epochs: int, rows: Rows) -> float:  # noqa: ARG002
        return float(self.gamma ** (step // steps // self.every))


class Cosine(Schedule):
    """Half a cosine from lr to `floor` x lr (Loshchilov & Hutter 2017, one period)."""

    floor: float = Field(0.0, ge=0, le=1, description="last learning rate as a part of the first")
    warmup: float = Field(0.0, ge=0, lt=1, description="part of all steps spent rising linearly from 0")

    def multiplier(self, step: int, steps: int, epochs: int, rows: Rows) -> float:  # noqa: ARG002
        rise = self.warmup * steps * epochs
        if step < rise:
            return step / rise
        done = (step - rise) / (steps * epochs - rise)
        return _half_cosine(1, self.floor, done)


class OneCycle(Schedule):
    """Up from lr / `start` to lr and down to lr / (`start` x `end`), both on half cosines (Smith 2018)."""

    warmup: float = Field(0.3, gt=0, lt=1, description="part of all steps spent rising")
    start: float = Field(25.0, ge=1, description="the learning rate starts at lr / start")
    end: float = Field(1e4, ge=1, description="it ends at lr / (start x end)")

    def multiplier(self, step: int, steps: int, epochs: int, rows: Rows) -> float:  # noqa: ARG002
        # the peak falls on a step of its own, as in torch.optim.lr_scheduler.OneCycleLR
        peak, last = max(self.warmup * steps * epochs - 1, 0), steps * epochs - 1
        if step <= peak:  # a round of a step or two begins at its peak
            return _half_cosine(1 / self.start, 1, step / peak) if peak else 1.0
        return _half_cosine(1, 1 / (self.start * self.end), (step - peak) / (last - peak))


def _half_cosine(first: float, last: float, part: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * part)) / 2


class Plateau(Schedule):
    """lr x `factor` after every `patience` epochs in a row in which `monitor` has not improved by more than
    `min_delta`, as Keras's ReduceLROnPlateau (PyTorch's acts an epoch later, after patience + 1)."""

    monitor: Monitor = "validation_loss"
    factor: float = Field(0.5, gt=0, lt=1)
    patience: int = Field(3, ge=0, description="epochs; 0 means 1")
    min_delta: float = Field(1e-4, ge=0)

    def multiplier(self, step: int, steps: int, epochs: int, rows: Rows) -> float:  # noqa: ARG002
        counts = waits(rows, self.monitor, self.min_delta)
        return float(self.factor ** sum(count > 0 and count % max(self.patience, 1) == 0 for count in counts))


SCHEDULES: Registry[Entry[Schedule]] = Registry(
    "schedule",
    {
        "constant": Entry(Schedule),
        "step": Entry(Step),
        "cosine": Entry(Cosine),
        "one-cycle": Entry(OneCycle),
        "plateau": Entry(Plateau),
    },
)
