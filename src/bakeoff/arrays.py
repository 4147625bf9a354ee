"""NumPy's .npy and .npz files: headers are checked before anything is read, and Python objects are never loaded."""

from __future__ import annotations

import math
import re
import sys
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from bakeoff.errors import BakeoffError
from bakeoff.files import Capped, check_bytes, opened

MAGIC = b"\x93NUMPY"
SIZES = {b"\x01\x00": 2, b"\x02\x00": 4, b"\x03\x00": 4}
"""Bytes of the number that says how long the header is, by version of the format."""
HEADER_BYTES = 10_000
"""Of the text that says what an array is."""
MEMBERS, DIRECTORY_BYTES = 10_000, 1 << 22
"""Arrays of an .npz, and bytes of the list of them."""
CHUNK = 1 << 20
DESCR = re.compile(r"""["']descr["']\s*:\s*["']([<>=|]?)([a-zA-Z])(\d{0,6})["']""")
FORTRAN = re.compile(r"""["']fortran_order["']\s*:\s*(True|False)""")
SHAPE = re.compile(r"""["']shape["']\s*:\s*\(([\d,\sL]{0,2000})\)""")
DIMENSIONS = 32
DAMAGED = (EOFError, NotImplementedError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error)
"""What zipfile raises for damaged files and for features that NumPy does not write, encryption among them."""


def read_arrays(file: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an .npz, or the one of an .npy as `images`; they can be written to.

    Raises BakeoffError, naming the file and the fault, for damage, for Python objects, and for arrays that are
    together larger than the bound.
    """
    with opened(file) as stream:
        start = stream.read(len(MAGIC))
        stream.seek(0)
        if start == MAGIC:
            return {"images": _read_array(stream, file, f"{file}: its array")}
        if start[:4] not in (b"PK\x03\x04", b"PK\x05\x06"):
            raise BakeoffError(f"{file} is not a readable NumPy file (it is neither .npy nor .npz)")
        try:
            return _read_members(stream, file)
        except DAMAGED as error:
            raise BakeoffError(f"{file} is not a readable NumPy file ({error})") from error


def _read_members(stream: BinaryIO, file: Path) -> dict[str, NDArray[Any]]:
    capped = Capped(stream, file, each=DIRECTORY_BYTES, total=1 << 62)
    arrays: dict[str, NDArray[Any]] = {}
    with zipfile.ZipFile(capped) as archive:
        members = archive.infolist()
        if not members:
            raise BakeoffError(f"{file} holds no array")
        if len(members) > MEMBERS:
            raise BakeoffError(f"{file} holds {len(members):,} arrays where up to {MEMBERS:,} are valid")
        check_bytes(sum(member.file_size for member in members), f"{file}: its arrays have")
        for member in members:
            name = member.filename.removesuffix(".npy")
            if not name.isprintable() or name in arrays:
                raise ValueError(f"the array name {name[:60]!r} {'is there twice' if name in arrays else 'is damaged'}")
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(f"{name!r} is compressed in a way that NumPy does not write")
            with archive.open(member) as content:
                arrays[name] = _read_array(content, file, f"{file}: array {name!r}")
    return arrays


def _read_array(stream: IO[bytes], file: Path, what: str) -> NDArray[Any]:
    """The array that `stream` holds from its beginning to its end."""
    start = stream.read(8)
    if start[:6] != MAGIC or start[6:] not in SIZES:
        raise BakeoffError(f"{what} is not in NumPy's format")
    length = int.from_bytes(stream.read(SIZES[start[6:]]), "little")
    if length > HEADER_BYTES:
        raise BakeoffError(f"{what} is damaged: its header says that it has {length:,} bytes")
    dtype, shape, fortran = _parse_header(stream.read(length).decode("latin1"), what)
    promised = math.prod(shape) * dtype.itemsize
    check_bytes(promised, f"{what} promises")
    data = bytearray()
    while len(data) <= promised and (chunk := stream.read(min(promised + 1 - len(data), CHUNK))):
        data += chunk
    if len(data) != promised:
        fault = "ends before" if len(data) < promised else "goes on after"
        raise BakeoffError(f"{what} is damaged: {file.name} {fault} the {promised:,} bytes of its shape {shape}")
    if dtype.kind == "U" and (np.frombuffer(data, f"{dtype.byteorder}u4") > sys.maxunicode).any():
        raise BakeoffError(f"{what} is damaged: it holds what is no character")
    array = np.frombuffer(data, dtype)
    return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)


def _parse_header(header: str, what: str) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
    """The dtype of numbers or text, the shape, and whether columns come first."""
    descr, fortran, shape = DESCR.search(header), FORTRAN.search(header), SHAPE.search(header)
    if descr and descr[2] == "O":
        raise BakeoffError(
            f"{what} holds Python objects, which are never loaded: save it as numbers or, for labels, as text "
            "(`.astype(str)`)"
        )
    sides = [side.strip().rstrip("L") for side in shape[1].split(",")] if shape else []
    if not fortran or not shape or len(sides) > DIMENSIONS + 1 or any(len(side) > 18 for side in sides):
        raise BakeoffError(f"{what} is damaged: its header is not one of NumPy's")
    try:
        dtype = np.dtype("".join(descr.groups())) if descr and descr[2] in "biufcUS" else None
        sides_read = tuple(int(side) for side in sides if side)
    except (TypeError, ValueError):  # a kind of number that this machine has not; a shape such as (1 2)
        raise BakeoffError(f"{what} is damaged: its header is not one of NumPy's") from None
    if dtype is None or not dtype.itemsize:
        raise BakeoffError(f"{what} holds neither numbers nor text: records and dates are not read")
    return dtype, sides_read, fortran[1] == "True"
