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
    data, weights and teacher, which count by their content.

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
    return decides | package_versions(spec)


def package_versions(spec: RunSpec) -> dict[str, Any]:
    """The versions of what a run uses besides bakeoff and PyTorch: `timm`, and `plugins` by their names."""
    recipe = spec.recipe
    plugins = MODELS.versions([spec.model]) | SOURCES.versions([spec.dataset]) | LOSSES.versions([recipe.loss])
    for field, registry in STEPS.items():
        plugins |= registry.versions(getattr(recipe, field))
    timm = {"timm": importlib.metadata.version("timm")} if spec.model.startswith(TIMM) else {}
    return {**timm, **({"plugins": plugins} if plugins else {})}


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
    def _by_key(self) -> dict[str, list[record.Run]]:
        runs: dict[str, list[record.Run]] = {}
        for path in sorted(file.parent for file in self.folder.glob("*/run.json")):
            with contextlib.suppress(BakeoffError):  # a faulty record stands for no run
                if ".damaged-" not in path.name and record.status(path) in ("finished", "diverged"):
                    run = record.read_outline(path)
                    runs.setdefault(_key(_decided(run)), []).append(run)
        return runs

    def find(self, spec: RunSpec, now: Mapping[str, Any]) -> Path | None:
        """The directory of a whole record that `now` decides; of several one of the same contender, and of the latest
        rules."""
        keys = (_key(now), _key(_as_format_1(spec, now)))
        matches = [run for key in keys for run in self._by_key.get(key, []) if run.results <= RESULTS]
        for run in sorted(matches, key=lambda run: (run.spec.contender != spec.contender, -run.results)):
            with contextlib.suppress(BakeoffError):
                return record.read_run(run.path).path
        return None


def find_run(
    folder: Path, spec: RunSpec, dataset: Dataset, needs: Sequence[Path] = (), ended: EndedRuns | None = None
) -> Path:
    """The directory of a run below `folder`: the one named by all that decides it, or, where that is absent, that of an
    ended run with the same decisions under the name of another contender or of an earlier version.

    Args:
        ended: the folder's ended runs, where several runs are looked for.
    """
    path = folder / run_directory(spec, dataset, needs)
    if record.status(path) != "absent":
        return path
    return (ended or EndedRuns(folder)).find(spec, deciding(spec, dataset, needs)) or path


def _key(decides: Mapping[str, Any]) -> str:
    """What decides a run as a key of a dictionary: under any rules, and without the names of an ensemble's members,
    whose runs are among its needs."""
    spec = {key: value for key, value in decides["spec"].items() if key != "members"}
    return json.dumps({**decides, "results": RESULTS, "spec": spec}, sort_keys=True)


def _decided(run: record.Run) -> dict[str, Any]:
    """All that decided a recorded run, as `deciding` gives it, with the defaults of this version for later settings."""
    if run.decides:
        return {**run.decides, "spec": _overlaid(resolved(run.spec), run.decides["spec"])}
    decided = {"format": 1, "data": run.dataset["fingerprint"], "spec": resolved(run.spec), "needs": list(run.needs)}
    if run.pool:
        decided["needs"] = [run.pool["teacher"]]
    if run.weights:
        decided["weights"] = run.weights["sha256"]
    if "timm" in run.environment:
        decided["timm"] = run.environment["timm"]
    return decided


def _as_format_1(spec: RunSpec, now: Mapping[str, Any]) -> dict[str, Any]:
    """What a record of format 1 holds of what decides a run: nothing of the pool's bytes, and of a teacher only the
    name of its directory."""
    decides = {"format": 1, **{key: value for key, value in now.items() if key not in ("pool", "teacher")}}
    if "teacher" in now:
        decides["needs"] = [Path(spec.recipe.teacher).name]
    return decides


def _overlaid(base: Any, recorded: Any) -> Any:
    """`base` with the values of `recorded` in place of its own, also within tables and lists."""
    if isinstance(base, dict) and isinstance(recorded, str):  # a choice that had no settings then
        recorded = {"name": recorded}
    if isinstance(base, dict) and isinstance(recorded, dict):
        return {**base, **{key: _overlaid(base.get(key), value) for key, value in recorded.items()}}
    if isinstance(base, list) and isinstance(recorded, list) and len(base) == len(recorded):
        return [_overlaid(*pair) for pair in zip(base, recorded, strict=True)]
    return recorded
