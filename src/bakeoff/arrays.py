"""NumPy's .npy and .npz files: headers are checked before anything is read, and Python objects are never loaded."""

from __future__ import annotations

import io
import math
import os
import sys
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from bakeoff.errors import BakeoffError
from bakeoff.files import Capped, check_bytes, opened

HEADER_BYTES = 1 << 14
"""Read of an array to parse its header; NumPy takes no header of more than 10,000 bytes."""
HEADERS = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
    (3, 0): npy.read_array_header_2_0,
}
"""Readers by version of the format; in version 3 the names of a record's fields are UTF-8, and records are not read."""
DIRECTORY_BYTES = 1 << 22
"""Of the list of an .npz's arrays."""
DAMAGED = (EOFError, NotImplementedError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error)
"""What zipfile and NumPy raise for damaged files and for features that NumPy does not write, encryption among them."""


def read_arrays(file: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an .npz, or the one of an .npy as `images`; they can be written to.

    Raises BakeoffError, naming the file and the fault, for damage, for Python objects, and for arrays that are
    together larger than the bound.
    """
    with opened(file) as stream, warnings.catch_warnings(action="ignore"):  # NumPy warns of headers by Python 2
        start = stream.read(len(npy.MAGIC_PREFIX))
        stream.seek(0)
        try:
            if start == npy.MAGIC_PREFIX:
                return {"images": _read_array(stream, os.fstat(stream.fileno()).st_size, f"{file}: its array")}
            if not start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
                raise ValueError("it is neither .npy nor .npz")
            return _read_members(stream, file)
        except DAMAGED as error:
            raise BakeoffError(f"{file} is not a readable NumPy file ({error})") from error


def read_npz(stream: BinaryIO, file: Path) -> dict[str, NDArray[Any]]:
    """All arrays of the .npz in `stream`, which comes from `file`. Raises BakeoffError as `read_arrays` does."""
    with warnings.catch_warnings(action="ignore"):
        try:
            return _read_members(stream, file)
        except DAMAGED as error:
            raise BakeoffError(f"{file} does not hold a readable NumPy file ({error})") from error


def _read_members(stream: BinaryIO, file: Path) -> dict[str, NDArray[Any]]:
    capped = Capped(stream, file, each=DIRECTORY_BYTES, total=1 << 62)
    arrays: dict[str, NDArray[Any]] = {}
    with zipfile.ZipFile(capped) as archive:
        members = archive.infolist()
        if not members:
            raise BakeoffError(f"{file} holds no array")
        check_bytes(sum(member.file_size for member in members), f"{file}: its arrays have")
        for member in members:
            name = member.filename.removesuffix(".npy")
            if not name.isprintable() or name in arrays:
                raise ValueError(f"the array name {name[:60]!r} {'is there twice' if name in arrays else 'is damaged'}")
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(f"{name!r} is compressed in a way that NumPy does not write")
            with archive.open(member) as content:
                arrays[name] = _read_array(content, member.file_size, f"{file}: array {name!r}")
    return arrays


def _read_array(stream: IO[bytes], size: int, what: str) -> NDArray[Any]:
    """The array in `stream`, which has `size` bytes, its header's included."""
    start = io.BytesIO(stream.read(HEADER_BYTES))
    try:
        shape, _, dtype = HEADERS[npy.read_magic(start)](start)
    except Exception:  # a hostile header makes NumPy's parser fail in many ways
        raise BakeoffError(f"{what} is damaged: its header is not one of NumPy's") from None
    if dtype.hasobject:
        raise BakeoffError(
            f"{what} holds Python objects, which are never loaded: save it as numbers or, for labels, as text "
            "(`.astype(str)`)"
        )
    if dtype.kind not in "biufcUS" or not dtype.itemsize:
        raise BakeoffError(f"{what} holds neither numbers nor text: records and dates are not read")
    promised, present = math.prod(shape) * dtype.itemsize, size - start.tell()
    check_bytes(promised, f"{what} promises")
    if present != promised:
        raise BakeoffError(f"{what} is damaged: it has {present:,} bytes where its header promises {promised:,}")
    stream.seek(0)
    array: NDArray[Any] = npy.read_array(stream, allow_pickle=False)
    if dtype.kind == "U" and (np.frombuffer(array.tobytes(), f"{dtype.byteorder}u4") > sys.maxunicode).any():
        raise BakeoffError(f"{what} is damaged: it holds what is no character")
    return array
