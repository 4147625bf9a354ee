"""Contenders with runs whose training began again with another optimiser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bakeoff.findings.runs import Groups


@dataclass(frozen=True)
class Fallback:
    """In `runs` of `n` runs, after `epochs` (of each run, without repetition), from one optimiser to another."""

    contender: str
    runs: int
    n: int
    epochs: tuple[int, ...]
    before: str
    after: str


def find_fallbacks(groups: Groups) -> Iterator[Fallback]:
    """One for each contender with such runs."""
    for name, runs in groups.items():
        fell = [(run.fallback_epoch, run) for run in runs if run.fallback_epoch is not None]
        if fell:
            epochs, first = tuple(sorted({epoch for epoch, _ in fell})), fell[0][1]
            before, after = first.spec.recipe.optimizer, first.history[-1]["optimizer"]
            yield Fallback(name, len(fell), len(runs), epochs, before, after)
