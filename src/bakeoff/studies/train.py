"""Train one run by itself."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from bakeoff import record
from bakeoff.data import load_dataset
from bakeoff.engines.execute import cores, interruptible
from bakeoff.errors import UsageError
from bakeoff.models import find_model
from bakeoff.record import Run
from bakeoff.spec import Recipe, RunSpec
from bakeoff.spec.plugins import check_plugins
from bakeoff.spec.registry import parse_choice
from bakeoff.spec.settings import validate
from bakeoff.studies.execution import Execution, execution_and_recipe
from bakeoff.studies.trainer import has_ended

if TYPE_CHECKING:
    from bakeoff.studies.keywords import RunKeywords


def train(
    dataset: str,
    model: str,
    *,
    seed: int = 0,
    validation: float = 1 / 6,
    images: int | None = None,
    **options: Unpack[RunKeywords],
) -> Run:
    """Train one model on one dataset, or go on where an interrupted call stopped; returns its record.

    Args:
        dataset: a name or a path, perhaps with options: `mnist`, `./letters:size=28,resize=pad`.
        model: a name in the MODELS table, perhaps with parameters: `small_cnn:width=100,dropout=0.5`.
        validation: part of the training images drawn for validation, where the data bring no such split.
        images: training images, a stratified choice; None: all.
        options: fields of `Recipe`, and of `Execution` (`out`, `device`, `threads`, `checkpoint_seconds`, ...).

    Raises:
        UsageError, BakeoffError: what was asked for cannot be, in one sentence.
        Interrupted: Ctrl-C; the same call goes on.
    """
    execution, recipe = execution_and_recipe(Execution, options)
    name, parameters = parse_choice(model)
    label = re.sub(r"[^A-Za-z0-9._=+,-]+", "-", model)[:80]
    plain = {"contender": label, "model": name, "parameters": dict(parameters), "dataset": dataset}
    sizes = {"validation": validation, "images": images, "seed": seed}
    spec = validate(RunSpec, {**plain, **sizes, "recipe": validate(Recipe, recipe, "recipe")}, "train")
    return _train(spec, execution)


def train_further(parent: Path | str, **options: Unpack[RunKeywords]) -> Run:
    """Train a finished run's network further, as a new run whose record names the parent's weights; returns its record.

    Args:
        parent: the finished run's directory; model, data, seed and recipe are its own.
        options: as of `train`; a field of `Recipe` replaces the parent's. Optimiser and schedule begin anew.

    Raises:
        As `train`.
    """
    execution, recipe = execution_and_recipe(Execution, options)
    parent_run = record.read_run(Path(parent))
    if parent_run.status != "finished":
        raise UsageError(f"{parent}: {parent_run.status}, not finished: only a finished run can be trained further")
    record.check_weights(parent_run)
    check_plugins(parent_run.environment.get("plugins", {}), str(parent))
    fields = {**parent_run.spec.recipe.model_dump(), "weights": str(parent)}
    if parent_run.pool and (teacher := parent_run.path.parent / parent_run.pool["teacher"]).is_dir():
        fields["teacher"] = str(teacher)  # a study names the teacher as a contender; its run lies beside the student's
    chosen = validate(Recipe, {**fields, **recipe}, "recipe")
    return _train(parent_run.spec.model_copy(update={"recipe": chosen}), execution)


def _train(spec: RunSpec, execution: Execution) -> Run:
    find_model(spec.model)
    data = load_dataset(spec.dataset, validation=spec.validation, images=spec.images)

    from bakeoff.training.device import find_device  # PyTorch is imported last: usage errors come at once
    from bakeoff.training.digest import find_run
    from bakeoff.training.run import check_spec, train_run

    find_device(execution.device)
    spec = check_spec(spec, data)
    path = find_run(record.make_folder(execution.out), spec, data)
    execution.begin(1, 0 if has_ended(path) else 1)
    with interruptible() as stop:
        run = train_run(spec, data, path, execution.options(cores(), stop))
    for note in (*run.notes, *record.earlier_note([run])):
        warnings.warn(note, stacklevel=3)
    return run
