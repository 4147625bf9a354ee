"""CIFAR-10's published files (https://www.cs.toronto.edu/~kriz/cifar.html): binary or Python, archived or not."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bakeoff.data.dataset import Split
from bakeoff.data.pickled import read_dictionary
from bakeoff.errors import BakeoffError
from bakeoff.files import Capped, opened, read_bytes

SHAPE = (3, 32, 32)
PIXELS = 3 * 32 * 32
BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
DAMAGED = (EOFError, gzip.BadGzipFile, tarfile.TarError, ValueError, zlib.error)
MEMBERS, UNPACKED = 100, 1 << 29
"""Of an archive: its files, and the bytes that are unpacked; the published ones have 8 and 184 million."""


class Layout(NamedTuple):
    """One of the two forms in which the six batches are published."""

    archive: str
    folder: str
    ending: str


BINARY = Layout("cifar-10-binary.tar.gz", "cifar-10-batches-bin", ".bin")
PYTHON = Layout("cifar-10-python.tar.gz", "cifar-10-batches-py", "")


def find_batches(folders: Sequence[Path]) -> dict[Path, bytes] | None:
    """The bytes of the six batches from the first place that has them: a folder, an archive's folder in it, or an
    archive in it.

    Raises BakeoffError for a damaged or incomplete archive.
    """
    for folder in folders:
        for layout in (BINARY, PYTHON):
            names = [name + layout.ending for name in BATCHES]
            for place in (folder, folder / layout.folder):
                files = [place / name for name in names]
                if all(file.is_file() for file in files):
                    return {file: read_bytes(file) for file in files}
            if (archive := folder / layout.archive).is_file():
                return {archive / layout.folder / name: data for name, data in _unpack(archive, names).items()}
    return None


def _unpack(archive: Path, names: Sequence[str]) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    with opened(archive) as stream:
        try:
            capped = Capped(gzip.GzipFile(fileobj=stream), archive, each=1 << 24, total=UNPACKED)
            with tarfile.open(fileobj=capped, mode="r|") as tar:
                for number, member in enumerate(tar):
                    if number >= MEMBERS:
                        raise BakeoffError(f"{archive} holds more than {MEMBERS} files")
                    name = Path(member.name).name
                    if name in names and (content := tar.extractfile(member)):
                        contents[name] = content.read()
        except DAMAGED as error:
            raise BakeoffError(f"{archive} is a truncated or damaged archive ({error})") from error
    missing = [name for name in names if name not in contents]
    if missing:
        raise BakeoffError(f"{archive} holds no {missing[0]}")
    return {name: contents[name] for name in names}


def read_splits(batches: Mapping[Path, bytes]) -> dict[str, Split]:
    """`train` and `test` of the six batches. Raises BakeoffError, naming file and fault, for a damaged one."""
    parts = [
        (_read_binary if file.name.endswith(BINARY.ending) else _read_python)(file, data)
        for file, data in batches.items()
    ]
    return {
        name: Split(np.concatenate([part.images for part in chosen]), np.concatenate([part.labels for part in chosen]))
        for name, chosen in (("train", parts[:-1]), ("test", parts[-1:]))
    }


def _read_binary(file: Path, data: bytes) -> Split:
    """Records of a label and 3,072 pixels: red, green and blue, row by row."""
    if not data or len(data) % (1 + PIXELS):
        raise BakeoffError(f"{file} has {len(data)} bytes where a multiple of {1 + PIXELS} is valid")
    records = np.frombuffer(data, np.uint8).reshape(-1, 1 + PIXELS)
    return Split(records[:, 1:].reshape(-1, *SHAPE), records[:, 0].astype(np.int64))


def _read_python(file: Path, data: bytes) -> Split:
    """A pickled dictionary with `data`, (N, 3072) uint8, and `labels`, a list."""
    batch = read_dictionary(data, file)
    pixels, labels = batch.get("data"), batch.get("labels")
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (PIXELS,):
        raise BakeoffError(f"{file} has no `data` of (N, {PIXELS}) uint8")
    if not isinstance(labels, list) or len(labels) != len(pixels) or not all(label in range(10) for label in labels):
        raise BakeoffError(f"{file} has no `labels` of {len(pixels)} whole numbers from 0 to 9")
    return Split(pixels.reshape(-1, *SHAPE), np.array(labels, np.int64))
