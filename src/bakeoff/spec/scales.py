"""A study cut to one of its scales, and by what is asked for. Every cut is kept in words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from bakeoff.errors import UsageError, closest
from bakeoff.spec import Contender, Recipe
from bakeoff.spec.choices import validate
from bakeoff.spec.reference import plain_reference
from bakeoff.spec.study import Study, check_ensemble_fields, check_needs
from bakeoff.spec.study_parts import Scale


def split_names(study: Study, groups: Iterable[str]) -> tuple[str, ...]:
    """The names in `groups`, each a name or several with commas between them. The study's own names may hold commas:
    of the pieces between commas as many as make up one are taken for it."""
    known, names = {contender.name for contender in study.contenders}, []
    for group in groups:
        pieces = group.split(",")
        while pieces:
            count = next((n for n in range(len(pieces), 0, -1) if ",".join(pieces[:n]) in known), 1)
            names.append(",".join(pieces[:count]))
            pieces = pieces[count:]
    return tuple(name for name in names if name)


def _chosen(
    study: Study, cut: Scale, only: tuple[str, ...], datasets: tuple[str, ...], without: Collection[str]
) -> list[str]:
    """The names of the contenders that the scale has, and that are asked for and at hand."""
    names = [contender.name for contender in study.contenders]
    for name in (*cut.only, *cut.without, *cut.contenders, *only):
        if name not in names:
            raise UsageError(f"study {study.name}: no contender {name!r}{closest(name, names)}")
    for name in datasets:
        if name not in study.datasets:
            raise UsageError(f"study {study.name}: not about dataset {name!r}{closest(name, study.datasets)}")
    return [
        c.name
        for c in study.contenders
        if all(not chosen or c.name in chosen for chosen in (cut.only, only))
        and c.name not in (*cut.without, *without)
        and (not datasets or study.dataset_of(c) in datasets)
    ]


def _whole(study: Study, contenders: list[Contender], named: Iterable[str]) -> list[Contender]:
    """`contenders` without those that need one that is left out.

    Raises:
        UsageError: one of these is among the `named`.
    """
    out = {c.name for c in study.contenders} - {c.name for c in contenders}
    while lacking := {c.name: name for c in contenders if c.name not in out for name in c.needs if name in out}:
        if asked := next((name for name in named if name in lacking), None):
            said = f"{asked} needs {lacking[asked]}, which is left out: name it as well"
            raise UsageError(f"study {study.name}: {said}")
        out |= lacking.keys()
    return [contender for contender in contenders if contender.name not in out]


def at_scale(
    study: Study,
    scale: str,
    *,
    seeds: int | None = None,
    only: Iterable[str] = (),
    datasets: Iterable[str] = (),
    without: Collection[str] = (),
    recipe: Mapping[str, Any] | None = None,
) -> Study:
    """The study cut to one of its scales, and further by what is asked for.

    Args:
        seeds: per contender, instead of the scale's.
        only: names of contenders; the others are left out.
        datasets: of those that the study is about; the others are left out.
        without: names of contenders that are left out, and with them those that need them.
        recipe: recipe fields that every contender takes.

    Raises:
        UsageError: no such scale, contender or dataset, or a recipe field that is not valid.
    """
    if scale not in study.scales and scale != "full":
        raise UsageError(f"study {study.name}: no scale {scale!r}{closest(scale, {*study.scales, 'full'})}")
    cut, given = study.scales.get(scale, Scale()), dict(recipe or {})
    only, datasets = tuple(only), tuple(map(plain_reference, datasets))
    chosen = _chosen(study, cut, only, datasets, without)
    place: dict[str, Any] = {"dataset": ""} if cut.dataset else {}
    placed = [contender.model_copy(update=place) for contender in study.contenders]
    contenders = [_cut(c, study, scale, cut, given) for c in placed if c.name in chosen]
    contenders = _whole(study, contenders, {*cut.only, *only})
    kept = [contender.name for contender in contenders]
    if not kept:
        asked = ", ".join((*only, *datasets))
        raise UsageError(f"study {study.name}: scale {scale} with only {asked} leaves no contender")
    sweeps, left_out_points = [], [*study.left_out_points]
    for sweep in study.sweeps:
        points = tuple(point for point in sweep.points if point.contender in kept)
        points = points if len(points) > 1 else ()
        lost = tuple(point for point in sweep.points if point not in points)
        sweeps += [sweep.model_copy(update={"points": points})] if points else []
        left_out_points += [sweep.model_copy(update={"points": lost})] if lost else []
    changes: dict[str, Any] = {
        "dataset": cut.dataset or study.dataset,
        "images": cut.images or study.images,
        "seeds": seeds or cut.seeds or study.seeds,
    }
    said = [
        f"{key}: {value} instead of {getattr(study, key) or 'all'}"
        for key, value in changes.items()
        if value != getattr(study, key)
    ]
    cut_down = study.model_copy(
        update={
            **changes,
            "contenders": tuple(contenders),
            "left_out": (*study.left_out, *(c for c in placed if c.name not in kept)),
            "left_out_points": tuple(left_out_points),
            "sweeps": tuple(sweeps),
            "scale": scale,
            "cuts": (*said, *_cuts_of_recipes(study, cut, given, kept)),
            "cuts_in_words": "" if seeds or only or datasets or given else cut.about,
            "comparable": not (cut.recipe or cut.dataset or cut.images or given or {*cut.contenders} & {*kept}),
        }
    )
    check_needs(cut_down, f"study {study.name}")
    return cut_down


def _cut(contender: Contender, study: Study, scale: str, cut: Scale, given: Mapping[str, Any]) -> Contender:
    """The contender with the parameters and the recipe that it has at a scale; what is said of all recipes is not
    said of ensembles."""
    where = f"study {study.name} [scales.{scale}], contender {contender.name}"
    own = dict(cut.contenders.get(contender.name, {}))
    if contender.ensemble:
        check_ensemble_fields(own, where)
    parameters = own.pop("parameters", {})
    if isinstance(parameters, Mapping):
        parameters = {**contender.parameters, **parameters}
    common, given = ({}, {}) if contender.ensemble else (cut.recipe, given)
    scaled = validate(Recipe, {**contender.recipe.model_dump(), **common, **own}, where, strict=True)
    recipe = validate(Recipe, {**scaled.model_dump(), **given}, f"study {study.name}, contender {contender.name}")
    fields = {**contender.model_dump(), "parameters": parameters, "recipe": recipe}
    return validate(Contender, fields, where, strict=True)


def _cuts_of_recipes(study: Study, cut: Scale, given: Mapping[str, Any], kept: list[str]) -> list[str]:
    """What a scale and a command change in the recipes, and who is left out, in words."""
    single = {
        name: {key: v for key, v in cut.contenders[name].items() if study.contender(name).ensemble or key not in given}
        for name in kept
        if name in cut.contenders
    }
    said = []
    for key, value in {**cut.recipe, **given}.items():
        which = "every other recipe" if any(key in fields for fields in single.values()) else "every recipe"
        said.append(f"{key} = {value} in {which}")
    whose: dict[str, list[str]] = {}
    for name, fields in single.items():
        plain = {key: value for key, value in fields.items() if key != "parameters"}
        for key, value in {**plain, **fields.get("parameters", {})}.items():
            whose.setdefault(f"{key} = {value}", []).append(name)
    said += [f"{what} for {', '.join(names)}" for what, names in whose.items()]
    if len(kept) < len(study.contenders):
        said.append(f"{len(kept)} of {len(study.contenders)} contenders")
    return said
