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
from bakeoff.files import check_bytes, opened

START, CHUNK = 1 << 16, 1 << 24
"""Bytes read before the header is looked at, and at a time after it."""


class Payload(NamedTuple):
    """A file and its unzipped bytes."""

    file: Path
    data: bytes | bytearray


def find_idx(folder: Path, prefix: str, part: str) -> Path | None:
    """The file of `part` ("train-images") by the names seen in the wild: `-idx3` or `.idx3`, .gz or not."""
    pattern = re.compile(re.escape(prefix + part) + r"[-.]idx\d-ubyte(\.gz)?")
    files = sorted(file for file in folder.glob("*-ubyte*") if pattern.fullmatch(file.name))
    return files[0] if files else None


def read_payload(file: Path) -> Payload:
    """The file's bytes, unzipped where their content is gzip: browsers unzip and keep the ending.

    No more is unzipped than one byte above what the IDX header promises, and START bytes of what is no IDX file.
    Raises BakeoffError for a damaged gzip file and for a header that promises more than the bound.
    """
    with opened(file) as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        stream = gzip.GzipFile(fileobj=raw) if zipped else raw
        try:
            data = bytearray(stream.read(START))
            promised = _promised(data)
            check_bytes(promised, f"{file}: its header promises")
            while len(data) <= promised and (chunk := stream.read(min(promised + 1 - len(data), CHUNK))):
                data += chunk
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise BakeoffError(f"{file} is a truncated or damaged gzip file ({error})") from error
    return Payload(file, data)


def _promised(data: bytes | bytearray) -> int:
    """How many bytes an IDX file has by its header; 0 where that is none."""
    if len(data) < 4 or data[:3] != bytes((0, 0, 8)) or len(data) < (header := 4 + 4 * data[3]):
        return 0
    return header + int(math.prod(np.frombuffer(data[4:header], ">u4").tolist()))


def parse_idx(data: bytes | bytearray, file: Path, dimensions: int) -> Images:
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
    if len(data) < promised:
        raise BakeoffError(f"{file} is truncated: {len(data)} bytes where its header {shape} asks for {promised}")
    if len(data) > promised:
        raise BakeoffError(f"{file} is too long: it goes on after the {promised} bytes its header {shape} asks for")
    if promised == header:
        raise BakeoffError(f"{file} holds nothing: its header says {shape}")
    pixels = np.frombuffer(data, np.uint8, offset=header).reshape(shape)
    return pixels if pixels.flags.writeable else pixels.copy()


def idx_split(images: Payload, labels: Payload) -> Split:
    """Images (N, 1, H, W) and labels (N,) of two files. BakeoffError names the file at fault."""
    pixels = parse_idx(images.data, images.file, dimensions=3)
    numbers = parse_idx(labels.data, labels.file, dimensions=1)
    if len(pixels) != len(numbers):
        raise BakeoffError(f"{images.file} holds {len(pixels)} images and {labels.file} {len(numbers)} labels")
    return Split(pixels[:, None], numbers.astype(np.int64))
