"""From a study file to a plan that can be trained: its data and weights at hand, every contender checked."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from bakeoff.data import Dataset, load_dataset
from bakeoff.errors import BakeoffError, MissingData, UsageError, closest
from bakeoff.spec import Contender
from bakeoff.spec.override import ABSENT_DATA, ABSENT_WEIGHTS
from bakeoff.spec.plan import Plan, make_plan
from bakeoff.spec.settings import Frozen
from bakeoff.spec.study_file import StudyFile

Datasets = dict[str, Dataset]
Part = TypeVar("Part", bound=Frozen)


def plan_at_hand(study: StudyFile, scale: str, asked: Mapping[str, Any]) -> tuple[Plan, Datasets]:
    """The plan for what is at hand, and its datasets by name. A contender whose data or published weights are not at
    hand is left out with a warning.

    Raises:
        MissingData: it was asked for by name, or nothing else is left.
    """
    plan = make_plan(study, scale, **asked)
    datasets, missing = _load(plan)
    lacking = {c.name: error for c in plan.contenders if (error := missing.get(plan.dataset_of(c)) or _no_weights(c))}
    if not lacking:
        return plan, datasets
    named = [name for name in lacking if name in asked["only"]]
    named += [name for name in lacking if asked["datasets"] and plan.dataset_of(plan.contender(name)) in missing]
    if named or len(lacking) == len(plan.contenders):
        raise lacking[(*named, *lacking)[0]]
    absent = {
        name: ABSENT_DATA if plan.dataset_of(plan.contender(name)) in missing else ABSENT_WEIGHTS for name in lacking
    }
    for error in missing.values():
        warnings.warn(f"study {study.name} goes on without {error}", stacklevel=3)
    for name in (name for name, reason in absent.items() if reason == ABSENT_WEIGHTS):
        warnings.warn(f"study {study.name} goes on without contender {name}: {lacking[name]}", stacklevel=3)
    plan = make_plan(study, scale, **asked, absent=absent)
    return plan, {name: datasets[name] for name in plan.datasets}


def _load(plan: Plan) -> tuple[Datasets, dict[str, MissingData]]:
    """The plan's datasets by name, and a sentence on each that is not at hand."""
    loaded, missing = {}, {}
    for name in plan.datasets:
        try:
            loaded[name] = load_dataset(name, validation=plan.validation, images=plan.images)
        except MissingData as error:
            missing[name] = error
    return loaded, missing


def _no_weights(contender: Contender) -> MissingData | None:
    """A sentence where the contender's published weights are not at hand."""
    if not contender.recipe.weights:
        return None
    from bakeoff.models.weights import find_weights

    try:
        find_weights(contender.recipe.weights, contender.model)
    except MissingData as error:
        return error
    except BakeoffError:
        pass  # what is wrong with them is said when the contender is checked
    return None


def check_plan(plan: Plan, datasets: Mapping[str, Dataset]) -> Plan:
    """The plan with every model's parameters spelled out, each built once without weights, and without the points
    of sweeps that are, so spelled out, another contender.

    Raises:
        UsageError: an unknown model, parameter, augmentation or section, or one unfit for its dataset.
    """
    from bakeoff.report.sections import check_sections
    from bakeoff.training.run import check_spec, check_views

    check_sections(plan)
    first = {spec.contender: spec for spec in reversed(plan.specs())}
    contenders = []
    for contender in plan.contenders:
        try:
            data, spec = datasets[plan.dataset_of(contender)], first[contender.name]
            if contender.ensemble:
                check_views(contender.recipe, data)
            else:
                spec = check_spec(spec, data)
                _check_teacher(contender, plan, datasets)
        except UsageError as error:
            raise UsageError(f"study {plan.name}, contender {contender.name}: {error}") from None
        contenders.append(contender.model_copy(update={"parameters": spec.parameters}))
    return merge_points(plan.model_copy(update={"contenders": tuple(contenders)}))


def _check_teacher(student: Contender, plan: Plan, datasets: Mapping[str, Dataset]) -> None:
    """That the student's teacher, if any, is a run or a contender that can answer its images.

    Raises:
        UsageError: it is not.
    """
    name, teachers = student.recipe.teacher, {c.name: c for c in plan.contenders}
    if name in teachers:
        theirs, its = (datasets[plan.dataset_of(c)] for c in (teachers[name], student))
        if (theirs.classes, theirs.shape) != (its.classes, its.shape):
            raise UsageError(
                f"teacher {name!r}: is trained on {theirs.name}, and {its.name} has other classes or images of "
                "another size"
            )
    elif name and not (Path(name) / "run.json").is_file():
        raise UsageError(f"teacher {name!r}: neither a contender nor the directory of a run{closest(name, teachers)}")


def merge_points(plan: Plan) -> Plan:
    """The plan without the contenders that only a sweep's point made, where an earlier contender is the same run:
    once all parameters and choices are spelled out, a point that names a default is its base. All that names them
    then names the earlier one."""
    from bakeoff.training.digest import resolved

    specs = {spec.contender: spec for spec in reversed(plan.specs())}  # of the first seed of each
    trained = {name: (s.dataset, s.recipe.teacher, s.recipe.weights, resolved(s)) for name, s in specs.items()}
    same: dict[str, str] = {}
    for name in dict.fromkeys(point.contender for sweep in plan.sweeps for point in sweep.points):
        first = next(c.name for c in plan.contenders if trained[c.name] == trained[name])
        if first != name:
            same[name] = first
    if not same:
        return plan

    def renamed(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(same.get(name, name) for name in names))

    def merged(contender: Contender) -> Contender:
        changes = {"ensemble": renamed(contender.ensemble), "recipe": pointing(contender.recipe, "teacher")}
        return contender.model_copy(update=changes)

    def pointing(part: Part, *fields: str) -> Part:
        return part.model_copy(update={key: same.get(name := getattr(part, key), name) for key in fields})

    sweeps = [(sweep, tuple(pointing(point, "contender") for point in sweep.points)) for sweep in plan.sweeps]
    return plan.model_copy(
        update={
            "contenders": tuple(merged(c) for c in plan.contenders if c.name not in same),
            "sweeps": tuple(sweep.model_copy(update={"points": points}) for sweep, points in sweeps),
            "hypotheses": tuple(pointing(each, "better", "worse") for each in plan.hypotheses),
            "shown": {kind: list(renamed(names)) for kind, names in plan.shown.items()},
            "sections": tuple(section.model_copy(update={"of": renamed(section.of)}) for section in plan.sections),
        }
    )
