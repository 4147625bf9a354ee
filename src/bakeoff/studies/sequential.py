"""Beyond a study's own seeds: its choice trained again on fresh ones, and seeds added until it is decided."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from bakeoff.errors import UsageError
from bakeoff.evaluation.sequential import continue_with, looks
from bakeoff.findings.contenders import ranking, selected
from bakeoff.findings.pairs import declared
from bakeoff.findings.runs import all_correct, by_contender, only_learnt
from bakeoff.record import Run
from bakeoff.report.summary import contenders_of
from bakeoff.spec.study import Enough, Study

MAX_SEEDS = 10
"""Of a contender, where seeds are added until a study is decided."""


def on_fresh_seeds(study: Study, summary: Mapping[str, Any]) -> Study | None:
    """The part of a study that trains its choices again, each with all that it needs, on as many seeds after its own.

    None where there is no choice, or none that is chosen among several. A choice that is an ensemble over all seeds
    becomes one over all fresh seeds.
    """
    chosen = []
    for dataset in study.datasets:
        contenders = [c for c in contenders_of(summary) if c.dataset == dataset]
        best = selected(contenders)
        chosen += [best.name] if best and len(ranking(contenders)) > 1 else []
    if not chosen:
        return None
    most = max(study.seeds_of(contender).stop for contender in study.contenders)
    names = with_needs(study, chosen)
    changes = {
        "contenders": tuple(c for c in study.contenders if c.name in names),
        "first_seed": most,
        "sweeps": (),
        "hypotheses": (),
        "sections": (),
    }
    return study.model_copy(update=changes)


def with_needs(study: Study, names: Collection[str]) -> set[str]:
    """The contenders of these names, their members and teachers, and so on."""
    needed = {name for each in names for name in study.needs(study.contender(each))}
    return {*names} if needed <= {*names} else with_needs(study, {*names, *needed})


def until_decided(
    study: Study, most: int, train: Callable[[Study], Study], read: Callable[[Study], Sequence[Run]]
) -> Study:
    """Train a study's contenders with more and more seeds, each until it is decided or more would not help.

    It looks at the validation split only, after 3 and 5 seeds and at the end; each look spends a part of the level.

    Args:
        most: seeds of a contender at the most, 2 or more.
        train: trains what is missing of a study, and gives it with its records named.
        read: the finished runs of such a study.

    Returns:
        The study as trained: its seeds of each contender, its `level`, and why each got no more seeds.

    Raises:
        UsageError: `most` is less than 2.
    """
    if most < 2:
        raise UsageError(f"max_seeds = {most}: must be 2 or more: one seed decides nothing")
    going, enough = {c.name for c in study.contenders}, dict[str, Enough]()
    for seeds, level in looks(most, study.level):
        counts = {**study.seeds_each, **dict.fromkeys(going, seeds)}
        study = train(study.model_copy(update={"seeds": seeds, "seeds_each": counts, "level": level}))
        if seeds == most:
            enough |= dict.fromkeys(going, "seeds")
            break
        going = with_needs(study, _looked_at(study, read(study), level, enough))
        if not going:
            break
    return study.model_copy(update={"enough": {c.name: enough.get(c.name, "decided") for c in study.contenders}})


def _looked_at(study: Study, runs: Sequence[Run], level: float, enough: dict[str, Enough]) -> set[str]:
    """Who needs more seeds by a look at the validation split; why others have enough is noted in `enough`."""
    going: set[str] = set()
    for part in map(study.on, study.datasets):
        groups = only_learnt(by_contender([c.name for c in part.contenders], runs))
        right = all_correct(groups, "validation")
        enough |= {c.name: "untrained" for c in part.contenders if c.name not in right}
        if not right:
            continue
        images = len(groups[next(iter(right))][0].labels("test"))
        named = declared(part.contenders, part.hypotheses, part.sweeps, right)
        found = continue_with(right, level, declared=named, margin=part.margin, test_images=images)
        enough |= found.stopped
        going |= {*found.names}
    return going
