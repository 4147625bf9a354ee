"""The datasets that have a name, and `load_dataset`, which reads them or the user's own. No network here."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bakeoff.data.dataset import Dataset, Split, split_validation, subset
from bakeoff.data.idx import Payload, find_idx, idx_split, read_payload
from bakeoff.data.own import load_own
from bakeoff.errors import BakeoffError, UsageError, closest
from bakeoff.spec import parse_choice

TEST_FRACTION = 1 / 6
"""Drawn as test split where the data bring none."""


class DataWarning(UserWarning):
    """Data are used although they are not the published ones."""


class Checksums(NamedTuple):
    """SHA-256 of a published file, gzipped and unzipped."""

    zipped: str
    payload: str


@dataclass(frozen=True)
class Source:
    """A dataset with a name: how to read it, and where its files are published."""

    description: str
    classes: tuple[str, ...]
    load: Callable[[], dict[str, Split]]
    files: Mapping[str, Checksums] = field(default_factory=dict)
    """By name without `.gz`."""
    mirrors: tuple[str, ...] = ()
    """Addresses of folders with the gzipped files, in the order to try."""


def load_dataset(reference: str, *, validation: float = 1 / 6, images: int | None = None) -> Dataset:
    """The dataset that `reference` names: an entry of SOURCES, or a path, perhaps with options.

    `validation` is the fraction (0 to 1) of the training images drawn, stratified, as validation split where
    the data bring none; `images` cuts the training split down to so many, stratified. Both are drawn the same
    way for everyone. Raises UsageError for what is unknown, BakeoffError for missing or damaged data.
    """
    name, options = parse_reference(reference)
    path = Path(name)
    if name in SOURCES:
        if options:
            raise UsageError(f"{reference}: {name} takes no options; those are for paths to your own data")
        classes, splits = SOURCES[name].classes, SOURCES[name].load()
    elif path.exists() or find_idx(path.parent, f"{path.name}-", "train-images"):
        classes, splits = load_own(path, options)
        name = path.stem if path.is_file() else path.resolve().name
    else:
        raise UsageError(f"unknown dataset {name!r}{closest(name, SOURCES)}, and no file or folder of that name")
    train, test, held_out = splits["train"], splits.get("test"), splits.get("validation")
    if test is None:
        train, test = _draw(name, "test", classes, train, TEST_FRACTION, seed=1)
    if held_out is None:
        train, held_out = _draw(name, "validation", classes, train, validation, seed=0)
    if images is not None:
        train = subset(train, images)
    return Dataset(name, classes, train, held_out, test)


def parse_reference(reference: str) -> tuple[str, dict[str, str]]:
    """`letters:size=28,resize=pad` -> ("letters", {"size": "28", "resize": "pad"}). Paths may hold colons."""
    return (reference, {}) if Path(reference).exists() else parse_choice(reference)


def data_folders(name: str) -> list[Path]:
    """Where the files of source `name` are looked for, in order; `fetch` writes into the last, the cache."""
    given, cache = os.environ.get("BAKEOFF_DATA"), os.environ.get("XDG_CACHE_HOME")
    own = [Path(given) / name] if given else []
    return [*own, (Path(cache) if cache else Path.home() / ".cache") / "bakeoff" / name]


def _draw(
    name: str, part: str, classes: tuple[str, ...], train: Split, fraction: float, seed: int
) -> tuple[Split, Split]:
    counts = np.bincount(train.labels, minlength=len(classes))
    if 1 in counts:
        rare = classes[counts.tolist().index(1)]
        raise BakeoffError(
            f"{name}: class '{rare}' has too few images to draw a {part} split from: add some, or that split"
        )
    return split_validation(train.images, train.labels, fraction, seed)


def _published(name: str) -> dict[str, Split]:
    """The two splits of an IDX source, from local files; a DataWarning where one is not as published."""
    source, folders = SOURCES[name], data_folders(name)
    payloads: list[Payload] = []
    for published, checksums in source.files.items():
        found = [file for folder in folders if (file := find_idx(folder, "", published.partition("-idx")[0]))]
        if not found:
            raise BakeoffError(
                f"{name}: there is no {published}.gz in {' or '.join(map(str, folders))}: run `bakeoff data "
                f"fetch {name}`, or put {', '.join(f'{file}.gz' for file in source.files)} there"
            )
        payloads.append(read_payload(found[0]))
        if hashlib.sha256(payloads[-1].data).hexdigest() != checksums.payload:
            warnings.warn(
                f"{found[0]} is not the published file of {name}: it is used as it is",
                DataWarning,
                stacklevel=2,
            )
    splits = {"train": idx_split(*payloads[:2]), "test": idx_split(*payloads[2:])}
    for split, (file, _) in zip(splits.values(), payloads[1::2], strict=True):
        if split.labels.max() >= len(source.classes):
            raise BakeoffError(f"{file}: label {split.labels.max()} is outside 0..{len(source.classes) - 1}")
    return splits


def _digits() -> dict[str, Split]:
    """scikit-learn's 8x8 digits made like MNIST: 20x20 (bicubic) in the middle of 28x28, white on black."""
    from PIL import Image
    from sklearn.datasets import load_digits

    small, labels = load_digits(return_X_y=True)
    pixels = np.rint(small.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    images = np.zeros((len(pixels), 1, 28, 28), np.uint8)
    for image, digit in zip(images, pixels, strict=True):
        image[0, 4:24, 4:24] = np.asarray(Image.fromarray(digit).resize((20, 20), Image.Resampling.BICUBIC))
    return {"train": Split(images, labels.astype(np.int64))}


DIGITS = tuple("0123456789")

SOURCES: dict[str, Source] = {
    "digits": Source("1,797 handwritten digits embedded in scikit-learn, 8x8 up-scaled to 28x28 grey", DIGITS, _digits),
    "mnist": Source(
        "MNIST: 70,000 handwritten digits, 28x28 grey (LeCun, Cortes & Burges 1998)",
        DIGITS,
        lambda: _published("mnist"),
        files={
            "train-images-idx3-ubyte": Checksums(
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            ),
            "train-labels-idx1-ubyte": Checksums(
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            ),
            "t10k-images-idx3-ubyte": Checksums(
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            ),
            "t10k-labels-idx1-ubyte": Checksums(
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        },
        mirrors=(
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ),
    ),
    "fashion-mnist": Source(
        "Fashion-MNIST: 70,000 articles of clothing, 28x28 grey (Xiao, Rasul & Vollgraf 2017)",
        (
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        lambda: _published("fashion-mnist"),
        files={
            "train-images-idx3-ubyte": Checksums(
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            ),
            "train-labels-idx1-ubyte": Checksums(
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            ),
            "t10k-images-idx3-ubyte": Checksums(
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            ),
            "t10k-labels-idx1-ubyte": Checksums(
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
        },
        mirrors=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
    ),
}
