"""Pickled NumPy arrays, read with an Unpickler that makes nothing of what a file names: no import, no call.

A pickle is a program. Here only opcodes that arrays need are let through (PEP 307, PEP 574; protocols 2 to 5, of
Python 2 or 3), or a dictionary of arrays and plain values, and what asks for a name or a call leaves a note of it; the
notes in which NumPy 1 and 2 write numeric arrays become arrays. All else is refused.
"""

from __future__ import annotations

import contextlib
import io
import math
import pickle
import pickletools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from bakeoff.errors import BakeoffError
from bakeoff.files import opened, reading

ARRAY = (
    *("PROTO", "FRAME", "STOP", "MARK", "MEMOIZE", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"),
    *("NONE", "NEWTRUE", "NEWFALSE", "EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "TUPLE"),
    *("BININT", "BININT1", "BININT2", "LONG1", "BINSTRING", "SHORT_BINSTRING"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    *("GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD"),
)
"""Opcodes that arrays need."""
DICTIONARY = (*ARRAY, "EMPTY_DICT", "SETITEM", "SETITEMS", "EMPTY_LIST", "APPEND", "APPENDS")
MOST_OPCODES = {ARRAY: 1_000, DICTIONARY: 1_000_000}
"""An array takes some 50, a batch of CIFAR-10 with its 20,000 labels and file names some 80,000. Also the largest
number of a place in the memo, which the Unpickler fills up to there."""
MOST_TUPLES = 1_000
"""Keys of a dictionary are hashed, and a tuple within a tuple by recursion."""
RECONSTRUCT, FROM_BUFFER = "numpy._core.multiarray._reconstruct", "numpy._core.numeric._frombuffer"
ENCODE = "_codecs.encode"
NAMES = ("numpy.ndarray", "numpy.dtype", RECONSTRUCT, FROM_BUFFER, ENCODE)
NUMERIC = re.compile(r"[<>=|]([iu][1248]|f[248])")
DAMAGED = (
    *(pickle.UnpicklingError, EOFError, AttributeError, ValueError),
    *(TypeError, LookupError, OverflowError, MemoryError),
)


@dataclass(eq=False)
class Call:
    """A call that the pickle asks for, and that is not made; `state` is what it would set on the result."""

    name: str
    arguments: tuple[Any, ...]
    state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class Refused(Exception):
    """The pickle asks for more than arrays need."""


class NoteUnpickler(pickle.Unpickler):
    """Makes a Call of each call."""

    def find_class(self, module: str, name: str) -> Callable[..., Call]:
        """What notes a call of that name. NumPy 1 called its modules otherwise."""
        name = re.sub(r"^numpy\.core\.", "numpy._core.", f"{module}.{name}")
        if name not in NAMES:
            raise Refused(f"asks for {name}")
        return lambda *arguments: Call(name, arguments)


def is_pickle(file: Path) -> bool:
    """True for a file that begins as pickles of protocol 2 and more do."""
    if not file.is_file():
        return False
    with reading(file), file.open("rb") as stream:
        return re.match(rb"\x80[\x02-\x05]", stream.read(2)) is not None


def read_array(file: Path) -> NDArray[Any]:
    """The array of whole or floating-point numbers that `file` holds, pickled; it can be written to.

    Raises BakeoffError, naming the file and the fault, for anything else.
    """
    with opened(file) as stream, _one_sentence(file):
        return _array(_load(stream, ARRAY))


def read_dictionary(data: bytes, file: Path) -> dict[Any, Any]:
    """The dictionary that the `data` of `file` hold, pickled: numeric arrays, and plain values as they are.

    Raises BakeoffError, naming the file and the fault, for anything else.
    """
    with _one_sentence(file):
        values = _load(io.BytesIO(data), DICTIONARY)
        if not isinstance(values, dict):
            raise ValueError("it holds no dictionary")
        return {key: _array(value) if isinstance(value, Call) else value for key, value in values.items()}


@contextlib.contextmanager
def _one_sentence(file: Path) -> Iterator[None]:
    try:
        yield
    except Refused as refusal:
        raise BakeoffError(
            f"{file} {refusal}, which numeric NumPy arrays do not need: it is refused, and nothing in it was run"
        ) from None
    except DAMAGED as error:
        raise BakeoffError(f"{file} is not a readable pickle of numeric arrays ({error})") from error


def _load(stream: BinaryIO, opcodes: tuple[str, ...]) -> Any:
    most, tuples = MOST_OPCODES[opcodes], 0
    for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
        tuples += opcode.name.startswith("TUPLE")
        if opcode.name not in opcodes:
            raise Refused(f"uses the pickle opcode {opcode.name}")
        if count > most or tuples > MOST_TUPLES or (opcode.name == "LONG_BINPUT" and int(argument or 0) > most):
            raise Refused(f"has more than {most:,} opcodes, or {MOST_TUPLES:,} tuples")
    stream.seek(0)
    return NoteUnpickler(stream, encoding="latin1").load()


def _array(value: Any) -> NDArray[Any]:
    match value:
        case Call(name=name, state=(_, tuple() as shape, dtype, fortran, data)) if name == RECONSTRUCT:
            order, axes = "F" if fortran else "C", None
        case Call(name=name, arguments=(data, dtype, tuple() as shape, order, *axes)) if name == FROM_BUFFER:
            pass
        case _:
            raise ValueError("it holds no NumPy array")
    numbers, content = _dtype(dtype), _bytes(data)
    if not all(isinstance(side, int) and 0 <= side < 1 << 60 for side in shape):
        raise ValueError("its shape is damaged")
    if math.prod(shape) * numbers.itemsize != len(content):
        raise ValueError("its bytes do not fill its shape")
    array = np.frombuffer(content, numbers).reshape(shape[::-1] if order == "F" else shape)
    if order == "F":
        array = array.T
    elif order == "K":  # the shape is the memory's
        array = array.transpose(*(axes or ()))
    return array if array.flags.writeable else array.copy(order="K")


def _dtype(value: Any) -> np.dtype[Any]:
    match value:
        case Call(name="numpy.dtype", arguments=(str() as code, *_), state=(_, str() as order, *_)):
            if NUMERIC.fullmatch(order + code):
                return np.dtype(order + code)
            raise ValueError(f"its dtype is {code} where whole or floating-point numbers are valid")
    raise ValueError("its dtype is damaged")


def _bytes(value: Any) -> bytes | bytearray:
    match value:
        case bytes() | bytearray():
            return value
        case str() as text:  # Python 2's bytes
            return text.encode("latin1")
        case Call(name=name, arguments=(str() as text, "latin1")) if name == ENCODE:  # Python 3's, in protocol 2
            return text.encode("latin1")
    raise ValueError("its content is not bytes")
