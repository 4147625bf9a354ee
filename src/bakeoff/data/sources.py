"""The datasets that have a name, and `load_dataset`, which reads them or the user's own. No network here."""

from __future__ import annotations

import hashlib
import importlib.util
import tomllib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from bakeoff.characters import displayable, fit_for_display
from bakeoff.data import cifar
from bakeoff.data.composite.drawing import Composite, composite_splits, composites
from bakeoff.data.composite.options import CompositeOptions, HighestDigit
from bakeoff.data.dataset import Contents, Dataset, Split, split_validation, subset
from bakeoff.data.idx import find_idx, read_idx
from bakeoff.data.kaggle import EDITIONS, find_edition
from bakeoff.data.local import load_local
from bakeoff.errors import BakeoffError, MissingData, UsageError, closest
from bakeoff.files import exists, reading
from bakeoff.record import data_folders
from bakeoff.spec.plugins import absent
from bakeoff.spec.registry import Entry, Registry, parse_choice
from bakeoff.spec.settings import Frozen, validate

TEST_FRACTION = 1 / 6
"""Drawn as test split where the data bring none."""


class DataWarning(UserWarning):
    """Data other than the published ones, or than those that were probably meant, are used."""


@dataclass(frozen=True)
class Source(Entry[Frozen]):
    """A dataset with a name: the function that reads it, and where its files are published.

    The function returns Contents. It takes the dataset's options as keyword-only parameters or, where `schema` is
    given, an instance of that.
    """

    description: str = ""
    classes: Sequence[str] = ()
    mirror: bool | None = None
    """Whether a mirrored image keeps its label."""
    files: Mapping[str, str] = field(default_factory=dict)
    """What is downloaded: the SHA-256 of each published file by its name."""
    contents: Mapping[str, str] = field(default_factory=dict)
    """What is read: the published SHA-256 of each file by its name, unzipped."""
    mirrors: Sequence[str] = ()
    """Addresses of folders with the files, in the order to try."""

    @property
    def about(self) -> str:
        return self.description or super().about

    def read(self, name: str, options: Frozen) -> Contents:
        """What the data bring; Raises UsageError where the function returns anything else."""
        contents = self.function(options) if self.schema is not None else self.function(**options.model_dump())
        if not isinstance(contents, Contents):
            raise UsageError(f"dataset {name}: its function must return Contents, not {type(contents).__name__}")
        return replace(contents, name=name)


def load_dataset(reference: str, *, validation: float = 1 / 6, images: int | None = None) -> Dataset:
    """The dataset that `reference` names: an entry of SOURCES, or a path, each perhaps with options.

    `validation` is the fraction (0 to 1) of the training images drawn, stratified, as validation split where
    the data bring none; `images` cuts the training split down to so many, stratified. Both are drawn the same
    way for everyone. Raises UsageError for what is unknown, BakeoffError for missing or damaged data.
    """
    return draw_splits(read_contents(reference), validation=validation, images=images)


def read_contents(reference: str) -> Contents:
    """What the data that `reference` names bring, before anything is drawn; see `load_dataset`."""
    if not fit_for_display(reference):
        raise UsageError(f"{displayable(reference)}: holds a control character, or is not in UTF-8: rename it")
    name, options = parse_reference(reference)
    path = Path(name)
    if name in SOURCES:
        source = SOURCES[name]
        if options and not source.settings.model_fields:
            raise UsageError(f"{reference}: {name} takes no options; those are for paths to your own data")
        return source.read(name, validate(source.settings, options, reference))
    with reading(displayable(name)):
        if exists(path) or find_idx(path.parent, f"{path.name}-", "train-images"):
            return load_local(path, options)
    raise UsageError(
        f"unknown dataset {name[:200]!r}{absent('datasets', name) or closest(name[:200], SOURCES)}, and no file or "
        "folder of that name"
    )


def draw_splits(contents: Contents, *, validation: float = 1 / 6, images: int | None = None) -> Dataset:
    """A dataset with all three splits; those that `contents` lack are drawn. Raises as `load_dataset` does."""
    name, classes, splits = contents.name, contents.classes, dict(contents.splits)
    if "train" not in splits:
        raise BakeoffError(f"{name}: no image is in the train split")
    drawn = tuple(part for part in ("validation", "test") if part not in splits)
    counts = np.bincount(splits["train"].labels, minlength=len(classes))
    rare = np.flatnonzero((counts > 0) & (counts <= len(drawn)))
    if len(rare):
        raise BakeoffError(
            f"{name}: class '{classes[rare[0]]}' has too few images to draw {' and '.join(drawn)} from: add some, "
            "or those splits"
        )
    for part, fraction, seed in (("test", TEST_FRACTION, 1), ("validation", validation, 0)):
        if part in drawn:
            splits["train"], splits[part] = split_validation(splits["train"], fraction, seed)
    if images is not None:
        splits["train"] = subset(splits["train"], images)
    extras = contents.unlabelled, contents.header, contents.mirror
    return Dataset(name, classes, splits["train"], splits["validation"], splits["test"], *extras, drawn=drawn)


def parse_reference(reference: str) -> tuple[str, dict[str, str]]:
    """`letters:size=28,resize=pad` -> ("letters", {"size": "28", "resize": "pad"}). Paths may hold colons."""
    return (reference, {}) if exists(reference) else parse_choice(reference)


def _idx(name: str) -> Contents:
    """The two splits of an IDX source, from local files; a DataWarning where one is not as published."""
    arrays, data = [], {}
    for published in SOURCES[name].contents:
        part = published.partition("-idx")[0]
        file = next(filter(None, (find_idx(folder, "", part) for folder in data_folders(name))), None)
        if file is None:
            raise _missing(name)
        array, data[published] = read_idx(file, 3 if "images" in part else 1)
        arrays.append(array)
    images, labels, test_images, test_labels = arrays
    splits = {
        "train": Split(images[:, None], labels.astype(np.int64)),
        "test": Split(test_images[:, None], test_labels.astype(np.int64)),
    }
    return _contents(name, splits, data)


def _cifar10() -> Contents:
    """CIFAR-10 from local files; a DataWarning where they are not as published."""
    batches = cifar.find_batches(data_folders("cifar10"))
    if batches is None:
        raise _missing("cifar10")
    return _contents("cifar10", cifar.read_splits(batches), {file.name: data for file, data in batches.items()})


def _missing(name: str) -> MissingData:
    return MissingData(
        f"{name}: there is no full set of its files in {' or '.join(map(str, data_folders(name)))}: run `bakeoff data "
        f"fetch {name}`, or put {', '.join(SOURCES[name].files)} there"
    )


def _contents(name: str, splits: Mapping[str, Split], data: Mapping[str, bytes | bytearray]) -> Contents:
    """The splits as Contents; one DataWarning where `data`, by the files' published names, are not as published."""
    source = SOURCES[name]
    changed = [file for file in data if _digest(data[file], like=source.contents[file]) != source.contents[file]]
    if changed:
        text = f"{name}: not as published, but used all the same: {', '.join(changed)}"
        warnings.warn(text, DataWarning, stacklevel=2)
    return Contents(name, tuple(source.classes), splits, mirror=source.mirror)


def _digest(data: bytes | bytearray, like: str) -> str:
    """SHA-256, or MD5 where `like` is one; neither guards against anything but another edition of the data."""
    return hashlib.new("sha256" if len(like) == 64 else "md5", data, usedforsecurity=False).hexdigest()


def _composite(name: str, options: CompositeOptions) -> Contents:
    """Modified MNIST, made from a source of digits; or the competition's own files."""
    if options.origin == "kaggle":
        return _competition(name, options)
    splits = {split: made for split, (made, _) in composite_splits(_composites(name, options)).items()}
    header = EDITIONS[name].header if name in EDITIONS else None
    return Contents(name, options.classes, splits, header=header, mirror=False)


def generated() -> list[str]:
    """The names of the package's datasets that are generated."""
    return [name for name, source in SOURCES.builtin.items() if issubclass(source.settings, CompositeOptions)]


def find_composites(reference: str, **more: Any) -> dict[str, Composite]:
    """The endless sets `train` and `test` that a generated dataset begins with; `more` options than the reference has.

    Raises UsageError for anything but a generated dataset, and as `load_dataset` does.
    """
    name, options = parse_reference(reference)
    source = SOURCES.builtin.get(name)
    chosen = validate(source.settings, {**options, **more}, reference) if source else None
    if not isinstance(chosen, CompositeOptions) or chosen.origin != "generated":
        raise UsageError(f"{reference}: is no dataset that is generated (valid: {', '.join(generated())})")
    return _composites(name, chosen)


def _composites(name: str, options: CompositeOptions) -> dict[str, Composite]:
    try:
        digits = read_contents("mnist" if options.digits == "auto" else options.digits)
    except MissingData:
        if options.digits != "auto":
            raise
        warnings.warn(
            f"{name}: MNIST is not at hand, so its images are made of the 1,797 embedded digits "
            "(`bakeoff data fetch mnist`, or say digits=digits to mean it)",
            DataWarning,
            stacklevel=2,
        )
        digits = read_contents("digits")
    return composites(options, digits.splits["train"], digits.splits.get("test"))


def _competition(name: str, options: CompositeOptions) -> Contents:
    if name not in EDITIONS:
        raise UsageError(f"{name}: origin=kaggle is for {', '.join(EDITIONS)}, which a competition had")
    extra = sorted(options.model_fields_set - {"origin"})
    if extra:
        raise UsageError(f"{name}: {extra[0]} is for generated images; origin=kaggle takes them as they are")
    folders, edition = data_folders(name), EDITIONS[name]
    for folder in folders:
        if find_edition(folder) == edition:
            return replace(load_local(folder, {}), name=name)
    raise MissingData(
        f"{name}: there is no {edition.train} in {' or '.join(map(str, folders))}: put the competition's "
        f"{edition.train}, {edition.labels} and {edition.test} there"
    )


def _digits() -> Contents:
    """scikit-learn's 8x8 digits made like MNIST: 20x20 (bicubic) in the middle of 28x28, white on black.

    Its file is read without importing scikit-learn, which takes a second.
    """
    from PIL import Image

    package = importlib.util.find_spec("sklearn")
    assert package is not None, "scikit-learn is required"
    table = np.loadtxt(Path(str(package.origin)).parent / "datasets/data/digits.csv.gz", delimiter=",")
    labels = table[:, -1]
    pixels = np.rint(table[:, :-1].reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    images = np.zeros((len(pixels), 1, 28, 28), np.uint8)
    for image, digit in zip(images, pixels, strict=True):
        image[0, 4:24, 4:24] = np.asarray(Image.fromarray(digit).resize((20, 20), Image.Resampling.BICUBIC))
    return _contents("digits", {"train": Split(images, labels.astype(np.int64))}, {})


FACTS: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
"""Facts of each source by its name: fields of `Source`."""
READERS: dict[str, tuple[Callable[..., Contents], type[Frozen] | None]] = {
    "digits": (_digits, None),
    "mnist": (lambda: _idx("mnist"), None),
    "fashion-mnist": (lambda: _idx("fashion-mnist"), None),
    "cifar10": (_cifar10, None),
    "largest-digit": (lambda options: _composite("largest-digit", options), CompositeOptions),
    "highest-digit": (lambda options: _composite("highest-digit", options), HighestDigit),
}
SOURCES: Registry[Source] = Registry(
    "dataset",
    {name: Source(reader, options, **FACTS[name]) for name, (reader, options) in READERS.items()},
    kind=Source,
    group="datasets",
)
