"""The verdicts of a study: one family of pairs a dataset, decided once; every section looks its pairs up there."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection, Mapping

from bakeoff.evaluation import verdicts
from bakeoff.evaluation.variances import Correct
from bakeoff.evaluation.verdicts import Estimate, Pair, Verdicts
from bakeoff.findings.changes import TOGETHER
from bakeoff.findings.tables import Summary
from bakeoff.spec import Contender
from bakeoff.spec.study import Study

Right = Mapping[str, Correct]
"""Of each contender with a run that trained: (S, M), which of M images each of its S runs recognises."""

ESTIMAND = (
    "Every verdict is on the difference in expected accuracy over training seeds and over images like the test "
    "images, for this training set, split and recipe."
)


def decide(study: Study, right: Right, candidates: Collection[str] | None = None) -> Verdicts:
    """The verdict on every pair of contenders on one dataset; who of the `candidates`, by default all, can be best."""
    among = declared(study, right)
    return verdicts.decide(right, declared=among, candidates=candidates, margin=study.margin, level=study.level)


def estimates(right: Right) -> dict[str, Estimate]:
    """Each contender's accuracy by itself: of images that need not be the same for all."""
    return {name: verdicts.decide({name: answers}).estimates[name] for name, answers in right.items()}


def declared(study: Study, right: Right) -> list[tuple[str, str]]:
    """The pairs with results that the study file names before any run, each once.

    These are its hypotheses, neighbours in a sweep, an ensemble and each of its members, and a pupil and its twin.
    """
    pairs = [(claim.better, claim.worse) for claim in study.hypotheses if claim.relation != "faster"]
    for sweep in study.sweeps:
        names = [point.contender for point in sweep.points if point.contender in right]
        pairs += itertools.pairwise(dict.fromkeys(names))
    for contender in study.contenders:
        pairs += [(contender.name, member) for member in contender.ensemble]
        pairs += [(contender.name, other) for other in [partner(study, contender, right)] if other]
    known = {frozenset(pair): pair for pair in reversed(pairs) if {*pair} <= {*right}}
    return [known[key] for key in dict.fromkeys(map(frozenset, pairs)) if key in known]


def partner(study: Study, pupil: Contender, right: Collection[str]) -> str:
    """Whom a taught contender is held against: its twin without a teacher, or else the teacher; nobody: empty."""
    if not pupil.recipe.teacher:
        return ""
    twin = next((other.name for other in study.contenders if _twins(other, pupil) and other.name in right), "")
    return twin or (pupil.recipe.teacher if pupil.recipe.teacher in right else "")


def _twins(plain: Contender, pupil: Contender) -> bool:
    """Whether the two differ in nothing but the teacher."""
    none = {field: type(pupil.recipe).model_fields[field].default for field in TOGETHER["teacher"]}
    taught = pupil.model_copy(update={"recipe": pupil.recipe.model_copy(update=none)})
    return not plain.ensemble and plain.same_run_as(taught)


def row(pair: Pair) -> Summary:
    """A pair as it stands in summary.json."""
    return {**dataclasses.asdict(pair), "runs": list(pair.runs)}


def plan(found: Verdicts) -> list[Summary]:
    """Of true differences the seeds that show them, as they stand in summary.json."""
    return [{"difference": difference, **dataclasses.asdict(need)} for difference, need in found.plan.items()]
