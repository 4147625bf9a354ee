"""Named tensors from files: .safetensors, or PyTorch's .pth; nothing in either is executed."""

from __future__ import annotations

import itertools
import pickletools
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO

import torch
from safetensors.torch import load_file
from torch import Tensor

from bakeoff.errors import BakeoffError
from bakeoff.files import Capped, check_bytes, opened

OPCODES = 1_000_000
"""Of the pickles in a .pth, each of which may take a hundred bytes of memory; a network of 1,000 tensors has 30,000."""
DIRECTORY_BYTES = 1 << 24
"""Of the list of a .pth's members."""
OLD_PICKLES = 5
"""The pickles at the beginning of a .pth without a zip archive."""


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The named tensors of a .safetensors file, or of a PyTorch file; nothing in either is executed.

    Raises:
        BakeoffError: a damaged file, one that holds anything else, or one that is larger than it says.
    """
    with opened(path) as stream:
        try:
            if path.suffix == ".safetensors":
                loaded: Any = load_file(path)
            else:
                is_zip = stream.read(4) == b"PK\x03\x04"  # PyTorch's own test
                stream.seek(0)
                _check_archive(stream, path) if is_zip else _check_pickles(stream, OLD_PICKLES, path)
                loaded = torch.load(path, map_location="cpu", weights_only=True)
        except BakeoffError:
            raise
        except Exception as error:  # a damaged pickle can fail in any way: half a dozen kinds of error have been seen
            fault = f"{type(error).__name__} while reading it"
            raise BakeoffError(f"{path}: damaged, or it holds more than tensors, which is not read ({fault})") from None
    if not isinstance(loaded, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in loaded.items()
    ):
        raise BakeoffError(f"{path}: it must hold names and tensors and nothing else: save a model's state_dict()")
    for name, value in loaded.items():
        _check_tensor(value, f"{path}: {name[:100]!r}")
    return dict(loaded)


def _check_tensor(value: Tensor, where: str) -> None:
    """That a tensor is a dense array of real numbers, all of them in the file."""
    if value.layout != torch.strided or value.device.type != "cpu" or value.is_quantized or value.is_complex():
        raise BakeoffError(f"{where} is no plain array of real numbers (sparse, quantised, complex or without values)")
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise BakeoffError(f"{where} has shape {tuple(value.shape)}, and the file does not hold as many numbers")


def _check_archive(stream: BinaryIO, path: Path) -> None:
    """That a zip archive unpacks to no more than the bound, and its pickle to few objects."""
    capped = Capped(stream, path, each=DIRECTORY_BYTES, total=1 << 62)
    with zipfile.ZipFile(capped) as archive:
        members = archive.infolist()
        check_bytes(sum(member.file_size for member in members), f"{path}: unpacked, it has")
        for member in members:
            if member.filename.endswith(".pkl"):
                with archive.open(member) as pickle:
                    _check_pickles(pickle, 1, path)


def _check_pickles(stream: IO[bytes], count: int, path: Path) -> None:
    """That the `count` pickles at the beginning of a stream hold few objects."""
    opcodes = (opcode for _ in range(count) for opcode in pickletools.genops(stream))
    if next(itertools.islice(opcodes, OPCODES, None), None):
        raise BakeoffError(f"{path}: its pickle has more than {OPCODES:,} opcodes, the most that are read")
