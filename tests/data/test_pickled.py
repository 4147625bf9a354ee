from __future__ import annotations

import builtins
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from bakeoff.data.pickled import is_pickle, read_array
from bakeoff.errors import BakeoffError

KINDS = ["u1", "i1", "<u2", ">i4", "i8", "f2", "<f4", ">f8"]
ORDERS = {
    "rows first": lambda array: array,
    "columns first": np.asfortranarray,
    "transposed": np.transpose,
    "axes swapped": lambda array: array.transpose(0, 2, 1),
    "every other": lambda array: array[:, ::2],
}


def array_of(kind: str) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 100, (2, 3, 4)).astype(kind)


def renamed(data: bytes, names: dict[str, str]) -> bytes:
    """A protocol 2 or 3 pickle, as if written where NumPy's modules were called otherwise."""
    for new, old in names.items():
        data = data.replace(f"c{new}\n".encode(), f"c{old}\n".encode())
    return data


def read(tmp_path: Path, data: bytes) -> np.ndarray:
    (tmp_path / "a.pkl").write_bytes(data)
    return read_array(tmp_path / "a.pkl")


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_arrays_are_those_that_pickle_loads(tmp_path, protocol, kind, order):
    data = pickle.dumps(order(array_of(kind)), protocol)
    array = read(tmp_path, data)
    np.testing.assert_array_equal(array, pickle.loads(data))
    np.testing.assert_array_equal(array, order(array_of(kind)), strict=True)
    assert array.flags.writeable
    assert is_pickle(tmp_path / "a.pkl")


@pytest.mark.parametrize("protocol", [2, 3])
def test_numpy_1_called_its_modules_otherwise(tmp_path, protocol):
    data = renamed(pickle.dumps(array_of("i2"), protocol), {"numpy._core.multiarray": "numpy.core.multiarray"})
    assert b"numpy.core.multiarray" in data
    np.testing.assert_array_equal(read(tmp_path, data), array_of("i2"), strict=True)


@pytest.mark.parametrize("protocol", [4, 5])
def test_numpy_1_called_its_modules_otherwise_in_newer_protocols(tmp_path, protocol):
    data = pickle.dumps(array_of("f4"), protocol)
    old = data
    for name in (b"numpy._core.multiarray", b"numpy._core.numeric"):
        short = name.replace(b"_core", b"core")
        old = old.replace(bytes([len(name)]) + name, bytes([len(short)]) + short)
    (frame,) = struct.unpack("<Q", old[3:11])
    old = old[:3] + struct.pack("<Q", frame - 1) + old[11:]
    assert b"numpy.core." in old
    assert b"_core" not in old
    np.testing.assert_array_equal(read(tmp_path, old), array_of("f4"), strict=True)


def test_python_2_wrote_bytes_as_text(tmp_path):
    """What cPickle of Python 2 wrote of a uint8 array, protocol 2: strings have no encoding there."""
    pixels = bytes(range(250, 256)) + bytes(range(6))

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    dtype = b"cnumpy\ndtype\nq\x01" + text(b"u1") + b"K\x00K\x01\x87R(K\x03" + text(b"|") + b"NNNJ" + b"\xff" * 4
    dtype += b"J" + b"\xff" * 4 + b"K\x00tb"
    data = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x00cnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87R"
    data += b"(K\x01K\x03K\x04\x86" + dtype + b"\x89" + text(pixels) + b"tb."
    array = read(tmp_path, data)
    assert array.tolist() == np.frombuffer(pixels, np.uint8).reshape(3, 4).tolist()
    assert pickle.loads(data, encoding="latin1").tolist() == array.tolist()


class Attack:
    """Pickled, asks for a call of `function`."""

    def __init__(self, function, *arguments) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def short(name: str) -> bytes:
    return b"\x8c" + bytes([len(name)]) + name.encode()


def raw(module: str, name: str, arguments: bytes = b"U\x01x\x85") -> bytes:
    """A pickle that calls module.name, whatever they are."""
    return b"\x80\x04" + short(module) + short(name) + b"\x93" + arguments + b"R."


def marked(path: Path) -> str:
    return f"touch {path}"


def touching(path: Path) -> str:
    return f"__import__('pathlib').Path({str(path)!r}).touch()"


MALICIOUS = {
    "os.system": (lambda file: pickle.dumps(Attack(os.system, marked(file)), 2), "asks for posix.system"),
    "eval": (
        lambda file: pickle.dumps(Attack(builtins.eval, touching(file)), 4),
        "asks for builtins.eval",
    ),
    "exec beside an array": (
        lambda file: pickle.dumps((array_of("u1"), Attack(builtins.exec, touching(file))), 5),
        "asks for builtins.exec",
    ),
    "in an array of objects": (
        lambda file: pickle.dumps(np.array([Attack(os.system, marked(file)), None], dtype=object), 4),
        "uses the pickle opcode EMPTY_LIST",
    ),
    "in the state of a dtype": (
        lambda file: pickle.dumps(array_of("u1"), 2).replace(
            b"K\x03X\x01\x00\x00\x00|",
            b"cposix\nsystem\nX" + struct.pack("<I", len(marked(file))) + marked(file).encode() + b"\x85RX\x01\0\0\0|",
        ),
        "asks for posix.system",
    ),
    "a dotted name": (lambda _: raw("numpy", "dtype.mro.__globals__"), "asks for numpy.dtype.mro.__globals__"),
    "a dotted module": (lambda _: raw("numpy.os", "system"), "asks for numpy.os.system"),
    "a function of NumPy": (lambda _: raw("numpy", "load"), "asks for numpy.load"),
    "a function of NumPy's core": (lambda _: raw("numpy._core.multiarray", "fromfile"), "multiarray.fromfile"),
    "a runner in NumPy's tests": (lambda _: raw("numpy.testing._private.utils", "runstring"), "utils.runstring"),
    "copyreg": (lambda _: raw("copyreg", "_reconstructor"), "asks for copyreg._reconstructor"),
    "an attribute": (lambda _: raw("builtins", "getattr"), "asks for builtins.getattr"),
    "another encoding": (
        lambda _: raw("_codecs", "encode", short("6869") + short("hex") + b"\x86"),
        "it holds no NumPy array",
    ),
    "the old way to call": (lambda file: b"\x80\x02(S'" + marked(file).encode() + b"'\niposix\nsystem\n.", "opcode"),
    "another old way": (lambda _: b"\x80\x02(cposix\nsystem\nU\x01xo.", "uses the pickle opcode OBJ"),
    "a new object": (lambda _: b"\x80\x02cnumpy\nndarray\n)\x81.", "uses the pickle opcode NEWOBJ"),
    "a persistent id": (lambda _: b"\x80\x02U\x01xQ.", "uses the pickle opcode BINPERSID"),
    "a registered extension": (lambda _: b"\x80\x02\x82\x01.", "uses the pickle opcode EXT1"),
    "a buffer from elsewhere": (lambda _: b"\x80\x05\x97.", "uses the pickle opcode NEXT_BUFFER"),
    "a call of what is no name": (lambda _: b"\x80\x02)U\x01x\x85R.", "is not a readable pickle of numeric arrays"),
    "a subclass": (lambda _: pickle.dumps(np.ma.array([1, 2]), 4), "asks for numpy.ma.core"),
    "a set": (lambda _: pickle.dumps({1, 2}, 4), "uses the pickle opcode EMPTY_SET"),
}


@pytest.mark.parametrize("name", MALICIOUS)
def test_malicious_pickles_are_refused_and_nothing_runs(tmp_path, name):
    make, sentence = MALICIOUS[name]
    traces = tmp_path / "traces"
    with pytest.raises(BakeoffError, match=sentence) as caught:
        read(tmp_path, make(traces))
    assert str(caught.value).startswith(str(tmp_path / "a.pkl"))
    assert not traces.exists()


@pytest.mark.parametrize("name", ["os.system", "eval", "exec beside an array", "in an array of objects"])
def test_the_malicious_pickles_run_code_where_they_are_unpickled(tmp_path, name):
    """Each would run, were it loaded in the usual way."""
    pickle.loads(MALICIOUS[name][0](tmp_path / "traces"))
    assert (tmp_path / "traces").exists()


def nested(depth: int) -> bytes:
    """A dictionary whose key is a tuple in a tuple in a ...: Python's own hash of it ends the process."""
    return b"\x80\x02})" + b"\x85" * depth + b"K\x01s."


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\x80\x04", "pickle exhausted before seeing STOP"),
        (b"", "a.pkl is empty"),
        (b"\x80\x04N.", "it holds no NumPy array"),
        (pickle.dumps({"a": 1}), "uses the pickle opcode EMPTY_DICT"),
        (pickle.dumps(array_of("u1"))[:-9], "not a readable pickle of numeric arrays"),
        (pickle.dumps(np.array(["a"])), "its dtype is U1 where whole or floating-point numbers are valid"),
        (pickle.dumps(np.array([True])), "its dtype is b1 where"),
        (pickle.dumps(np.array([1j])), "its dtype is c16 where"),
        (pickle.dumps(np.zeros(2, [("a", "u1")])), "uses the pickle opcode EMPTY_DICT"),
        (pickle.dumps(np.array([{}], object), 4), "uses the pickle opcode EMPTY_LIST"),
        (pickle.dumps(array_of("u1"), 3).replace(b"K\x02K\x03K\x04", b"K\x02K\x03K\x05"), "do not fill its shape"),
        (pickle.dumps(array_of("u1"), 3).replace(b"K\x02K\x03K\x04", b"K\x02K\x03N"), "its shape is damaged"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"abc.", "not a readable pickle"),  # a terabyte is promised
        (b"\x80\x02K\x01r" + struct.pack("<I", 2**32 - 1) + b".", "has more than 1,000 opcodes"),  # a memo of 32 GB
        (nested(200_000), "uses the pickle opcode EMPTY_DICT"),
        (b"\x80\x02" + b"(" * 100_000 + b".", "has more than 1,000 opcodes"),
        (b"\x80\x02]q\x00h\x00a.", "uses the pickle opcode EMPTY_LIST"),  # a list that holds itself
        (b"\x80\x02h\x07.", "not a readable pickle"),
    ],
)
def test_damage_is_one_sentence(tmp_path, data, sentence):
    with pytest.raises(BakeoffError, match=sentence) as caught:
        read(tmp_path, data)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(BakeoffError, match=r"none.pkl cannot be read \(No such file"):
        read_array(tmp_path / "none.pkl")
    assert not is_pickle(tmp_path / "none.pkl")
    assert not is_pickle(tmp_path)
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    assert not is_pickle(tmp_path / "a.png")


def test_random_damage_never_ends_in_another_error(tmp_path):
    """Bytes changed and ends cut off: a sentence, or numbers where the damage does not show."""
    draw, refused = np.random.default_rng(0), 0
    for round_ in range(400):
        whole = np.frombuffer(pickle.dumps(array_of("i4"), 2 + round_ % 4), np.uint8)
        data = whole[: len(whole) if round_ % 3 else draw.integers(1, len(whole))].copy()
        data[draw.integers(0, len(data), 2)] = draw.integers(0, 256, 2, np.uint8)
        try:
            assert read(tmp_path, data.tobytes()).dtype.kind in "iuf"
        except BakeoffError:
            refused += 1
    assert refused > 200
