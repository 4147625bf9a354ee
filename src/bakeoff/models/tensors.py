"""Named tensors from files: .safetensors, or PyTorch's .pth; nothing in either is executed."""

from __future__ import annotations

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
DIRECTORY_BYTES, MEMBERS = 1 << 24, 100_000
"""The list of a .pth's members, and how many there may be: one a tensor."""
OLD_PICKLES = 5
"""With which a .pth without a zip archive begins."""


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
                zipped = stream.read(4) == b"PK\x03\x04"  # so PyTorch tells them apart
                stream.seek(0)
                _check_archive(stream, path) if zipped else _check_old(stream, path)
                loaded = torch.load(path, map_location="cpu", weights_only=True)
        except BakeoffError:
            raise
        except Exception as error:  # a damaged pickle can fail in any way: half a dozen kinds of error have been seen
            fault = f"{type(error).__name__} while reading it"
            raise BakeoffError(f"{path}: damaged, or it holds more than tensors, which is not read ({fault})") from None
    if not isinstance(loaded, Mapping) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise BakeoffError(f"{path}: it must hold names and tensors and nothing else: save a model's state_dict()")
    for name, value in loaded.items():
        if not isinstance(name, str):
            raise BakeoffError(f"{path}: a tensor is called by a {type(name).__name__} where a text is valid")
        _check_tensor(value, f"{path}: {name[:100]!r}")
    return dict(loaded)


def _check_tensor(value: Tensor, what: str) -> None:
    """That a tensor is an array of real numbers, each of which the file holds."""
    if value.layout != torch.strided or value.device.type != "cpu" or value.is_quantized or value.is_complex():
        raise BakeoffError(f"{what} is no plain array of real numbers (sparse, quantised, complex or without values)")
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise BakeoffError(f"{what} has shape {tuple(value.shape)}, and the file does not hold as many numbers")


def _check_archive(stream: BinaryIO, path: Path) -> None:
    """That a zip archive unpacks to no more than the bound, and its pickle to few objects."""
    capped = Capped(stream, path, each=DIRECTORY_BYTES, total=1 << 62)
    with zipfile.ZipFile(capped) as archive:
        members = archive.infolist()
        if len(members) > MEMBERS:
            raise BakeoffError(f"{path}: {len(members):,} members where up to {MEMBERS:,} are valid")
        check_bytes(sum(member.file_size for member in members), f"{path}: unpacked, it has")
        for member in members:
            if member.filename.endswith(".pkl"):
                with archive.open(member) as pickle:
                    _count(pickle, OPCODES, path)


def _check_old(stream: IO[bytes], path: Path) -> None:
    """That the pickles with which an old .pth begins hold few objects."""
    left = OPCODES
    for _ in range(OLD_PICKLES):
        left -= _count(stream, left, path)


def _count(pickle: IO[bytes], most: int, path: Path) -> int:
    """The opcodes of the pickle that `pickle` begins with, up to its end."""
    number = 0
    for number, _ in enumerate(pickletools.genops(pickle), 1):
        if number > most:
            raise BakeoffError(f"{path}: its pickle has more than {OPCODES:,} opcodes, the most that are read")
    return number
