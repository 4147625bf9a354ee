"""What an ensemble adds to its best member, and a student to its twin without teacher, or else to the teacher."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from bakeoff.evaluation.verdicts import Pair
from bakeoff.findings.contenders import ContenderResult, ranking
from bakeoff.findings.pairs import partner, versus
from bakeoff.spec import Contender

Against = Literal["best member", "twin", "teacher"]


@dataclass(frozen=True)
class Addition:
    """The comparison of what was added with what it was added to."""

    against: Against
    pair: Pair
    trained_on_test: bool
    """Whether what was added was trained on test images."""


def find_additions(
    contenders: Sequence[Contender], results: Sequence[ContenderResult], pairs: Sequence[Pair]
) -> Iterator[Addition]:
    """One for each ensemble and student with a result, and one to compare it with; the best member by validation."""
    trained = {c.name: c for c in ranking(results)}
    for c in (c for c in contenders if c.name in trained):
        on_test = trained[c.name].trains_on_test
        if c.ensemble:
            if member := next((name for name in trained if name in c.ensemble), None):
                yield Addition("best member", versus(pairs, c.name, member), on_test)
        elif compared := partner(c, contenders, trained):
            against: Against = "teacher" if compared == c.recipe.teacher else "twin"
            yield Addition(against, versus(pairs, c.name, compared), on_test)
