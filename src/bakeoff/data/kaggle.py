"""The original files of the two modified-MNIST competitions: pickled arrays, and labels in a CSV."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import NamedTuple

from bakeoff.characters import displayable
from bakeoff.data.dataset import LONGEST_NAME, Images
from bakeoff.data.images import Shaping, as_images, shape_array
from bakeoff.data.pickled import read_array
from bakeoff.data.table import csv_rows
from bakeoff.errors import BakeoffError


class Edition(NamedTuple):
    """The names of a competition's files, those of the pickles without .pkl, and its submission's columns."""

    train: str
    labels: str
    test: str
    header: tuple[str, str]


EDITIONS = {
    "largest-digit": Edition("train_images", "train_labels.csv", "test_images", ("Id", "Category")),
    "highest-digit": Edition("train_max_x", "train_max_y.csv", "test_max_x", ("Id", "Label")),
}


class Originals(NamedTuple):
    """N images, their labels as words, M images without labels where they are there, and the label file's columns."""

    images: Images
    labels: list[str]
    unlabelled: Images | None
    header: tuple[str, str]


def find_edition(folder: Path) -> Edition | None:
    """The competition whose training images are in `folder`, or None."""
    return next((edition for edition in EDITIONS.values() if _find(folder, edition.train)), None)


def read_originals(folder: Path, edition: Edition, shaping: Shaping) -> Originals:
    """The files of `edition` in `folder`. Raises BakeoffError, naming file and fault, for what is missing or wrong."""
    train, test = _find(folder, edition.train), _find(folder, edition.test)
    if train is None:
        raise BakeoffError(f"{folder} holds no {edition.train}")
    images = shape_array(as_images(read_array(train), train), shaping, train)
    header, labels = _read_labels(folder / edition.labels, len(images), train)
    unlabelled = None if test is None else shape_array(as_images(read_array(test), test), shaping, test)
    return Originals(images, labels, unlabelled, header)


def _find(folder: Path, name: str) -> Path | None:
    return next((file for file in (folder / f"{name}.pkl", folder / name) if file.is_file()), None)


def _read_labels(file: Path, count: int, images: Path) -> tuple[tuple[str, str], list[str]]:
    """The names of the two columns, and the label of every image, whose ids are its places, from 0."""
    rows = [row for _, row in itertools.islice(csv_rows(file), count + 2)]
    if not rows:
        raise BakeoffError(f"{file} holds no row")
    uneven = next((number for number, row in enumerate(rows, 1) if len(row) != 2), None)
    if uneven is not None:
        raise BakeoffError(f"{file}, row {uneven}: {len(rows[uneven - 1])} columns where an id and a label are valid")
    header, *body = rows
    if len(body) != count:
        given = f"more than {count}" if len(body) > count else str(len(body))
        raise BakeoffError(f"{file} holds {given} labels and {images} {count} images")
    labels = {name.strip(): label.strip() for name, label in body}
    missing = next((place for place in range(count) if str(place) not in labels), None)
    if missing is not None:
        raise BakeoffError(f"{file}: no label has the id {missing}; the ids of {count} images are 0 to {count - 1}")
    first, second = (displayable(name.strip())[:LONGEST_NAME] for name in header)
    return (first, second), [labels[str(place)] for place in range(count)]
