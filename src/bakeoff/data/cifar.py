"""CIFAR-10's published files (https://www.cs.toronto.edu/~kriz/cifar.html): binary or Python, archived or not."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bakeoff.data.dataset import Split, check_labels
from bakeoff.data.idx import Payload
from bakeoff.data.pickled import read_dict
from bakeoff.errors import BakeoffError
from bakeoff.files import Capped, opened, read_bytes

SHAPE = (3, 32, 32)
PIXELS = 3 * 32 * 32
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TRAIN, TEST = tuple(f"data_batch_{number}" for number in range(1, 6)), ("test_batch",)
DAMAGED = (EOFError, gzip.BadGzipFile, tarfile.TarError, ValueError, zlib.error)
MEMBERS, UNPACKED = 100, 1 << 29
"""Of an archive: its files, and the bytes that are unpacked; the published ones have 8 and 184 million."""


class Layout(NamedTuple):
    """One of the two forms in which the six batches are published."""

    archive: str
    folder: str
    ending: str

    @property
    def batches(self) -> tuple[str, ...]:
        return tuple(name + self.ending for name in (*TRAIN, *TEST))


BINARY = Layout("cifar-10-binary.tar.gz", "cifar-10-batches-bin", ".bin")
PYTHON = Layout("cifar-10-python.tar.gz", "cifar-10-batches-py", "")


def find_batches(folders: Sequence[Path]) -> list[Payload] | None:
    """The six batches from the first place that has them: a folder, its folder as unpacked, or an archive in it.

    Raises BakeoffError for a damaged or incomplete archive.
    """
    for folder in folders:
        for layout in (BINARY, PYTHON):
            for place in (folder, folder / layout.folder):
                files = [place / name for name in layout.batches]
                if all(file.is_file() for file in files):
                    return [Payload(file, read_bytes(file)) for file in files]
            if (folder / layout.archive).is_file():
                return _unpack(folder / layout.archive, layout)
    return None


def _unpack(archive: Path, layout: Layout) -> list[Payload]:
    contents: dict[str, bytes] = {}
    with opened(archive) as stream:
        try:
            capped = Capped(gzip.GzipFile(fileobj=stream), archive, each=1 << 24, total=UNPACKED)
            with tarfile.open(fileobj=capped, mode="r|") as tar:
                for number, member in enumerate(tar):
                    if number >= MEMBERS:
                        raise BakeoffError(f"{archive} holds more than {MEMBERS} files")
                    name = Path(member.name).name
                    if name in layout.batches and (content := tar.extractfile(member)):
                        contents[name] = content.read()
        except DAMAGED as error:
            raise BakeoffError(f"{archive} is a truncated or damaged archive ({error})") from error
    missing = [name for name in layout.batches if name not in contents]
    if missing:
        raise BakeoffError(f"{archive} holds no {missing[0]}")
    return [Payload(archive / layout.folder / name, contents[name]) for name in layout.batches]


def read_splits(batches: Sequence[Payload]) -> dict[str, Split]:
    """`train` and `test` of the batches. Raises BakeoffError, naming file and fault, for a damaged one."""
    parts = [
        _read_binary(batch) if batch.file.name.endswith(BINARY.ending) else _read_python(batch) for batch in batches
    ]
    train, test = parts[: len(TRAIN)], parts[len(TRAIN) :]
    return {
        name: Split(np.concatenate([part.images for part in chosen]), np.concatenate([part.labels for part in chosen]))
        for name, chosen in (("train", train), ("test", test))
    }


def _read_binary(batch: Payload) -> Split:
    """Records of a label and 3,072 pixels: red, green and blue, row by row."""
    if not batch.data or len(batch.data) % (1 + PIXELS):
        raise BakeoffError(f"{batch.file} has {len(batch.data)} bytes where a multiple of {1 + PIXELS} is valid")
    records = np.frombuffer(batch.data, np.uint8).reshape(-1, 1 + PIXELS)
    labels = records[:, 0].astype(np.int64)
    check_labels(labels, len(CLASSES), batch.file)
    return Split(records[:, 1:].reshape(-1, *SHAPE), labels)


def _read_python(batch: Payload) -> Split:
    """A pickled dictionary with `data`, (N, 3072) uint8, and `labels`, a list."""
    content = read_dict(io.BytesIO(batch.data), batch.file)
    data, labels = content.get("data"), content.get("labels")
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != PIXELS:
        raise BakeoffError(f"{batch.file} has no `data` of (N, {PIXELS}) uint8")
    if not isinstance(labels, list) or len(labels) != len(data) or not all(type(each) is int for each in labels):
        raise BakeoffError(f"{batch.file} has no `labels` of {len(data)} whole numbers")
    if not all(0 <= label < len(CLASSES) for label in labels):  # they may have more digits than can be printed
        raise BakeoffError(f"{batch.file}: a label is outside 0..{len(CLASSES) - 1}")
    return Split(data.reshape(-1, *SHAPE), np.array(labels, np.int64))
