"""All that decides a run's result, spelled out, and the directory that is named by it."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bakeoff import record
from bakeoff.data.dataset import Dataset
from bakeoff.data.sources import SOURCES
from bakeoff.errors import BakeoffError
from bakeoff.files import sha256
from bakeoff.models import MODELS, TIMM, check_parameters
from bakeoff.models.weights import find_weights
from bakeoff.spec import RESULTS, RunSpec
from bakeoff.spec.losses import LOSSES
from bakeoff.spec.recipe import CHOICES, STEPS
from bakeoff.spec.registry import Registry
from bakeoff.training.pseudo import find_teacher


def resolved(spec: RunSpec) -> dict[str, Any]:
    """Model, parameters, recipe and seed with every default spelled out; not the contender's name, nor the places of
    data, weights and teacher, which count by what they hold.

    Raises:
        UsageError: a name or a setting that this version does not know.
    """
    values = spec.model_dump(
        mode="json", exclude={"contender": True, "dataset": True, "recipe": {"weights", "teacher"}}
    )
    recipe = values["recipe"]
    for field, table in CHOICES.items():
        recipe[field] = _spelled(table, recipe[field])
    for field, table in STEPS.items():
        recipe[field] = [_spelled(table, step) for step in recipe[field]]
    if spec.model:
        values["parameters"] = check_parameters(spec.model, spec.parameters)
    plain: dict[str, Any] = json.loads(record.strict_json(values))
    return plain


def _spelled(table: Registry[Any], choice: str) -> dict[str, Any]:
    name, settings = table.choose(choice)
    return {"name": name, **settings.model_dump()}


def deciding(spec: RunSpec, dataset: Dataset, needs: Sequence[Path] = ()) -> dict[str, Any]:
    """All that decides the result of a run: rules, settings, the bytes of data, weights and pool, the runs it needs,
    and the versions of plug-ins and timm.

    A teacher that is no contender counts by the bytes of its record, the runs in `needs` by their directories' names.
    """
    recipe, decides = spec.recipe, {"results": RESULTS, "data": dataset.fingerprint, "spec": resolved(spec)}
    decides["needs"] = [path.name for path in needs]
    if recipe.teacher and not needs:
        decides["teacher"] = sha256(find_teacher(recipe, dataset).path / "run.json")
    if recipe.teacher and dataset.unlabelled is not None and not recipe.pool_choice.of_test:
        decides["pool"] = hashlib.sha256(dataset.unlabelled.tobytes()).hexdigest()
    if recipe.weights:
        decides["weights"] = sha256(find_weights(recipe.weights, spec.model))
    if spec.model.startswith(TIMM):
        decides["timm"] = importlib.metadata.version("timm")
    if versions := plugin_versions(spec):
        decides["plugins"] = versions
    return decides


def plugin_versions(spec: RunSpec) -> dict[str, str]:
    """The versions of the plug-ins, by name, that a run uses."""
    recipe = spec.recipe
    versions = MODELS.versions([spec.model]) | SOURCES.versions([spec.dataset]) | LOSSES.versions([recipe.loss])
    for field, registry in STEPS.items():
        versions |= registry.versions(getattr(recipe, field))
    return versions


def run_directory(spec: RunSpec, dataset: Dataset, needs: Sequence[Path] = ()) -> str:
    """The name of the run's directory: contender, seed, and a digest of all that decides the result."""
    text = json.dumps(deciding(spec, dataset, needs), sort_keys=True)
    return f"{spec.contender}-seed{spec.seed}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


class EndedRuns:
    """The ended runs directly under a folder, by what decides them, whatever their contenders are called.

    The folder is read once, when the first run is looked for.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @functools.cached_property
    def _outlines(self) -> list[record.Run]:
        """What run.json tells of each, the latest rules first."""
        outlines = []
        for file in sorted(self.folder.glob("*/run.json")):
            with contextlib.suppress(BakeoffError):  # whatever is wrong with it, it cannot stand for a run
                if ".damaged-" not in file.parent.name and record.status(file.parent) in ("finished", "diverged"):
                    outlines.append(record.read_outline(file.parent))
        return sorted((run for run in outlines if run.results <= RESULTS), key=lambda run: -run.results)

    @functools.cached_property
    def _by_key(self) -> dict[str, list[record.Run]]:
        found: dict[str, list[record.Run]] = {}
        for run in self._outlines:
            with contextlib.suppress(BakeoffError):
                if run.decides:
                    spec = _overlaid(resolved(run.spec), run.decides["spec"])
                    found.setdefault(_key({**run.decides, "spec": spec}), []).append(run)
        return found

    def find(self, spec: RunSpec, now: Mapping[str, Any]) -> Path | None:
        """The directory of a whole record that `now` decides; one of the same contender, where there are several."""
        earlier = [run for run in self._outlines if not run.decides and _is_same(run, spec, now)]
        matches = [*self._by_key.get(_key(now), []), *earlier]
        for run in sorted(matches, key=lambda run: run.spec.contender != spec.contender):
            with contextlib.suppress(BakeoffError):
                return record.read_run(run.path).path
        return None


def find_run(
    folder: Path, spec: RunSpec, dataset: Dataset, needs: Sequence[Path] = (), ended: EndedRuns | None = None
) -> Path:
    """The directory of a run below `folder`: the one named by all that decides it, or, where that is not there, that
    of an ended run of the same: its name differs because its contender was called otherwise, or because an earlier
    version gave it. `ended` are the folder's ended runs, where several are looked for."""
    path = folder / run_directory(spec, dataset, needs)
    if record.status(path) != "absent":
        return path
    return (ended or EndedRuns(folder)).find(spec, deciding(spec, dataset, needs)) or path


def _key(decides: Mapping[str, Any]) -> str:
    """What decides a run, as text that can be looked up: under any rules, and without the names of an ensemble's
    members, whose runs are among its needs."""
    spec = {key: value for key, value in decides["spec"].items() if key != "members"}
    return json.dumps({**decides, "results": RESULTS, "spec": spec}, sort_keys=True)


def _is_same(run: record.Run, spec: RunSpec, now: Mapping[str, Any]) -> bool:
    """True where a record of format 1 is of the same run: the same settings on the same data, from the same weights
    and runs. It tells nothing of the pool's bytes, nor of a teacher's record but its name."""
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
    try:
        return _key({**then, "spec": resolved(run.spec)}) == _key(now)
    except BakeoffError:
        return False


def _overlaid(base: Any, recorded: Any) -> Any:
    """`base`, with what `recorded` says otherwise, also within tables and lists."""
    if isinstance(base, dict) and isinstance(recorded, str):  # a choice that had no settings then
        recorded = {"name": recorded}
    if isinstance(base, dict) and isinstance(recorded, dict):
        return {**base, **{key: _overlaid(base.get(key), value) for key, value in recorded.items()}}
    if isinstance(base, list) and isinstance(recorded, list) and len(base) == len(recorded):
        return [_overlaid(*pair) for pair in zip(base, recorded, strict=True)]
    return recorded
