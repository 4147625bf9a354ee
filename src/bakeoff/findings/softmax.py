"""Contenders with softmax before their cross-entropy: how far down their loss came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bakeoff.evaluation import faults
from bakeoff.findings.runs import Groups, least_loss, outputs
from bakeoff.spec import Contender


@dataclass(frozen=True)
class SoftmaxBeforeLoss:
    """Losses are in nats; `way` is 0 at the loss of equal guessing and 1 at the least possible one, the floor."""

    contender: str
    n: int
    classes: int
    equal_loss: float
    floor: float
    train_loss: float
    way: float
    reported_loss: float | None
    reported_way: float | None


def find_softmax(contenders: Sequence[Contender], groups: Groups) -> Iterator[SoftmaxBeforeLoss]:
    """One for each such contender with finished runs."""
    for c in contenders:
        runs = groups[c.name]
        if not c.recipe.loss_entry.double_softmax or not runs or not runs[0].history:
            continue
        classes, train_loss = outputs(runs[0]), least_loss(runs)
        yield SoftmaxBeforeLoss(
            contender=c.name,
            n=len(runs),
            classes=classes,
            equal_loss=faults.equal_loss(classes),
            floor=faults.softmax_floor(classes),
            train_loss=train_loss,
            way=faults.way_down(train_loss, classes),
            reported_loss=c.reported.loss,
            reported_way=None if c.reported.loss is None else faults.way_down(c.reported.loss, classes),
        )
