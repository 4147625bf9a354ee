"""IDX files, the format of MNIST (http://yann.lecun.com/exdb/mnist/), gzipped or not."""

from __future__ import annotations

import gzip
import math
import re
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bakeoff.data.dataset import Images, Split
from bakeoff.errors import BakeoffError


class Payload(NamedTuple):
    """A file and its unzipped bytes."""

    file: Path
    data: bytes


def find_idx(folder: Path, prefix: str, part: str) -> Path | None:
    """The file of `part` ("train-images") by the names seen in the wild: `-idx3` or `.idx3`, .gz or not."""
    pattern = re.compile(re.escape(prefix + part) + r"[-.]idx\d-ubyte(\.gz)?")
    found = sorted(file for file in folder.glob("*-ubyte*") if pattern.fullmatch(file.name))
    return found[0] if found else None


def read_bytes(file: Path) -> bytes:
    """The file's bytes; BakeoffError where it cannot be read or is empty."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise BakeoffError(f"{file} cannot be read ({error.strerror})") from error
    if not data:
        raise BakeoffError(f"{file} is empty")
    return data


def read_payload(file: Path) -> Payload:
    """The file's bytes, unzipped where their content is gzip: browsers unzip and keep the ending."""
    data = read_bytes(file)
    if data[:2] != b"\x1f\x8b":
        return Payload(file, data)
    try:
        return Payload(file, gzip.decompress(data))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BakeoffError(f"{file} is a truncated or damaged gzip file ({error})") from error


def parse_idx(data: bytes, file: Path, dimensions: int) -> Images:
    """The uint8 array in `data`, with 1 dimension (labels) or 3 (images: N, H, W).

    Raises BakeoffError, naming `file`, for another magic number and for any other length than the header's.
    """
    magic = bytes((0, 0, 8, dimensions))
    if data[:4] != magic:
        raise BakeoffError(
            f"{file} starts with the bytes {data[:4].hex()} where {magic.hex()} is valid "
            f"(IDX, unsigned bytes, {dimensions} dimension{'s' if dimensions > 1 else ''})"
        )
    header = 4 + 4 * dimensions
    if len(data) < header:
        raise BakeoffError(f"{file} is truncated: {len(data)} bytes are less than the IDX header's {header}")
    shape = tuple(np.frombuffer(data[4:header], ">u4").tolist())
    promised = header + math.prod(shape)
    if len(data) != promised:
        fault = "truncated" if len(data) < promised else "too long"
        raise BakeoffError(f"{file} is {fault}: {len(data)} bytes where its header {shape} asks for {promised}")
    if promised == header:
        raise BakeoffError(f"{file} holds nothing: its header says {shape}")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape).copy()  # a copy can be written to


def idx_split(images: Payload, labels: Payload) -> Split:
    """Images (N, 1, H, W) and labels (N,) of two files. BakeoffError names the file at fault."""
    pixels = parse_idx(images.data, images.file, dimensions=3)
    numbers = parse_idx(labels.data, labels.file, dimensions=1)
    if len(pixels) != len(numbers):
        raise BakeoffError(f"{images.file} holds {len(pixels)} images and {labels.file} {len(numbers)} labels")
    return Split(pixels[:, None], numbers.astype(np.int64))
