"""Check records: every file against its checksum, and every bit against a run trained again."""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bakeoff import record
from bakeoff.data import load_dataset
from bakeoff.errors import BakeoffError, UsageError
from bakeoff.record import Run
from bakeoff.record.manifest import planned_runs
from bakeoff.spec import RESULTS
from bakeoff.spec.plugins import check_plugins
from bakeoff.training.options import RunOptions


@dataclasses.dataclass(frozen=True)
class Verified:
    """What was found of one run."""

    run: str
    files: int
    """Files that were checked."""
    faults: tuple[str, ...]
    """A sentence for each file that is not what was written, or cannot be read."""
    rerun: str | None = None
    """Where a run trained again differs first; empty: in no bit. None: it was not trained again."""

    @property
    def whole(self) -> bool:
        return not self.faults and not self.rerun


def verify(paths: Sequence[Path], *, rerun: bool = False, device: str = "auto") -> list[Verified]:
    """Check the runs at `paths`, each a run's directory or a folder of them.

    Args:
        rerun: train each run that ended and is whole again, in a temporary folder, and compare.
        device: where; the same bits are promised on the same machine only.

    Raises:
        UsageError: a path without a run.
        BakeoffError: a run that cannot be trained again: its data have changed, or it follows earlier rules.
    """
    results = []
    for path in paths:
        runs = [path] if record.exists(path / "run.json") else record.find_runs(path) or [*planned_runs(path)]
        if not runs:
            raise UsageError(f"{path}: no run there")
        for run in runs:
            checked, faults = record.check_files(run)
            checkpoints, more = _check_checkpoints(run / "checkpoint")
            faults += more
            comparable = rerun and not faults and record.status(run) != "running"
            retrained = train_again(run, device) if comparable else None
            results.append(Verified(str(run), checked + checkpoints, tuple(faults), retrained))
    return results


def _check_checkpoints(folder: Path) -> tuple[int, list[str]]:
    """How many files of checkpoints there are, and a sentence on each that is not as written."""
    if not folder.is_dir():
        return 0, []
    from bakeoff.training.checkpoint import checkpoint_files, read_checkpoint

    files, faults = checkpoint_files(folder), []
    for file in files:
        try:
            read_checkpoint(file)
        except BakeoffError as error:
            faults.append(str(error))
    return len(files), faults


def train_again(path: Path, device: str = "auto") -> str:
    """Train the run in `path` again, in a temporary folder; where the two differ first, or nothing.

    Raises:
        BakeoffError: it cannot be trained again.
    """
    from bakeoff.training.run import train_run

    run = record.read_run(path)
    if run.results < RESULTS:
        raise BakeoffError(f"{path}: follows results rules {run.results}; under those of now, {RESULTS}, bits differ")
    if run.packed:
        raise BakeoffError(f"{path}: was packed, which rounds probabilities: it has no bits to compare")
    check_plugins(run.environment.get("plugins", {}), str(path))
    spec, threads = run.spec, int(run.environment["threads"])
    data = load_dataset(spec.dataset, validation=spec.validation, images=spec.images)
    if data.fingerprint != run.dataset["fingerprint"]:
        raise BakeoffError(f"{path}: {spec.dataset} is not the data it was trained on ({run.dataset['fingerprint']})")
    needs = [path.parent / name for name in (run.decides or {}).get("needs", ())]
    with tempfile.TemporaryDirectory(prefix="bakeoff-rerun-") as folder:
        directory = Path(folder) / path.name
        retrained = train_run(spec, data, directory, RunOptions(threads=threads, device=device), needs)
        return first_difference(run, retrained)


def first_difference(run: Run, retrained: Run) -> str:
    """Where two records of one run differ first: the step, then weights, then predictions; empty: in no bit."""
    now = dict(_contents(retrained))
    for place, value in _contents(run):
        if now.get(place) != value:
            return f"{run.path}: differs {place} {value} in the record, {now.get(place)} now"
    return ""


def _contents(run: Run) -> Iterator[tuple[str, Any]]:
    """All that a record holds but its clocks, in the order in which it was made: each value and its place, in words."""
    for row in run.history:
        for step, *values in row["curve"]:
            yield f"by step {step} (epoch {row['epoch']}): mean training loss and accuracy", values
        for key in sorted(row.keys() - {"seconds", "curve"}):
            yield f"by step {row['step']} (the end of epoch {row['epoch']}): {key}", row[key]
    yield "at its end:", f"{run.status} after {len(run.history)} epochs"
    if run.status == "finished" and not run.spec.members:
        from safetensors.numpy import load

        for name, array in load(record.read_bytes(run.path / "weights.safetensors")).items():
            yield f"in its weights: {name}, SHA-256", hashlib.sha256(array.tobytes()).hexdigest()
    for name, array in run.arrays.items():
        yield f"in its predictions: {name}, SHA-256", hashlib.sha256(array.tobytes()).hexdigest()
