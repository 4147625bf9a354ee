"""The user's own data: class folders, an .npz, IDX files, a CSV of paths and labels, or a competition's files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from bakeoff.arrays import read_arrays
from bakeoff.characters import displayable
from bakeoff.data.dataset import LONGEST_NAME, Contents, Images, Labels, Split, check_classes
from bakeoff.data.idx import find_idx, idx_split, read_payload
from bakeoff.data.images import Shaping, as_images, find_pictures, open_pictures, shape_array, shape_pictures
from bakeoff.data.kaggle import Edition, find_edition, read_originals
from bakeoff.data.table import csv_rows
from bakeoff.errors import BakeoffError, UsageError, closest
from bakeoff.files import check_bytes, exists
from bakeoff.spec.settings import Frozen, validate

SPLITS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}
LARGEST = 1024
"""Pixels of a side that may be asked for."""


def _size(given: object) -> tuple[int, int]:
    """`28` -> (28, 28), `28x32` -> (28, 32)."""
    match = re.fullmatch(r"(\d+)(?:x(\d+))?", str(given), re.ASCII)
    if not match or not all(len(side) <= 4 and 1 <= int(side) <= LARGEST for side in match.groups(match[1])):
        raise ValueError(f"must be a side or height x width, 1 to {LARGEST} pixels, as in 28 or 28x32")
    return int(match[1]), int(match[2] or match[1])


class Options(Frozen):
    """What may follow a path: `./letters:size=28,resize=pad,channels=1`."""

    size: Annotated[tuple[int, int] | None, BeforeValidator(_size)] = Field(
        None, description="height x width in pixels; one number for a square"
    )
    resize: Literal["stretch", "pad", "crop"] | None = Field(None, description="rule for other sizes")
    channels: Literal["1", "3"] | None = Field(None, description="1 (grey) or 3 (RGB)")
    mirror: Literal["yes", "no"] | None = Field(None, description="whether a mirrored image keeps its label")


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
    shaping = Shaping(chosen.size, chosen.resize, int(chosen.channels) if chosen.channels else None)
    contents = _read(path, shaping)
    return contents if chosen.mirror is None else replace(contents, mirror=chosen.mirror == "yes")


def _read(path: Path, shaping: Shaping) -> Contents:
    name = path.stem if path.is_file() else path.resolve().name
    if path.is_dir() and (edition := find_edition(path)):
        return _read_kaggle(name, path, edition, shaping)
    if path.is_dir() and not any(path.glob("*-ubyte*")):
        return _open_rows(name, _folder_rows(path), path, shaping)
    if path.is_dir():
        return _read_idx(name, path, "", shaping)
    if path.suffix.lower() == ".csv":
        return _open_rows(name, _csv_rows(path), path, shaping)
    if path.suffix.lower() == ".npz":
        return _read_npz(name, path, shaping)
    if find_idx(path.parent, f"{path.name}-", "train-images"):
        return _read_idx(name, path.parent, f"{path.name}-", shaping)
    if find_edition(path.parent):
        raise UsageError(f"{path} is one file of a competition: name the folder, {path.parent}")
    raise UsageError(
        f"{path} is none of the valid kinds of data: a folder of class folders, an .npz, a .csv, a folder with IDX "
        "files or the beginning of their names, or a folder with the competition's train_images.pkl or train_max_x"
    )


def _folder_rows(folder: Path) -> list[Row]:
    """CLASS/picture, or SPLIT/CLASS/picture."""
    parts = {entry.name: entry for entry in _subfolders(folder)}
    if not parts.keys() & SPLITS.keys():
        return _class_rows(folder, folder, "train")
    others = sorted(parts.keys() - SPLITS.keys())
    if others or "train" not in parts:
        fault = f"{others[0]}/ beside" if others else "no train/ beside"
        raise BakeoffError(f"{folder} holds {fault} {', '.join(sorted(parts.keys() & SPLITS.keys()))}/")
    return [row for name in parts for row in _class_rows(folder, parts[name], SPLITS[name])]


def _class_rows(root: Path, folder: Path, split: str) -> list[Row]:
    rows: list[Row] = []
    for entry in _subfolders(folder):
        files = find_pictures(entry)
        if not files:
            raise BakeoffError(f"{entry} holds no picture, yet it is a class folder")
        rows += [Row(split, entry.name, file, file.relative_to(root).as_posix()) for file in files]
    if not rows:
        raise BakeoffError(f"{folder} holds no class folder with pictures")
    return rows


def _subfolders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _csv_rows(file: Path) -> list[Row]:
    """Columns `path` (relative to the file), `label`, and perhaps `split`; others are left alone."""
    table = csv_rows(file)
    _, columns = next(table, (0, []))
    for column in ("path", "label"):
        if column not in columns:
            raise BakeoffError(f"{file} has no column {column!r}{closest(column, map(displayable, columns[:100]))}")
    places = [columns.index(column) if column in columns else None for column in ("path", "label", "split")]
    there: dict[str, bool] = {}
    rows = []
    for number, line in table:
        path, label, split = (
            "train" if place is None else line[place].strip() if place < len(line) else "" for place in places
        )
        where = f"{file}, line {number}"
        if not path or not label:
            raise BakeoffError(f"{where}: the {'label' if path else 'path'} is missing")
        if split not in SPLITS:
            raise BakeoffError(f"{where}: unknown split {split[:40]!r}{closest(split[:40], SPLITS)}")
        if path not in there:
            there[path] = exists(file.parent / path)
        if not there[path]:
            raise BakeoffError(f"{where}: there is no file {displayable(str(file.parent / path))[:500]}")
        rows.append(Row(SPLITS[split], label, file.parent / path, path))
    if not rows:
        raise BakeoffError(f"{file} has a header and no rows")
    return rows


def _open_rows(name: str, rows: list[Row], where: Path, shaping: Shaping) -> Contents:
    check_classes({row.label for row in rows}, where)
    places = {file: place for place, file in enumerate(dict.fromkeys(row.file for row in rows))}
    images = shape_pictures(open_pictures(places), shaping)  # each file once, in however many rows it is
    check_bytes(len(rows) * images[0].nbytes, f"{where}: the images of its {len(rows):,} rows have")
    ids = np.array([displayable(row.id) for row in rows])
    splits, words = {}, {}
    for split in dict.fromkeys(row.split for row in rows):
        chosen = [n for n, row in enumerate(rows) if row.split == split]
        words[split] = [rows[n].label for n in chosen]
        splits[split] = images[[places[rows[n].file] for n in chosen]], ids[chosen]
    classes, labels = _number(words, where)
    return Contents(
        name, classes, {split: Split(pixels, labels[split], names) for split, (pixels, names) in splits.items()}
    )


def _read_kaggle(name: str, folder: Path, edition: Edition, shaping: Shaping) -> Contents:
    images, words, unlabelled, header = read_originals(folder, edition, shaping)
    classes, labels = _number({"train": words}, folder / edition.labels)
    return Contents(name, classes, {"train": Split(images, labels["train"])}, unlabelled, header, mirror=False)


def _read_idx(name: str, folder: Path, prefix: str, shaping: Shaping) -> Contents:
    pairs: dict[str, tuple[Images, list[str]]] = {}
    for part, beginnings in {"train": ("train",), "test": ("t10k", "test")}.items():
        for beginning in beginnings:
            images = find_idx(folder, prefix, f"{beginning}-images")
            labels = find_idx(folder, prefix, f"{beginning}-labels")
            if images and labels:
                split = idx_split(read_payload(images), read_payload(labels))
                pairs[part] = shape_array(split.images, shaping, images), _words(split.labels)
            elif images or labels:
                raise BakeoffError(f"{images or labels} lies without its {'labels' if images else 'images'}")
    if "train" not in pairs:
        raise BakeoffError(
            f"{folder} holds IDX files and no {prefix}train-images-idx3-ubyte among them; where the names "
            f"begin otherwise, say {folder}/BEGINNING"
        )
    classes, numbers = _number({part: words for part, (_, words) in pairs.items()}, folder)
    return Contents(name, classes, {part: Split(images, numbers[part]) for part, (images, _) in pairs.items()})


def _read_npz(name: str, file: Path, shaping: Shaping) -> Contents:
    """`images` and `labels`, or x_train, y_train and the like for validation and test; perhaps `classes`."""
    arrays = read_arrays(file)
    pairs = {split: (f"x_{key}", f"y_{key}") for key, split in SPLITS.items() if f"x_{key}" in arrays}
    if "train" not in pairs:
        pairs = {"train": ("images", "labels"), **pairs}
    images: dict[str, Images] = {}
    labels: dict[str, NDArray[Any]] = {}
    for split, (x, y) in pairs.items():
        for array in (x, y):
            if array not in arrays:
                raise BakeoffError(f"{file} has no array {array!r}{closest(array, arrays)}")
        images[split] = shape_array(as_images(arrays[x], file), shaping, file)
        labels[split] = _flat_labels(arrays[y], len(images[split]), f"{file}, {y}")
    if "classes" in arrays:
        classes = tuple(str(word) for word in arrays["classes"].ravel())
        indices = {split: _indices(values, len(classes), file) for split, values in labels.items()}
    else:
        classes, indices = _number({split: _words(values) for split, values in labels.items()}, file)
    return Contents(name, classes, {split: Split(images[split], indices[split]) for split in images})


def _flat_labels(labels: NDArray[Any], count: int, where: str) -> NDArray[Any]:
    if labels.dtype.kind == "U" and labels.dtype.itemsize > 4 * LONGEST_NAME:
        raise BakeoffError(f"{where}: labels of {labels.dtype.itemsize // 4} characters where {LONGEST_NAME} are valid")
    if labels.dtype.kind not in "iuU" or labels.size != count or labels.shape[:1] != (count,):
        raise BakeoffError(
            f"{where}: labels are {labels.dtype} {labels.shape} where {count} integers or words are valid"
        )
    return labels.ravel()


def _indices(labels: NDArray[Any], count: int, file: Path) -> Labels:
    """Labels that count into the file's own `classes`."""
    if labels.dtype.kind == "U" or labels.min() < 0 or labels.max() >= count:
        outside = next(label for label in labels.tolist() if label not in range(count))
        raise BakeoffError(f"{file}: label {outside!r} is outside 0..{count - 1}, the range of its {count} classes")
    return labels.astype(np.int64)


def _words(labels: NDArray[Any]) -> list[str]:
    return [str(label) for label in labels.tolist()]


def _number(words: Mapping[str, list[str]], where: Path) -> tuple[tuple[str, ...], dict[str, Labels]]:
    """Class names, the different labels of all splits in order, and the labels as indices of them."""
    names = {word for split in words.values() for word in split}
    check_classes(names, where)
    if all(re.fullmatch(r"-?\d+", name, re.ASCII) for name in names):
        if min(map(int, names)) < 0:
            raise BakeoffError(f"{where}: label {min(map(int, names))} is negative where 0 and more are valid")
        classes = tuple(sorted(names, key=lambda name: (int(name), name)))
    else:
        classes = tuple(sorted(names))
    index = {name: number for number, name in enumerate(classes)}
    return classes, {split: np.array([index[word] for word in chosen], np.int64) for split, chosen in words.items()}
