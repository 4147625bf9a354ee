"""Pairs with a contender as reported that differ in exactly one thing."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bakeoff.evaluation.verdicts import Pair
from bakeoff.findings.changes import Change, changes
from bakeoff.findings.contenders import ContenderResult, ranking
from bakeoff.findings.pairs import versus
from bakeoff.findings.runs import Groups
from bakeoff.spec import Contender


@dataclass(frozen=True)
class OneChange:
    """What one change does: `pair` compares the contender `after` it with the one `before` it."""

    before: str
    after: str
    change: Change
    pair: Pair
    share: float
    """Of the gain from `before` to the best repaired contender of its network; nan where none is shown to be better."""


def find_one_change(
    contenders: Sequence[Contender],
    swept: Collection[str],
    groups: Groups,
    results: Sequence[ContenderResult],
    pairs: Sequence[Pair],
) -> tuple[OneChange, ...]:
    """Repairs first, then other changes to one network, then networks of which one is named after the other.

    Points of a sweep (`swept`) have a section of their own, and so have different networks under one recipe.
    """
    candidates = [c for c in contenders if groups[c.name] and not c.ensemble and (c.variant or c.name not in swept)]
    taught = {c.name for c in contenders if c.recipe.teacher}
    repaired = [c for c in ranking(results) if c.variant == "repaired" and c.may_be_selected and c.name not in taught]
    best, ranked = {c.model: c.name for c in reversed(repaired)}, []
    for pair in itertools.combinations(candidates, 2):
        before, after = sorted(pair, key=lambda c: c.variant != "as reported")
        if before.variant == "as reported" and related(before, after):
            differences = between(groups, before.name, after.name)
            if len(differences) == 1:
                rank = 2 if differences[0].what == "model" else int(after.variant == "as reported")
                compared = versus(pairs, after.name, before.name)
                gap = versus(pairs, best[before.model], before.name) if before.model in best else None
                share = compared.difference / gap.difference if gap and gap.verdict == "better" else math.nan
                ranked.append((rank, OneChange(before.name, after.name, differences[0], compared, share)))
    return tuple(change for _, change in sorted(ranked, key=lambda entry: entry[0]))


def between(groups: Groups, before: str, after: str) -> list[Change]:
    """What differs between two contenders' runs."""
    return changes(groups[before][0].spec, groups[after][0].spec)


def related(a: Contender, b: Contender) -> bool:
    """Whether both have one network, or one of them is named after the other's: `resnet34`, `se_resnet34`."""
    first, second = ({*c.model.split("_")} for c in (a, b))
    return first <= second or second <= first
