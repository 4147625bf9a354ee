"""What contenders gain that choose their epoch on the test set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bakeoff.evaluation import faults
from bakeoff.evaluation.metrics import Interval, over_seeds
from bakeoff.findings.runs import Groups, counted_epochs


@dataclass(frozen=True)
class ChosenOnTest:
    """Test accuracies of the best epoch by test, of the best by validation, and of the last: means over `n` runs."""

    contender: str
    n: int
    epochs: int
    by_test: float
    by_validation: float
    last: float
    over: Mapping[Literal["by_validation", "last"], Interval]
    """The gain of the best epoch by test over the others, with Student's t interval over the seeds, not below 0."""


def find_test_choices(groups: Groups) -> Iterator[ChosenOnTest]:
    """One for each such contender with finished runs."""
    for name, all_runs in groups.items():
        runs = [counted_epochs(run) for run in all_runs if run.spec.recipe.selects_on_test]
        if runs:
            by_test, by_validation, last = np.array([faults.epoch_choice(epochs) for epochs in runs]).T
            yield ChosenOnTest(
                contender=name,
                n=len(runs),
                epochs=max(map(len, runs)),
                by_test=float(by_test.mean()),
                by_validation=float(by_validation.mean()),
                last=float(last.mean()),
                over={"by_validation": _gain(by_test - by_validation), "last": _gain(by_test - last)},
            )


def _gain(values: Sequence[float]) -> Interval:
    gain = over_seeds(values)
    return Interval(gain.mean, float(np.maximum(gain.low, 0.0)), gain.high)
