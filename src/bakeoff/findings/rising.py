"""By how much validation accuracy still rose at the end of training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bakeoff.findings.runs import Groups, counted_epochs


@dataclass(frozen=True)
class Rise:
    """The gain in validation accuracy over the last `epochs`, mean over the seeds."""

    contender: str
    epochs: int
    gain: float


def find_rising(groups: Groups) -> Iterator[Rise]:
    """Over the last fifth of the epochs, of contenders that were trained for five or more."""
    for name, runs in groups.items():
        histories = [[row["validation_accuracy"] for row in counted_epochs(run)] for run in runs]
        epochs = min(map(len, histories), default=0)
        if epochs >= 5:
            last = epochs // 5
            gain = float(np.mean([values[-1] - values[-1 - last] for values in histories]))
            yield Rise(name, last, gain)
