"""One run's directory: written atomically, read back, verified.

    run.json              spec, status, dataset, environment, timings, metrics, checksums of the other files
    history.jsonl         one line an epoch
    test_reads.jsonl      one line a reading of the test split; see readings.py
    predictions.npz       logits and labels of a training sample, validation and test, ids, and images that are mistaken
    weights.safetensors   the evaluated weights
    checkpoint/           while unfinished: the last checkpoint, and the lock of the process that trains

Nothing here is pickled, and nothing that is read can run code. A file appears whole or not at all.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import importlib.metadata
import io
import json
import os
import platform
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.choices import validate
from bakeoff.errors import BakeoffError, UsageError
from bakeoff.locks import only_process
from bakeoff.spec import RunSpec

FORMAT = 1
FILES = ("history.jsonl", "predictions.npz", "weights.safetensors")
Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Run:
    """One contender, one dataset, one seed, as it lies on disk. Made by `read_run`."""

    path: Path
    spec: RunSpec
    status: str
    """`finished`, or `diverged`: the loss became non-finite, and there are no predictions."""
    dataset: dict[str, Any]
    environment: dict[str, Any]
    metrics: dict[str, float]
    """`{train,validation}_{accuracy,loss}`; those of the test split are asked for by `test_metrics`."""
    parameters: int
    multiply_adds: int
    seconds: float
    images_per_second: float
    history: tuple[Row, ...]
    ended: str | None = None
    """When, in ISO 8601 and UTC; None in a record of an earlier version."""
    fell_back: int | None = None
    """The epoch after which training began anew with the recipe's fallback."""
    pool: dict[str, Any] | None = None
    """What a teacher added to the training split: {"teacher": its run, "images": in the pool, "taken": added}."""
    needs: tuple[str, ...] = ()
    """Directory names of the runs beside it that an ensemble averages."""

    @functools.cached_property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """predictions.npz: `{train,validation,test}_{logits,labels}`, `mistake_{index,images}` (the surest wrong test
        predictions) and `confused_{index,images}` (some of each of the most frequent confusions), and
        `{validation,test}_ids`, see `ids`."""
        file = self.path / "predictions.npz"
        try:
            with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as archive:
                return dict(archive)
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise BakeoffError(f"{file}: cannot be read: {error}") from None

    def ids(self, split: str) -> NDArray[Any] | None:
        """(N,) which image of the data each of `validation` or `test` is: its file's name, or its place from 0 in the
        array that it comes from, the training images' where the split was drawn; None in records of older versions."""
        return self.arrays.get(f"{split}_ids")

    def test_metrics(self) -> dict[str, float]:
        """`test_accuracy` (a fraction) and `test_loss` (mean cross-entropy, nats), from the stored logits."""
        from scipy.special import log_softmax  # names of datasets must come quickly, and SciPy does not

        logits, labels = self.logits("test"), self.labels("test")
        chances = log_softmax(logits.astype(np.float64), axis=1)
        return {
            "test_accuracy": float((logits.argmax(axis=1) == labels).mean()),
            "test_loss": float(-chances[np.arange(len(labels)), labels].mean()),
        }

    def measured(self, split: str) -> int:
        """How many images of `train`, `validation` or `test` its metrics were measured on."""
        return int(self.dataset["train_sample"] if split == "train" else sum(self.dataset["counts"][split]))

    def logits(self, split: str) -> NDArray[np.float32]:
        """(N, K) logits of `train` (its sample), `validation` or `test`."""
        return self.arrays[f"{split}_logits"]

    def labels(self, split: str) -> NDArray[np.int64]:
        """(N,) labels of `train` (its sample), `validation` or `test`."""
        return self.arrays[f"{split}_labels"]


def write_atomic(path: Path, data: bytes) -> None:
    """`data` in `path`, whole or not at all, whenever the process or the machine stops."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the rename itself survives a power cut
    finally:
        os.close(folder)


def make_folder(path: Path) -> Path:
    """`path`, made where it is not there yet.

    Raises:
        UsageError: a file is in the way, or it may not be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path}: cannot be a folder: {error.strerror}") from None
    return path


def write_json(path: Path, value: Any) -> None:
    write_atomic(path, (json.dumps(value, indent=2) + "\n").encode())


def _json_lines(rows: list[Row]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def write_history(path: Path, rows: list[Row]) -> None:
    write_atomic(path / "history.jsonl", _json_lines(rows))


def write_finished(
    path: Path,
    description: Mapping[str, Any],
    history: list[Row],
    arrays: Mapping[str, NDArray[Any]] | None,
    weights: bytes | None,
) -> None:
    """Everything of a run that has ended. run.json comes last: with it the run counts as ended.

    `arrays` and `weights` are None for a run that diverged.
    """
    contents = {"history.jsonl": _json_lines(history)}
    if arrays is not None:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **dict(arrays))  # type: ignore[arg-type]
        contents["predictions.npz"] = buffer.getvalue()
    if weights is not None:
        contents["weights.safetensors"] = weights
    for name, data in contents.items():
        write_atomic(path / name, data)
    checksums = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    ended = datetime.now(UTC).isoformat(timespec="seconds")
    whole = {"format": FORMAT, **description, "ended": ended, "checksums": checksums}
    write_json(path / "run.json", {**whole, "checksum": _checksum(whole)})


def _checksum(description: Mapping[str, Any]) -> str:
    """SHA-256 of run.json's own content, but for itself."""
    plain = {key: value for key, value in description.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


@contextlib.contextmanager
def only_writer(path: Path, wait: float) -> Iterator[None]:
    """Within: no other process writes the run in `path`, and what a killed one left half-written is removed.

    Args:
        wait: seconds to wait for another process that is at it.

    Raises:
        Locked: it still is.
    """
    make_folder(path.parent)
    with only_process(path, "training this run", wait):
        (path / "checkpoint").mkdir(parents=True, exist_ok=True)
        remove_temporary(path)
        yield


def remove_temporary(path: Path) -> None:
    """What a killed process left half-written."""
    for file in path.glob(".*.tmp"):
        file.unlink()


def remove_checkpoint(path: Path) -> None:
    """What only an unfinished run needs."""
    shutil.rmtree(path / "checkpoint", ignore_errors=True)


def status(path: Path) -> str:
    """`finished`, `diverged`, `running` (or interrupted), `absent`, or `damaged`."""
    try:
        said = json.loads((path / "run.json").read_text())["status"]
    except FileNotFoundError:
        return "absent"
    except (OSError, ValueError, KeyError, TypeError):
        return "damaged"
    return str(said) if said in ("finished", "diverged", "running") else "damaged"


def read_run(path: Path | str) -> Run:
    """The record in `path`, every file checked against its checksum.

    Raises:
        UsageError: no run there, or one that has not ended.
        BakeoffError: a damaged record; the sentence names the file and the cause.
    """
    path = Path(path)
    file = path / "run.json"
    try:
        said = json.loads(file.read_text())
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"{path}: not a run: it has no run.json") from None
    except (OSError, ValueError) as error:
        raise BakeoffError(f"{file}: damaged: {error}") from None
    try:
        if said["format"] != FORMAT:
            raise BakeoffError(f"{file}: format {said['format']} is not the {FORMAT} this version reads")
        if said["status"] == "running":
            raise UsageError(f"{path}: this run has not ended; run the command that began it again to go on")
        if said["checksum"] != _checksum(said):
            raise BakeoffError(f"{file}: damaged: its content is not what its checksum says")
        for name, expected in said["checksums"].items():
            _verify(path / name, expected)
        history = [json.loads(line) for line in (path / "history.jsonl").read_text().splitlines()]
        fields = {f.name: said[f.name] for f in dataclasses.fields(Run) if f.name in said}
        return Run(
            **{
                **fields,
                "path": path,
                "metrics": {key: v for key, v in said["metrics"].items() if not key.startswith("test_")},
                "history": tuple(history),
                "needs": tuple(said.get("needs", ())),
                "spec": validate(RunSpec, said["spec"], str(file)),
            }
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BakeoffError(f"{file}: damaged: {type(error).__name__}: {error}") from None


def read_finished(path: Path) -> Run:
    """The record in `path` of a run that another one needs.

    Raises:
        BakeoffError: it has none, or none with predictions.
    """
    said = status(path)
    if said != "finished":
        raise BakeoffError(f"needs {path.name}, which {'diverged' if said == 'diverged' else 'has no finished record'}")
    return read_run(path)


def check_weights(run: Run) -> None:
    """That a run has weights of its own.

    Raises:
        UsageError: it diverged, or it is an ensemble; the sentence names the runs that have some.
    """
    if run.status != "finished":
        raise UsageError(f"{run.path}: {run.status}, so it has no weights")
    if run.spec.members:
        raise UsageError(f"{run.path}: an ensemble has no weights of its own; its members have: {', '.join(run.needs)}")


def _verify(file: Path, expected: str) -> None:
    try:
        found = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise BakeoffError(f"{file}: cannot be read: {error.strerror}") from None
    if found != expected:
        raise BakeoffError(f"{file}: damaged: its checksum is not the one run.json gives")


def find_runs(folder: Path) -> list[Path]:
    """The run directories directly under `folder` or one level below, in order of name."""
    found = {file.parent for pattern in ("*/run.json", "*/*/run.json") for file in folder.glob(pattern)}
    return sorted(path for path in found if ".damaged-" not in path.name)


def set_aside(path: Path) -> Path:
    """Rename a damaged record, so that nothing of it is lost and its place is free."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.rename(aside)
    return aside


def data_folders(name: str) -> list[Path]:
    """Where published files are looked for, in order: below $BAKEOFF_DATA, then in the user's cache, where they are
    downloaded to."""
    given, cache = os.environ.get("BAKEOFF_DATA"), os.environ.get("XDG_CACHE_HOME")
    own = [Path(given) / name] if given else []
    return [*own, (Path(cache) if cache else Path.home() / ".cache") / "bakeoff" / name]


@functools.cache
def source_digest() -> str:
    """Names the code: a digest over the package's Python files."""
    digest = hashlib.sha256()
    root = Path(__file__).parent
    for file in sorted(root.rglob("*.py")):
        digest.update(file.relative_to(root).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def environment() -> dict[str, Any]:
    """Machine, code and library versions: what a number in a report can be traced to."""
    names = ("bakeoff", "torch", "numpy", "scipy", "scikit-learn")
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        processor = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), processor)
    return {
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in names},
        "source": source_digest(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }
