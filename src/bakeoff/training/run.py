"""One run from its spec to its record: set up, train, evaluate, write; interrupted, it goes on."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from scipy.special import softmax
from torch import Tensor, nn

from bakeoff import record
from bakeoff.data.augment import Batch, augmenter
from bakeoff.data.batches import INIT, Loaded, batches, derived_seed, load, normaliser
from bakeoff.data.dataset import Dataset, Split, mean_and_std, subset
from bakeoff.data.feeds import make_feed
from bakeoff.data.preprocess import change, model_shape
from bakeoff.data.provenance import check_parent
from bakeoff.errors import Interrupted, UsageError
from bakeoff.models import TIMM, check_parameters, count_multiply_adds, count_parameters, create_model
from bakeoff.models.blocks import Locates, Spots, Whitens, glorot_
from bakeoff.models.weights import find_weights, freeze, load_weights
from bakeoff.record.readings import count_reading
from bakeoff.spec import Recipe, RunSpec
from bakeoff.spec.choices import CropFeed, PlacedFeed, SeveralViews, parse_choice
from bakeoff.training.checkpoint import last_checkpoint, restore_checkpoint, save_checkpoint
from bakeoff.training.device import computing, find_device, find_precision, seed_generators
from bakeoff.training.digest import deciding, plugin_versions
from bakeoff.training.loop import Diverged, Task, infer_views, measure, new_state, train
from bakeoff.training.optim import hidden_weights
from bakeoff.training.pseudo import find_pool, find_teacher, teach

Moments = tuple[NDArray[np.float64], NDArray[np.float64]]
TRAIN_SAMPLE = 5_000
"""Training images, drawn stratified by `subset`, on which the final training accuracy is measured in evaluation mode
and from which a first layer that whitens is set. More where there are more classes, fewer where there are fewer
images."""
MISTAKES = 24
"""Worst test mistakes whose images a record keeps."""
CONFUSIONS, EXAMPLES = 8, 4
"""Most frequent confusions of two classes, and test images of each, that a record keeps."""


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a run is: what a live display shows."""

    run: str
    step: int
    steps: int
    epoch: int
    row: record.Row


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
        if isinstance(feed, PlacedFeed):
            check_places(model, feed, spec, dataset)
    if spec.recipe.teacher:
        find_pool(spec.recipe, dataset)
    make_feed(feed, spec.dataset, Loaded(torch.empty(0), torch.empty(0)), spec.recipe.preprocess)  # may raise
    if spec.recipe.l2_on == "hidden" and not hidden_weights(model):
        raise UsageError(f"l2_on = 'hidden': {spec.model} has no linear layer but its last: use l2_on = 'all'")
    if spec.recipe.freeze:
        freeze(model, spec.recipe.freeze)
    if spec.recipe.weights:
        find_weights(spec.recipe.weights, spec.model)
    for parent in filter(None, (spec.recipe.weights, spec.recipe.teacher)):
        check_parent(parent, spec, dataset)
    if dataset.mirror is False and any(parse_choice(step)[0] == "flip" for step in spec.recipe.augment):
        raise UsageError(
            f"augment: flip would change what images of {dataset.name} mean: mirrored, they lose their label"
        )
    pair = torch.from_numpy(change(spec.recipe.preprocess, dataset.train.images[:2]))
    check_views(spec.recipe, pair, dataset)
    zeros = torch.zeros(len(pair), dtype=torch.int64)
    augmenter(spec.recipe.augment)(Batch(pair, zeros, zeros), torch.Generator())
    return checked


def check_crops(model: nn.Module, feed: CropFeed, spec: RunSpec, dataset: Dataset) -> None:
    """That the model can be taught by crops of this size.

    Raises:
        UsageError: it cannot, or it cannot take this size.
    """
    if not isinstance(model, Spots):
        raise UsageError(f"feed = {spec.recipe.feed!r}: {spec.model} cannot be taught by crops; patch_classifier can")
    side = model_shape(spec.recipe.preprocess, (dataset.channels, feed.size, feed.size))[-1]
    if side != model.field:
        raise UsageError(f"feed = {spec.recipe.feed!r}: {spec.model} sees {model.field} pixels where a crop has {side}")


def check_places(model: nn.Module, feed: PlacedFeed, spec: RunSpec, dataset: Dataset) -> None:
    """That the model can be taught the places of these images.

    Raises:
        UsageError: it cannot, or it tells others apart, or augmentation would move what the places are of.
    """
    if not isinstance(model, Locates):
        raise UsageError(f"feed = {spec.recipe.feed!r}: {spec.model} cannot be taught places; heatmap_classifier can")
    if spec.recipe.augment:
        raise UsageError(f"feed = {spec.recipe.feed!r}: augment would move what is placed: leave it out")
    cells = -(-model_shape(spec.recipe.preprocess, dataset.shape)[-1] // model.stride)
    if cells != feed.cells:
        raise UsageError(
            f"feed = {spec.recipe.feed!r}: {spec.model} tells {cells} x {cells} places of such images apart: "
            f"cells={cells} is valid"
        )


def check_views(recipe: Recipe, images: Tensor, dataset: Dataset) -> None:
    """That loaded images (N, C, H, W) can be seen so.

    Raises:
        UsageError: a mirrored image loses its label, or a shift leaves nothing of an image.
    """
    views, (height, width) = recipe.views_choice, images.shape[2:]
    if not isinstance(views, SeveralViews):
        return
    if views.mirror and dataset.mirror is False:
        raise UsageError(
            f"views: mirror would change what images of {dataset.name} mean: mirrored, they lose their label"
        )
    if views.shift >= min(height, width):
        raise UsageError(f"views: shift={views.shift} is too much for images of {height}x{width} pixels")


def build_model(spec: RunSpec, dataset: Dataset) -> nn.Module:
    channels, height, width = model_shape(spec.recipe.preprocess, dataset.shape)
    classes = len(dataset.classes)
    return create_model(spec.model, channels=channels, classes=classes, size=(height, width), **spec.parameters)


def train_run(
    spec: RunSpec,
    dataset: Dataset,
    path: Path,
    *,
    needs: Sequence[Path] = (),
    device: str = "auto",
    threads: int,
    checkpoint_seconds: float = 60.0,
    wait: float = 15.0,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> record.Run:
    """Train what is missing of the run in `path` and return its record.

    The record's `seconds` are those of training, the validation after each epoch included.

    Args:
        needs: directories of the runs that this one needs: its teacher's.
        threads: CPU threads; a run that goes on keeps the number it began with, since its bits depend on it.
        checkpoint_seconds: a checkpoint is written at the first step this long after the last one.
        wait: seconds to wait for another process that is training this run.
        stop: asked before every step; when true, a checkpoint is written and the run ends.

    Raises:
        Interrupted: `stop` said so.
        Locked: another process is still training this run.
        UsageError, BakeoffError: a spec that cannot be trained.
    """
    spec = check_spec(spec, dataset)
    teacher = find_teacher(spec.recipe, dataset, needs) if spec.recipe.teacher else None
    if record.status(path) in ("finished", "diverged"):  # no lock: the folder may be one that cannot be written
        record.tidy(path)
        return record.read_run(path)
    with record.only_writer(path, wait), computing(find_device(device), threads):
        if record.status(path) not in ("finished", "diverged"):
            _train(spec, dataset, path, teacher, needs, device, threads, checkpoint_seconds, stop, progress)
        record.remove_checkpoint(path)
        return record.read_run(path)


def _train(
    spec: RunSpec,
    dataset: Dataset,
    path: Path,
    teacher: record.Run | None,
    needs: Sequence[Path],
    device_name: str,
    threads: int,
    checkpoint_seconds: float,
    stop: Callable[[], bool],
    progress: Callable[[Progress], None],
) -> None:
    device, folder = find_device(device_name), path / "checkpoint"
    checkpoint = last_checkpoint(folder)
    threads = checkpoint.threads if checkpoint else threads
    torch.set_num_threads(threads)
    preprocess = spec.recipe.preprocess
    moments = mean_and_std(Split(change(preprocess, dataset.train.images), dataset.train.labels))
    taught, pool = teach(spec.recipe, dataset, teacher, device_name) if teacher else (None, None)
    task = make_task(spec, dataset, moments, device, taught)
    model, origin = initial_model(spec, dataset, task)
    description = describe_run(spec, dataset, moments, task, threads) | {
        "status": "running",
        "weights": origin,
        "pool": pool,
        "decides": deciding(spec, dataset, needs),
        "parameters": count_parameters(model),
        "multiply_adds": count_multiply_adds(model, model_shape(preprocess, dataset.shape))
        * spec.recipe.views_choice.count,
    }
    model = model.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    state = new_state(model, spec.recipe)
    if checkpoint:
        restore_checkpoint(checkpoint, state, spec.recipe)
    else:
        record.write_description(path, description)
    segments = [*(checkpoint.segments if checkpoint else ()), segment(description["environment"], state.step)]

    steps, epochs = batches(len(task.feed), spec.recipe.batch_size), spec.recipe.epochs * spec.recipe.fits
    saved = time.monotonic()
    arrays, weights = None, None
    try:
        for _ in train(task, state):
            last, row = (epochs + (state.fell_back or 0)) * steps, (state.history or [{}])[-1]
            progress(Progress(path.name, state.step, last, state.epoch, row))
            stopping = stop()
            if stopping or time.monotonic() - saved >= checkpoint_seconds:
                save_checkpoint(folder, state, threads, segments)
                record.write_history(path, state.history)
                saved = time.monotonic()
            if stopping:
                raise Interrupted
        final = {name: value.contiguous() for name, value in (state.best or state.evaluated()).items()}
        model.load_state_dict(final)
        description["metrics"], arrays = evaluate(task, model)
        arrays |= dataset.split_ids()
        description["status"], weights = "finished", save(final)
    except Diverged:
        description |= {"status": "diverged", "metrics": {}}
    seen = state.epoch * len(task.feed) + state.batch * spec.recipe.batch_size
    description |= {
        "segments": segments,
        "fell_back": state.fell_back,
        "seconds": round(state.seconds, 3),
        "images_per_second": round(seen / max(state.seconds, 1e-9), 1),
    }
    if spec.recipe.selects_on_test:
        count_reading(path, "training, to choose the epoch", page="training")
    record.write_finished(path, description, state.history, arrays, weights)


def segment(environment: record.Row, step: int) -> record.Row:
    """An entry of a record's `segments`: this process, training from `step` on."""
    return {"started": datetime.now(UTC).isoformat(timespec="seconds"), "step": step, "environment": environment}


def initial_model(spec: RunSpec, dataset: Dataset, task: Task) -> tuple[nn.Module, dict[str, str] | None]:
    """The model as training begins, and where its weights come from if not from chance: the file and its SHA-256."""
    recipe = spec.recipe
    seed_generators(torch.device("cpu"), derived_seed(spec.seed, INIT, 0))
    model = build_model(spec, dataset)
    if recipe.init == "glorot":
        glorot_(model)
    origin = None
    if recipe.weights:
        file = find_weights(recipe.weights, spec.model)
        origin = {"file": str(file), "sha256": load_weights(model, file)}
    elif isinstance(model, Whitens):
        model.whiten(task.normalise(task.sample.images).cpu())
    if recipe.freeze:
        freeze(model, recipe.freeze)
    return model, origin


def make_task(
    spec: RunSpec, dataset: Dataset, moments: Moments, device: torch.device, taught: Split | None = None
) -> Task:
    """What is trained on what.

    Args:
        moments: the loaded training split's mean and deviation.
        taught: images that a teacher labelled, to be trained on like those of the training split; normalisation,
            weights of classes and training accuracy are the split's alone.
    """
    preprocess, sampled = spec.recipe.preprocess, sample_size(dataset)
    train = fed = load(dataset.train, device, preprocess)
    if taught is not None:
        more = load(taught, device, preprocess)
        fed = Loaded(torch.cat([train.images, more.images]), torch.cat([train.labels, more.labels]))
    return Task(
        recipe=spec.recipe,
        seed=spec.seed,
        classes=len(dataset.classes),
        feed=make_feed(spec.recipe.feed_choice, spec.dataset, fed, preprocess),
        train=train,
        sample=load(subset(dataset.train, sampled), device, preprocess) if sampled < len(train) else train,
        validation=load(dataset.validation, device, preprocess),
        test=load(dataset.test, device, preprocess),
        normalise=normaliser(spec.recipe.pixels, *moments, device, preprocess),
        precision=find_precision(spec.recipe.precision, device),
    )


def sample_size(dataset: Dataset) -> int:
    """Images in the stratified sample of the training split: at least one a class."""
    return min(max(TRAIN_SAMPLE, len(dataset.classes)), len(dataset.train))


def describe_run(spec: RunSpec, dataset: Dataset, moments: Moments, task: Task, threads: int) -> dict[str, Any]:
    """What a record says of its spec, its data and the machine."""
    device = task.train.labels.device
    mean, std = moments
    return {
        "spec": spec.model_dump(mode="json"),
        "dataset": {
            "name": dataset.name,
            "fingerprint": dataset.fingerprint,
            "test_fingerprint": dataset.test_fingerprint,
            "classes": list(dataset.classes),
            "shape": list(dataset.shape),
            "header": list(dataset.header) if dataset.header else None,
            "mean": mean.tolist(),
            "std": std.tolist(),
            "counts": {name: counts.tolist() for name, counts in dataset.counts().items()},
            "train_sample": sample_size(dataset),
            "drawn": list(dataset.drawn),
            "duplicates": dataclasses.asdict(dataset.duplicates),
        },
        "environment": {
            **record.environment(),
            **({"timm": importlib.metadata.version("timm")} if spec.model.startswith(TIMM) else {}),
            **({"plugins": versions} if (versions := plugin_versions(spec)) else {}),
            "threads": threads,
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
            "precision": "bf16" if task.precision else "fp32",
            "evaluation_precision": "fp32",
            "deterministic": device.type == "cpu",
        },
    }


def evaluate(task: Task, model: nn.Module) -> tuple[record.Row, dict[str, NDArray[Any]]]:
    """Final metrics of train and validation, and predictions.npz. Here the test split is first met.

    Raises:
        Diverged: weights or logits are non-finite.
    """
    logits = {name: infer_views(task, model, split) for name, split in measured_splits(task).items()}
    if not all(bool(value.isfinite().all()) for value in (*model.state_dict().values(), *logits.values())):
        raise Diverged
    return conclude(task, logits)


def measured_splits(task: Task) -> dict[str, Loaded]:
    """What a finished model is measured on: a sample of the training split, validation and test."""
    return {"train": task.sample, "validation": task.validation, "test": task.test}


def conclude(task: Task, logits: Mapping[str, Tensor]) -> tuple[record.Row, dict[str, NDArray[Any]]]:
    """Metrics of train and validation, and predictions.npz, from the logits (N, K) of `measured_splits`."""
    metrics: record.Row = {}
    arrays: dict[str, NDArray[Any]] = {}
    for name, split in measured_splits(task).items():
        if name != "test":  # its figures are worked out from the stored logits, when they are asked for
            metrics |= measure(logits[name], split.labels, name)
        arrays |= {f"{name}_logits": logits[name].cpu().numpy(), f"{name}_labels": split.labels.cpu().numpy()}
    images, answers = task.test.images.cpu().numpy(), (arrays["test_logits"], arrays["test_labels"])
    worst, confused = worst_mistakes(*answers)[:MISTAKES], most_confused(*answers)
    arrays |= {"mistake_index": worst, "mistake_images": images[worst]}
    arrays |= {"confused_index": confused, "confused_images": images[confused]}
    return metrics, arrays


def worst_mistakes(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices of all wrong predictions, the surest first."""
    wrong = np.flatnonzero(logits.argmax(1) != labels)
    sure = softmax(logits[wrong].astype(np.float64), axis=1).max(1)
    return wrong[np.argsort(-sure, kind="stable")]


def most_confused(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices of at most `EXAMPLES` wrong predictions for each of the `CONFUSIONS` most frequent pairs of true and
    predicted class: pair after pair, the most frequent first; in each the surest first."""
    classes, wrong = logits.shape[1], worst_mistakes(logits, labels)
    pairs = labels[wrong] * classes + logits[wrong].argmax(1)
    counts = np.bincount(pairs, minlength=classes**2)
    order = np.argsort(-counts, kind="stable")[:CONFUSIONS]
    return np.concatenate([wrong[pairs == pair][:EXAMPLES] for pair in order])
