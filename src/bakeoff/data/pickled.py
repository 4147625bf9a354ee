"""Pickled arrays, read without unpickling: nothing that a file names is imported, called or run.

A pickle is a program. Here its opcodes (PEP 307, PEP 574) are read as data: what asks for a name or a call
leaves a note of it and no more, and the notes in which NumPy 1 and 2 write numeric arrays become arrays. All
else is refused. Protocols 2 to 5, from Python 2 or 3.
"""

from __future__ import annotations

import math
import pickletools
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bakeoff.errors import BakeoffError
from bakeoff.files import opened, reading

T = TypeVar("T")

NUMBERS = ("INT", "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT")
TEXTS = ("BINSTRING", "SHORT_BINSTRING", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8")
PLAIN = frozenset((*NUMBERS, *TEXTS, "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"))
"""Opcodes whose argument is the value."""

NDARRAY, DTYPE = "numpy.ndarray", "numpy.dtype"
RECONSTRUCT = "numpy._core.multiarray._reconstruct"
FROM_BUFFER = "numpy._core.numeric._frombuffer"
ENCODE = "_codecs.encode"  # Python 3's bytes in protocol 2: a text and "latin1"
NAMES = frozenset((NDARRAY, DTYPE, RECONSTRUCT, FROM_BUFFER, ENCODE))
NUMERIC = re.compile(r"[iu][1248]|f[248]")


MOST_OPCODES = 1_000_000
"""An array takes some 30; a batch of CIFAR-10 with its 20,000 labels and file names some 80,000."""


class Name(str):
    """A name that the pickle asks for, and that stays a name."""


@dataclass(eq=False)
class Call:
    """A call that the pickle asks for, and that is not made; `state` is what it would set on the result."""

    name: Name
    arguments: tuple[Any, ...]
    state: Any = None


class Refused(Exception):
    """The pickle asks for more than arrays need."""


def is_pickle(file: Path) -> bool:
    """True for a file that begins as pickles of protocol 2 and more do."""
    if not file.is_file():
        return False
    with reading(file), file.open("rb") as stream:
        start = stream.read(2)
    return len(start) == 2 and start[0] == 0x80 and 2 <= start[1] <= 5


def read_array(file: Path) -> NDArray[Any]:
    """The array of whole or floating-point numbers that `file` holds, pickled; it can be written to.

    Raises BakeoffError, naming the file and the fault, for anything else.
    """
    with opened(file) as stream:
        return read(stream, file, _array)


def read_dict(stream: IO[bytes], file: Path) -> dict[str, Any]:
    """The pickled dictionary in `stream`: numeric arrays, and plain values as they are, by key.

    Raises BakeoffError, naming `file` and the fault, for anything else.
    """

    def build(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValueError("it holds no dictionary")
        return {_text(key): _array(each) if isinstance(each, Call) else each for key, each in value.items()}

    return read(stream, file, build)


def read(stream: IO[bytes], file: Path, build: Callable[[Any], T]) -> T:
    """What `build` makes of the plain values, names and calls in `stream`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # odd escapes in texts that are refused anyway
            return build(parse(stream))
    except Refused as refusal:
        raise BakeoffError(
            f"{file} {refusal}, which numeric NumPy arrays do not need: it is refused, and nothing in it was run"
        ) from None
    except (ValueError, TypeError, LookupError, OverflowError, MemoryError) as error:
        raise BakeoffError(f"{file} is not a readable pickle of numeric arrays ({error})") from error


def parse(stream: IO[bytes]) -> Any:
    """The value that a pickle describes, of plain values, names and calls.

    Raises Refused for names and opcodes that arrays do not need; ValueError, TypeError, LookupError,
    OverflowError or MemoryError for damage.
    """
    machine = Machine()
    for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
        if count > MOST_OPCODES:  # each is a byte or more in the file, and up to 100 in memory
            raise Refused(f"has more than {MOST_OPCODES:,} opcodes")
        if opcode.name == "STOP":
            return machine.stack.pop()
        machine.step(opcode.name, argument)
    raise ValueError("it has no end")


class Machine:
    """The state of a pickle that is read: the stack since the last mark, those before each mark, and the memo."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marked: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def step(self, opcode: str, argument: Any) -> None:
        """Follow one opcode."""
        match opcode:
            case "PROTO" | "FRAME":
                pass
            case "MARK":
                self.marked.append(self.stack)
                self.stack = []
            case "MEMOIZE" | "BINPUT" | "LONG_BINPUT":
                self.memo[len(self.memo) if argument is None else argument] = self.stack[-1]
            case "APPEND":
                item = self.stack.pop()
                _a(list, self.stack[-1]).append(item)
            case "APPENDS":
                items = self._since_mark()
                _a(list, self.stack[-1]).extend(items)
            case "SETITEM":
                value, key = self.stack.pop(), self.stack.pop()
                _a(dict, self.stack[-1])[_text(key)] = value
            case "SETITEMS":
                items = self._since_mark()
                _a(dict, self.stack[-1]).update(zip(map(_text, items[::2]), items[1::2], strict=True))
            case "BUILD":
                state = self.stack.pop()
                _a(Call, self.stack[-1]).state = state
            case _:
                value = argument if opcode in PLAIN else self._value(opcode, argument)
                self.stack.append(value)

    def _value(self, opcode: str, argument: Any) -> Any:
        """What an opcode puts on the stack, in place of what it takes from it."""
        match opcode:
            case "BINGET" | "LONG_BINGET":
                return self.memo[argument]
            case "NONE" | "NEWTRUE" | "NEWFALSE" | "EMPTY_TUPLE":
                return {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}[opcode]
            case "EMPTY_LIST" | "EMPTY_DICT":
                return [] if opcode == "EMPTY_LIST" else {}
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(opcode[-1])
                items = tuple(self.stack[-count:])
                del self.stack[-count:]
                return items
            case "TUPLE":
                return tuple(self._since_mark())
            case "GLOBAL":
                return _name(argument.replace(" ", "."))
            case "STACK_GLOBAL":
                last, first = self.stack.pop(), self.stack.pop()
                return _name(f"{_text(first)}.{_text(last)}")
            case "REDUCE":
                arguments, function = self.stack.pop(), self.stack.pop()
                return Call(_a(Name, function), _a(tuple, arguments))
        raise Refused(f"uses the pickle opcode {opcode}")

    def _since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.marked.pop()
        return items


def _a(kind: type[T], value: Any) -> T:
    if not isinstance(value, kind):
        raise ValueError(f"a {type(value).__name__} is where a {kind.__name__} must be")
    return value


def _name(text: str) -> Name:
    if text.replace("numpy.core.", "numpy._core.", 1) not in NAMES:
        raise Refused(f"asks for {text}")
    return Name(text.replace("numpy.core.", "numpy._core.", 1))


def _text(value: Any) -> str:
    """A text, or bytes that stand for one."""
    return _bytes(value).decode("ascii") if isinstance(value, bytes | Call) else _a(str, value)


def _array(value: Any) -> NDArray[Any]:
    match value:
        case Call(name=name, arguments=(kind, *_), state=(int(), shape, dtype, fortran, data)) if name == RECONSTRUCT:
            if not isinstance(kind, Name) or kind != NDARRAY:
                raise ValueError("it holds another class than numpy.ndarray")
            order = "F" if fortran else "C"
        case Call(name=name, arguments=(data, dtype, shape, "K", axes)) if name == FROM_BUFFER:
            return _filled(shape, dtype, data).transpose(_a(tuple, axes))  # the shape is the memory's
        case Call(name=name, arguments=(data, dtype, shape, "C" | "F" as order, *_)) if name == FROM_BUFFER:
            pass
        case _:
            raise ValueError("it holds no NumPy array")
    if order == "F":
        return _filled(_a(tuple, shape)[::-1], dtype, data).T
    return _filled(shape, dtype, data)


def _filled(shape: Any, dtype: Any, data: Any) -> NDArray[Any]:
    """The array of this shape whose memory `data` is, row by row."""
    numbers, content = _dtype(dtype), _bytes(data)
    if not all(isinstance(side, int) and side >= 0 for side in _a(tuple, shape)):
        raise ValueError("its shape is damaged")
    if math.prod(shape) * numbers.itemsize != len(content):
        raise ValueError("its bytes do not fill its shape")
    array = np.frombuffer(content, numbers).reshape(shape)
    return array if array.flags.writeable else array.copy()


def _dtype(value: Any) -> np.dtype[Any]:
    match value:
        case Call(name=name, arguments=(code, *_), state=(int(), order, *_)) if name == DTYPE:
            if NUMERIC.fullmatch(_text(code)) and _text(order) in ("<", ">", "=", "|"):
                return np.dtype(_text(order) + _text(code))
            raise ValueError(f"its dtype is {_text(code)} where whole or floating-point numbers are valid")
        case _:
            raise ValueError("its dtype is damaged")


def _bytes(value: Any) -> bytes | bytearray:
    match value:
        case bytes() | bytearray():
            return value
        case Call(name=name, arguments=(str() as text, "latin1")) if name == ENCODE:
            return text.encode("latin1")
        case str() if not isinstance(value, Name):  # Python 2's bytes
            return value.encode("latin1")
        case _:
            raise ValueError("its content is not bytes")
