"""The selected contender measured on fresh seeds, that it was not selected by."""

from __future__ import annotations

from collections.abc import Sequence

from bakeoff.evaluation.verdicts import estimate
from bakeoff.findings.contenders import ContenderResult, find_results
from bakeoff.findings.runs import all_correct, by_contender, only_learnt
from bakeoff.record import Run
from bakeoff.spec import Contender


def find_confirmation(selected: Contender, dataset: str, fresh: Sequence[Run]) -> tuple[ContenderResult, ...]:
    """Its numbers over the fresh runs, if there are any that ended."""
    name = selected.name
    ended, diverged = (by_contender([name], fresh, status) for status in ("finished", "diverged"))
    if not ended[name] and not diverged[name]:
        return ()
    groups = only_learnt(ended)
    test = {key: estimate(answers) for key, answers in all_correct(groups).items()}
    return tuple(find_results([selected], {name: dataset}, ended, groups, [name] * len(diverged[name]), test))
