"""OUT/STUDY/SCALE/manifest.json: what a report is of. The runs lie in OUT/STUDY/, shared by all its scales."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from bakeoff.errors import BakeoffError, Damaged, UsageError
from bakeoff.record.files import exists, parse_json, read_bytes, write_atomic
from bakeoff.record.tolerant import known_values, modern_names
from bakeoff.spec.plan import Plan, PlannedRun
from bakeoff.spec.settings import Frozen, validate

FILE = "manifest.json"
AGAIN = "the study's `bakeoff run` command writes it again and keeps the runs"

Enough = Literal["decided", "images", "untrained", "seeds"]
"""Decided against all that can be best; more seeds would not help, for the test images are what is in doubt; no run
trained; as many seeds as were allowed."""


class Failed(Frozen):
    """A run of a study that has no result, and why."""

    contender: str
    seed: int
    run: str
    """Its directory's name."""
    kind: Literal["diverged", "failed", "damaged", "unreadable"]
    reason: str


class Manifest(Frozen):
    """A plan, and what became of it."""

    command: str
    """What makes the report again."""
    plan: Plan
    fresh: tuple[PlannedRun, ...] = ()
    """Runs of the selected contenders on seeds that they were not selected by."""
    failed: tuple[Failed, ...] = ()
    """Runs that could not be trained."""
    enough: dict[str, Enough] = {}
    """Why contenders got no more seeds, where seeds are added until decided."""


def write_manifest(folder: Path, manifest: Manifest) -> None:
    write_atomic(folder / FILE, (manifest.model_dump_json(indent=2) + "\n").encode())


def read_manifest(folder: Path) -> Manifest:
    """The manifest in OUT/STUDY/SCALE; keys that this version does not know are left out.

    Raises:
        Damaged: no JSON.
        BakeoffError: it cannot be read, or another version wrote it, which this one does not understand.
    """
    file = folder / FILE
    return parse_manifest(read_bytes(file), file)


def parse_manifest(content: bytes, file: Path) -> Manifest:
    """The manifest in JSON that comes from `file`. Raises as `read_manifest` does."""
    try:
        values = parse_json(content)
    except ValueError as error:
        raise Damaged(f"{file}: damaged: {error}: {AGAIN}") from None
    try:
        return validate(Manifest, known_values(Manifest, modern_names(values))[0], str(file))
    except (UsageError, AttributeError, TypeError) as error:
        fault = error if isinstance(error, UsageError) else file
        raise BakeoffError(f"{fault}: not a manifest as this version of bakeoff writes it: {AGAIN}") from None


def find_reports(folder: Path) -> list[Path]:
    """The folders of reports that OUT/STUDY has, or OUT/STUDY/SCALE itself.

    Raises:
        UsageError: it has none.
        BakeoffError: it has one of an earlier version only.
    """
    if exists(folder / FILE):
        return [folder]
    if reports := sorted(file.parent for file in folder.glob(f"*/{FILE}")):
        return reports
    if exists(folder / "study.json"):
        raise BakeoffError(f"{folder / 'study.json'}: not a study as this version of bakeoff writes it: {AGAIN}")
    raise UsageError(f"{folder}: not a study's directory: it has no {FILE}")


def last_report(folder: Path) -> Path | None:
    """The report in OUT/STUDY/SCALE, or the one in OUT/STUDY whose manifest was written last; None: no report."""
    try:
        return max(find_reports(folder), key=lambda place: (place / FILE).stat().st_mtime_ns)
    except UsageError:
        return None


def planned_runs(folder: Path) -> dict[Path, str]:
    """The directories of the runs that the `last_report` is of, each with its contender's name; empty without one."""
    last = last_report(folder)
    return {last.parent / run.directory: run.contender for run in read_manifest(last).plan.runs} if last else {}
