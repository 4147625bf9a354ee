"""Files from anywhere, read with care: regular ones only, and never more of them than a stated bound."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from bakeoff.errors import BakeoffError, UsageError

GIB = 1 << 30
VARIABLE = "BAKEOFF_MAX_GIB"
"""The environment variable that raises, or lowers, the bound of DEFAULT_GIB."""
DEFAULT_GIB = 4.0


def most_bytes() -> int:
    """Bytes that one file, one array, and all images of a dataset together may have.

    Raises:
        UsageError: the environment variable is no number above 0.
    """
    text = os.environ.get(VARIABLE) or str(DEFAULT_GIB)
    try:
        gib = float(text)
    except ValueError:
        gib = 0.0
    if not 0 < gib <= 1 << 20:
        raise UsageError(f"{VARIABLE} = {text!r}: must be a number of GiB above 0")
    return int(gib * GIB)


def check_bytes(size: int, what: str) -> None:
    """Raises BakeoffError where `size` bytes are above the bound; `what` begins the sentence ("a.npz promises")."""
    if size > (most := most_bytes()):
        gib = min(size, 1 << 100) / GIB  # a header may promise what no float can hold
        raise BakeoffError(
            f"{what} {gib:,.3g} GiB where up to {most / GIB:,.3g} GiB are read: set {VARIABLE} to allow more"
        )


@contextlib.contextmanager
def reading(what: object) -> Iterator[None]:
    """Within: an error of the file system is a BakeoffError that begins with `what`."""
    try:
        yield
    except OSError as error:
        raise BakeoffError(f"{what} cannot be read ({error.strerror or error})") from error


def check_regular(file: Path) -> None:
    """Raises BakeoffError for a folder, and for a pipe or device, which could block or never end; OSError for none."""
    mode = file.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, socket or device"
        raise BakeoffError(f"{file} cannot be read (it is {kind}, and only regular files are read)")


@contextlib.contextmanager
def opened(file: Path) -> Iterator[BinaryIO]:
    """Within: the regular file, open for reading.

    Raises:
        BakeoffError: it is empty, larger than the bound, no regular file, or cannot be read; also for an I/O error
            within.
    """
    if "\0" in str(file):
        raise BakeoffError(f"{str(file)!r} cannot be read (no path has a NUL in it)")
    with reading(file):
        check_regular(file)
        with file.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if not size:
                raise BakeoffError(f"{file} is empty")
            check_bytes(size, f"{file} has")
            yield stream


def exists(path: str | Path) -> bool:
    """Whether a file or folder is there; False for a text that can be no path, where pathlib raises an error."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def read_bytes(file: Path) -> bytes:
    """The file's bytes. Raises BakeoffError as `opened` does."""
    with opened(file) as stream:
        return stream.read()


def sha256(file: Path) -> str:
    """64 hex digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class Capped:
    """A stream that refuses to hand out more than `each` bytes a call, or `total` bytes in all.

    For readers that believe a length which a hostile file gives.
    """

    def __init__(self, stream: BinaryIO | gzip.GzipFile, file: Path, *, each: int, total: int) -> None:
        self._stream, self._file, self._each, self._left = stream, file, each, total

    def read(self, size: int = -1) -> bytes:
        """Raises BakeoffError, naming the file, for more than is allowed."""
        data = self._stream.read(min(size, self._each + 1) if size >= 0 else self._each + 1)
        self._left -= len(data)
        if len(data) > self._each or self._left < 0:
            raise BakeoffError(f"{self._file} is damaged: one of its parts says that it is larger than any may be")
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
