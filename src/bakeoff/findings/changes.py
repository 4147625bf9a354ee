"""What differs between two runs, in the words of a study file."""

from __future__ import annotations

from collections.abc import Mapping
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
class Change:
    """One thing that differs: `model`, a parameter, a recipe field, or one of TOGETHER; and how, in words."""

    what: str
    said: str


def changes(before: RunSpec, after: RunSpec) -> list[Change]:
    """What differs between two specs, dataset, images and seed aside: nothing, one change, or several.

    Of two different models only the parameters that both have are compared. The specs are those of records, which
    spell every parameter out.
    """
    found = []
    if before.model != after.model:
        found.append(Change("model", _said("model", before.model, after.model)))
    for name in before.parameters:
        if name in after.parameters and before.parameters[name] != after.parameters[name]:
            found.append(Change(name, _said(name, before.parameters[name], after.parameters[name])))
    recipes = before.recipe.model_dump(), after.recipe.model_dump()
    grouped = {field: what for what, fields in TOGETHER.items() for field in fields}
    for what in dict.fromkeys(grouped.get(field, field) for field in recipes[0]):
        fields = TOGETHER.get(what, (what,))
        if said := _differing(*recipes, fields):
            found.append(Change(what, said))
    return found


def _differing(before: Mapping[str, Any], after: Mapping[str, Any], fields: tuple[str, ...]) -> str:
    """`lr: 0.001 → 0.1, momentum: 0 → 0.9`, or nothing where the fields agree."""
    told = [f for f in fields if f not in OPTIONS or (before[OPTIONS[f]] and after[OPTIONS[f]])]
    return ", ".join(_said(f, before[f], after[f]) for f in told if before[f] != after[f])


def _said(name: str, before: Any, after: Any) -> str:
    if isinstance(before, tuple) and isinstance(after, tuple):  # steps in order: those that both have are not repeated
        shared = set(before) & set(after) if set(before) != set(after) else set()
        before, after = (tuple(step for step in steps if step not in shared) for steps in (before, after))
    return f"{name}: {_value(before)} → {_value(after)}"


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        value = ", ".join(value)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).lower() if isinstance(value, bool) else str(value) or "none"
