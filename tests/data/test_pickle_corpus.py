"""A corpus of pickles that run code where they are unpickled: here none does, through any reader."""

from __future__ import annotations

import builtins
import codecs
import functools
import io
import operator
import os
import pickle
import runpy
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bakeoff.data import load_dataset, load_images
from bakeoff.data.pickled import read_array, read_dictionary
from bakeoff.errors import BakeoffError
from bakeoff.models.tensors import read_tensors


class Reduce:
    """Pickled, asks for the call it is made with; with `state`, for __setstate__ or a dictionary after it."""

    def __init__(self, *call: object) -> None:
        self.call = call

    def __reduce__(self):
        return self.call


class Dictionary(dict):
    """Pickled, a subclass whose reduction sets items after a call."""

    def __init__(self, *call: object) -> None:
        super().__init__()
        self.call = call

    def __reduce__(self):
        return (*self.call, None, None, iter([("a", 1)]))


def python(mark: Path) -> str:
    return f"__import__('pathlib').Path({str(mark)!r}).touch()"


def shell(mark: Path) -> str:
    return f"touch '{mark}'"


def text(value: str) -> bytes:
    """A protocol 4 string of any length."""
    data = value.encode()
    return b"X" + len(data).to_bytes(4, "little") + data


def named(module: str, name: str) -> bytes:
    return text(module) + text(name) + b"\x93"


def line(opcode: bytes, *parts: str) -> bytes:
    return opcode + "\n".join(parts).encode() + b"\n"


def quoted(value: str) -> bytes:
    """A protocol 0 string."""
    return b"S" + repr(value).encode() + b"\n"


EVAL = line(b"c", "builtins", "eval")
SYSTEM = line(b"c", "posix", "system")


def call(mark: Path) -> bytes:
    """Opcodes that run Python."""
    return EVAL + text(python(mark)) + b"\x85R"


Make = Callable[[Path], bytes]


def reduced(*call: object, protocol: int = 4) -> bytes:
    return pickle.dumps(Reduce(*call), protocol)


CORPUS: dict[str, Make] = {
    **{
        f"os.system, protocol {protocol}": lambda mark, p=protocol: reduced(os.system, (shell(mark),), protocol=p)
        for protocol in range(6)
    },
    **{
        f"eval, protocol {protocol}": lambda mark, p=protocol: reduced(builtins.eval, (python(mark),), protocol=p)
        for protocol in range(6)
    },
    "exec": lambda mark: reduced(builtins.exec, (python(mark),)),
    "a subprocess": lambda mark: reduced(subprocess.check_call, (["touch", str(mark)],)),
    "a shell": lambda mark: reduced(subprocess.getoutput, (shell(mark),)),
    "open for writing": lambda mark: reduced(builtins.open, (str(mark), "w")),
    "io.open": lambda mark: reduced(io.open, (str(mark), "w")),
    "codecs.open": lambda mark: b"\x80\x04" + named("codecs", "open") + text(str(mark)) + text("w") + b"\x86R.",
    "a path that touches itself": lambda mark: reduced(Path.touch, (mark,)),
    "os.mkdir": lambda mark: reduced(os.mkdir, (str(mark),)),
    "a module that runs": lambda mark: (
        mark.with_suffix(".py").write_text(python(mark)) and reduced(runpy.run_path, (str(mark.with_suffix(".py")),))
    ),
    "partial": lambda mark: reduced(functools.partial(os.system, shell(mark)), ()),
    "reduce over a list": lambda mark: reduced(functools.reduce, (operator.add, [[], []])).replace(
        b"\x94.", b"\x94" + b"0" + EVAL + quoted(python(mark)) + b"\x85R."
    ),
    "getattr of a module": lambda mark: (
        b"\x80\x04" + named("builtins", "getattr") + named("os", "path") + text("os") + b"\x86R"
        b"0"
        + named("builtins", "getattr")
        + line(b"c", "builtins", "__import__")
        + text("os")
        + b"\x85R"
        + text("system")
        + b"\x86R"
        + text(shell(mark))
        + b"\x85R."
    ),
    "a dotted name": lambda mark: b"\x80\x04" + named("pathlib", "os.system") + text(shell(mark)) + b"\x85R.",
    "a name of NumPy's tests": lambda mark: (
        b"\x80\x04" + named("numpy", "testing.rundocs.__globals__.get") + text("os") + b"\x85R0" + call(mark) + b"."
    ),
    "INST": lambda mark: b"(" + quoted(shell(mark)) + line(b"i", "posix", "system") + b".",
    "OBJ": lambda mark: b"(" + SYSTEM + quoted(shell(mark)) + b"o.",
    "NEWOBJ": lambda mark: (
        b"\x80\x02" + line(b"c", "io", "FileIO") + text(str(mark)) + text("w") + b"\x86\x810" + call(mark) + b"."
    ),
    "NEWOBJ_EX": lambda mark: b"\x80\x04" + named("io", "FileIO") + b")}\x920" + call(mark) + b".",
    "BUILD of attributes": lambda mark: (
        b"\x80\x02" + line(b"c", "types", "SimpleNamespace") + b")R}" + text("a") + call(mark) + b"sb."
    ),
    "BUILD, which calls __setstate__": lambda mark: (
        b"\x80\x02" + line(b"c", "functools", "partial") + EVAL + b"\x85R(" + EVAL + text(python(mark)) + b"\x85}Ntb)R."
    ),
    "copyreg and EXT": lambda mark: (
        b"\x80\x02"
        + line(b"c", "copyreg", "add_extension")
        + text("posix")
        + text("system")
        + b"K\xf0\x87R0\x82\xf0"
        + text(shell(mark))
        + b"\x85R."
    ),
    "rot13": lambda mark: (
        b"\x80\x04"
        + EVAL
        + named("codecs", "decode")
        + text(codecs.encode(python(mark), "rot13"))
        + text("rot13")
        + b"\x86R\x85R."
    ),
    "in the memo": lambda mark: b"\x80\x02" + EVAL + b"q\x010h\x01" + text(python(mark)) + b"q\x020h\x02\x85R.",
    "in a memo that is written twice": lambda mark: (
        b"\x80\x02K\x01q\x010" + EVAL + b"q\x010h\x01" + text(python(mark)) + b"\x85R."
    ),
    "in a list": lambda mark: pickle.dumps([1, {"a": (Reduce(os.system, (shell(mark),)),)}], 3),
    "as a key": lambda mark: b"\x80\x02}" + call(mark) + b"K\x01s.",
    "after a mark": lambda mark: b"\x80\x02(((1" + call(mark) + b".",
    "twice on the stack": lambda mark: b"\x80\x02" + EVAL + b"2" + text(python(mark)) + b"\x85R.",
    "a text in protocol 0": lambda mark: line(b"c", "builtins", "eval") + line(b"V", python(mark)) + b"\x85R.",
    "items of a subclass": lambda mark: pickle.dumps(Dictionary(os.system, (shell(mark),)), 4),
    "an array of objects": lambda mark: pickle.dumps(np.array([Reduce(os.system, (shell(mark),))], object), 4),
    "an array of objects in an array": lambda mark: pickle.dumps(
        np.array([np.array([Reduce(os.system, (shell(mark),)), 1], object), 0], object), 2
    ),
    "behind an array": lambda mark: pickle.dumps(
        {"data": np.zeros((2, 3072), np.uint8), "labels": [0, Reduce(os.system, (shell(mark),))]}, 2
    ),
    "as an array's shape": lambda mark: pickle.dumps(np.zeros((2, 3), np.uint8), 2).replace(
        b"K\x02K\x03\x86", call(mark), 1
    ),
    "as an array's type": lambda mark: pickle.dumps(np.zeros(3, np.uint8), 2).replace(
        b"cnumpy\ndtype", b"cposix\nsystem\n" + text(shell(mark)) + b"\x85R0cnumpy\ndtype", 1
    ),
    "as an array's bytes": lambda mark: pickle.dumps(np.zeros(3, np.uint8), 3).replace(b"C\x03\0\0\0", call(mark), 1),
}


def readers(folder: Path, data: bytes) -> dict[str, Callable[[], object]]:
    """Every way in which a pickle can come: each a file of its own, and the call that reads it."""
    file = folder / "a.pkl"
    file.write_bytes(data)
    (folder / "a.npy").write_bytes(data)
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n"
    member = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data
    (folder / "b.npy").write_bytes(member)
    for name, content in (("a.npz", {"images": data, "labels": data}), ("b.npz", {"images": member, "labels": member})):
        with zipfile.ZipFile(folder / name, "w") as archive:
            for key, value in content.items():
                archive.writestr(f"{key}.npy", value)
    (folder / "competition").mkdir()
    (folder / "competition" / "train_images").write_bytes(data)
    (folder / "competition" / "train_labels.csv").write_text("Id,Category\n0,1\n")
    (folder / "cifar10").mkdir()
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        (folder / "cifar10" / name).write_bytes(data)
    (folder / "old.pth").write_bytes(data)
    with zipfile.ZipFile(folder / "new.pth", "w") as archive:
        archive.writestr("new/data.pkl", data)
        archive.writestr("new/version", "3\n")
    (folder / "a.safetensors").write_bytes(data)
    any_size = {"size": None, "channels": 1, "resize": None}
    return {
        "read_array": lambda: read_array(file),
        "read_dictionary": lambda: read_dictionary(data, file),
        **{
            name: functools.partial(load_images, folder / name, **any_size)
            for name in ("a.pkl", "a.npy", "b.npy", "a.npz", "b.npz")
        },
        "competition": lambda: load_dataset(str(folder / "competition")),
        "cifar10": lambda: load_dataset("cifar10"),
        "dataset": lambda: load_dataset(str(folder / "b.npz")),
        **{name: functools.partial(read_tensors, folder / name) for name in ("old.pth", "new.pth", "a.safetensors")},
    }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CORPUS)
def test_no_reader_runs_it(tmp_path, monkeypatch, name):
    monkeypatch.setenv("BAKEOFF_DATA", str(tmp_path))
    mark = tmp_path / "mark"
    for reader, read in readers(tmp_path, CORPUS[name](mark)).items():
        with pytest.raises(BakeoffError) as caught:
            read()
        assert "\n" not in str(caught.value), reader
        assert not mark.exists(), reader


def test_the_corpus_is_real(tmp_path):
    """Each runs, where Python unpickles it in the usual way; in one process of its own, for they are hostile."""
    assert len(CORPUS) >= 30
    marks = {name: tmp_path / f"mark{place}" for place, name in enumerate(CORPUS)}
    for name, mark in marks.items():
        mark.with_suffix(".pkl").write_bytes(CORPUS[name](mark))
    code = (
        "import contextlib, pathlib, pickle, sys\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "for file in sorted(pathlib.Path(sys.argv[1]).glob('*.pkl')):\n"
        "    with contextlib.suppress(Exception):\n"
        "        pickle.loads(file.read_bytes())\n"
    )
    tests = str(Path(__file__).parent)
    subprocess.run([sys.executable, "-c", code, str(tmp_path), tests], check=True, capture_output=True, timeout=60)
    assert [name for name, mark in marks.items() if not mark.exists()] == []
