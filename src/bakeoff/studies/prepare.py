"""From a study file to a plan that can be trained: its data and weights are there, every contender is checked."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bakeoff.data import Dataset, load_dataset
from bakeoff.errors import BakeoffError, MissingData, UsageError, closest
from bakeoff.spec import Contender
from bakeoff.spec.override import ABSENT_DATA, ABSENT_WEIGHTS
from bakeoff.spec.plan import Plan, make_plan
from bakeoff.spec.settings import validate
from bakeoff.spec.study_file import StudyFile

Datasets = dict[str, Dataset]


def plan_at_hand(study: StudyFile, scale: str, selection: Mapping[str, Any]) -> tuple[Plan, Datasets]:
    """The plan for what is at hand, and its datasets by name. A contender whose data or published weights are not at
    hand is left out with a warning.

    Raises:
        MissingData: it was asked for by name, or nothing else is left.
    """
    plan = make_plan(study, scale, **selection)
    datasets, missing = load_datasets(plan)
    absent: dict[str, tuple[str, MissingData]] = {}
    for contender in plan.contenders:
        if error := missing.get(plan.dataset_of(contender)):
            absent[contender.name] = ABSENT_DATA, error
        elif error := _no_weights(contender):
            absent[contender.name] = ABSENT_WEIGHTS, error
    if not absent:
        return plan, datasets
    for name, (reason, error) in absent.items():
        named = name in selection["only"] or (selection["datasets"] and reason == ABSENT_DATA)
        if named or len(absent) == len(plan.contenders):
            raise error
    for sentence in dict.fromkeys(str(error) for _, error in absent.values()):
        names = ", ".join(name for name, (_, error) in absent.items() if str(error) == sentence)
        warnings.warn(f"study {study.name} goes on without {names}: {sentence}", stacklevel=3)
    plan = make_plan(study, scale, **selection, absent={name: reason for name, (reason, _) in absent.items()})
    return plan, {name: datasets[name] for name in plan.datasets}


def load_datasets(plan: Plan) -> tuple[Datasets, dict[str, MissingData]]:
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
        teacher_data, student_data = (datasets[plan.dataset_of(c)] for c in (teachers[name], student))
        if (teacher_data.classes, teacher_data.shape) != (student_data.classes, student_data.shape):
            raise UsageError(
                f"teacher {name!r}: is trained on {teacher_data.name}, and {student_data.name} has other classes or "
                "images of another size"
            )
    elif name and not (Path(name) / "run.json").is_file():
        raise UsageError(f"teacher {name!r}: neither a contender nor the directory of a run{closest(name, teachers)}")


def merge_points(plan: Plan) -> Plan:
    """The plan without the contenders that only a sweep's point made, where an earlier contender is the same run:
    once all parameters and choices are spelled out, a point that names a default is its base. Whatever names such a
    contender then names the earlier one."""
    from bakeoff.training.digest import resolved

    specs = {spec.contender: spec for spec in reversed(plan.specs())}  # of the first seed of each
    trained = {name: (s.dataset, s.recipe.teacher, s.recipe.weights, resolved(s)) for name, s in specs.items()}
    replaced_by: dict[str, str] = {}
    for name in dict.fromkeys(point.contender for sweep in plan.sweeps for point in sweep.points):
        first = next(c.name for c in plan.contenders if trained[c.name] == trained[name])
        if first != name:
            replaced_by[name] = first
    values = plan.model_dump()
    values["contenders"] = [contender for contender in values["contenders"] if contender["name"] not in replaced_by]
    return validate(Plan, _renamed(values, replaced_by), f"study {plan.name}") if replaced_by else plan


NAMING = ("contender", "ensemble", "teacher", "better", "worse", "of", "shown")
"""Keys of a plan whose values are, or hold, names of contenders."""


def _renamed(value: Any, names: Mapping[str, str], *, naming: bool = False) -> Any:
    """The values of a plan with other names for contenders, where they are named; each once in a list of names."""
    if isinstance(value, Mapping):
        return {key: _renamed(item, names, naming=naming or key in NAMING) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [_renamed(item, names, naming=naming) for item in value]
        return list(dict.fromkeys(items)) if naming else items
    return names.get(value, value) if naming and isinstance(value, str) else value
