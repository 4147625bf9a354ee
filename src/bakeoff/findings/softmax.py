"""Contenders with softmax before their cross-entropy: how far down their loss came, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bakeoff.evaluation import faults
from bakeoff.evaluation.verdicts import Pair
from bakeoff.findings.contenders import ContenderResult, ranking
from bakeoff.findings.one_change import OneChange
from bakeoff.findings.pairs import versus
from bakeoff.findings.runs import Groups, least_loss, outputs
from bakeoff.spec import Contender


@dataclass(frozen=True)
class Part:
    """A single change's share of a gap."""

    change: OneChange
    share: float


@dataclass(frozen=True)
class Gap:
    """The way from a contender to the best repaired one of its network, which is better, and what parts of it do."""

    pair: Pair
    """Of the repaired contender with the other."""
    parts: tuple[Part, ...]


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
    without: OneChange | None
    """The same contender without the softmax."""
    gap: Gap | None


def find_softmax(
    contenders: Sequence[Contender],
    groups: Groups,
    results: Sequence[ContenderResult],
    pairs: Sequence[Pair],
    single: Sequence[OneChange],
) -> Iterator[SoftmaxBeforeLoss]:
    """One for each such contender with finished runs; `single` are the pairs that differ in one thing."""
    repaired = {c.name: c for c in contenders if c.variant == "repaired"}
    for c in contenders:
        runs = groups[c.name]
        if c.recipe.loss != "softmax_output" or not runs or not runs[0].history:
            continue
        classes, reached = outputs(runs[0]), least_loss(runs)
        changes = [one for one in single if one.before == c.name]
        yield SoftmaxBeforeLoss(
            contender=c.name,
            n=len(runs),
            classes=classes,
            equal_loss=faults.equal_loss(classes),
            floor=faults.softmax_floor(classes),
            train_loss=reached,
            way=faults.way_down(reached, classes),
            reported_loss=c.reported.loss,
            reported_way=None if c.reported.loss is None else faults.way_down(c.reported.loss, classes),
            without=next((one for one in changes if one.change.what == "loss"), None),
            gap=_gap(c, repaired, results, pairs, [one for one in changes if one.after in repaired]),
        )


def _gap(
    contender: Contender,
    repaired: Mapping[str, Contender],
    results: Sequence[ContenderResult],
    pairs: Sequence[Pair],
    changes: Sequence[OneChange],
) -> Gap | None:
    """None where there is no repaired contender of the network, where one change alone is all of the way to it or none
    helps, or where it is not shown to be better."""
    mended = [name for name, c in repaired.items() if c.model == contender.model and not c.recipe.teacher]
    best = next((c.name for c in ranking(results) if c.name in mended and c.may_be_selected), "")
    known = contender.name in [c.name for c in ranking(results)]
    if not known or best in ("", contender.name, *(one.after for one in changes)):
        return None
    pair = versus(pairs, best, contender.name)
    parts = tuple(Part(one, one.pair.difference / pair.difference) for one in changes if one.pair.difference > 0)
    return Gap(pair, parts) if pair.verdict == "better" and parts else None
