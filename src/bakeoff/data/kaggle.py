"""The original files of the two modified-MNIST competitions: pickled arrays, and labels in a CSV."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from bakeoff.characters import displayable
from bakeoff.data.dataset import LONGEST_NAME, Contents
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


def find_edition(folder: Path) -> Edition | None:
    """The competition whose training images are in `folder`, or None."""
    return next((edition for edition in EDITIONS.values() if _find(folder, edition.train)), None)


def read_competition(name: str, folder: Path, edition: Edition, shaping: Shaping) -> Contents:
    """The files of `edition` in `folder`; the test images, which have no labels, may be missing.

    Raises BakeoffError, naming file and fault, for what is wrong.
    """
    images, unlabelled = (
        shape_array(as_images(read_array(file), file), shaping, file) if file else None
        for file in (_find(folder, edition.train), _find(folder, edition.test))
    )
    assert images is not None, "find_edition has seen the file"
    labels, header = _read_labels(folder / edition.labels, len(images))
    contents = Contents.from_names(name, {"train": (images, labels)})
    return replace(contents, unlabelled=unlabelled, header=header, mirror=False)


def _find(folder: Path, name: str) -> Path | None:
    return next((file for file in (folder / f"{name}.pkl", folder / name) if file.is_file()), None)


def _read_labels(file: Path, count: int) -> tuple[list[str], tuple[str, str]]:
    """The label of each of `count` images, whose ids are their places, and the names of the two columns."""
    header, *rows = [row for _, row in itertools.islice(csv_rows(file), count + 2)] or [[]]
    labels = {row[0]: row[1] for row in rows if len(row) == 2}
    if len(header) != 2 or len(rows) != count or labels.keys() != set(map(str, range(count))):
        raise BakeoffError(
            f"{file} must have a header and {count} rows, one for each training image: its id, from 0 to {count - 1}, "
            "and its label"
        )
    id_column, label_column = (displayable(name)[:LONGEST_NAME] for name in header)
    return [labels[str(place)] for place in range(count)], (id_column, label_column)
