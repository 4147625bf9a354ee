"""A study's report, from the records in its directory."""

from __future__ import annotations

import dataclasses
import hashlib
import warnings
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bakeoff import record
from bakeoff.errors import BakeoffError, Damaged, UsageError
from bakeoff.record import Run, make_folder, readings, write_atomic
from bakeoff.record.locks import only_process
from bakeoff.report.index import write_index
from bakeoff.report.page import Page
from bakeoff.spec.study import Study
from bakeoff.spec.study_parts import Failed
from bakeoff.studies.rounds import write_study

REPORT_SECONDS = 600.0
"""How long a process that writes the same report is waited for."""
AGAIN = "the study's `bakeoff run` command writes it again and keeps the runs"


def report(folder: Path) -> dict[str, Any]:
    """Render a study's directory again from its records; returns the summary.

    Raises:
        UsageError: not a study's directory.
    """
    return render(_read(folder), folder)


def export(folder: Path, kinds: Iterable[str], out: Path) -> list[Path]:
    """Write a study's figures as `png`, its tables as `latex` or its numbers as `csv` to `out`, from its records;
    returns the files.

    Raises:
        UsageError: not a study's directory.
    """
    page = _page(_read(folder), folder)
    make_folder(out)
    files = {out / name: data for kind in kinds for name, data in page.export(kind).items()}
    for file, data in files.items():
        write_atomic(file, data)
    return list(files)


def _read(folder: Path) -> Study:
    file = folder / "study.json"
    if not record.exists(file):
        raise UsageError(f"{folder}: not a study's directory: it has no study.json")
    try:
        study = record.read_study(file)
    except BakeoffError as error:
        raise BakeoffError(f"{error}: {AGAIN}") from None
    if len(study.records) != len(study.runs()):
        raise BakeoffError(f"{file}: does not name its runs, being of an earlier version: {AGAIN}")
    return study


def render(study: Study, folder: Path) -> dict[str, Any]:
    """Write a study's report to its directory from the records there; returns the summary. A process that writes one
    there as well is waited for, so that all files are of one page."""
    with only_process(folder / "report", "writing this report", REPORT_SECONDS):
        write_study(study, folder)
        return _page(study, folder).write(folder)


def _page(study: Study, folder: Path) -> Page:
    runs, failed, notes = collect(study, folder)
    study = study.model_copy(update={"failed": failed})
    for note in notes:
        warnings.warn(note, stacklevel=4)
    page = hashlib.sha256("\n".join((study.name, *sorted(study.records))).encode()).hexdigest()[:16]
    reads: dict[str, int] = {}
    fresh = _on_fresh_seeds(study, folder, notes)
    for run in (run for run in (*runs, *fresh) if run.status == "finished"):
        readings.count_reading(run.path, f"study {study.name}", page)
        reads[run.spec.contender] = max(reads.get(run.spec.contender, 0), readings.count_readings(run.path))
    often = ", ".join(f"{name} {count} times" for name, count in reads.items() if count > 1)
    if often:
        notes.append(f"The test split was read more than once, which is a chance to choose on it: {often}.")
    return Page.of(study, runs, command=study.command, notes=notes, fresh=fresh)


def _on_fresh_seeds(study: Study, folder: Path, notes: list[str]) -> list[Run]:
    """The ended runs of the study's choice on fresh seeds; a sentence on each that cannot be read joins `notes`."""
    runs = []
    for path in (folder / name for name in study.fresh):
        try:
            runs += [record.read_run(path)] if record.status(path) not in ("absent", "running") else []
        except BakeoffError as error:
            notes.append(str(error))
    return runs


def _named(run: Run, contender: str) -> Run:
    """The run under the name that the study has for its contender: its record may have another."""
    return dataclasses.replace(run, spec=run.spec.model_copy(update={"contender": contender}))


def report_all(out: Path) -> tuple[Path, list[dict[str, Any]]]:
    """Render every study in or below `out` again, and a page over all of them; returns its file and the summaries.

    Raises:
        UsageError: no study's directory there.
    """
    folders = sorted(file.parent for file in out.rglob("study.json"))
    if not folders:
        raise UsageError(f"{out}: no study's directory there: `bakeoff run STUDY --out {out}` makes one")
    summaries = [report(folder) for folder in folders]
    return write_index(folders, out), summaries


def collect(study: Study, folder: Path) -> tuple[list[Run], tuple[Failed, ...], list[str]]:
    """The study's records in `folder`, in its order; its runs that failed or whose records are damaged; and a sentence
    on each of these, and on each contender whose records are missing."""
    runs, failed, missing = [], [], defaultdict[str, list[str]](list)
    before = {each.run: each for each in study.failed}
    for spec, name in zip(study.runs(), study.records, strict=True):
        try:
            if record.status(folder / name) not in ("absent", "running"):
                runs.append(_named(record.read_run(folder / name), spec.contender))
            elif name in before:
                failed.append(before[name])
            else:
                missing[spec.contender].append(str(spec.seed))
        except BakeoffError as error:
            kind = "damaged" if isinstance(error, Damaged) else "unreadable"
            failed.append(Failed(contender=spec.contender, seed=spec.seed, run=name, kind=kind, reason=str(error)))
    notes = [
        f"{contender}, seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}: no finished record"
        for contender, seeds in missing.items()
    ]
    notes += [f"{each.contender}, seed {each.seed}: {each.kind}: {each.reason}" for each in failed]
    notes += [note for run in runs for note in run.notes] + record.earlier_note(runs)
    return runs, tuple(failed), notes
