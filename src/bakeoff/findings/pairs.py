"""Verdicts on pairs of contenders: one family of pairs a dataset, decided once; everything else looks its pairs up."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from bakeoff.evaluation.verdicts import Pair, Verdict
from bakeoff.findings.changes import TOGETHER
from bakeoff.spec import Contender
from bakeoff.spec.study import Hypothesis, Sweep


def declared(
    contenders: Sequence[Contender], hypotheses: Iterable[Hypothesis], sweeps: Iterable[Sweep], known: Collection[str]
) -> list[tuple[str, str]]:
    """The pairs that the study file names before any run, each once, of contenders that are `known` to have a result.

    These are its hypotheses, neighbours in a sweep, an ensemble and each of its members, and a student and its twin.
    """
    pairs = [(h.better, h.worse) for h in hypotheses if h.relation != "faster"]
    for sweep in sweeps:
        names = [point.contender for point in sweep.points if point.contender in known]
        pairs += itertools.pairwise(dict.fromkeys(names))
    for contender in contenders:
        pairs += [(contender.name, member) for member in contender.ensemble]
        pairs += [(contender.name, compared) for compared in [partner(contender, contenders, known)] if compared]
    first = {frozenset(pair): pair for pair in reversed(pairs) if {*pair} <= {*known}}
    return [first[key] for key in dict.fromkeys(map(frozenset, pairs)) if key in first]


def partner(student: Contender, contenders: Sequence[Contender], known: Collection[str]) -> str:
    """Whom a student is compared with: its twin without a teacher, or else the teacher; nobody: empty."""
    if not (teacher := student.recipe.teacher):
        return ""
    none = {field: type(student.recipe).model_fields[field].default for field in TOGETHER["teacher"]}
    plain = student.model_copy(update={"recipe": student.recipe.model_copy(update=none)})
    twins = (c.name for c in contenders if not c.ensemble and c.same_run_as(plain) and c.name in known)
    return next(twins, teacher if teacher in known else "")


def better_first(pair: Pair) -> tuple[str, str] | None:
    """(the better, the worse) where one of the pair is shown to be better, else None."""
    return {"better": (pair.a, pair.b), "worse": (pair.b, pair.a)}.get(pair.verdict)


def seen_from(pair: Pair, name: str) -> Pair:
    """The comparison as that of `name`, one of its two, with the other."""
    if pair.a == name:
        return pair
    opposite: dict[Verdict, Verdict] = {"better": "worse", "worse": "better"}
    return replace(
        pair,
        a=pair.b,
        b=pair.a,
        difference=-pair.difference,
        low=-pair.high,
        high=-pair.low,
        runs=pair.runs[::-1],
        verdict=opposite.get(pair.verdict, pair.verdict),
    )


def versus(pairs: Iterable[Pair], a: str, b: str) -> Pair:
    """The comparison of `a` with `b`."""
    return next(seen_from(pair, a) for pair in pairs if {pair.a, pair.b} == {a, b})


def facing(pairs: Iterable[Pair], name: str, order: Sequence[str]) -> list[Pair]:
    """The comparisons of one contender with the others, in the `order` of their names."""
    turned = [seen_from(pair, name) for pair in pairs if name in (pair.a, pair.b)]
    return sorted(turned, key=lambda pair: order.index(pair.b))
