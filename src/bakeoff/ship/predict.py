"""A trained run at work: logits for any split or any images, and CSV files of its predictions."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load
from scipy.special import softmax

from bakeoff.data import Dataset, load_dataset
from bakeoff.data.batches import normaliser
from bakeoff.errors import BakeoffError, UsageError
from bakeoff.evaluation.metrics import METRICS, wilson
from bakeoff.models import create_model
from bakeoff.record import Run, write_atomic
from bakeoff.training.loop import infer_images
from bakeoff.training.run import find_device, find_precision


def logits_of(run: Run, images: NDArray[np.uint8], *, device: str = "auto") -> NDArray[np.float32]:
    """(N, K) logits of a run's evaluated weights for images (N, C, H, W) uint8 of its dataset's shape.

    Raises:
        UsageError: a run without weights, or images of another shape.
        BakeoffError: damaged weights.
    """
    shape = tuple(run.dataset["shape"])
    if images.shape[1:] != shape:
        raise UsageError(
            f"{run.path}: was trained on images of {shape} (channels, height, width), not {images.shape[1:]}"
        )
    if run.status != "finished":
        raise UsageError(f"{run.path}: {run.status}, so it has no weights")
    where = find_device(device)
    model = create_model(
        run.spec.model,
        channels=shape[0],
        classes=len(run.dataset["classes"]),
        size=(shape[1], shape[2]),
        **run.spec.parameters,
    )
    file = run.path / "weights.safetensors"
    try:
        model.load_state_dict(load(file.read_bytes()))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise BakeoffError(f"{file}: cannot be loaded: {str(error).splitlines()[0]}") from None
    model = model.to(where).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    mean, std = (np.asarray(run.dataset[key]) for key in ("mean", "std"))
    normalise = normaliser(run.spec.recipe.pixels, mean, std, where)
    precision = find_precision(run.spec.recipe.precision, where)
    logits = infer_images(model, torch.from_numpy(images).to(where), normalise, precision)
    return logits.cpu().numpy()


def evaluate(run: Run, dataset: str | None, split: str, *, device: str = "auto") -> dict[str, Any]:
    """A run's metrics on a split of any dataset with its shape and classes.

    Args:
        dataset: a dataset reference; None: the run's own.
        split: train, validation or test.

    Raises:
        UsageError: a dataset that does not fit.
    """
    data = _dataset_of(run, dataset)
    part = data.splits[split]
    logits = logits_of(run, part.images, device=device)
    right = int((logits.argmax(1) == part.labels).sum())
    interval = wilson(right, len(part))
    return {
        "run": str(run.path),
        "dataset": data.name,
        "split": split,
        "n": len(part),
        "accuracy": {"mean": interval.mean, "low": interval.low, "high": interval.high},
        **{name: metric(logits, part.labels) for name, metric in METRICS.items() if name != "accuracy"},
    }


def _dataset_of(run: Run, reference: str | None) -> Dataset:
    data = load_dataset(
        reference or run.spec.dataset,
        validation=run.spec.validation,
        images=run.spec.images if reference is None else None,
    )
    if list(data.classes) != list(run.dataset["classes"]):
        raise UsageError(
            f"{reference or run.spec.dataset}: its classes are not those of {run.path} "
            f"({', '.join(run.dataset['classes'])})"
        )
    return data


def predict_split(run: Run, reference: str | None, split: str, *, device: str = "auto") -> list[dict[str, Any]]:
    """One row an image of a split; see `predict_rows`. Ids count from 0."""
    images = _dataset_of(run, reference).splits[split].images
    return predict_rows(run, images, range(len(images)), device=device)


def predict_rows(
    run: Run, images: NDArray[np.uint8], ids: Sequence[Any], *, device: str = "auto"
) -> list[dict[str, Any]]:
    """One row an image: `id`, `label` (the class name) and `confidence` (the softmax probability, 0 ... 1)."""
    probabilities = softmax(logits_of(run, images, device=device).astype(np.float64), axis=1)
    said = probabilities.argmax(1)
    names = run.dataset["classes"]
    return [
        {"id": name, "label": names[label], "confidence": round(float(row[label]), 6)}
        for name, label, row in zip(ids, said, probabilities, strict=True)
    ]


def csv_text(rows: Sequence[dict[str, Any]], id_column: str, label_column: str, *, confidence: bool) -> str:
    """Predictions as CSV with the columns a competition asks for."""
    if id_column == label_column:
        raise UsageError(f"the id column and the label column are both called {id_column!r}")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([id_column, label_column, *(["confidence"] if confidence else [])])
    for row in rows:
        writer.writerow([row["id"], row["label"], *([row["confidence"]] if confidence else [])])
    return text.getvalue()


def write_csv(path: Path, text: str) -> None:
    """`text` in `path`, whole or not at all.

    Raises:
        UsageError: no such folder.
    """
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}")
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; name a file")
    write_atomic(path, text.encode())
