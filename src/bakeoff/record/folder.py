"""One run's directory: written atomically, read back, verified.

    run.json              spec, all that decides the result, status, dataset, the environment of every process that
                          trained it, timings, metrics, checksums of the other files and of itself
    history.jsonl         one line an epoch
    test_reads.jsonl      one line a reading of the test split; see readings.py
    predictions.npz       logits and labels of a training sample, validation and test, ids, and images that are mistaken
    weights.safetensors   the evaluated weights
    checkpoint/           while unfinished: the last two checkpoints

Nothing here is pickled, and nothing that is read can run code. A file appears whole or not at all.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from bakeoff.errors import BakeoffError, Damaged, UsageError
from bakeoff.record.files import exists, make_folder, parse_json, read_bytes, strict_json, write_atomic
from bakeoff.record.locks import only_process
from bakeoff.record.run import Row, Run
from bakeoff.record.tolerant import modern_names, read_spec
from bakeoff.spec import RESULTS

FORMAT = 2
"""Of run.json. 1: its checksum is over the content, not over the bytes; no `decides`, no `segments`."""
MEASURED = ("train_accuracy", "validation_accuracy", "validation_loss")
"""Metrics that every finished run has."""
FILES = ("history.jsonl", "predictions.npz", "weights.safetensors")
BLANK = "0" * 64


def _json_lines(rows: list[Row]) -> bytes:
    return "".join(strict_json(row) + "\n" for row in rows).encode()


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
    checksums = {name: _sha256(data) for name, data in contents.items()}
    ended = description.get("ended") or datetime.now(UTC).isoformat(timespec="seconds")
    write_description(path, {**description, "ended": ended, "checksums": checksums})


def write_description(path: Path, description: Mapping[str, Any]) -> None:
    """run.json, with the checksum of its own bytes, where the checksum stands as zeros."""
    blank = strict_json({"format": FORMAT, **description, "checksum": BLANK}, indent=2) + "\n"
    write_atomic(path / "run.json", blank.replace(BLANK, _sha256(blank.encode())).encode())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _is_whole(description: Mapping[str, Any], data: bytes) -> bool:
    """True where run.json is what its checksum says."""
    checksum = str(description["checksum"])
    if description["format"] > 1:
        return checksum == _sha256(data.replace(checksum.encode(), BLANK.encode()))
    plain = {key: value for key, value in description.items() if key != "checksum"}
    return checksum == _sha256(json.dumps(plain, sort_keys=True).encode())


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
    """`finished`, `diverged`, `running` (or interrupted), `absent`, or `damaged`.

    Raises:
        BakeoffError: run.json is there and cannot be read.
    """
    if not exists(file := path / "run.json"):
        return "absent"
    try:
        value = parse_json(read_bytes(file))["status"]
    except (ValueError, KeyError, TypeError):
        return "damaged"
    return str(value) if value in ("finished", "diverged", "running") else "damaged"


def tidy(path: Path) -> None:
    """Remove what a killed process left of a run that has ended: checkpoints, temporary files, its lock. Where they
    cannot be removed they stay: the record is whole without that."""
    remains = [path / "checkpoint", path.with_name(f".{path.name}.lock"), *path.glob(".*.tmp")]
    if any(file.exists() for file in remains):
        with contextlib.suppress(BakeoffError, OSError), only_process(path, "training this run"):
            remove_temporary(path)
            remove_checkpoint(path)


def read_run(path: Path | str, contender: str | None = None) -> Run:
    """The record in `path`, every file checked against its checksum; that of an earlier version, too.

    Args:
        contender: what it is called where it is read for, if not as in the record.

    Raises:
        UsageError: no run there, or one that has not ended.
        Damaged: a file is not what training wrote; the sentence names it and the cause.
        BakeoffError: a file cannot be read, or a later version wrote it.
    """
    path = Path(path)
    description = read_description(path)
    if description["status"] == "running":
        raise UsageError(f"{path}: this run has not ended; run the command that began it again to go on")
    try:
        contents = {name: _verified(path / name, expected) for name, expected in description["checksums"].items()}
        history = [parse_json(line) for line in contents["history.jsonl"].splitlines()]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Damaged(f"{path / 'run.json'}: damaged: {type(error).__name__}: {error}") from None
    run = _as_run(path, description, history)
    if contender in (None, run.spec.contender):
        return run
    return dataclasses.replace(run, spec=run.spec.model_copy(update={"contender": contender}))


def read_outline(path: Path) -> Run:
    """The record in `path` as far as run.json has it: without its history, and with none of its files verified.

    Raises:
        As `read_run`, except for a run that has not ended.
    """
    return _as_run(path, read_description(path), ())


def _as_run(path: Path, description: dict[str, Any], history: Sequence[Row]) -> Run:
    try:
        spec, notes = read_spec(description["spec"])
        metrics = {key: value for key, value in description["metrics"].items() if not key.startswith("test_")}
        if missing := [name for name in MEASURED if name not in metrics and description["status"] == "finished"]:
            raise ValueError(f"metrics.{missing[0]} is missing")
        whole = {"started": None, "step": 0, "environment": description["environment"]}
        return Run(
            **{
                **description,
                "path": path,
                "metrics": metrics,  # earlier records hold test figures, too
                "history": [{"round" if key == "fit" else key: row[key] for key in row} for row in history],
                "fallback_epoch": description.get("fallback_epoch", description.get("fell_back")),
                "decides": modern_names(description.get("decides")),
                "segments": description.get("segments", [whole]),
                "spec": spec,
                "notes": [f"{path.name}: {note}" for note in notes],
            }
        )
    except ValidationError as failure:
        error = failure.errors()[0]
        raise Damaged(f"{path / 'run.json'}: damaged: {'.'.join(map(str, error['loc']))}: {error['msg']}") from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Damaged(f"{path / 'run.json'}: damaged: {type(error).__name__}: {error}") from None


def read_description(path: Path) -> dict[str, Any]:
    """What run.json says, checked against its checksum; of a run that has not ended the status only, unless whole.

    Raises:
        As `read_run`.
    """
    file = path / "run.json"
    if not exists(file):
        raise UsageError(f"{path}: not a run: it has no run.json")
    data = read_bytes(file)
    try:
        description: dict[str, Any] = parse_json(data)
        if (number := int(description["format"])) > FORMAT:
            raise BakeoffError(f"{file}: a later version of bakeoff wrote it (format {number}; this reads {FORMAT})")
        if description["status"] == "running" and "checksum" not in description:
            return description  # of format 1
        whole = _is_whole(description, data)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Damaged(f"{file}: damaged: {type(error).__name__}: {error}") from None
    if not whole:
        raise Damaged(f"{file}: damaged: its content is not what its checksum says")
    return description


def check_files(path: Path) -> tuple[int, list[str]]:
    """How many files of a run were checked against their checksums, and a sentence for each that is not what was
    written, or cannot be read.

    Raises:
        UsageError: no run there.
    """
    if not exists(path / "run.json"):
        raise UsageError(f"{path}: not a run: it has no run.json")
    faults = []
    try:
        checksums = read_description(path).get("checksums", {})
    except BakeoffError as error:
        return 1, [str(error)]
    for name, expected in checksums.items():
        try:
            _verified(path / name, expected)
        except BakeoffError as error:
            faults.append(str(error))
    return 1 + len(checksums), faults


def earlier_note(runs: Sequence[Run]) -> list[str]:
    """A sentence on those of the runs that follow earlier rules than this version's, if any."""
    older = [run for run in runs if run.results < RESULTS]
    if not older:
        return []
    rules = ", ".join(str(rule) for rule in sorted({run.results for run in older}))
    which = "1 run was" if len(older) == 1 else f"{len(older)} runs were"
    return [
        f"{which} made by an earlier version (results rules {rules}; now {RESULTS}): kept; a study's "
        f"--restart trains {'it' if len(older) == 1 else 'them'} again"
    ]


def read_finished(path: Path) -> Run:
    """The record in `path` of a run that another one needs.

    Raises:
        BakeoffError: it has none, or none with predictions.
    """
    if (state := status(path)) != "finished":
        raise BakeoffError(f"needs {path.name}, which {state if state == 'diverged' else 'has no finished record'}")
    return read_run(path)


def check_weights(run: Run) -> None:
    """That a run has weights of its own.

    Raises:
        UsageError: it diverged, was packed, or is an ensemble; the sentence says where there are some.
    """
    if run.status != "finished":
        raise UsageError(f"{run.path}: {run.status}, so it has no weights")
    if run.packed and not run.spec.members:
        raise UsageError(f"{run.path}: was packed, which leaves weights out; its study's --restart trains it again")
    if run.spec.members:
        raise UsageError(f"{run.path}: an ensemble has no weights of its own; its members have: {', '.join(run.needs)}")


def _verified(file: Path, expected: str) -> bytes:
    data = read_bytes(file)
    if _sha256(data) != expected:
        raise Damaged(f"{file}: damaged: its checksum is not the one run.json gives")
    return data


def set_aside(path: Path) -> Path:
    """Rename a damaged record, so that nothing of it is lost and its place is free."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.rename(aside)
    return aside


def find_runs(folder: Path) -> list[Path]:
    """The run directories directly under `folder` or one level below, in order of name."""
    folders = {file.parent for pattern in ("*/run.json", "*/*/run.json") for file in folder.glob(pattern)}
    return sorted(path for path in folders if ".damaged-" not in path.name)


def find_origin(source: str) -> Path | None:
    """The run's directory that `source` is, or whose weights file it is; None where it is neither."""
    path = Path(source)
    folder = path.parent if path.name == "weights.safetensors" else path
    return folder if (folder / "run.json").is_file() else None
