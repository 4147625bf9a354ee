"""Beyond a study's own seeds: its selected contenders trained again on fresh ones, and seeds added until decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bakeoff.evaluation.sequential import continue_with, looks
from bakeoff.findings.contenders import ranking, selected
from bakeoff.findings.pairs import declared
from bakeoff.findings.runs import all_correct, by_contender, only_learnt
from bakeoff.record import Run
from bakeoff.record.manifest import Enough
from bakeoff.report.summary import contenders_of
from bakeoff.spec.plan import Plan


def on_fresh_seeds(plan: Plan, summary: Mapping[str, Any]) -> Plan | None:
    """The part of a plan that trains its selected contenders again, each with all that it needs, on as many seeds
    after its own.

    None where there is none, or none that is selected among several. One that is an ensemble over all seeds becomes
    one over all fresh seeds.
    """
    names = []
    for dataset in plan.datasets:
        contenders = [c for c in contenders_of(summary) if c.dataset == dataset]
        best = selected(contenders)
        names += [best.name] if best and len(ranking(contenders)) > 1 else []
    if not names:
        return None
    needed = plan.with_needs(names)
    changes = {
        "contenders": tuple(c for c in plan.contenders if c.name in needed),
        "first_seed": max(plan.seeds_of(contender).stop for contender in plan.contenders),
        "sweeps": (),
        "hypotheses": (),
        "sections": (),
    }
    return plan.model_copy(update=changes)


def until_decided(
    plan: Plan, max_seeds: int, train: Callable[[Plan], Plan], read: Callable[[Plan], Sequence[Run]]
) -> tuple[Plan, dict[str, Enough]]:
    """Train a plan's contenders with more and more seeds, each until it is decided or more would not help.

    It looks at the validation split only, after 3 and 5 seeds and at the end; each look spends a part of the level.

    Args:
        max_seeds: of a contender, 2 or more.
        train: trains what is missing of a plan, and gives it with its runs located.
        read: the finished runs of such a plan.

    Returns:
        The plan as trained, with its seeds of each contender and its `level`, and why each got no more seeds.
    """
    undecided, enough = {c.name for c in plan.contenders}, dict[str, Enough]()
    for seeds, level in looks(max_seeds, plan.level):
        counts = {**plan.seeds_each, **dict.fromkeys(undecided, seeds)}
        plan = train(plan.model_copy(update={"seeds": seeds, "seeds_each": counts, "level": level}))
        if seeds == max_seeds:
            enough |= dict.fromkeys(undecided, "seeds")
            break
        undecided = plan.with_needs(_undecided(plan, read(plan), level, enough))
        if not undecided:
            break
    return plan, {c.name: enough.get(c.name, "decided") for c in plan.contenders}


def _undecided(plan: Plan, runs: Sequence[Run], level: float, enough: dict[str, Enough]) -> set[str]:
    """Who needs more seeds by a look at the validation split; why others need none is noted in `enough`."""
    undecided: set[str] = set()
    for part in map(plan.on, plan.datasets):
        groups = only_learnt(by_contender([c.name for c in part.contenders], runs))
        right = all_correct(groups, "validation")
        enough |= {c.name: "untrained" for c in part.contenders if c.name not in right}
        if not right:
            continue
        images = len(groups[next(iter(right))][0].labels("test"))
        named = declared(part.contenders, part.hypotheses, part.sweeps, right)
        next_look = continue_with(right, level, declared=named, margin=part.margin, test_images=images)
        enough |= next_look.stopped
        undecided |= {*next_look.names}
    return undecided
