"""The selected contender measured on fresh seeds, that it was not selected by."""

from __future__ import annotations

from collections.abc import Sequence

from bakeoff.evaluation.verdicts import estimate
from bakeoff.findings.contenders import ContenderResult, find_results
from bakeoff.findings.runs import all_correct, by_contender, only_learnt
from bakeoff.record import Run
from bakeoff.spec.plan import Plan


def find_confirmation(study: Plan, selected: str, fresh: Sequence[Run]) -> tuple[ContenderResult, ...]:
    """Its numbers over the fresh runs, if there are any that ended."""
    ended, diverged = (by_contender([selected], fresh, status) for status in ("finished", "diverged"))
    if not ended[selected] and not diverged[selected]:
        return ()
    groups = only_learnt(ended)
    test = {name: estimate(answers) for name, answers in all_correct(groups).items()}
    alone = study.model_copy(update={"contenders": (study.contender(selected),)})
    return tuple(find_results(alone, ended, groups, [selected] * len(diverged[selected]), test))
