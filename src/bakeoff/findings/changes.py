"""What differs between two runs, field by field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bakeoff.spec import RunSpec

TOGETHER: dict[str, tuple[str, ...]] = {
    "steps": ("optimizer", "lr", "momentum", "nesterov", "schedule"),
    "l2": ("l2", "l2_on"),
    "start": ("weights", "freeze"),
    "teacher": ("teacher", "pool"),
}
"""Recipe fields that mean something only with one another (a rate is good for one optimiser and one schedule), and so
count as one change."""

OPTIONS = {"pool": "teacher", "l2_on": "l2"}
"""Fields that say nothing where the field they belong to is not set."""


@dataclass(frozen=True)
class FieldChange:
    """A field's value in the one run and in the other; of steps in order without those that both have, unless their
    order is all that differs."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Change:
    """One thing that differs: `model`, a parameter, a recipe field, or one of TOGETHER; with each field's values."""

    what: str
    fields: tuple[FieldChange, ...]


def changes(before: RunSpec, after: RunSpec) -> list[Change]:
    """What differs between two specs, dataset, images and seed aside: nothing, one change, or several.

    Of two different models only the parameters that both have are compared. The specs are those of records, which
    spell every parameter out.
    """
    models = {"model": before.model} | before.parameters, {"model": after.model} | after.parameters
    differences = [Change(name, _differing(*models, (name,))) for name in models[0] if name in models[1]]
    recipes = before.recipe.model_dump(), after.recipe.model_dump()
    grouped = {field: what for what, fields in TOGETHER.items() for field in fields}
    for what in dict.fromkeys(grouped.get(field, field) for field in recipes[0]):
        fields = [f for f in TOGETHER.get(what, (what,)) if f not in OPTIONS or all(r[OPTIONS[f]] for r in recipes)]
        differences.append(Change(what, _differing(*recipes, fields)))
    return [change for change in differences if change.fields]


def _differing(before: Mapping[str, Any], after: Mapping[str, Any], names: Iterable[str]) -> tuple[FieldChange, ...]:
    return tuple(_change(name, before[name], after[name]) for name in names if before[name] != after[name])


def _change(name: str, before: Any, after: Any) -> FieldChange:
    if isinstance(before, tuple) and isinstance(after, tuple) and {*before} != {*after}:
        shared = {*before} & {*after}
        before, after = (tuple(step for step in steps if step not in shared) for steps in (before, after))
    return FieldChange(name, before, after)
