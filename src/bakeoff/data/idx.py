"""IDX files, the format of MNIST (http://yann.lecun.com/exdb/mnist/), gzipped or not."""

from __future__ import annotations

import gzip
import math
import re
import zlib
from pathlib import Path

import numpy as np

from bakeoff.data.dataset import Images
from bakeoff.errors import BakeoffError
from bakeoff.files import check_bytes, opened

CHUNK = 1 << 24
"""Bytes read at a time."""


def find_idx(folder: Path, prefix: str, part: str) -> Path | None:
    """The file of `part` ("train-images") by any of its usual names: `-idx3` or `.idx3`, .gz or not."""
    pattern = re.compile(re.escape(prefix + part) + r"[-.]idx\d-ubyte(\.gz)?")
    return next((file for file in sorted(folder.glob("*-ubyte*")) if pattern.fullmatch(file.name)), None)


def read_idx(file: Path, dimensions: int) -> tuple[Images, bytearray]:
    """The uint8 array in `file`, with 1 dimension (labels) or 3 (images: N, H, W), and all unzipped bytes.

    Zipped is what begins as gzip does: browsers unzip and keep the ending. No more than one byte above what the header
    promises is unzipped. Raises BakeoffError, naming the file and the fault, for another magic number, a header that
    promises more than the bound, and any other length than the header's.
    """
    magic = bytes((0, 0, 8, dimensions))
    with opened(file) as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        stream = gzip.GzipFile(fileobj=raw) if zipped else raw
        try:
            data = bytearray(stream.read(4 + 4 * dimensions))
            shape = tuple(np.frombuffer(data[4 : len(data) // 4 * 4], ">u4").tolist())
            if data[:4] != magic or len(shape) < dimensions:
                raise BakeoffError(
                    f"{file} starts with the bytes {data[:4].hex()} where {magic.hex()} and {4 * dimensions} more are "
                    f"valid (IDX, unsigned bytes, dimensions: {dimensions})"
                )
            promised = len(data) + math.prod(shape)
            check_bytes(promised, f"{file}: its header promises")
            while len(data) <= promised and (chunk := stream.read(min(promised + 1 - len(data), CHUNK))):
                data += chunk
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise BakeoffError(f"{file} is a truncated or damaged gzip file ({error})") from error
    if len(data) != promised or 0 in shape:
        length = f"more than {promised}" if len(data) > promised else len(data)
        raise BakeoffError(f"{file} is damaged: it has {length} bytes where its header {shape} asks for {promised}")
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape), data
