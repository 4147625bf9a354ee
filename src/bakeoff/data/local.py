"""The user's own data: class folders, an .npz, IDX files, a CSV of paths and labels, or a competition's files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bakeoff.arrays import read_arrays
from bakeoff.characters import displayable
from bakeoff.data.dataset import Contents, Images, Split
from bakeoff.data.idx import find_idx, read_idx
from bakeoff.data.images import Shaping, as_images, find_pictures, open_pictures, shape_array, shape_pictures
from bakeoff.data.kaggle import find_edition, read_competition
from bakeoff.data.table import csv_rows
from bakeoff.errors import BakeoffError, UsageError, closest
from bakeoff.files import check_bytes
from bakeoff.spec.settings import validate

SPLITS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}


class Options(Shaping):
    """What may follow a path: `./letters:size=28,resize=pad,channels=1`."""

    mirror: bool | None = None
    """Whether a mirrored image keeps its label."""


class Row(NamedTuple):
    """One picture, before it is opened."""

    split: str
    label: str
    file: Path
    id: str
    """Its name, as the data give it."""


def load_local(path: Path, options: Mapping[str, str]) -> Contents:
    """Read `path`, whatever kind of data it is, in the shape `options` ask for.

    Raises BakeoffError, naming file and fault, for damaged, empty or contradictory data.
    """
    chosen = validate(Options, options, str(path))
    contents = _read(path, chosen)
    return contents if chosen.mirror is None else replace(contents, mirror=chosen.mirror)


def _read(path: Path, shaping: Shaping) -> Contents:
    name = path.stem if path.is_file() else path.resolve().name
    if path.is_dir():
        if edition := find_edition(path):
            return read_competition(name, path, edition, shaping)
        if any(path.glob("*-ubyte*")):
            return _read_idx(name, path, "", shaping)
        return _open_rows(name, _folder_rows(path), path, shaping)
    if path.suffix.lower() == ".csv":
        return _open_rows(name, _csv_rows(path), path, shaping)
    if path.suffix.lower() == ".npz":
        return _read_npz(name, path, shaping)
    if find_idx(path.parent, f"{path.name}-", "train-images"):
        return _read_idx(name, path.parent, f"{path.name}-", shaping)
    raise UsageError(
        f"{path} is none of the valid kinds of data: a folder of class folders, an .npz, a .csv, a folder with IDX "
        "files or the beginning of their names, or a folder with the competition's train_images.pkl or train_max_x"
    )


def _folder_rows(folder: Path) -> list[Row]:
    """CLASS/picture, or SPLIT/CLASS/picture. Class folders without pictures, and pictures beside them, are ignored."""
    tops = _subfolders(folder)
    names = {top.name for top in tops}
    if names.isdisjoint(SPLITS):
        classes = [("train", top) for top in tops]
    elif "train" in names and names <= SPLITS.keys():
        classes = [(SPLITS[top.name], entry) for top in tops for entry in _subfolders(top)]
    else:
        raise BakeoffError(
            f"{folder} holds {', '.join(sorted(names))} where class folders, or train and perhaps validation and test, "
            "are valid"
        )
    rows = [
        Row(split, entry.name, file, file.relative_to(folder).as_posix())
        for split, entry in classes
        for file in find_pictures(entry)
    ]
    if not rows:
        raise BakeoffError(f"{folder} holds no class folder with pictures")
    return rows


def _subfolders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _csv_rows(file: Path) -> list[Row]:
    """Columns `path` (relative to the file), `label`, and perhaps `split`; others are ignored."""
    table = csv_rows(file)
    _, columns = next(table, (0, []))
    for column in ("path", "label"):
        if column not in columns:
            raise BakeoffError(f"{file} has no column {column!r}{closest(column, map(displayable, columns[:100]))}")
    rows = []
    for number, cells in table:
        row = dict(zip(columns, cells, strict=False))
        path, label = row.get("path"), row.get("label")
        split = row.get("split", "") if "split" in columns else "train"
        if not path or not label or split not in SPLITS:
            raise BakeoffError(
                f"{file}, line {number}: path {path!r}, label {label!r} and split {split!r} where a path, a label and "
                f"one of {', '.join(SPLITS)} are valid"
            )
        rows.append(Row(SPLITS[split], label, file.parent / path, path))
    if not rows:
        raise BakeoffError(f"{file} has a header and no rows")
    return rows


def _open_rows(name: str, rows: list[Row], where: Path, shaping: Shaping) -> Contents:
    places = {file: place for place, file in enumerate(dict.fromkeys(row.file for row in rows))}
    images = shape_pictures(open_pictures(places), shaping)  # each file once, in however many rows it is
    check_bytes(len(rows) * images[0].nbytes, f"{where}: the images of its {len(rows):,} rows have")
    names = np.array([displayable(row.id) for row in rows])
    splits, ids = {}, {}
    for split in dict.fromkeys(row.split for row in rows):
        chosen = [place for place, row in enumerate(rows) if row.split == split]
        splits[split] = images[[places[rows[place].file] for place in chosen]], [rows[place].label for place in chosen]
        ids[split] = names[chosen]
    return Contents.from_names(name, splits, ids)


def _read_idx(name: str, folder: Path, prefix: str, shaping: Shaping) -> Contents:
    splits: dict[str, tuple[Images, NDArray[np.uint8]]] = {}
    for beginning, split in (("train", "train"), ("t10k", "test"), ("test", "test")):
        images, labels = (find_idx(folder, prefix, f"{beginning}-{part}") for part in ("images", "labels"))
        if images and labels:
            pixels, numbers = read_idx(images, 3)[0], read_idx(labels, 1)[0]
            splits[split] = shape_array(pixels[:, None], shaping, images), numbers
        elif images or labels:
            raise BakeoffError(f"{images or labels} lies without its {'labels' if images else 'images'}")
    if "train" not in splits:
        raise BakeoffError(
            f"{folder} holds IDX files and no {prefix}train-images-idx3-ubyte among them; where the names "
            f"begin otherwise, say {folder}/BEGINNING"
        )
    return Contents.from_names(name, splits)


def _read_npz(name: str, file: Path, shaping: Shaping) -> Contents:
    """`images` and `labels`, or x_train, y_train and the like for validation and test; perhaps `classes`."""
    arrays = read_arrays(file)
    pairs = {split: (f"x_{key}", f"y_{key}") for key, split in SPLITS.items() if f"x_{key}" in arrays}
    if "train" not in pairs:
        pairs = {"train": ("images", "labels"), **pairs}
    labelled: dict[str, tuple[Images, NDArray[Any]]] = {}
    for split, pair in pairs.items():
        for array in pair:
            if array not in arrays:
                raise BakeoffError(f"{file} has no array {array!r}{closest(array, arrays)}")
        images, labels = as_images(arrays[pair[0]], file), arrays[pair[1]]
        kinds, valid = ("iu", "integers") if "classes" in arrays else ("iuU", "integers or words")
        if labels.dtype.kind not in kinds or labels.size != len(images) or labels.shape[:1] != images.shape[:1]:
            raise BakeoffError(
                f"{file}, {pair[1]}: labels are {labels.dtype} {labels.shape} where {len(images)} {valid} are valid"
            )
        labelled[split] = shape_array(images, shaping, file), labels.ravel()
    if "classes" not in arrays:
        return Contents.from_names(name, labelled)
    splits = {split: Split(images, labels.astype(np.int64)) for split, (images, labels) in labelled.items()}
    return Contents(name, tuple(map(str, arrays["classes"].ravel())), splits)
