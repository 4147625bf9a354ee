"""Fail the k-th write, fsync, rename or mkdir of every verb that writes, for every k, and look at what is left.

    python bench/faults.py
    python bench/faults.py --verb train --stride 10

After each failing call every file is whole, of before or of after; the message is one sentence; nothing half-written
lies about; and the same call, made again, succeeds. Writes one row a verb to results/bench/faults.json; exits with 1
where anything else was seen.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import errno
import io
import json
import lzma
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from PIL import Image
from safetensors.torch import load

from bakeoff import record
from bakeoff.cli import bakeoff, exit_code

FAULTS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EACCES": errno.EACCES, "short": 0}
STUDY = """
title = "Does a smaller rate do?"
question = "Does a smaller rate do?"
dataset = "bars.npz"
recipe = { epochs = 1, batch_size = 16 }
contenders = { fast = { model = "logistic" }, slow = { model = "logistic", lr = 0.001 } }
sections = [{ kind = "leaderboard" }]
"""
TRAIN = ["train", "bars.npz", "logistic", "--epochs", "1", "--batch-size", "16", "--threads", "1", "--out", "runs"]
VERBS: dict[str, list[str]] = {
    "train": [*TRAIN, "--checkpoint-seconds", "0"],
    "run": ["run", "study.toml", "--jobs", "1", "--out", "studies"],
    "report": ["report", "made/study"],
    "pack": ["pack", "made/study", "packed"],
    "unpack": ["unpack", "packed-before", "--out", "unpacked"],
    "predict": ["predict", "RUN", "--split", "validation", "--csv", "predictions.csv"],
    "make": ["data", "make", "largest-digit", "--count", "20", "--test-count", "20", "--out", "made.npz"],
    "sheet": ["data", "show", "bars.npz", "--sheet", "sheet.png"],
}
"""Each verb that writes, called in a folder with bars.npz, study.toml, a finished study and a finished run."""


@dataclasses.dataclass
class Calls:
    """Counts the calls that write below the present folder, and fails the `fail`-th."""

    fail: int = 0
    fault: str = ""
    count: int = 0
    descriptors: set[int] = dataclasses.field(default_factory=set)

    def due(self) -> bool:
        self.count += 1
        return self.count == self.fail

    def check(self) -> None:
        if self.due() and self.fault != "short":
            number = FAULTS[self.fault]
            raise OSError(number, os.strerror(number))


@contextlib.contextmanager
def faulty(calls: Calls) -> Iterator[None]:
    """Within: the system's calls that write a temporary file, rename one or make a folder pass through `calls`."""
    system = {name: getattr(os, name) for name in ("open", "fsync", "replace", "mkdir", "close")}
    here = Path.cwd()

    class File(io.FileIO):
        """A temporary file."""

        def __init__(self, path: Path, mode: str) -> None:
            self.counted = here in path.absolute().parents
            if self.counted:
                calls.check()
            super().__init__(path, mode)
            if self.counted:
                calls.descriptors.add(self.fileno())

        def write(self, data: Any) -> int:
            if self.counted:
                if calls.fault == "short" and calls.due():
                    return super().write(memoryview(data)[: len(data) // 2 or 1])
                if calls.fault != "short":
                    calls.check()
            return super().write(data)

        def close(self) -> None:
            if not self.closed:
                calls.descriptors.discard(self.fileno())
            super().close()

    def open_folder(path: object, flags: int, *more: object, **named: object) -> int:
        counted = isinstance(path, str | Path) and Path(path).is_dir() and here in Path(path).absolute().parents
        if counted:
            calls.check()
        descriptor: int = system["open"](path, flags, *more, **named)
        if counted:
            calls.descriptors.add(descriptor)
        return descriptor

    def passing(name: str) -> Callable[..., object]:
        def call(first: object, *more: object, **named: object) -> object:
            descriptor = first in calls.descriptors if name == "fsync" else here in Path(str(first)).absolute().parents
            if descriptor:
                calls.check()
            return system[name](first, *more, **named)

        return call

    def close(descriptor: int) -> None:
        calls.descriptors.discard(descriptor)
        system["close"](descriptor)

    patches = {"open": open_folder, "close": close}
    patches |= {name: passing(name) for name in ("fsync", "replace", "mkdir")}
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(io, "FileIO", File))
        for name, function in patches.items():
            stack.enter_context(mock.patch.object(os, name, function))
        yield


def call(arguments: list[str]) -> tuple[int, str]:
    """A verb, called in this process: its exit status and what it wrote to standard error."""
    error = io.StringIO()
    with contextlib.redirect_stderr(error), contextlib.redirect_stdout(io.StringIO()):
        code = exit_code(lambda: bakeoff.main(arguments, "bakeoff", standalone_mode=False))
    return code, error.getvalue()


def prepared(folder: Path) -> Path:
    """`folder` with what the verbs need."""
    folder.mkdir()
    labels = np.arange(90) % 3
    images = np.random.default_rng(0).integers(0, 90, (90, 8, 8), dtype=np.uint8)
    for index, label in enumerate(labels):
        images[index, 2 * label : 2 * label + 3] += 90
    split = {"images": images[:60], "labels": labels[:60], "test_images": images[60:], "test_labels": labels[60:]}
    np.savez(folder / "bars.npz", **split)
    (folder / "study.toml").write_text(STUDY)
    with contextlib.chdir(folder):
        packed = [*VERBS["pack"][:-1], "packed-before"]
        for arguments in ([*VERBS["run"][:-1], "made"], [*TRAIN[:-1], "trained"], packed):
            code, output = call(arguments)
            assert code == 0, output
    return folder


def readable(file: Path) -> None:
    """Raises any error where a file that a verb wrote is not whole."""
    data = file.read_bytes()
    if file.suffix == ".npz":
        with np.load(io.BytesIO(data)) as archive:
            dict(archive)
    elif file.suffix == ".xz":
        lzma.decompress(data)
    elif file.suffix == ".safetensors":
        load(data)
    elif file.suffix == ".png":
        Image.open(io.BytesIO(data)).load()
    elif file.suffix in (".json", ".jsonl"):
        for text in [data] if file.suffix == ".json" else data.splitlines():
            record.parse_json(text)
    elif file.suffix in (".html", ".svg"):
        assert data.rstrip().endswith((b"</html>", b"</svg>")), "cut off"
    else:
        assert data.endswith(b"\n") or file.suffix == ".lock", "cut off"


def faults_left(folder: Path) -> list[str]:
    """A sentence for each file that is not whole, and for each that should not be there."""
    sentences = []
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        if file.suffix in (".tmp", ".part"):
            sentences.append(f"{file.name}: left behind")
            continue
        try:
            readable(file)
        except Exception as error:  # whatever a reader raises, the file is not whole
            sentences.append(f"{file.name}: {type(error).__name__}: {error}")
    for run in record.find_runs(folder):
        sentences += record.check_files(run)[1]
    return sentences


def sweep(verb: str, source: Path, folder: Path, stride: int = 1, faults: tuple[str, ...] = tuple(FAULTS)) -> dict:
    """Fail every `stride`-th call of a verb with each fault; how many, and a sentence for each thing amiss."""
    run = next(path for path in source.glob("trained/*") if path.is_dir())
    arguments = [str(run.relative_to(source)) if word == "RUN" else word for word in VERBS[verb]]
    amiss: list[str] = []
    counts = {}
    for fault in faults:
        place, calls = folder / f"{verb}-{fault}-0", Calls(fault=fault)
        shutil.copytree(source, place)
        with contextlib.chdir(place), faulty(calls):
            code, output = call(arguments)
        assert code == 0, output
        counts[fault], after = calls.count, names(place)
        shutil.rmtree(place)
        for number in range(1 + (stride - 1) // 2, calls.count + 1, stride):
            seen = one(arguments, source, place, fault, number, after)
            amiss += [f"{verb}, {fault} at call {number}: {text}" for text in seen]
    return {"verb": verb, "calls": counts, "failed": sum(-(-n // stride) for n in counts.values()), "amiss": amiss}


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def one(arguments: list[str], source: Path, place: Path, fault: str, number: int, after: set[str]) -> list[str]:
    """What is amiss after a verb whose `number`-th call fails, and after the same verb again.

    Args:
        after: names of the files when nothing fails.
    """
    shutil.copytree(source, place)
    amiss = []
    with contextlib.chdir(place):
        with faulty(Calls(number, fault)):
            try:
                code, output = call(arguments)
            except Exception as error:  # a traceback is what this looks for
                code, output = -1, f"{type(error).__name__}: {error}"
        lines = [line for line in output.splitlines() if line.startswith("bakeoff: ")]
        if fault == "short" and code != 0:
            amiss.append(f"exit status {code}: {output[-200:]}")
        if code not in (0, 1, 2) or (code and not lines) or "Traceback" in output:
            amiss.append(f"exit status {code}: {output[-200:]}")
        if code == 0 and (missing := after - names(place)):
            amiss.append(f"exit status 0, and yet no {', '.join(sorted(missing))}")
        amiss += faults_left(place)
        code, output = call(arguments)
        if code != 0:
            amiss.append(f"the same call again: exit status {code}: {output[-200:]}")
        amiss += [f"after the same call again: {text}" for text in faults_left(place)]
        amiss += [f"after the same call again: {name} differs" for name in sorted(after ^ names(place))]
    shutil.rmtree(place)
    return amiss


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--verb", action="append", choices=VERBS)
    parser.add_argument("--stride", type=int, default=1, help="every how many-th call is failed")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "results/bench/faults.json")
    options = parser.parse_args()
    out, rows, began = options.out.absolute(), [], time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bakeoff-faults-") as folder:
        source = prepared(Path(folder) / "source")
        for verb in options.verb or VERBS:
            rows.append(sweep(verb, source, Path(folder), options.stride))
            print(f"{verb}: {rows[-1]['failed']} calls failed, {len(rows[-1]['amiss'])} amiss", flush=True)
            for sentence in rows[-1]["amiss"][:20]:
                print(f"    {sentence}")
    bad = sum(len(row["amiss"]) for row in rows)
    print(f"{sum(row['failed'] for row in rows)} failed calls: {bad} amiss")
    if options.stride == 1 and not options.verb:
        seconds = round(time.monotonic() - began)
        command = "python bench/faults.py"
        out.write_text(json.dumps({"command": command, "seconds": seconds, "verbs": rows}, indent=2) + "\n")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
