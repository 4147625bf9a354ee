"""Check records: every file against its checksum, and every bit against a run trained again."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path

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
            again = train_again(run, device) if comparable else None
            results.append(Verified(str(run), checked + checkpoints, tuple(faults), again))
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
    check_plugins(run.environment.get("plugins", {}), str(path))
    spec, threads = run.spec, int(run.environment["threads"])
    data = load_dataset(spec.dataset, validation=spec.validation, images=spec.images)
    if data.fingerprint != run.dataset["fingerprint"]:
        raise BakeoffError(f"{path}: {spec.dataset} is not the data it was trained on ({run.dataset['fingerprint']})")
    needs = [path.parent / name for name in (run.decides or {}).get("needs", ())]
    with tempfile.TemporaryDirectory(prefix="bakeoff-rerun-") as folder:
        other = Path(folder) / path.name
        again = train_run(spec, data, other, RunOptions(threads=threads, device=device), needs)
        return first_difference(run, again)


def first_difference(run: Run, again: Run) -> str:
    """Where two records of one run differ first: the step, then weights, then predictions; empty: in no bit."""
    for row, other in zip(run.history, again.history, strict=False):
        for point, now in zip(row["curve"], other["curve"], strict=False):
            if point != now:
                losses = f"mean training loss {point[1]} in the record, {now[1]} now"
                return f"{run.path}: differs by step {point[0]} (epoch {row['epoch']}): {losses}"
        for key in row.keys() - {"seconds", "curve"}:
            if row[key] != other.get(key):
                where = f"by step {row['step']} (the end of epoch {row['epoch']})"
                return f"{run.path}: differs {where}: {key} {row[key]} in the record, {other.get(key)} now"
    if len(run.history) != len(again.history) or run.status != again.status:
        ends = [f"{one.status} after {len(one.history)} epochs" for one in (run, again)]
        return f"{run.path}: {ends[0]} in the record, {ends[1]} now"
    if run.status != "finished":
        return ""
    if not run.spec.members:
        from safetensors.torch import load

        weights = [load(record.read_bytes(one.path / "weights.safetensors")) for one in (run, again)]
        for name, tensor in weights[0].items():
            if name not in weights[1] or tensor.numpy().tobytes() != weights[1][name].numpy().tobytes():
                return f"{run.path}: the same history, but other weights: {name}"
    for name, array in run.arrays.items():
        if array.tobytes() != again.arrays[name].tobytes():
            return f"{run.path}: the same weights, but other predictions: {name}"
    return ""
