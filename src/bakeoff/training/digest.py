"""All that decides a run's result, spelled out, and the directory that is named by it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bakeoff import record
from bakeoff.data.augment import AUGMENTATIONS
from bakeoff.data.dataset import Dataset
from bakeoff.data.preprocess import CHANGES, COPIES
from bakeoff.errors import BakeoffError
from bakeoff.models import check_parameters, find_entry
from bakeoff.models.timm_models import PREFIX
from bakeoff.models.weights import find_weights, sha256
from bakeoff.spec import RESULTS, RunSpec
from bakeoff.spec.choices import (
    FALLBACKS,
    FEEDS,
    KEEPS,
    POOLS,
    SCHEDULES,
    STOPS,
    VIEWS,
    Frozen,
    PoolOfTest,
    choose,
    parse_choice,
    schema_of,
)
from bakeoff.training.pseudo import find_teacher

CHOICES: dict[str, Mapping[str, type[Frozen]]] = {
    "schedule": SCHEDULES,
    "stop": STOPS,
    "keep": KEEPS,
    "feed": FEEDS,
    "fallback": FALLBACKS,
    "views": VIEWS,
    "pool": POOLS,
}
"""Fields of a recipe that name an entry of a table, with its settings."""
STEPS: dict[str, Mapping[str, Callable[..., Any]]] = {"augment": AUGMENTATIONS, "preprocess": {**CHANGES, **COPIES}}
"""Fields of a recipe that list functions, with their settings."""


def resolved(spec: RunSpec) -> dict[str, Any]:
    """Model, parameters, recipe and seed with every default spelled out; not the contender's name, nor the places of
    data, weights and teacher, which count by what they hold.

    Raises:
        UsageError: a name or a setting that this version does not know.
    """
    said = spec.model_dump(mode="json", exclude={"contender": True, "dataset": True, "recipe": {"weights", "teacher"}})
    recipe = said["recipe"]
    for field, table in CHOICES.items():
        recipe[field] = {"name": parse_choice(recipe[field])[0], **choose(recipe[field], table, field).model_dump()}
    for field, functions in STEPS.items():
        schemas = {name: schema_of(function) for name, function in functions.items()}
        recipe[field] = [{"name": parse_choice(x)[0], **choose(x, schemas, field).model_dump()} for x in recipe[field]]
    if spec.model:
        said["parameters"] = check_parameters(spec.model, spec.parameters)
    plain: dict[str, Any] = json.loads(record.strict_json(said))
    return plain


def deciding(spec: RunSpec, dataset: Dataset, needs: Sequence[Path] = ()) -> dict[str, Any]:
    """All that decides the result of a run: rules, settings, the bytes of data, weights and pool, the runs it needs,
    and the versions of code that is not bakeoff's own.

    A teacher that is no contender counts by the bytes of its record, the runs in `needs` by their directories' names.
    """
    recipe, said = spec.recipe, {"results": RESULTS, "data": dataset.fingerprint, "spec": resolved(spec)}
    said["needs"] = [path.name for path in needs]
    if recipe.teacher and not needs:
        said["teacher"] = sha256(find_teacher(recipe, dataset).path / "run.json")
    if recipe.teacher and dataset.unlabelled is not None and not isinstance(recipe.pool_choice, PoolOfTest):
        said["pool"] = hashlib.sha256(dataset.unlabelled.tobytes()).hexdigest()
    if recipe.weights:
        said["weights"] = sha256(find_weights(recipe.weights, spec.model))
    if spec.model.startswith(PREFIX):
        said["timm"] = importlib.metadata.version("timm")
    if code := _foreign_code(spec):
        said["code"] = code
    return said


def run_directory(spec: RunSpec, dataset: Dataset, needs: Sequence[Path] = ()) -> str:
    """The name of the run's directory: contender, seed, and a digest of all that decides the result."""
    text = json.dumps(deciding(spec, dataset, needs), sort_keys=True)
    return f"{spec.contender}-seed{spec.seed}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def find_run(folder: Path, spec: RunSpec, dataset: Dataset, needs: Sequence[Path] = ()) -> Path:
    """The directory of a run below `folder`: the one named by all that decides it, or, where that is not there, that
    of an ended run whose name differs only because an earlier version gave it."""
    path = folder / run_directory(spec, dataset, needs)
    if record.status(path) == "absent":
        now = deciding(spec, dataset, needs)
        for other in record.find_named(folder, f"{spec.contender}-seed{spec.seed}-"):
            try:
                if record.status(other) in ("finished", "diverged") and _is_same(record.read_run(other), spec, now):
                    return other
            except BakeoffError:
                continue  # whatever is wrong with it, it cannot stand for this run
    return path


def _is_same(run: record.Run, spec: RunSpec, now: Mapping[str, Any]) -> bool:
    """True where an earlier record is of the same run: the same settings, with defaults of then where it tells them,
    on the same data, from the same weights and runs. The rules that its result follows may be older."""
    if (run.spec.contender, run.results > RESULTS) != (spec.contender, False):
        return False
    if run.decides:
        then = {**run.decides, "results": RESULTS}
    else:  # of format 1, which tells less: nothing of the pool's bytes, nor of a teacher's record but its name
        then = {**now, "data": run.dataset["fingerprint"], "needs": list(run.needs)}
        if (run.pool is not None) != bool(spec.recipe.teacher) or (run.weights is not None) != ("weights" in now):
            return False
        if run.weights:
            then["weights"] = run.weights["sha256"]
        if "timm" in now:
            then["timm"] = run.environment["timm"]
        if run.pool and now["needs"]:
            then["needs"] = [run.pool["teacher"]]
        elif run.pool and Path(spec.recipe.teacher).name != run.pool["teacher"]:
            return False
    then["spec"] = _overlaid(resolved(run.spec), run.decides["spec"] if run.decides else {})
    return then == now


def _overlaid(base: Any, said: Any) -> Any:
    """`base`, with what `said` says otherwise, also within tables and lists."""
    if isinstance(base, dict) and isinstance(said, dict):
        return {**base, **{key: _overlaid(base.get(key), value) for key, value in said.items()}}
    if isinstance(base, list) and isinstance(said, list) and len(base) == len(said):
        return [_overlaid(*pair) for pair in zip(base, said, strict=True)]
    return said


def _foreign_code(spec: RunSpec) -> dict[str, str]:
    """Digests of the source of models and steps that are not bakeoff's own: a user's plug-in may change under the
    same name."""
    functions: list[Callable[..., Any]] = []
    if spec.model and not spec.model.startswith(PREFIX):
        functions.append(find_entry(spec.model).build)
    for field, table in STEPS.items():
        functions += [table[parse_choice(step)[0]] for step in getattr(spec.recipe, field)]
    found = {}
    for function in functions:
        module = inspect.getmodule(function)
        if module is None or module.__name__.split(".")[0] != "bakeoff":
            try:
                whole = module is None or module.__name__ == "__main__"  # a notebook changes with every cell
                source = inspect.getsource(function if whole else module)  # type: ignore[arg-type]
            except (OSError, TypeError):
                continue  # typed in: there is no source to go by
            found[f"{function.__module__}.{function.__qualname__}"] = hashlib.sha256(source.encode()).hexdigest()
    return found
