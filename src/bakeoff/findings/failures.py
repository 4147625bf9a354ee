"""Runs without a result, and why."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bakeoff.record import Run
from bakeoff.record.manifest import Failed


def find_failures(names: Collection[str], runs: Sequence[Run], failed: Sequence[Failed]) -> tuple[Failed, ...]:
    """Those of the named contenders: runs that diverged, then those that could not be trained or read."""
    diverged = [
        Failed(
            contender=run.spec.contender,
            seed=run.spec.seed,
            run=run.path.name,
            kind="diverged",
            reason=f"a value became non-finite in epoch {len(run.history) + 1}",
        )
        for run in runs
        if run.status == "diverged"
    ]
    return tuple(failure for failure in (*diverged, *failed) if failure.contender in names)
