"""Learning rates and stopping as pure functions of the step and the history: nothing to carry or save."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bakeoff.record import Row
from bakeoff.spec.choices import Best, Cosine, Early, Frozen, OneCycle, Plateau, Step, Switch


def rate_factor(schedule: Frozen, step: int, steps: int, epochs: int, rows: Sequence[Row]) -> float:
    """What the learning rate is multiplied by.

    Args:
        schedule: one of `spec.SCHEDULES`.
        step: steps done in this fit.
        steps: steps in an epoch.
        epochs: epochs in this fit.
        rows: the history rows of this fit's finished epochs.
    """
    match schedule:
        case Step(every=every, gamma=gamma):
            return float(gamma ** (step // steps // every))
        case Cosine(floor=floor, warmup=warmup):
            rise = warmup * steps * epochs
            if step < rise:
                return step / rise
            done = (step - rise) / (steps * epochs - rise)
            return floor + (1 - floor) * (1 + math.cos(math.pi * done)) / 2
        case OneCycle(warmup=warmup, start=start, end=end):
            # the peak falls on a step of its own, as in torch.optim.lr_scheduler.OneCycleLR
            peak, last = max(warmup * steps * epochs - 1, 0), steps * epochs - 1
            if step <= peak:  # a fit of a step or two begins at its peak
                return _half_cosine(1 / start, 1, step / peak) if peak else 1.0
            return _half_cosine(1, 1 / (start * end), (step - peak) / (last - peak))
        case Plateau(monitor=monitor, factor=factor, patience=patience, min_delta=min_delta):
            drops, waited, best = 0, 0, math.inf
            for value in _falling(rows, monitor):
                waited, best = (0, value) if value < best - min_delta else (waited + 1, best)
                if waited >= max(patience, 1):
                    drops, waited = drops + 1, 0
            return float(factor**drops)
        case _:
            return 1.0


def _half_cosine(first: float, last: float, part: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * part)) / 2


def _falling(rows: Sequence[Row], monitor: str) -> list[float]:
    """The monitored values, turned so that lower is better."""
    sign = -1 if monitor.endswith("accuracy") else 1
    return [sign * row[monitor] for row in rows]


def should_stop(stop: Frozen, rows: Sequence[Row]) -> bool:
    """True when the fit's monitored value has not improved for `patience` epochs, 0 meaning 1 (Keras's rule)."""
    if not isinstance(stop, Early):
        return False
    waited, best = 0, math.inf
    for value in _falling(rows, stop.monitor):
        waited, best = (0, value) if value < best - stop.min_delta else (waited + 1, best)
    return waited >= max(stop.patience, 1)


def falls_back(fallback: Frozen, rows: Sequence[Row], outputs: int) -> bool:
    """True at the epoch after which training begins anew, since its loss has not fallen at all.

    Equal logits have a loss of ln(outputs) under every loss there is, but for smoothed labels and weighted classes
    together.

    Args:
        fallback: one of `spec.FALLBACKS`.
        rows: the history rows of all finished epochs of the run.
        outputs: the logits that the loss is over.
    """
    if not isinstance(fallback, Switch) or len(rows) != fallback.after:
        return False
    limit = (1 - fallback.gain) * math.log(outputs)
    return all(row["train_loss"] >= limit for row in rows)


def is_best(keep: Best, rows: Sequence[Row]) -> bool:
    """True when the last row's monitored value is the best so far; of equals, the first."""
    values = _falling(rows, keep.monitor)
    return all(values[-1] < value for value in values[:-1])
