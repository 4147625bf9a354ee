"""CIFAR-10's published files in their binary form (https://www.cs.toronto.edu/~kriz/cifar.html), archived or not."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bakeoff.data.dataset import Split
from bakeoff.errors import BakeoffError
from bakeoff.files import Capped, opened, read_bytes

SHAPE = (3, 32, 32)
PIXELS = 3 * 32 * 32
ARCHIVE, FOLDER = "cifar-10-binary.tar.gz", "cifar-10-batches-bin"
BATCHES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
DAMAGED = (EOFError, gzip.BadGzipFile, tarfile.TarError, ValueError, zlib.error)
MEMBERS, UNPACKED = 100, 1 << 29
"""Of an archive: its files, and the bytes that are unpacked; the published one has 8 and 184 million."""


def find_batches(folders: Sequence[Path]) -> dict[Path, bytes] | None:
    """The bytes of the six batches from the first place that has them: a folder, the archive's folder in it, or the
    archive in it.

    Raises BakeoffError for a damaged or incomplete archive.
    """
    for folder in folders:
        for place in (folder, folder / FOLDER):
            files = [place / name for name in BATCHES]
            if all(file.is_file() for file in files):
                return {file: read_bytes(file) for file in files}
        if (folder / ARCHIVE).is_file():
            return _unpack(folder / ARCHIVE)
    return None


def _unpack(archive: Path) -> dict[Path, bytes]:
    contents: dict[str, bytes] = {}
    with opened(archive) as stream:
        try:
            capped = Capped(gzip.GzipFile(fileobj=stream), archive, each=1 << 24, total=UNPACKED)
            with tarfile.open(fileobj=capped, mode="r|") as tar:
                for number, member in enumerate(tar):
                    if number >= MEMBERS:
                        raise BakeoffError(f"{archive} holds more than {MEMBERS} files")
                    name = Path(member.name).name
                    if name in BATCHES and (content := tar.extractfile(member)):
                        contents[name] = content.read()
        except DAMAGED as error:
            raise BakeoffError(f"{archive} is a truncated or damaged archive ({error})") from error
    missing = [name for name in BATCHES if name not in contents]
    if missing:
        raise BakeoffError(f"{archive} holds no {missing[0]}")
    return {archive / FOLDER / name: contents[name] for name in BATCHES}


def read_splits(batches: Mapping[Path, bytes]) -> dict[str, Split]:
    """`train` and `test` of the six batches. Raises BakeoffError, naming file and fault, for a damaged one."""
    parts = [_read_batch(file, data) for file, data in batches.items()]
    return {
        name: Split(np.concatenate([part.images for part in chosen]), np.concatenate([part.labels for part in chosen]))
        for name, chosen in (("train", parts[:-1]), ("test", parts[-1:]))
    }


def _read_batch(file: Path, data: bytes) -> Split:
    """Records of a label and 3,072 pixels: red, green and blue, row by row."""
    if not data or len(data) % (1 + PIXELS):
        raise BakeoffError(f"{file} has {len(data)} bytes where a multiple of {1 + PIXELS} is valid")
    records = np.frombuffer(data, np.uint8).reshape(-1, 1 + PIXELS)
    return Split(records[:, 1:].reshape(-1, *SHAPE), records[:, 0].astype(np.int64))
