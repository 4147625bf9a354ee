"""Mutated files through every reader: whatever is not read must be one sentence, in bounded time and memory.

    python bench/fuzz.py --executions 200000
    python bench/fuzz.py --executions 500 --reader npz --reader toml

Each execution changes a small valid file at random, within its compression and checksums as often as outside them,
and reads it as a user would. A failure is any exception but BakeoffError, a reading that takes more than `--seconds`
of the processor, or more memory than `--mebibytes` above the most before it: the input is kept and the exit status is
1. Readers are told that files and arrays may have 64 MiB. Writes one row a reader to `--out`, over the row that the
reader had there.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import io
import json
import lzma
import os
import pickle
import random
import re
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from bakeoff import create_model, load_dataset, load_study, read_run, train
from bakeoff.data import load_images
from bakeoff.data.cifar import read_splits
from bakeoff.errors import BakeoffError
from bakeoff.models.tensors import read_tensors
from bakeoff.record import make_folder
from bakeoff.record.packed import pack, unpack
from bakeoff.spec import Recipe
from bakeoff.spec.recipe import CHOICES
from bakeoff.spec.registry import Registry
from bakeoff.spec.settings import validate
from bakeoff.training.checkpoint import last_checkpoint, save_checkpoint
from bakeoff.training.loop import new_state

ANY = {"size": None, "channels": None, "resize": None}
NUMBERS = [0, 1, 2, 127, 255, 256, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1]
TOKENS = [b"\0", b"\x1b[31m", b"\xe2\x80\xae", b"\xff\xfe", b"NaN", b"Infinity", b"1e999", b"-1", b"9" * 5000]
TOKENS += [b"[" * 3000, b"{" * 500, b'"', b"'", b",", b"\n", b"\r\n", b"=", b":", b"..", b"/", b"<script>", b"[red]"]
TOKENS += [b"true", b"null", b"{}"]
Mutate = Callable[[bytes, random.Random], bytes]


@dataclass(frozen=True)
class Reader:
    """How to make a hostile file of a kind and read it."""

    seeds: list[bytes]
    read: Callable[[bytes], object]
    within: Mutate | None = None
    """Changes what is compressed or checksummed, and packs it again."""


class Slow(Exception):
    """A reading took too long."""


def mutate(data: bytes, draw: random.Random) -> bytes:
    """`data` with 1 to 4 changes, of bytes, numbers, places or words."""
    content = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        place, length = draw.randrange(len(content) + 1), draw.randint(1, 8)
        match draw.randrange(9):
            case 0 if content:
                content[place % len(content)] ^= 1 << draw.randrange(8)
            case 1:
                content[place : place + length] = draw.randbytes(length)
            case 2:
                del content[place : place + draw.choice([1, length, 64])]
            case 3:
                content[place:place] = content[place : place + draw.choice([4, 64])] * draw.choice([1, 2, 20])
            case 4:
                kind = draw.choice(["<B", "<H", "<I", ">I", "<Q", ">Q"])
                number = draw.choice(NUMBERS) & (256 ** struct.calcsize(kind) - 1)
                content[place : place + struct.calcsize(kind)] = struct.pack(kind, number)
            case 5:
                del content[place:]
            case 6:
                content[place : place + draw.choice([0, 1, length])] = draw.choice(TOKENS)
            case _:
                begin = draw.randrange(max(1, len(content) - 500))
                digits = list(re.finditer(rb"\d+", bytes(content[begin : begin + 1000])))
                if digits:
                    start, end = draw.choice(digits).span()
                    content[begin + start : begin + end] = str(draw.choice([*NUMBERS, -1, 1.5, 10**30])).encode()
    return bytes(content)


def zip_again(data: bytes, draw: random.Random) -> bytes:
    """One member of a zip archive mutated; names and methods at times too."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        members = [(member, old.read(member)) for member in old.infolist()]
    chosen = draw.randrange(len(members))
    with zipfile.ZipFile(buffer, "w") as new:
        for number, (member, content) in enumerate(members):
            name, method = member.filename, draw.choice([0, 0, 0, 8, 12])
            if number == chosen:
                content = mutate(content, draw)
                if draw.random() < 0.1:
                    name = mutate(name.encode(), draw).decode("latin1").replace("\0", "") or "a"
            new.writestr(zipfile.ZipInfo(name[:1000]), content, method)
    return buffer.getvalue()


def gzip_again(data: bytes, draw: random.Random) -> bytes:
    return gzip.compress(mutate(gzip.decompress(data), draw), 1) if data[:2] == b"\x1f\x8b" else mutate(data, draw)


def xz_again(data: bytes, draw: random.Random) -> bytes:
    """The content of one array of a packed record mutated, or at times its file within."""
    content = lzma.decompress(data)
    if draw.random() < 0.2:
        return lzma.compress(zip_again(content, draw), check=lzma.CHECK_SHA256, preset=0)
    arrays, buffer = dict(np.load(io.BytesIO(content))), io.BytesIO()
    name = draw.choice(sorted(arrays))
    changed = np.frombuffer(mutate(arrays[name].tobytes(), draw), np.uint8)
    arrays[name] = changed.reshape(arrays[name].shape) if changed.size == arrays[name].size else changed
    np.savez(buffer, **arrays)
    return lzma.compress(buffer.getvalue(), check=lzma.CHECK_SHA256, preset=0)


def png_again(data: bytes, draw: random.Random) -> bytes:
    """One chunk of a PNG mutated, under a checksum that fits; any other format plainly mutated."""
    if data[:4] != b"\x89PNG":
        return mutate(data, draw)
    chunks, place = [], 8
    while place < len(data):
        length = struct.unpack(">I", data[place : place + 4])[0]
        chunks.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + length]))
        place += 12 + length
    chosen = draw.randrange(len(chunks))
    kind, content = chunks[chosen]
    if kind == b"IDAT" and draw.random() < 0.5:
        content = zlib.compress(mutate(zlib.decompress(content), draw))
    else:
        content = mutate(content, draw)
    chunks[chosen] = kind, content
    made = (struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks)
    return data[:8] + b"".join(made)


def saved(function: Callable[..., Any], *arguments: Any, **named: Any) -> bytes:
    buffer = io.BytesIO()
    function(buffer, *arguments, **named)
    return buffer.getvalue()


def file_reader(folder: Path, name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """Writes the bytes to a file of this name, and reads that."""

    def run(data: bytes) -> object:
        (folder / name).write_bytes(data)
        return read(folder / name)

    return run


def data_readers(folder: Path) -> dict[str, Reader]:
    """Readers of a user's data."""
    pixels = np.random.default_rng(0).integers(0, 256, (12, 4, 4), np.uint8)
    labels = np.arange(12) % 2
    names = np.array(["ant", "bee"])[labels]
    idx = bytes([0, 0, 8, 3]) + struct.pack(">3I", *pixels.shape) + pixels.tobytes()
    (folder / "idx").mkdir()
    (folder / "idx" / "train-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 12]) + bytes(labels.tolist()))
    (folder / "competition").mkdir()
    (folder / "competition" / "train_labels.csv").write_text(
        "Id,Category\n" + "".join(f"{n},{n % 2}\n" for n in range(12))
    )
    (folder / "labels").mkdir()
    (folder / "labels" / "train_images").write_bytes(pickle.dumps(pixels.astype(np.float32), 4))
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{number}.png")
    tables = [
        "path,label\n" + "".join(f"{n}.png,{n % 2}\n" for n in range(12)),
        "path,label,split\n"
        + "".join(f'"{n}.png",{"ab"[n % 2]},{["train", "val", "test"][n // 4]}\n' for n in range(12)),
    ]
    pickles = [pickle.dumps(pixels, protocol) for protocol in range(2, 6)]
    pickles += [pickle.dumps(np.asfortranarray(pixels.astype("<f4")), protocol) for protocol in (2, 5)]
    batch = {"data": np.zeros((4, 3072), np.uint8), "labels": [0, 1, 2, 3], "filenames": ["a.png"] * 4}
    npz = [
        saved(np.savez, images=pixels, labels=labels),
        saved(np.savez_compressed, x_train=pixels, y_train=names, x_test=pixels, y_test=names),
        saved(np.savez, images=pixels, labels=labels, classes=["ant", "bee"]),
    ]

    (folder / "named.npz").write_bytes(npz[0])

    def idx_of(data: bytes) -> object:
        (folder / "idx" / "train-images-idx3-ubyte.gz").write_bytes(data)
        return load_dataset(str(folder / "idx"))

    def cifar_of(ending: str) -> Callable[[bytes], object]:
        return lambda data: read_splits({Path(f"data_batch_{number}{ending}"): data for number in range(6)})

    readers = {
        "idx": Reader([idx, gzip.compress(idx)], idx_of, gzip_again),
        "npz": Reader(npz, file_reader(folder, "a.npz", lambda file: load_dataset(str(file))), zip_again),
        "npy": Reader(
            [saved(np.save, pixels), saved(np.save, np.asfortranarray(pixels.astype("<f4")))],
            file_reader(folder, "a.npy", lambda file: load_images(file, **ANY)),
        ),
        "pickled": Reader(pickles, file_reader(folder, "a.pkl", lambda file: load_images(file, **ANY))),
        "competition images": Reader(
            pickles,
            file_reader(folder / "competition", "train_images", lambda file: load_dataset(str(file.parent))),
        ),
        "competition labels": Reader(
            [(folder / "competition" / "train_labels.csv").read_bytes()],
            file_reader(folder / "labels", "train_labels.csv", lambda file: load_dataset(str(file.parent))),
        ),
        "csv": Reader([t.encode() for t in tables], file_reader(folder, "a.csv", lambda file: load_dataset(str(file)))),
        "cifar binary": Reader([bytes([1]) + bytes(3072)], cifar_of(".bin")),
        "cifar python": Reader([pickle.dumps(batch, protocol) for protocol in (2, 4)], cifar_of("")),
        "dataset names": Reader(
            [str(folder / "named.npz").encode() + b":size=8,resize=pad,channels=1,mirror=no"],
            lambda data: load_dataset(os.fsdecode(data)),
        ),
    }
    formats = {name: {} for name in ("png", "jpeg", "bmp", "gif", "webp", "ppm")} | {
        "tiff": {"compression": "tiff_lzw"}
    }
    exif = Image.Exif()
    exif[0x0112] = 6
    for name, options in formats.items():
        images = [Image.fromarray(pixels[0]), Image.fromarray(np.stack([pixels[0]] * 3, axis=2))]
        seeds = [saved(image.save, name, **options) for image in images]
        if name in ("png", "jpeg", "tiff", "webp"):
            seeds.append(saved(images[1].save, name, exif=exif))
        if name in ("png", "webp", "gif"):
            seeds.append(saved(images[1].convert("RGBA" if name != "gif" else "P").save, name))
        read = file_reader(folder, f"a.{name}", lambda file: load_images(file, **ANY))
        readers[f"picture {name}"] = Reader(seeds, read, png_again)
    return readers


def other_readers(folder: Path) -> dict[str, Reader]:
    """Readers of weights, records, studies and choices."""
    tensors = {"conv1.weight": torch.zeros(2, 1, 3, 3), "fc.bias": torch.arange(3), "half": torch.zeros(2).half()}
    old = saved(lambda out: torch.save(tensors, out, _use_new_zipfile_serialization=False))
    save_file(tensors, folder / "a.safetensors")
    run = train(str(folder / "named.npz"), "logistic", epochs=1, out=folder / "runs").path
    packed = pack(run, make_folder(folder / "packed"))

    def packed_of(data: bytes) -> object:
        packed.write_bytes(data)
        shutil.rmtree(folder / "unpacked", ignore_errors=True)
        made = read_run(unpack(packed, folder / "unpacked"))
        return made.arrays, made.test_metrics()

    study = Path(__import__("bakeoff").__file__).parent / "studies" / "quickstart.toml"
    more = """
[contenders.both]
ensemble = ["conv", "resnet8"]
[sweeps.rate]
of = "conv"
question = "?"
points = [{ lr = 0.1 }, { label = "slow", lr = 0.01, reported = { test_accuracy = 0.9 } }]
[scales.small]
images = 100
seeds = 1
without = ["resnet8", "both"]
recipe = { epochs = 1 }
[scales.small.contenders.conv]
epochs = 2
[[hypotheses]]
says = "deeper is better"
source = "report"
better = "resnet8"
worse = "conv"
"""
    written = [choice.encode() for table in CHOICES.values() for choice in table.menu().split(" | ")]
    every = Registry("choice", {name: entry for table in CHOICES.values() for name, entry in table.items()})

    def recipe(data: bytes) -> object:
        try:
            values = json.loads(data)
        except (ValueError, RecursionError):
            raise BakeoffError("this is a matter of json, not of recipes") from None
        if not isinstance(values, dict):
            raise BakeoffError("no table of values")
        return validate(Recipe, values, "recipe", strict=True)

    def record(file: str, *, signed: bool) -> Callable[[bytes], object]:
        whole, description = (run / file).read_bytes(), (run / "run.json").read_bytes()

        def read(data: bytes) -> object:
            (run / file).write_bytes(data)
            if signed:
                changed = description.replace(sha256(whole).hexdigest().encode(), sha256(data).hexdigest().encode())
                (run / "run.json").write_bytes(sign(data if file == "run.json" else changed))
            try:
                changed_run = read_run(run)
                return changed_run.arrays, changed_run.test_metrics()
            finally:
                (run / "run.json").write_bytes(description)
                (run / file).write_bytes(whole)

        return read

    readers = {
        f"record {file}{' signed' * signed}": Reader(
            [(run / file).read_bytes()], record(file, signed=signed), zip_again if file.endswith("npz") else None
        )
        for file in ("run.json", "history.jsonl", "predictions.npz")
        for signed in (False, True)
    }
    checkpoints, model = folder / "checkpoint", create_model("logistic", channels=1, classes=2, size=4)
    save_checkpoint(checkpoints, new_state(model, Recipe()), 1)
    (checkpoint,) = checkpoints.iterdir()
    weights = file_reader(folder, "b.pth", read_tensors)
    return {
        **readers,
        "weights pth": Reader([saved(lambda out: torch.save(tensors, out))], weights, zip_again),
        "weights old pth": Reader([old], weights),
        "weights safetensors": Reader(
            [(folder / "a.safetensors").read_bytes()], file_reader(folder, "b.safetensors", read_tensors)
        ),
        "checkpoint": Reader(
            [checkpoint.read_bytes()], file_reader(checkpoints, checkpoint.name, lambda _: last_checkpoint(checkpoints))
        ),
        "packed record": Reader([packed.read_bytes()], packed_of, xz_again),
        "toml": Reader(
            [study.read_bytes(), study.read_bytes() + more.encode()], file_reader(folder, "s.toml", load_study)
        ),
        "choices": Reader(written, lambda data: every.choose(data.decode("utf-8", "surrogateescape"))),
        "recipes": Reader([Recipe().model_dump_json().encode()], recipe),
    }


def sign(description: bytes) -> bytes:
    """run.json with the checksum that its content has, as `write_description` makes it."""
    checksum = re.search(rb'"checksum": "([0-9a-f]{64})"', description)
    if not checksum:
        return description
    blank = description.replace(checksum[1], b"0" * 64)
    return blank.replace(b"0" * 64, sha256(blank).hexdigest().encode())


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Within: Slow is raised after so many seconds of the processor: what else runs on the machine counts not."""

    def ring(*_: object) -> None:
        raise Slow

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def peak() -> float:
    """MiB that this process has ever had in memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1 << 20)


def fuzz(name: str, reader: Reader, options: argparse.Namespace) -> dict[str, Any]:
    """One reader's row: how often it read, refused and failed, and what it took."""
    draw, began, slowest = random.Random(f"{options.seed} {name}"), time.process_time(), 0.0
    counts = {"read": 0, "refused": 0, "failures": 0}
    for seed in reader.seeds:
        reader.read(seed)  # it is valid; and what is loaded once is no matter of the file
    before, most = peak(), peak()
    for _ in range(options.executions):
        seed = draw.choice(reader.seeds)
        change = reader.within if reader.within and draw.random() < 0.5 else mutate
        data, start, fault = change(seed, draw), time.process_time(), ""
        try:
            with at_most(options.seconds):
                reader.read(data)
            outcome = "read"
        except BakeoffError as error:
            outcome = "refused"
            if "\n" in str(error) or len(str(error)) > 4000:
                fault = f"no short sentence: {str(error)[:200]!r}"
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            fault = "".join(traceback.format_exception(error)[-3:])
        slowest = max(slowest, time.process_time() - start)
        if peak() > most + options.mebibytes:
            fault = fault or f"took more than {options.mebibytes} MiB"
        most = max(most, peak())
        counts["failures" if fault else outcome] += 1
        if fault:
            file = options.keep / f"{name.replace(' ', '-')}-{zlib.crc32(data):08x}"
            options.keep.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            print(f"{name}: {file}: {fault}", file=sys.stderr, flush=True)
            if counts["failures"] >= 20:
                break
    spent = {"seconds": round(time.process_time() - began, 1), "slowest_seconds": round(slowest, 3)}
    counts = {"executions": sum(counts.values()), **counts}
    return {"reader": name, "seed": options.seed, **counts, **spent, "grown_mebibytes": round(most - before)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--executions", type=int, default=200_000, help="of each reader")
    parser.add_argument("--reader", action="append", default=[], help="only this one; may be repeated")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=10.0, help="that one reading may take")
    parser.add_argument("--mebibytes", type=int, default=512, help="that one reading may add to the most before it")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-failures"), help="where inputs that fail are kept")
    parser.add_argument("--out", type=Path, help="results/bench/fuzz.json, to be merged with what it has")
    options = parser.parse_args()
    os.environ["BAKEOFF_MAX_GIB"] = str(64 / 1024)
    warnings.simplefilter("ignore")
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as name:
        folder = Path(name)
        readers = data_readers(folder) | other_readers(folder)
        unknown = set(options.reader) - set(readers)
        if unknown:
            parser.error(f"no reader {sorted(unknown)[0]!r} (valid: {', '.join(readers)})")
        failures = 0
        for chosen in options.reader or readers:
            row = fuzz(chosen, readers[chosen], options)
            failures += row["failures"]
            print(json.dumps(row), flush=True)
            if options.out:
                write(options.out, row)
    return int(failures > 0)


def write(out: Path, row: dict[str, Any]) -> None:
    """`row` over the one that its reader has in `out`."""
    had = json.loads(out.read_text())["readers"] if out.exists() else []
    rows = sorted([*(r for r in had if r["reader"] != row["reader"]), row], key=lambda r: str(r["reader"]))
    out.write_text(json.dumps({"command": "python bench/fuzz.py", "readers": rows}, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
