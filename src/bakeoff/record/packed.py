"""Packed records: of a run everything but its weights, in some tens of kilobytes, from which its pages can be made.

    NAME.run.xz      run.json, history.jsonl, test_reads.jsonl, and what is predicted for validation and test images
    KEY.arrays.xz    labels and ids of these images, once for all runs that have the same

Each file is an .npz, compressed with a SHA-256. The predicted classes are exact; the confidence in them is rounded in
its log odds, the probability of the true class where another one is predicted in its logarithm, and the probabilities
of the other test classes to one of four. Mean losses stay within 2 %, a confidence within 0.011. Fewer images of
mistakes are kept.
"""

from __future__ import annotations

import hashlib
import io
import lzma
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.arrays import read_npz
from bakeoff.errors import Damaged
from bakeoff.record.files import exists, parse_json, read_bytes, strict_json, write_atomic
from bakeoff.record.folder import (
    only_writer,
    read_description,
    read_run,
    remove_checkpoint,
    status,
    tidy,
    write_finished,
)
from bakeoff.record.readings import FILE as READINGS

RUN, ARRAYS = ".run.xz", ".arrays.xz"
SHARED = ("validation_labels", "validation_ids", "test_labels", "test_ids")
IMAGE_BYTES = 8192
"""Of the images of its mistakes, and of those of its confusions, that a record keeps; one image of each at least."""
LEAST_ODDS, ODDS_STEP = -6.0, {"test": 0.08, "validation": 0.6}
"""Log odds of a confidence are rounded to these steps, and cut at 14.4."""
TRUE_STEP = 0.04
"""Of ln(1 + d), where the true class's logit is d below another one, that of the predicted class; cut at d = 26,900."""
EDGES = np.array([1.0, 2.5, 5.0])
"""Between the four steps of the logarithm of another class's probability below the predicted one's."""
STEPS = np.array([0.5, 1.75, 3.75, 8.0])
SMALLEST = 1e-12
"""Of a probability as a part of the predicted class's."""
MOST_BYTES = 1 << 28
"""Of a packed file's content."""

Arrays = dict[str, NDArray[Any]]


def pack(path: Path, folder: Path) -> Path:
    """Write the ended run in `path` to a file in `folder`; one that was unpacked stays as it was packed. The file.

    Raises:
        As `read_run`; BakeoffError: the file cannot be written.
    """
    run, description = read_run(path), read_description(path)
    file = folder / f"{path.name}{RUN}"
    if description.get("packed") and exists(file):
        return file
    left_out = {"format", "checksum", "checksums"}
    documents = {
        "run": strict_json({key: value for key, value in description.items() if key not in left_out}).encode(),
        "history": (path / "history.jsonl").read_bytes(),
        "readings": read_bytes(path / READINGS) if exists(path / READINGS) else b"",
    }
    arrays = {name: np.frombuffer(data, np.uint8) for name, data in documents.items()}
    if run.status == "finished":
        shared = _npz({name: run.arrays[name] for name in SHARED if name in run.arrays})
        key = hashlib.sha256(shared).hexdigest()[:16]
        if not exists(folder / f"{key}{ARRAYS}"):
            write_atomic(folder / f"{key}{ARRAYS}", _compress(shared))
        arrays["shared"] = np.frombuffer(key.encode(), np.uint8)
        arrays |= _rounded("test", run.logits("test"), run.labels("test"))
        arrays |= _rounded("validation", run.logits("validation"), run.labels("validation"))
        arrays |= _images(run.arrays)
    write_atomic(file, _compress(_npz(arrays)))
    return file


def unpack(file: Path, folder: Path) -> Path:
    """Make the record of a packed run in `folder`, where there is none yet; its directory.

    Raises:
        Damaged: the file, or the one with its labels, is not what `pack` wrote.
        BakeoffError: one of them cannot be read, or the record cannot be written.
    """
    path = folder / file.name.removesuffix(RUN)
    if (state := status(path)) != "absent":
        if state in ("finished", "diverged"):
            tidy(path)
        return path
    try:
        arrays = _read(file)
        documents = {name: arrays.pop(name).tobytes() for name in ("run", "history", "readings")}
        description = {**parse_json(documents["run"]), "packed": True}
        history = [parse_json(line) for line in documents["history"].splitlines()]
        predictions = None
        if description["status"] == "finished":
            key, classes = arrays.pop("shared").tobytes().decode(), len(description["dataset"]["classes"])
            predictions = _read(file.with_name(f"{key}{ARRAYS}"))
            for split in ("test", "validation"):
                predictions[f"{split}_logits"] = _logits(split, arrays, predictions[f"{split}_labels"], classes)
            predictions |= {name: array for name, array in arrays.items() if name.startswith(("mistake", "confused"))}
        strict_json([description, history])  # a number that is not finite is found before anything is written
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise Damaged(f"{file}: damaged: {type(error).__name__}: {error}") from None
    with only_writer(path, 0):
        if documents["readings"]:
            write_atomic(path / READINGS, documents["readings"])
        write_finished(path, description, history, predictions, None)
        remove_checkpoint(path)
    return path


def _npz(arrays: Arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _compress(data: bytes) -> bytes:
    return lzma.compress(data, check=lzma.CHECK_SHA256, preset=9 | lzma.PRESET_EXTREME)


def decompress(file: Path) -> bytes:
    """The content of a packed file.

    Raises:
        Damaged: it is not what `pack` wrote; BakeoffError: it cannot be read.
    """
    data, decoder = read_bytes(file), lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MOST_BYTES)
    try:
        content = decoder.decompress(data, MOST_BYTES)
    except (lzma.LZMAError, MemoryError) as error:
        raise Damaged(f"{file}: damaged: {error}") from None
    if not decoder.eof or decoder.unused_data:
        raise Damaged(f"{file}: damaged: it is not one whole compressed file")
    return content


def _read(file: Path) -> Arrays:
    return read_npz(io.BytesIO(decompress(file)), file)


def _rounded(split: str, logits: NDArray[np.float32], labels: NDArray[np.int64]) -> Arrays:
    """What is kept of (N, K) logits: where the class of the largest lies from the true one, the log odds of its
    probability, the true class's where that is another; of test images the other classes' steps as well."""
    rows, top, kind = np.arange(len(labels)), logits.argmax(axis=1), np.min_scalar_type(logits.shape[1])
    below = (logits[rows, top][:, None] - logits).astype(np.float64)
    others = np.exp(-below)
    others[rows, top] = 0
    odds = -np.log(np.maximum(others.sum(axis=1), SMALLEST))
    steps = np.digitize(below, EDGES).astype(np.uint8)
    steps[rows, top] = 0
    wrong = top != labels
    arrays = {
        "class": ((top - labels) % logits.shape[1]).astype(kind),
        "odds": np.rint((np.clip(odds, LEAST_ODDS, 14.4) - LEAST_ODDS) / ODDS_STEP[split]).astype(np.uint8),
        "true": np.clip(np.rint(np.log1p(below[rows, labels][wrong]) / TRUE_STEP), 1, 255).astype(np.uint8),
    }
    arrays |= {"steps": steps} if split == "test" else {}
    return {f"{split}_{name}": array for name, array in arrays.items()}


def _logits(split: str, arrays: Arrays, labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """(N, K) logits whose softmax has the rounded probabilities; the predicted class's are 0."""
    rows, offset = np.arange(len(labels)), arrays[f"{split}_class"].astype(np.int64)
    top, wrong = (labels + offset) % classes, offset != 0
    steps = arrays.get(f"{split}_steps", np.zeros((len(labels), classes), np.uint8))
    others = np.exp(-STEPS[steps])
    rest = np.exp(-(arrays[f"{split}_odds"] * ODDS_STEP[split] + LEAST_ODDS))
    true = np.expm1(TRUE_STEP * arrays[f"{split}_true"])
    rest[wrong] = np.maximum(rest[wrong] - np.exp(-true), 0)
    others[rows, top] = 0
    others[rows[wrong], labels[wrong]] = 0
    others *= (rest / np.maximum(others.sum(axis=1), SMALLEST))[:, None]
    logits: NDArray[np.float32] = np.log(np.clip(others, SMALLEST, 0.99)).astype(np.float32)
    logits[rows, top] = 0
    logits[rows[wrong], labels[wrong]] = -true
    return logits


def _images(arrays: Arrays) -> Arrays:
    """Some of the images of mistakes, the surest; and of confusions, from each kind of them."""
    kept: Arrays = {}
    for name in ("mistake", "confused"):
        images = arrays.get(f"{name}_images", np.empty(0))
        if not len(images):
            continue
        count = max(IMAGE_BYTES // images[0].nbytes, 1)
        chosen = slice(count) if name == "mistake" else slice(None, None, -(-len(images) // count))
        kept |= {f"{name}_index": arrays[f"{name}_index"][chosen], f"{name}_images": images[chosen]}
    return kept
