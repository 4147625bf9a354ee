"""One run from its spec to its record: set up, train, evaluate, write; interrupted, it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save

from bakeoff import record
from bakeoff.data.augment import Batch, augmenter
from bakeoff.data.dataset import Dataset
from bakeoff.data.preprocess import change, model_shape
from bakeoff.data.provenance import check_parent
from bakeoff.errors import Interrupted, UsageError
from bakeoff.models import check_parameters, count_multiply_adds, count_parameters
from bakeoff.models.weights import find_weights, freeze
from bakeoff.record.readings import count_reading
from bakeoff.spec import Recipe, RunSpec
from bakeoff.spec.registry import parse_choice
from bakeoff.spec.steps import AUGMENTATIONS
from bakeoff.training.checkpoint import last_checkpoint, restore_checkpoint, save_checkpoint
from bakeoff.training.describe import describe_run
from bakeoff.training.device import computing, find_device
from bakeoff.training.ensemble import average
from bakeoff.training.loop import State, new_state, train
from bakeoff.training.measure import Diverged, evaluate
from bakeoff.training.optim import hidden_weights
from bakeoff.training.options import Progress, RunOptions
from bakeoff.training.pseudo import find_pool, find_teacher, pseudo_label
from bakeoff.training.setup import TrainingSetup, build_model, initial_model, make_setup
from bakeoff.training.tasks.base import find_task

ENDED = ("finished", "diverged")


def check_spec(spec: RunSpec, dataset: Dataset) -> RunSpec:
    """`spec` with all parameters of its model spelled out, after a dry build of the model and a try at augmenting.

    Raises:
        UsageError: a model, parameter, size, task, preprocessing or augmentation that cannot be.
    """
    recipe = spec.recipe
    checked = spec.model_copy(update={"parameters": check_parameters(spec.model, spec.parameters)})
    with torch.device("meta"):
        model = build_model(checked, dataset)
    find_task(recipe).check(checked, dataset, model)
    if recipe.teacher:
        find_pool(recipe, dataset)
    if recipe.l2_on == "hidden" and not hidden_weights(model):
        raise UsageError(f"l2_on = 'hidden': {spec.model} has no linear layer but its last: use l2_on = 'all'")
    if recipe.freeze:
        freeze(model, recipe.freeze)
    if recipe.weights:
        find_weights(recipe.weights, spec.model)
    for parent in filter(None, (recipe.weights, recipe.teacher)):
        check_parent(parent, spec, dataset)
    check_views(recipe, dataset)
    pair = torch.from_numpy(change(recipe.preprocess, dataset.train.images[:2]))
    zeros = torch.zeros(len(pair), dtype=torch.int64)
    augmenter(recipe.augment)(Batch(pair, zeros, zeros), torch.Generator())
    return checked


def check_views(recipe: Recipe, dataset: Dataset) -> None:
    """That the recipe's views of the dataset's images, in training and in the answer, still show what the labels say.

    Raises:
        UsageError: a mirrored image loses its label, or a shift leaves nothing of an image.
    """
    mirrors, downs, rights = zip(*recipe.tta_choice.views(), strict=True)
    steps = [parse_choice(step)[0] for step in recipe.augment]
    how = [f"augment: {name}" for name in steps if AUGMENTATIONS.find(name).mirrors]
    how += [f"tta: {recipe.tta}"] if any(mirrors) else []
    if dataset.mirror is False and how:
        raise UsageError(f"{how[0]} would change what images of {dataset.name} mean: mirrored, they lose their label")
    height, width = change(recipe.preprocess, np.zeros((1, *dataset.shape), np.uint8)).shape[2:]
    if max(map(abs, downs)) >= height or max(map(abs, rights)) >= width:
        raise UsageError(f"tta: {recipe.tta} is too much for images of {height}x{width} pixels")


def train_run(
    spec: RunSpec, dataset: Dataset, path: Path, options: RunOptions, needs: Sequence[Path] = ()
) -> record.Run:
    """Compute what is missing of the run in `path`, one model's or an ensemble's, and return its record.

    The record's `seconds` are those of training, the validation after each epoch included.

    Args:
        needs: directories of the runs that this one needs: its teacher's, or its members', of the same splits.

    Raises:
        Interrupted: `options.stop` was true.
        Locked: another process still trains this run.
        UsageError, BakeoffError: a spec that cannot be trained, or a member without a finished record.
    """
    spec = spec if spec.members else check_spec(spec, dataset)
    teacher = find_teacher(spec.recipe, dataset, needs) if spec.recipe.teacher else None
    if record.status(path) not in ENDED:
        with record.only_writer(path, options.wait), computing(find_device(options.device), options.threads):
            if record.status(path) not in ENDED:  # another process may have ended it meanwhile
                if spec.members:
                    average(spec, dataset, path, options, needs)
                else:
                    _train(spec, dataset, path, options, needs, teacher)
    record.tidy(path)
    return record.read_run(path)


def _train(
    spec: RunSpec,
    dataset: Dataset,
    path: Path,
    options: RunOptions,
    needs: Sequence[Path],
    teacher: record.Run | None,
) -> None:
    device, folder, recipe = find_device(options.device), path / "checkpoint", spec.recipe
    checkpoint = last_checkpoint(folder)
    threads = checkpoint.threads if checkpoint else options.threads
    torch.set_num_threads(threads)
    labelled, pool = pseudo_label(recipe, dataset, teacher, options.device) if teacher else (None, None)
    setup = make_setup(spec, dataset, device, labelled)
    model, origin = initial_model(spec, dataset, setup)
    description = describe_run(spec, dataset, setup, threads, needs, checkpoint) | {
        "status": "running",
        "weights": origin,
        "pool": pool,
        "parameters": count_parameters(model),
        "multiply_adds": count_multiply_adds(model, model_shape(recipe.preprocess, dataset.shape))
        * len(recipe.tta_choice.views()),
    }
    model = model.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    state = new_state(model, recipe)
    if checkpoint:
        restore_checkpoint(checkpoint, state, recipe)
    else:
        record.write_description(path, description)

    def save_state() -> None:
        save_checkpoint(folder, state, threads, description["segments"])
        record.write_history(path, state.history)

    arrays, weights = None, None
    try:
        _take_steps(setup, state, path.name, options, save_state)
        final = {name: value.contiguous() for name, value in (state.best or state.evaluated()).items()}
        model.load_state_dict(final)
        description["metrics"], arrays = evaluate(setup, model)
        arrays |= dataset.split_ids()
        description["status"], weights = "finished", save(final)
    except Diverged:
        description |= {"status": "diverged", "metrics": {}}
    images = state.epoch * len(setup.task) + state.batch * recipe.batch_size
    description |= {
        "fallback_epoch": state.fallback_epoch,
        "seconds": round(state.seconds, 3),
        "images_per_second": round(images / max(state.seconds, 1e-9), 1),
    }
    if recipe.selects_on_test:
        count_reading(path, "training, to choose the epoch", page="training")
    record.write_finished(path, description, state.history, arrays, weights)


def _take_steps(
    setup: TrainingSetup, state: State, name: str, options: RunOptions, save_state: Callable[[], None]
) -> None:
    """Train to the end, with progress and checkpoints.

    Raises:
        Interrupted: `options.stop` was true; the state is saved.
        Diverged: the loss became non-finite.
    """
    epochs, saved = setup.spec.recipe.epochs * setup.spec.recipe.rounds, time.monotonic()
    for _ in train(setup, state):
        last, row = (epochs + (state.fallback_epoch or 0)) * setup.steps, (state.history or [{}])[-1]
        options.progress(Progress(name, state.step, last, state.epoch, row))
        stopping = options.stop()
        if stopping or time.monotonic() - saved >= options.checkpoint_seconds:
            save_state()
            saved = time.monotonic()
        if stopping:
            raise Interrupted
