"""One run from its spec to its record: set up, train, evaluate, write; interrupted, it goes on."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from safetensors.torch import save
from torch import nn

from bakeoff import record
from bakeoff.data.augment import Batch, augmenter
from bakeoff.data.batches import INIT, Loaded, batches, derived_seed, load, normaliser
from bakeoff.data.dataset import Dataset, Split, mean_and_std
from bakeoff.data.feeds import make_feed
from bakeoff.data.preprocess import change, model_shape
from bakeoff.data.sources import find_composites
from bakeoff.errors import BakeoffError, Interrupted, UsageError
from bakeoff.models import check_parameters, count_multiply_adds, count_parameters, create_model
from bakeoff.models.blocks import Spots, Whitens, glorot_
from bakeoff.models.timm_models import PREFIX
from bakeoff.models.weights import find_weights, freeze, load_weights, sha256
from bakeoff.spec import CropFeed, RunSpec, SplitFeed, parse_choice
from bakeoff.training.checkpoint import restore_checkpoint, save_checkpoint, saved_threads
from bakeoff.training.loop import Diverged, Task, infer, measure, new_state, train

Moments = tuple[NDArray[np.float64], NDArray[np.float64]]
TRAIN_SAMPLE = 5_000
"""Training images on which the final training accuracy is measured, in evaluation mode."""
MISTAKES = 24
"""Worst test mistakes whose images a record keeps."""


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a run is: what a live display shows."""

    run: str
    step: int
    steps: int
    epoch: int
    row: record.Row


def find_device(name: str) -> torch.device:
    """`auto` (a GPU where there is one), or a device of PyTorch's: cpu, cuda, cuda:1.

    Raises:
        UsageError: no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise UsageError(f"device {name!r}: not on this machine (valid: auto, cpu, cuda, cuda:N)") from None
    return device


def find_precision(asked: str, device: torch.device) -> torch.dtype | None:
    """bfloat16 for autocast, or None for float32; `auto` takes bfloat16 where the hardware multiplies it."""
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        able = torch.cpu.get_capabilities()
        fast = bool(able.get("avx512_bf16") or able.get("amx_bf16"))
    return torch.bfloat16 if asked == "bf16" or (asked == "auto" and fast) else None


def check_spec(spec: RunSpec, dataset: Dataset) -> RunSpec:
    """`spec` with all parameters of its model spelled out, after a dry build of the model and a try at augmenting.

    Raises:
        UsageError: a model, parameter, size, preprocessing or augmentation that cannot be.
    """
    parameters = check_parameters(spec.model, spec.parameters)
    checked = spec.model_copy(update={"parameters": parameters})
    with torch.device("meta"):
        model = build_model(checked, dataset)
        if isinstance(feed := spec.recipe.feed_choice, CropFeed):
            check_crops(model, feed, spec, dataset)
    if not isinstance(feed, SplitFeed):
        find_composites(spec.dataset)
    if spec.recipe.freeze:
        freeze(model, spec.recipe.freeze)
    if spec.recipe.weights:
        find_weights(spec.recipe.weights, spec.model)
    if dataset.mirror is False and any(parse_choice(step)[0] == "flip" for step in spec.recipe.augment):
        raise UsageError(
            f"augment: flip would change what images of {dataset.name} mean: mirrored, they lose their label"
        )
    pair = torch.from_numpy(change(spec.recipe.preprocess, dataset.train.images[:2]))
    zeros = torch.zeros(len(pair), dtype=torch.int64)
    augmenter(spec.recipe.augment)(Batch(pair, zeros, zeros), torch.Generator())
    return checked


def check_crops(model: nn.Module, feed: CropFeed, spec: RunSpec, dataset: Dataset) -> None:
    """That the model can be taught by crops of this size.

    Raises:
        UsageError: it cannot, or it cannot take this size.
    """
    if not isinstance(model, Spots):
        raise UsageError(f"feed = {spec.recipe.feed!r}: {spec.model} cannot be taught by crops; spotter can")
    side = model_shape(spec.recipe.preprocess, (dataset.channels, feed.size, feed.size))[-1]
    if side != model.field:
        raise UsageError(f"feed = {spec.recipe.feed!r}: {spec.model} sees {model.field} pixels where a crop has {side}")
    if feed.sizes != model.sizes:
        raise UsageError(
            f"feed = {spec.recipe.feed!r}: {spec.model} tells {model.sizes} steps of size apart where crops have "
            f"{feed.sizes}: give both the same sizes"
        )


def run_directory(spec: RunSpec, dataset: Dataset) -> str:
    """The name of the run's directory; the data and the weights it starts from count by their bytes."""
    marks = dataset.fingerprint
    if spec.recipe.weights:
        marks += f" {sha256(find_weights(spec.recipe.weights, spec.model))}"
    return spec.directory(marks)


def build_model(spec: RunSpec, dataset: Dataset) -> nn.Module:
    channels, height, width = model_shape(spec.recipe.preprocess, dataset.shape)
    classes = len(dataset.classes)
    return create_model(spec.model, channels=channels, classes=classes, size=(height, width), **spec.parameters)


def train_run(
    spec: RunSpec,
    dataset: Dataset,
    path: Path,
    *,
    device: str = "auto",
    threads: int,
    checkpoint_seconds: float = 60.0,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> record.Run:
    """Train what is missing of the run in `path` and return its record.

    The record's `seconds` are those of training, the validation after each epoch included.

    Args:
        threads: CPU threads; a run that goes on keeps the number it began with, since its bits depend on it.
        checkpoint_seconds: a checkpoint is written at the first step this long after the last one.
        stop: asked before every step; when true, a checkpoint is written and the run ends.

    Raises:
        Interrupted: `stop` said so.
        UsageError, BakeoffError: a spec that cannot be trained, or a run another process is training.
    """
    spec = check_spec(spec, dataset)
    checkpoint = path / "checkpoint" / "state.safetensors"
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(checkpoint.parent / "lock", timeout=15):
            record.remove_temporary(path)
            if record.status(path) not in ("finished", "diverged"):
                _train(spec, dataset, path, checkpoint, device, threads, checkpoint_seconds, stop, progress)
    except Timeout:
        raise BakeoffError(f"{path}: another process is training this run") from None
    if record.status(path) in ("finished", "diverged"):
        record.remove_checkpoint(path)
    return record.read_run(path)


def _train(
    spec: RunSpec,
    dataset: Dataset,
    path: Path,
    checkpoint: Path,
    device_name: str,
    threads: int,
    checkpoint_seconds: float,
    stop: Callable[[], bool],
    progress: Callable[[Progress], None],
) -> None:
    device = find_device(device_name)
    try:
        threads = saved_threads(checkpoint) or threads
    except BakeoffError as error:
        aside = checkpoint.replace(checkpoint.with_suffix(".damaged"))
        warnings.warn(f"{error}; set aside as {aside.name}, and trained from the start", stacklevel=2)
    torch.set_num_threads(threads)
    torch.backends.cudnn.deterministic = True
    preprocess = spec.recipe.preprocess
    moments = mean_and_std(Split(change(preprocess, dataset.train.images), dataset.train.labels))
    task = make_task(spec, dataset, moments, device)
    model, origin = initial_model(spec, dataset, task)
    description = describe_run(spec, dataset, moments, task, threads) | {
        "status": "running",
        "weights": origin,
        "parameters": count_parameters(model),
        "multiply_adds": count_multiply_adds(model, model_shape(preprocess, dataset.shape)),
    }
    model = model.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    state = new_state(model, spec.recipe)
    if checkpoint.exists():
        restore_checkpoint(checkpoint, state)
    else:
        record.write_json(path / "run.json", {"format": record.FORMAT, **description})

    steps = batches(len(task.feed), spec.recipe.batch_size) * spec.recipe.epochs * spec.recipe.fits
    saved = time.monotonic()
    arrays, weights = None, None
    try:
        for _ in train(task, state):
            progress(Progress(path.name, state.step, steps, state.epoch, (state.history or [{}])[-1]))
            stopping = stop()
            if stopping or time.monotonic() - saved >= checkpoint_seconds:
                save_checkpoint(checkpoint, state, threads)
                record.write_history(path, state.history)
                saved = time.monotonic()
            if stopping:
                raise Interrupted
    except Diverged:
        description |= {"status": "diverged", "metrics": {}}
    else:
        final = {name: value.contiguous() for name, value in (state.best or state.evaluated()).items()}
        model.load_state_dict(final)
        description["metrics"], arrays = evaluate(task, model)
        description["status"], weights = "finished", save(final)
    seen = state.epoch * len(task.feed) + state.batch * spec.recipe.batch_size
    description |= {
        "seconds": round(state.seconds, 3),
        "images_per_second": round(seen / max(state.seconds, 1e-9), 1),
    }
    record.write_finished(path, description, state.history, arrays, weights)


def initial_model(spec: RunSpec, dataset: Dataset, task: Task) -> tuple[nn.Module, dict[str, str] | None]:
    """The model as training begins, and where its weights come from if not from chance: the file and its SHA-256."""
    recipe = spec.recipe
    torch.manual_seed(derived_seed(spec.seed, INIT, 0))
    model = build_model(spec, dataset)
    if recipe.init == "glorot":
        glorot_(model)
    origin = None
    if recipe.weights:
        file = find_weights(recipe.weights, spec.model)
        origin = {"file": str(file), "sha256": load_weights(model, file)}
    elif isinstance(model, Whitens):
        model.whiten(task.normalise(task.train.images[:TRAIN_SAMPLE]).cpu())
    if recipe.freeze:
        freeze(model, recipe.freeze)
    return model, origin


def make_task(spec: RunSpec, dataset: Dataset, moments: Moments, device: torch.device) -> Task:
    """What is trained on what; `moments` are the loaded training split's mean and deviation."""
    preprocess = spec.recipe.preprocess
    train = load(dataset.train, device, preprocess)
    return Task(
        recipe=spec.recipe,
        seed=spec.seed,
        classes=len(dataset.classes),
        feed=make_feed(spec.recipe.feed_choice, spec.dataset, train, preprocess),
        train=train,
        validation=load(dataset.validation, device, preprocess),
        test=load(dataset.test, device, preprocess),
        normalise=normaliser(spec.recipe.pixels, *moments, device, preprocess),
        precision=find_precision(spec.recipe.precision, device),
    )


def describe_run(spec: RunSpec, dataset: Dataset, moments: Moments, task: Task, threads: int) -> dict[str, Any]:
    """What a record says of its spec, its data and the machine."""
    device = task.train.labels.device
    mean, std = moments
    return {
        "spec": spec.model_dump(mode="json"),
        "dataset": {
            "name": dataset.name,
            "fingerprint": dataset.fingerprint,
            "classes": list(dataset.classes),
            "shape": list(dataset.shape),
            "header": list(dataset.header) if dataset.header else None,
            "mean": mean.tolist(),
            "std": std.tolist(),
            "counts": {name: counts.tolist() for name, counts in dataset.counts().items()},
            "train_sample": min(TRAIN_SAMPLE, len(dataset.train)),
        },
        "environment": {
            **record.environment(),
            **({"timm": importlib.metadata.version("timm")} if spec.model.startswith(PREFIX) else {}),
            "threads": threads,
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
            "precision": "bf16" if task.precision else "fp32",
        },
    }


def evaluate(task: Task, model: nn.Module) -> tuple[record.Row, dict[str, NDArray[Any]]]:
    """Final metrics of the three splits, and predictions.npz. Here the test split is first met."""
    metrics: record.Row = {}
    arrays: dict[str, NDArray[Any]] = {}
    count = min(TRAIN_SAMPLE, len(task.train))
    sample = Loaded(task.train.images[:count], task.train.labels[:count])
    for name, split in {"train": sample, "validation": task.validation, "test": task.test}.items():
        logits = infer(task, model, split)
        metrics |= measure(logits, split.labels, name)
        if name != "train":
            arrays |= {
                f"{name}_logits": logits.cpu().numpy(),
                f"{name}_labels": split.labels.cpu().numpy(),
            }
    probabilities = torch.from_numpy(arrays["test_logits"]).softmax(1)
    sure, said = probabilities.max(1)
    wrong = np.flatnonzero(said.numpy() != arrays["test_labels"])
    worst = wrong[np.argsort(-sure.numpy()[wrong], kind="stable")][:MISTAKES]
    arrays |= {"mistake_index": worst, "mistake_images": task.test.images.cpu().numpy()[worst]}
    return metrics, arrays
