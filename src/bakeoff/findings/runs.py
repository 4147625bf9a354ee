"""The runs that findings rest on: which belong together, which trained, and what their histories say."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bakeoff.errors import BakeoffError
from bakeoff.evaluation import faults
from bakeoff.evaluation.variances import Correct
from bakeoff.record import Row, Run
from bakeoff.record.manifest import Failed

Groups = Mapping[str, Sequence[Run]]
"""Runs of each contender by its name, in order of seed."""


def by_contender(names: Iterable[str], runs: Sequence[Run], status: str = "finished") -> dict[str, list[Run]]:
    """The runs with this status of each named contender, in order of seed; empty lists included.

    Raises:
        BakeoffError: two runs on one dataset were tested on different images, so that nothing here is paired.
    """
    groups: dict[str, list[Run]] = {name: [] for name in names}
    for run in sorted(runs, key=lambda run: run.spec.seed):
        if run.status == status and run.spec.contender in groups:
            groups[run.spec.contender].append(run)
    data: dict[tuple[str, float], Run] = {}
    tested: dict[str, Run] = {}
    for run in (run for group in groups.values() for run in group):
        first = data.setdefault((run.spec.dataset, run.spec.validation), run)
        same = run.dataset["fingerprint"] == first.dataset["fingerprint"]
        if run is first and status == "finished":  # another validation split leaves the test images as they are
            first = tested.setdefault(run.spec.dataset, run)
            same = np.array_equal(run.labels("test"), first.labels("test"))
        if not same:
            raise BakeoffError(f"{first.path} and {run.path}: both on {run.spec.dataset}, but made from different data")
    return groups


def correct(run: Run, split: str = "test") -> NDArray[np.bool_]:
    """(M,) whether each image of the split is recognised."""
    right: NDArray[np.bool_] = run.logits(split).argmax(axis=1) == run.labels(split)
    return right


def all_correct(groups: Groups, split: str = "test") -> dict[str, Correct]:
    """(S, M) of each contender with a run: which of the split's M images each of its S runs recognises."""
    return {name: np.stack([correct(run, split) for run in runs]) for name, runs in groups.items() if runs}


def learnt(run: Run) -> bool:
    """Whether a finished run is shown to beat, on validation images, always naming their most frequent class.

    One that is not has failed to train, just as one that diverged: neither counts in a mean or a verdict.
    """
    return not faults.guesses(run.metrics["validation_accuracy"], run.dataset["counts"]["validation"])


def only_learnt(groups: Groups) -> dict[str, list[Run]]:
    """Of every contender's finished runs those that trained."""
    return {name: [run for run in runs if learnt(run)] for name, runs in groups.items()}


def counted_epochs(run: Run) -> Sequence[Row]:
    """The epochs that led to the weights: of a run that fell back to another optimiser, those since."""
    return run.history[run.fallback_epoch or 0 :]


def outputs(run: Run) -> int:
    """How many logits the training loss is over."""
    return run.spec.recipe.task_choice.outputs(len(run.dataset["classes"]))


def least_loss(runs: Sequence[Run]) -> float:
    """Each run's lowest mean training loss of an epoch, mean over the runs."""
    return float(np.mean([min(row["train_loss"] for row in counted_epochs(run)) for run in runs]))


def find_failures(names: Collection[str], runs: Sequence[Run], failed: Sequence[Failed]) -> tuple[Failed, ...]:
    """The named contenders' runs without a result: those that diverged, then those not trained or not readable."""
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
