"""The datasets that have a name, and `load_dataset`, which reads them or the user's own. No network here."""

from __future__ import annotations

import hashlib
import importlib.util
import tomllib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from bakeoff.characters import displayable, fit_for_display
from bakeoff.data import cifar
from bakeoff.data.composite import Composite, CompositeOptions, HighestDigit, LargestDigit, composite_splits, composites
from bakeoff.data.dataset import Contents, Dataset, Split, check_labels, split_validation, subset
from bakeoff.data.idx import Payload, find_idx, idx_split, read_payload
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
    """Data are used although they are not the published ones, or not the ones that were meant."""


class Origin(Frozen):
    """Where modified MNIST comes from."""

    origin: Literal["generated", "kaggle"] = Field("generated", description="made here, or the competition's own files")
    digits: Literal["auto", "mnist", "digits"] = Field(
        "auto", description="what images are made of; auto: MNIST where it is at hand, else the embedded digits"
    )


class LargestDigitOptions(LargestDigit, Origin):
    """Options of `largest-digit`."""


class HighestDigitOptions(HighestDigit, Origin):
    """Options of `highest-digit`."""


@dataclass(frozen=True)
class Source(Entry[Frozen]):
    """A dataset with a name: the function that reads it, and where its files are published.

    The function returns Contents. It takes the dataset's options as keyword-only parameters or, where `schema` is
    given, an instance of that.
    """

    description: str = ""
    classes: tuple[str, ...] = ()
    mirror: bool | None = None
    """Whether a mirrored image keeps its label."""
    files: Mapping[str, str] = field(default_factory=dict)
    """What is downloaded: the SHA-256 of each published file by its name."""
    contents: Mapping[str, str] = field(default_factory=dict)
    """What is read: the published SHA-256, or MD5, of each file by its name, unzipped."""
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
    name, classes, splits = contents.name, contents.classes, contents.splits
    if "train" not in splits:
        raise BakeoffError(f"{name}: no image is in the train split")
    train, test, held_out = splits["train"], splits.get("test"), splits.get("validation")
    if test is None:
        train, test = _draw(name, "test", classes, train, TEST_FRACTION, seed=1)
    if held_out is None:
        train, held_out = _draw(name, "validation", classes, train, validation, seed=0)
    if images is not None:
        train = subset(train, images)
    drawn = tuple(split for split in ("validation", "test") if split not in splits)
    extras = contents.unlabelled, contents.header, contents.mirror
    return Dataset(name, classes, train, held_out, test, *extras, drawn=drawn)


def parse_reference(reference: str) -> tuple[str, dict[str, str]]:
    """`letters:size=28,resize=pad` -> ("letters", {"size": "28", "resize": "pad"}). Paths may hold colons."""
    return (reference, {}) if exists(reference) else parse_choice(reference)


def _draw(
    name: str, part: str, classes: tuple[str, ...], train: Split, fraction: float, seed: int
) -> tuple[Split, Split]:
    counts = np.bincount(train.labels, minlength=len(classes))
    if 1 in counts:
        rare = classes[counts.tolist().index(1)]
        raise BakeoffError(
            f"{name}: class '{rare}' has too few images to draw a {part} split from: add some, or that split"
        )
    return split_validation(train, fraction, seed)


def _published(name: str) -> Contents:
    """The two splits of an IDX source, from local files; a DataWarning where one is not as published."""
    source = SOURCES[name]
    payloads: list[Payload] = []
    for published in source.contents:
        file = _find_published(name, published)
        if file is None:
            raise _missing(name, f"{published}.gz")
        payloads.append(read_payload(file))
    _warn_unpublished(name, zip(source.contents, payloads, strict=True))
    splits = {"train": idx_split(*payloads[:2]), "test": idx_split(*payloads[2:])}
    for split, (file, _) in zip(splits.values(), payloads[1::2], strict=True):
        check_labels(split.labels, len(source.classes), file)
    return Contents(name, source.classes, splits, mirror=source.mirror)


def _find_published(name: str, published: str) -> Path | None:
    """The local file of an IDX source, by any of the names seen in the wild."""
    files = (find_idx(folder, "", published.partition("-idx")[0]) for folder in data_folders(name))
    return next(filter(None, files), None)


def _cifar10() -> Contents:
    """CIFAR-10 from local files; a DataWarning where they are not as published."""
    name = "cifar10"
    batches = cifar.find_batches(data_folders(name))
    if batches is None:
        raise _missing(name, f"{cifar.BINARY.archive} or {cifar.PYTHON.archive}, packed or unpacked,")
    _warn_unpublished(name, ((batch.file.name, batch) for batch in batches))
    return Contents(name, cifar.CLASSES, cifar.read_splits(batches), mirror=SOURCES[name].mirror)


def _missing(name: str, what: str) -> MissingData:
    return MissingData(
        f"{name}: there is no {what} in {' or '.join(map(str, data_folders(name)))}: run `bakeoff data fetch {name}`, "
        f"or put {', '.join(SOURCES[name].files)} there"
    )


def _warn_unpublished(name: str, payloads: Iterable[tuple[str, Payload]]) -> None:
    """One DataWarning on all those of the payloads, each with its published name, that are not as published."""
    sums = SOURCES[name].contents
    other = [file for published, (file, data) in payloads if _digest(data, like=sums[published]) != sums[published]]
    if other:
        more = f" and {len(other) - 1} more" if other[1:] else ""
        verb = "are not the published files" if other[1:] else "is not the published file"
        warnings.warn(f"{other[0]}{more} {verb} of {name}, but used all the same", DataWarning, stacklevel=2)


def _digest(data: bytes | bytearray, like: str) -> str:
    """SHA-256, or MD5 where `like` is one; neither guards against anything but another edition of the data."""
    return hashlib.new("sha256" if len(like) == 64 else "md5", data, usedforsecurity=False).hexdigest()


def _composite(name: str, options: LargestDigitOptions | HighestDigitOptions) -> Contents:
    """Modified MNIST, made from a source of digits; or the competition's own files."""
    if options.origin == "kaggle":
        return _original(name, options)
    sets = _composites(name, options)
    return Contents(name, sets["train"].classes, composite_splits(sets), header=EDITIONS[name].header, mirror=False)


def find_composites(reference: str) -> dict[str, Composite]:
    """The endless sets `train` and `test` that a generated dataset begins with.

    Raises UsageError for anything but a generated dataset, and as `load_dataset` does.
    """
    name, options = parse_reference(reference)
    generated = [key for key, source in SOURCES.builtin.items() if issubclass(source.settings, CompositeOptions)]
    if name not in generated:
        raise UsageError(f"{name}: no dataset that is generated{closest(name, generated)}")
    chosen = validate(SOURCES[name].settings, options, reference)
    assert isinstance(chosen, LargestDigitOptions | HighestDigitOptions)
    if chosen.origin != "generated":
        raise UsageError(f"{reference}: the competition's own files are as they are: leave origin out")
    return _composites(name, chosen)


def _composites(name: str, options: LargestDigitOptions | HighestDigitOptions) -> dict[str, Composite]:
    chosen = options.digits
    if chosen == "auto":
        chosen = "mnist" if all(_find_published("mnist", file) for file in SOURCES["mnist"].contents) else "digits"
        if chosen == "digits":
            warnings.warn(
                f"{name}: MNIST is not at hand, so its images are made of the 1,797 embedded digits "
                "(`bakeoff data fetch mnist`, or say digits=digits to mean it)",
                DataWarning,
                stacklevel=2,
            )
    digits = read_contents(chosen).splits
    values = options.model_dump(exclude_unset=True, exclude=set(Origin.model_fields))
    return composites(name, values, digits["train"], digits.get("test"))


def _original(name: str, options: Frozen) -> Contents:
    extra = sorted(options.model_fields_set - {"origin"})
    if extra:
        raise UsageError(f"{name}: {extra[0]} is for generated images; origin=kaggle takes them as they are")
    folders, edition = data_folders(name), EDITIONS[name]
    folder = next((folder for folder in folders if find_edition(folder) == edition), None)
    if folder is None:
        raise BakeoffError(
            f"{name}: there is no {edition.train} in {' or '.join(map(str, folders))}: put the competition's "
            f"{edition.train}, {edition.labels} and {edition.test} there"
        )
    return replace(load_local(folder, {}), name=name)


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
    return Contents("digits", DIGITS, {"train": Split(images, labels.astype(np.int64))}, mirror=False)


DIGITS = tuple("0123456789")
FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
FACTS: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
"""By name, what else is told of each source: fields of `Source`."""

SOURCES: Registry[Source] = Registry(
    "dataset",
    {
        name: replace(source, **FACTS[name])
        for name, source in {
            "digits": Source(_digits, classes=DIGITS, mirror=False),
            "mnist": Source(lambda: _published("mnist"), classes=DIGITS, mirror=False),
            "fashion-mnist": Source(lambda: _published("fashion-mnist"), classes=FASHION, mirror=True),
            "cifar10": Source(_cifar10, classes=cifar.CLASSES, mirror=True),
            "largest-digit": Source(
                lambda options: _composite("largest-digit", options), LargestDigitOptions, classes=DIGITS, mirror=False
            ),
            "highest-digit": Source(
                lambda options: _composite("highest-digit", options), HighestDigitOptions, classes=DIGITS, mirror=False
            ),
        }.items()
    },
    kind=Source,
    group="datasets",
)
