"""A trained run at work: logits for any split or any images, and CSV files of its predictions."""

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
    own: bool


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
    if not part.own:
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
            of others test, and all where they bring no test split.

    Raises:
        UsageError: data without that split, or of another shape or other classes than the run's.
        BakeoffError: the run's own data are not those it was trained on.
    """
    classes = run.dataset["classes"]
    contents = read_contents(run.spec.dataset if reference is None else reference)
    own = _own_data(run, contents, must=reference is None)
    split = split or ("validation" if own else "test" if "test" in contents.splits else "all")
    if split == "unlabelled":
        if contents.unlabelled is None:
            raise UsageError(f"{contents.name}: brings no images without labels: choose another split")
        part = Split(contents.unlabelled, np.zeros(0, np.int64), np.arange(len(contents.unlabelled)))
    elif split == "all" and own:
        raise UsageError(f"{run.path}: was trained on part of its own data: choose one split, or other data")
    elif split == "all":
        part = contents.labelled(classes)
    elif split == "test" and "test" in contents.splits and not own:
        part = replace(contents, splits={"test": contents.splits["test"]}).labelled(classes)
    else:
        data = own or draw_splits(contents, validation=run.spec.validation)
        if list(data.classes) != classes:
            raise UsageError(f"{contents.name}: its classes are not those of {run.path} ({', '.join(classes)})")
        part = data.splits[split]
    images, labels = part.images, None if split == "unlabelled" else part.labels
    channels, height, width = run.dataset["shape"]
    if images.shape[1:] != (channels, height, width):
        raise UsageError(
            f"{contents.name}: its images are {by(images.shape[1:])} (channels x height x width), and {run.path} takes "
            f"{channels}x{height}x{width}: say PATH:size={height}x{width},resize=pad,channels={channels}"
        )
    return Part(contents.name, split, images, labels, part.ids, contents.header, own is not None)


def _own_data(run: Run, contents: Contents, *, must: bool) -> Dataset | None:
    """The dataset that the run was trained on, if `contents` are that.

    Raises:
        BakeoffError: they are not, though they `must` be.
    """
    try:
        data = draw_splits(contents, validation=run.spec.validation, images=run.spec.images)
        check_unchanged(run, data)
    except BakeoffError:
        if must:
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
    keys = ("id", "label", "confidence") if confidence else ("id", "label")
    writer.writerow([id_column, label_column, *keys[2:]])
    writer.writerows([row[key] for key in keys] for row in rows)
    return text.getvalue()


def write_csv(path: Path, text: str) -> None:
    """`text` in `path`, whole or not at all; a link stays, and a device or a pipe gets the text.

    Raises:
        UsageError: no such folder.
        BakeoffError: it cannot be written.
    """
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; name a file")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(text.encode())
            return
        file = path.resolve() if path.is_symlink() else path
        if not file.parent.is_dir():
            raise UsageError(f"{path}: there is no folder {file.parent}")
        write_atomic(file, text.encode())
    except OSError as error:
        raise BakeoffError(f"{path}: cannot be written: {error.strerror}") from None
