"""Points of sweeps that are, all parameters spelled out, another contender."""

from __future__ import annotations

from collections.abc import Iterable

from bakeoff.spec import Contender
from bakeoff.spec.hypothesis import Hypothesis
from bakeoff.spec.study import Study
from bakeoff.spec.study_parts import Point, Sweep


def merge_points(study: Study) -> Study:
    """The study without the contenders that only a sweep's point made, where an earlier contender is the same run:
    once all parameters and choices are spelled out, a point that names a default is its base. All that speaks of them
    speaks of the earlier one."""
    from bakeoff.training.digest import resolved

    specs = {spec.contender: spec for spec in reversed(study.runs())}  # of the first seed of each
    trained = {name: (s.dataset, s.recipe.teacher, s.recipe.weights, resolved(s)) for name, s in specs.items()}
    same: dict[str, str] = {}
    for name in dict.fromkeys(point.contender for sweep in study.sweeps for point in sweep.points):
        first = next(c.name for c in study.contenders if trained[c.name] == trained[name])
        if first != name:
            same[name] = first
    if not same:
        return study

    def renamed(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(same.get(name, name) for name in names))

    def merged(contender: Contender) -> Contender:
        teacher = contender.recipe.teacher
        recipe = contender.recipe.model_copy(update={"teacher": same.get(teacher, teacher)})
        return contender.model_copy(update={"ensemble": renamed(contender.ensemble), "recipe": recipe})

    def points(sweep: Sweep) -> tuple[Point, ...]:
        return tuple(p.model_copy(update={"contender": same.get(p.contender, p.contender)}) for p in sweep.points)

    def sides(stated: Hypothesis) -> dict[str, str]:
        return {key: same.get(name, name) for key, name in (("better", stated.better), ("worse", stated.worse))}

    return study.model_copy(
        update={
            "contenders": tuple(merged(c) for c in study.contenders if c.name not in same),
            "sweeps": tuple(sweep.model_copy(update={"points": points(sweep)}) for sweep in study.sweeps),
            "hypotheses": tuple(stated.model_copy(update=sides(stated)) for stated in study.hypotheses),
            "shown": {kind: list(renamed(names)) for kind, names in study.shown.items()},
            "sections": tuple(section.model_copy(update={"of": renamed(section.of)}) for section in study.sections),
        }
    )
