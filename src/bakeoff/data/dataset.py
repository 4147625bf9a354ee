"""Images, labels, class names and three splits: checked when built, and fingerprinted."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.characters import fit_for_display
from bakeoff.data.duplicates import Duplicates, find_duplicates
from bakeoff.errors import BakeoffError, UsageError, closest

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]
Ids = NDArray[np.int64] | NDArray[np.str_]

MOST_CLASSES, LONGEST_NAME = 5_000, 200
"""Class names, and letters of one: a report has tables of a row a class, and matrices of them."""


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a dataset: `images` (N, C, H, W) uint8 and `labels` (N,) int64.

    `ids` (N,) tell which image of the data each is: its file's name below their folder, as text, or its place in the
    array or file that it comes from, int64 from 0 (the default). A split that is drawn keeps them.
    """

    images: Images
    labels: Labels
    ids: Ids = None  # type: ignore[assignment]  # filled below

    def __post_init__(self) -> None:
        if self.ids is None:
            object.__setattr__(self, "ids", np.arange(len(self.labels)))

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, chosen: NDArray[np.bool_]) -> Split:
        """The images where `chosen` (N,) is true, in the old order."""
        return Split(self.images[chosen], self.labels[chosen], self.ids[chosen])


@dataclass(frozen=True, eq=False)
class Contents:
    """What data bring, before anything is drawn: class names, and some of the splits train, validation, test.

    Raises BakeoffError for wrong types or shapes, and for labels outside 0..K-1.
    """

    name: str
    classes: tuple[str, ...]
    splits: Mapping[str, Split]
    unlabelled: Images | None = None
    """Images (M, C, H, W) uint8 without labels, such as a competition's test set."""
    header: tuple[str, str] | None = None
    """The names of the id and the label column in the competition's CSV files."""
    mirror: bool | None = None
    """Whether a mirrored image keeps its label; None: not known."""

    def __post_init__(self) -> None:
        check_contents(self.name, self.classes, self.splits, self.unlabelled)

    @classmethod
    def from_names(
        cls, name: str, splits: Mapping[str, tuple[Images, Iterable[object]]], ids: Mapping[str, Ids] | None = None
    ) -> Contents:
        """Of images and the names of their classes, which may be numbers: classes are sorted, numbers by value."""
        labels = {split: [str(label) for label in names] for split, (_, names) in splits.items()}
        classes = sorted(set().union(*labels.values()))
        if all(re.fullmatch(r"-?\d{1,18}", label, re.ASCII) for label in classes):
            classes.sort(key=int)
        place = {label: number for number, label in enumerate(classes)}
        numbers = {split: np.array([place[label] for label in labels[split]], np.int64) for split in splits}
        places = ids or {split: np.arange(len(numbers[split])) for split in splits}
        parts = {split: Split(images, numbers[split], places[split]) for split, (images, _) in splits.items()}
        return cls(name, tuple(classes), parts)

    def labelled(self, classes: Sequence[str]) -> Split:
        """All labelled images, split after split, with labels that count into `classes`; of several splits, an id that
        is a place has its split's name before it.

        Raises UsageError for a class that is not among them.
        """
        for name in self.classes:
            if name not in classes:
                raise UsageError(f"{self.name}: class {name!r} is not one of the model's{closest(name, classes)}")
        place = np.array([classes.index(name) for name in self.classes], np.int64)
        several = len(self.splits) > 1
        ids: list[Any] = [
            np.char.add(f"{name}/", split.ids.astype(str)) if several and split.ids.dtype.kind == "i" else split.ids
            for name, split in self.splits.items()
        ]
        images = np.concatenate([split.images for split in self.splits.values()])
        return Split(
            images, place[np.concatenate([split.labels for split in self.splits.values()])], np.concatenate(ids)
        )


@dataclass(frozen=True, eq=False)
class Dataset:
    """A name, K class names and the splits train, validation and test; the rest is as in Contents.

    `fingerprint` is computed: the first 16 hex digits of the SHA-256 over the class names and the splits'
    arrays, the same on any machine. Raises BakeoffError for wrong types or shapes, labels outside 0..K-1 and
    classes without an image in some split.
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    unlabelled: Images | None = None
    header: tuple[str, str] | None = None
    mirror: bool | None = None
    drawn: tuple[str, ...] = ()
    """The splits that were drawn from the images of the data's training split, whose ids theirs are."""
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        if len(self.classes) < 2 or len(set(self.classes)) < len(self.classes):
            raise BakeoffError(f"{self.name}: at least two classes with different names are needed")
        check_contents(self.name, self.classes, self.splits, self.unlabelled)
        for name, split in self.splits.items():
            missing = np.flatnonzero(np.bincount(split.labels, minlength=len(self.classes)) == 0)
            if len(missing):
                raise BakeoffError(f"{self.name}, {name} split: class '{self.classes[missing[0]]}' has no image")
        object.__setattr__(self, "fingerprint", _fingerprint(self.classes, self.splits))

    @cached_property
    def splits(self) -> dict[str, Split]:
        """The three splits by name, in the order train, validation, test."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @cached_property
    def duplicates(self) -> Duplicates:
        """Images that occur more than once; computed at the first access (seconds for 70,000 small images)."""
        return find_duplicates({name: (split.images, split.labels) for name, split in self.splits.items()})

    def split_ids(self) -> dict[str, Ids]:
        """`validation_ids` and `test_ids`, for a record: which images of the data these splits hold."""
        return {f"{name}_ids": self.splits[name].ids for name in ("validation", "test")}

    @property
    def test_fingerprint(self) -> str:
        """16 hex digits over the class names and the test split alone: runs that share it can be compared."""
        return _fingerprint(self.classes, {"test": self.test})

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of every image."""
        _, channels, height, width = self.train.images.shape
        return channels, height, width

    @property
    def channels(self) -> int:
        return self.shape[0]

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of every image, in pixels."""
        return self.shape[1:]

    def counts(self) -> dict[str, Labels]:
        """Images per class, (K,), for each split."""
        return {name: np.bincount(split.labels, minlength=len(self.classes)) for name, split in self.splits.items()}


def check_contents(name: str, classes: Collection[str], splits: Mapping[str, Split], unlabelled: Images | None) -> None:
    """That images, labels and ids have the right types and shapes, that labels count into `classes`, and that class
    names can stand in every table, page and file of a report.

    Raises BakeoffError, beginning with `name`, where they do not.
    """
    if len(classes) > MOST_CLASSES:
        raise BakeoffError(f"{name}: {len(classes):,} classes where up to {MOST_CLASSES:,} are valid")
    for label in classes:
        if len(label) > LONGEST_NAME or not fit_for_display(label):
            raise BakeoffError(
                f"{name}: the class name {label[:20]!r} ({len(label):,} characters) holds a control character, is not "
                f"in UTF-8, or has more than {LONGEST_NAME} characters: rename it"
            )
    arrays = {f"{part} split": split.images for part, split in splits.items()}
    if unlabelled is not None:
        arrays["unlabelled images"] = unlabelled
    for part, images in arrays.items():
        if images.dtype != np.uint8 or images.ndim != 4 or 0 in images.shape[1:]:
            raise BakeoffError(
                f"{name}, {part}: images are {images.dtype} {images.shape} where uint8 (N, C, H, W) is valid"
            )
        first, like = next(iter(arrays.items()))
        if images.shape[1:] != like.shape[1:]:
            raise BakeoffError(
                f"{name}, {part}: images are {by(images.shape[1:])}, those of the {first} {by(like.shape[1:])} "
                "(channels x height x width)"
            )
    for part, split in splits.items():
        if split.labels.dtype != np.int64 or not split.labels.shape == split.ids.shape == split.images.shape[:1]:
            raise BakeoffError(
                f"{name}, {part} split: {len(split.images)} images, labels {split.labels.dtype} {split.labels.shape}, "
                f"ids {split.ids.shape} where as many int64 labels and ids as images are valid"
            )
        outside = split.labels[(split.labels < 0) | (split.labels >= len(classes))]
        if len(outside):
            raise BakeoffError(f"{name}, {part} split: label {outside[0]} is outside 0..{len(classes) - 1}")


def split_validation(split: Split, fraction: float, seed: int = 0) -> tuple[Split, Split]:
    """Draw a stratified `fraction` (0 to 1) of a split: (the rest, the drawn part), both in the old order.

    Every class gives its share, rounded by largest remainder, at least one image and never its last one.
    Depends on (labels, fraction, seed) alone. Needs two images or more of every class that is present.
    """
    if not 0 < fraction < 1:
        raise UsageError(f"a split of {fraction:g} is asked for where a fraction between 0 and 1 is valid")
    labels = split.labels
    available = np.unique(labels, return_counts=True)[1]
    assert available.min() >= 2, "a class with one image cannot be split in two"
    total = round(fraction * len(labels))
    drawn = _draw(labels, _shares(available, total, most=available - 1), seed)
    return split.at(~drawn), split.at(drawn)


def subset(split: Split, count: int) -> Split:
    """A stratified choice of `count` images, in the old order; depends on the labels and `count` alone.

    Raises UsageError unless the number of classes <= count <= len(split).
    """
    available = np.unique(split.labels, return_counts=True)[1]
    if not len(available) <= count <= len(split):
        raise UsageError(f"a subset of {count} images is asked for where {len(available)} to {len(split)} are valid")
    return split.at(_draw(split.labels, _shares(available, count, most=available), seed=0))


def mean_and_std(split: Split) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation (C,) of pixels / 255 per channel; a constant channel's deviation is 1."""
    channels = split.images.shape[1]
    histogram = np.zeros((channels, 256), np.int64)
    for start in range(0, len(split), 4096):  # bincount makes 8 bytes of each pixel: a chunk at a time
        chunk = split.images[start : start + 4096]
        for channel in range(channels):
            histogram[channel] += np.bincount(chunk[:, channel].ravel(), minlength=256)
    pixels = histogram.sum(axis=1)
    levels = np.arange(256) / 255
    mean: NDArray[np.float64] = histogram @ levels / pixels
    std: NDArray[np.float64] = np.sqrt((histogram * (levels - mean[:, None]) ** 2).sum(axis=1) / pixels)
    return mean, np.where((histogram > 0).sum(axis=1) > 1, std, 1.0)


def _shares(available: Labels, total: int, most: Labels) -> Labels:
    """Spread `total` over the classes in proportion to `available`, within 1..most, by largest remainder."""
    exact = available * total / available.sum()
    shares: Labels = np.clip(np.floor(exact).astype(np.int64), 1, most)
    for index in np.argsort(shares - exact, kind="stable"):
        if shares.sum() >= total:
            break
        shares[index] = min(shares[index] + 1, most[index])
    return shares


def _draw(labels: Labels, shares: Labels, seed: int) -> NDArray[np.bool_]:
    """Mask (N,) with `shares[i]` images of the i-th class present.

    Every image gets a random key, the smallest keys of a class are drawn. Raw Philox output, because numpy
    promises to keep it over versions, unlike the Generator's methods.
    """
    keys = np.random.Philox(np.random.SeedSequence(seed)).random_raw(len(labels))
    drawn = np.zeros(len(labels), np.bool_)
    for value, share in zip(np.unique(labels), shares, strict=True):
        members = np.flatnonzero(labels == value)
        drawn[members[np.argsort(keys[members], kind="stable")[:share]]] = True
    return drawn


def _fingerprint(classes: tuple[str, ...], splits: dict[str, Split]) -> str:
    digest = hashlib.sha256(json.dumps(classes).encode())
    for name, split in splits.items():
        digest.update(f"{name} {split.images.shape}".encode())
        digest.update(np.ascontiguousarray(split.images).data)
        digest.update(split.labels.astype("<i8").data)
    return digest.hexdigest()[:16]


def by(shape: Sequence[int]) -> str:
    """(1, 28, 32) -> `1x28x32`: channels x height x width, as everywhere."""
    return "x".join(map(str, shape))
