"""Metrics and predictions of a trained run on any split or images, and predictions as CSV files."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from bakeoff.data import load_images
from bakeoff.data.dataset import Contents, Dataset, Ids, Images, Labels, Split, by
from bakeoff.data.provenance import check_unchanged, count_trained_on
from bakeoff.data.sources import draw_splits, read_contents
from bakeoff.errors import BakeoffError, UsageError
from bakeoff.evaluation.metrics import METRICS, wilson
from bakeoff.record import Run, write_atomic
from bakeoff.record.readings import count_reading, count_readings

Header = tuple[str, str]
HEADER = ("id", "label")
"""Columns of a CSV file, where no competition says otherwise."""


class Part(NamedTuple):
    """Images (N, C, H, W) to answer, perhaps with labels (N,), and their ids (N,) in the data; the dataset and split,
    the header of the competition they are from, and whether they are of the run's own data."""

    dataset: str
    split: str
    images: Images
    labels: Labels | None
    ids: Ids
    header: Header | None
    own_data: bool


def evaluate(run: Run, dataset: str | None, split: str | None = None, *, device: str = "auto") -> dict[str, Any]:
    """A run's metrics on a split of any dataset with its shape and classes; see `find_part`.

    Reading the run's own test split is counted in its directory: `test_reads` says how often that has happened.
    `trained_on` says how many of the images the run was trained on, of other data, or of its own test split where a
    teacher labelled that; None where that cannot be told.

    Raises:
        UsageError: a dataset that does not fit.
        BakeoffError: the run's own data are not those it was trained on.
    """
    from bakeoff.training.inference import logits_of

    part = find_part(run, dataset, split)
    if part.labels is None:
        raise UsageError(f"{part.dataset}: its {part.split} images cannot be measured without labels: predict them")
    logits = logits_of(run, part.images, device=device)
    right = int((logits.argmax(1) == part.labels).sum())
    interval = wilson(right, len(part.labels))
    return {
        "run": str(run.path),
        "dataset": part.dataset,
        "split": part.split,
        "n": len(part.labels),
        "accuracy": {"mean": interval.mean, "low": interval.low, "high": interval.high},
        **{name: float(metric.function(logits, part.labels)) for name, metric in METRICS.items()},
        **_protocol(run, part, "evaluate"),
    }


def _protocol(run: Run, part: Part, by: str) -> dict[str, int | None]:
    """Count a reading of the run's own test split; of other data, the images that the run was trained on."""
    if not part.own_data:
        return {"trained_on": count_trained_on(run, part.images)}
    if part.split != "test":
        return {}
    count_reading(run.path, by)
    labelled = {"trained_on": int(run.pool["taken"])} if run.pool and run.spec.recipe.trains_on_test else {}
    return {**labelled, "test_reads": count_readings(run.path)}


def training_note(trained_on: int | None) -> str:
    """A sentence on how many of the images that were measured or predicted a run was trained on; empty if none."""
    if trained_on is None:
        return "its own training data are not at hand unchanged, so nobody can tell whether these are among them"
    return f"the run was trained on {trained_on:,} of these images" if trained_on else ""


def find_part(run: Run, reference: str | None, split: str | None = None) -> Part:
    """The images of a split, with labels that count into the run's classes.

    Args:
        reference: a dataset reference; None: the run's own.
        split: train, validation, test, unlabelled, or all that is labelled; None: of the run's own data validation,
            of others test, and all where they bring no test split. Nothing is drawn from other data.

    Raises:
        UsageError: data without that split, or of another shape or other classes than the run's.
        BakeoffError: the run's own data are not those it was trained on.
    """
    contents = read_contents(run.spec.dataset if reference is None else reference)
    own_data = _own_data(run, contents, required=reference is None)
    split = split or ("validation" if own_data else "test" if "test" in contents.splits else "all")
    if split == "unlabelled" and contents.unlabelled is not None:
        part = Split(contents.unlabelled, np.zeros(0, np.int64), np.arange(len(contents.unlabelled)))
    elif own_data and split in own_data.splits:
        part = own_data.splits[split]
    elif own_data and split == "all":
        raise UsageError(f"{run.path}: was trained on part of its own data: choose one split, or other data")
    elif not own_data and (split == "all" or split in contents.splits):
        chosen = contents.splits if split == "all" else {split: contents.splits[split]}
        part = replace(contents, splits=chosen).labelled(run.dataset["classes"])
    else:
        kind = "images without labels" if split == "unlabelled" else f"{split} split"
        raise UsageError(f"{contents.name}: brings no {kind}: choose another split, or all")
    images, labels = part.images, None if split == "unlabelled" else part.labels
    channels, height, width = run.dataset["shape"]
    if images.shape[1:] != (channels, height, width):
        raise UsageError(
            f"{contents.name}: its images are {by(images.shape[1:])} (channels x height x width), and {run.path} takes "
            f"{channels}x{height}x{width}: say PATH:size={height}x{width},resize=pad,channels={channels}"
        )
    return Part(contents.name, split, images, labels, part.ids, contents.header, own_data is not None)


def _own_data(run: Run, contents: Contents, *, required: bool) -> Dataset | None:
    """The dataset that the run was trained on, if `contents` are that.

    Raises:
        BakeoffError: they are not, though they `must` be.
    """
    try:
        data = draw_splits(contents, validation=run.spec.validation, images=run.spec.images)
        check_unchanged(run, data)
    except BakeoffError:
        if required:
            raise
        return None
    return data


def predict_split(
    run: Run, reference: str | None, split: str, *, device: str = "auto"
) -> tuple[list[dict[str, Any]], Header]:
    """One row an image of a split, see `find_part` and `predict_rows`, and the columns they go by. An id is the image's
    own in the data: a file's name, or its place, from 0.

    Predicting the run's own test split is a reading of it, and counted; a warning says how many of the images the run
    was trained on, as `evaluate` does.
    """
    part = find_part(run, reference, split)
    rows = predict_rows(run, part.images, part.ids.tolist(), device=device)
    if note := training_note(_protocol(run, part, "predict").get("trained_on", 0)):
        warnings.warn(note, stacklevel=2)
    return rows, part.header or _header(run)


def predict_files(
    run: Run, path: Path, *, resize: str | None = None, device: str = "auto"
) -> tuple[list[dict[str, Any]], Header]:
    """One row an image of a file or folder, see `load_images` and `predict_rows`, and the columns they go by."""
    channels, height, width = run.dataset["shape"]
    images, names = load_images(path, size=(height, width), channels=channels, resize=resize)
    return predict_rows(run, images, names, device=device), _header(run)


def _header(run: Run) -> Header:
    """The columns of the competition that the run's data are from."""
    first, second = run.dataset.get("header") or HEADER
    return first, second


def predict_rows(
    run: Run, images: NDArray[np.uint8], ids: Sequence[Any], *, device: str = "auto"
) -> list[dict[str, Any]]:
    """One row an image: `id`, `label` (the class name) and `confidence` (the softmax probability, 0 ... 1)."""
    from bakeoff.training.inference import logits_of

    probabilities = softmax(logits_of(run, images, device=device).astype(np.float64), axis=1)
    return [
        {"id": name, "label": run.dataset["classes"][row.argmax()], "confidence": round(float(row.max()), 6)}
        for name, row in zip(ids, probabilities, strict=True)
    ]


def csv_text(rows: Sequence[dict[str, Any]], id_column: str, label_column: str, *, confidence: bool) -> str:
    """Predictions as CSV with the columns a competition asks for."""
    if id_column == label_column:
        raise UsageError(f"the id column and the label column are both called {id_column!r}")
    text = io.StringIO()
    columns = {"id": id_column, "label": label_column} | ({"confidence": "confidence"} if confidence else {})
    writer = csv.DictWriter(text, [*columns], extrasaction="ignore", lineterminator="\n")
    writer.writerows([columns, *rows])
    return text.getvalue()


def write_csv(path: Path, text: str) -> None:
    """`text` in `path`, whole or not at all; a link stays, and a device or a pipe gets the text.

    Raises:
        UsageError: no such folder.
        BakeoffError: it cannot be written.
    """
    file = path.resolve() if path.is_symlink() else path
    if not file.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {file.parent}")
    try:
        if file.exists() and not file.is_file():
            file.write_bytes(text.encode())
        else:
            write_atomic(file, text.encode())
    except OSError as error:
        raise BakeoffError(f"{path}: cannot be written: {error.strerror}") from None
