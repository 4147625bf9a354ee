"""Contenders with runs that learnt nothing, and which change makes them learn."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bakeoff.evaluation import faults
from bakeoff.findings.changes import Change
from bakeoff.findings.one_change import between, related
from bakeoff.findings.runs import Groups, learnt, least_loss, outputs
from bakeoff.spec import Contender


@dataclass(frozen=True)
class Way:
    """A contender that learns, and what it does otherwise."""

    contender: str
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Guessing:
    """`runs` of `n` finished ones learnt nothing; losses are in nats, `equal_loss` that of equal guessing, if known."""

    contender: str
    runs: int
    n: int
    train_loss: float
    equal_loss: float | None
    validation_accuracy: float
    most_frequent: float
    """The part of the validation images that are of their most frequent class."""
    trains: tuple[Way, ...]


def find_guessing(contenders: Sequence[Contender], groups: Groups) -> Iterator[Guessing]:
    """One for each contender with such runs, with the nearest that learn."""
    guessed = {name: [run for run in runs if run.history and not learnt(run)] for name, runs in groups.items()}
    for c in contenders:
        if runs := guessed[c.name]:
            counts = runs[0].dataset["counts"]["validation"]
            yield Guessing(
                contender=c.name,
                runs=len(runs),
                n=len(groups[c.name]),
                train_loss=least_loss(runs),
                equal_loss=faults.equal_loss(outputs(runs[0])) if runs[0].spec.recipe.equal_is_log_classes else None,
                validation_accuracy=float(np.mean([run.metrics["validation_accuracy"] for run in runs])),
                most_frequent=max(counts) / sum(counts),
                trains=_trains(c, contenders, groups, [name for name, runs in guessed.items() if runs]),
            )


def _trains(
    contender: Contender, contenders: Sequence[Contender], groups: Groups, guessing: Collection[str]
) -> tuple[Way, ...]:
    """At most two contenders that do learn: those a single change away, else the nearest."""
    able = [c for c in contenders if groups[c.name] and not c.ensemble and c.name not in guessing]
    ways = [Way(c.name, tuple(between(groups, contender.name, c.name))) for c in able if related(contender, c)]
    ways.sort(key=lambda way: (len(way.changes), sum(len(change.fields) for change in way.changes)))
    return tuple([way for way in ways if len(way.changes) == 1][:2] or ways[:1])
