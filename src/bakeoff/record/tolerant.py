"""Records of any version, read by this one: what it would refuse is left out or kept, with a note."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from bakeoff.errors import UsageError
from bakeoff.spec import Recipe, RunSpec, renamed
from bakeoff.spec.settings import Frozen, validate


def read_spec(values: Mapping[str, Any]) -> tuple[RunSpec, list[str]]:
    """The spec that a record gives, and a sentence on whatever this version would not have written so.

    A key that it does not know is left out, a key that the record lacks has its default, and a value that breaks a
    rule of this version stays as it is.

    Raises:
        ValueError: a value is of another kind than any version writes, such as text for a number.
    """
    known, unknown = known_values(RunSpec, modern_names(values))
    notes = [f"its {key!r} is unknown to this version and left out" for key in unknown]
    try:
        return validate(RunSpec, known, "spec"), notes
    except UsageError as error:
        notes.append(f"this version would refuse its settings ({str(error).removeprefix('spec: ')})")
    recipe = Recipe.model_construct(**_tuples(known["recipe"]))
    spec = RunSpec.model_construct(**_tuples({**known, "recipe": recipe}))
    for part, example in ((spec, RunSpec(contender="", dataset="")), (recipe, Recipe())):
        for name, value in example:
            kind = {float: (int, float), type(None): (int, type(None))}.get(type(value), type(value))
            if not isinstance(vars(part).get(name, ...), kind):
                raise ValueError(f"spec: {name} is of another kind than any version writes")
    return spec, notes


def modern_names(values: Any) -> Any:
    """A spec, what decides a run, or a study, of any version, with the names that its models, tasks and recipes' keys
    have now."""
    if isinstance(values, list):
        return [modern_names(value) for value in values]
    if not isinstance(values, dict):
        return values
    changed = {key: modern_names(value) for key, value in values.items()}
    if isinstance(model := changed.get("model"), str):
        changed["model"] = renamed.MODELS.get(model, model)
    if isinstance(recipe := changed.get("recipe"), dict):
        recipe = changed["recipe"] = {renamed.RECIPE.get(key, key): value for key, value in recipe.items()}
        if isinstance(task := recipe.get("task"), dict):
            task["name"] = renamed.TASKS.get(task["name"], task["name"])
        elif isinstance(task, str):
            name, colon, settings = task.partition(":")
            recipe["task"] = renamed.TASKS.get(name, name) + colon + settings
    return changed


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, lists as tuples: JSON has none."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


def known_values(model: type[Frozen], values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The values without the keys that the model refuses, and those keys."""
    known: dict[str, Any] = copy.deepcopy(dict(values))
    try:
        model.model_validate(known)
    except ValidationError as failure:
        places = [error["loc"] for error in failure.errors() if error["type"] == "extra_forbidden"]
        for place in places:
            table: Any = known
            for part in place[:-1]:
                table = table[part]
            del table[place[-1]]
        return known, [str(place[-1]) for place in places]
    except UsageError:  # of a rule over several fields: all keys are known
        pass
    return known, []
