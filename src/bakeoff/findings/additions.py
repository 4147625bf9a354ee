"""What an ensemble adds to its best member, and a student to its twin without teacher, or else to the teacher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bakeoff.evaluation.verdicts import Pair
from bakeoff.findings.contenders import ContenderResult, ranking
from bakeoff.findings.pairs import partner, versus
from bakeoff.spec import Contender


@dataclass(frozen=True)
class Addition:
    """The comparison of what was added with what it was added to."""

    what: Literal["ensemble", "student"]
    against: Literal["best member", "only member", "twin", "teacher"]
    pair: Pair
    trained_on_test: bool
    """Whether what was added was trained on test images."""


def find_additions(
    contenders: Sequence[Contender], results: Sequence[ContenderResult], pairs: Sequence[Pair]
) -> tuple[Addition, ...]:
    """One for each ensemble and student with a result, and one to compare it with; the best member by validation."""
    trained = {c.name: c for c in ranking(results)}
    found: list[Addition] = []
    for c in (c for c in contenders if c.name in trained):
        on_test = trained[c.name].trains_on_test
        if c.ensemble:
            if member := next((name for name in trained if name in c.ensemble), None):
                which: Literal["best member", "only member"] = "best member" if c.ensemble[1:] else "only member"
                found.append(Addition("ensemble", which, versus(pairs, c.name, member), on_test))
        elif other := partner(c, contenders, trained):
            against: Literal["twin", "teacher"] = "teacher" if other == c.recipe.teacher else "twin"
            found.append(Addition("student", against, versus(pairs, c.name, other), on_test))
    return tuple(found)
