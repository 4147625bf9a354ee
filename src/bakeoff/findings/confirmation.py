"""The selected contender measured on fresh seeds, that it was not selected by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bakeoff.evaluation.metrics import Interval
from bakeoff.evaluation.verdicts import estimate
from bakeoff.findings.contenders import NOTHING
from bakeoff.findings.runs import all_correct, by_contender, only_learnt
from bakeoff.record import Run


@dataclass(frozen=True)
class Confirmation:
    """Of the fresh runs `n` finished, `trained` of these learnt something, and `failed` did not finish."""

    contender: str
    n: int
    trained: int
    failed: int
    interval: Literal["new images", "wilson"] | None
    test_accuracy: Interval
    seeds: tuple[int, ...]

    @property
    def ended(self) -> int:
        return self.n + self.failed


def find(name: str, fresh: Sequence[Run]) -> tuple[Confirmation, ...]:
    """That of the contender `name`, if it has fresh runs that ended."""
    finished, diverged = (by_contender([name], fresh, status)[name] for status in ("finished", "diverged"))
    if not finished and not diverged:
        return ()
    groups = only_learnt({name: finished})
    answers = all_correct(groups).get(name)
    found = None if answers is None else estimate(answers)
    seeds = tuple(run.spec.seed for run in groups[name])
    kind, accuracy = (found.kind, found) if found else (None, NOTHING)
    return (Confirmation(name, len(finished), len(seeds), len(diverged), kind, accuracy, seeds),)
