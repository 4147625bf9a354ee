"""A study's reports, from the records in its directory."""

from __future__ import annotations

import hashlib
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bakeoff import record
from bakeoff.errors import BakeoffError, Damaged, UsageError, closest
from bakeoff.record import Run, readings
from bakeoff.record.locks import only_process
from bakeoff.record.manifest import FILE, Failed, Manifest, find_reports, read_manifest, write_manifest
from bakeoff.report.context import Context
from bakeoff.report.forms import FORMS
from bakeoff.report.index import write_index
from bakeoff.report.page import Page
from bakeoff.spec.override import TIME

REPORT_SECONDS = 600.0
"""How long a process that writes the same report is waited for."""


def report(folder: Path) -> dict[Path, dict[str, Any]]:
    """Render the reports in OUT/STUDY, or the one in OUT/STUDY/SCALE, again from their records; the summary of each.

    Raises:
        UsageError: not a study's directory.
    """
    return {each: render(each) for each in find_reports(folder)}


def report_all(out: Path) -> tuple[Path, dict[Path, dict[str, Any]]]:
    """Render every report in or below OUT again, and a page over all of them; that page's file and the summaries.

    Raises:
        UsageError: no study's directory there.
    """
    folders = sorted(file.parent for file in out.rglob(FILE))
    if not folders:
        raise UsageError(f"{out}: no study's directory there: `bakeoff run STUDY --out {out}` makes one")
    summaries = {folder: render(folder) for folder in folders}
    return index(out), summaries


def index(out: Path) -> Path:
    """Write a page over all reports below OUT; its file."""
    return write_index(sorted(file.parent for file in out.rglob("summary.json") if (file.parent / FILE).exists()), out)


def render(folder: Path, manifest: Manifest | None = None) -> dict[str, Any]:
    """Write a report to its folder from the records beside that; returns the summary. A process that writes one there
    as well is waited for, so that all files are of one page.

    Args:
        manifest: what the report is of, which is written as well; None: the manifest that is there.
    """
    with only_process(folder / "report", "writing this report", REPORT_SECONDS):
        if manifest:
            write_manifest(folder, manifest)
        return _page(manifest or read_manifest(folder), folder).write(folder)


def export(folder: Path, kinds: Sequence[str], out: Path) -> list[Path]:
    """Write a report in these forms (FORMS) to `out`, from its records; of OUT/STUDY with several scales each in a
    folder of its own. Returns the files.

    Raises:
        UsageError: no such form, or not a study's directory.
    """
    if unknown := next((kind for kind in kinds if kind not in FORMS), None):
        raise UsageError(f"export: no form {unknown!r}{closest(unknown, FORMS)}")
    folders, files = find_reports(folder), dict[Path, bytes]()
    for scale_folder in folders:
        page = _page(read_manifest(scale_folder), scale_folder)
        target = record.make_folder(out if len(folders) == 1 else out / scale_folder.name)
        files |= {target / name: data for kind in kinds for name, data in FORMS[kind](page).items()}
    for file, data in files.items():
        record.write_atomic(file, data)
    return list(files)


def comparisons(folder: Path, margin: float | None = None) -> list[dict[str, Any]]:
    """The verdicts on the pairs of contenders of the report in OUT/STUDY/SCALE, from its records.

    Args:
        margin: accuracies closer than this, a fraction, are as good; None: the study's.
    """
    manifest = read_manifest(folder)
    plan = manifest.plan.model_copy(update={"margin": margin or manifest.plan.margin})
    pairs: list[dict[str, Any]] = _page(manifest.model_copy(update={"plan": plan}), folder).summary["comparisons"]
    return pairs


def unreadable(summary: Mapping[str, Any]) -> list[str]:
    """A sentence on each record that a report lacks because it is damaged or cannot be read."""
    return [each["reason"] for each in summary["failures"] if each["kind"] in ("damaged", "unreadable")]


def _page(manifest: Manifest, folder: Path) -> Page:
    plan = manifest.plan
    runs, failed, notes = collect(manifest, folder.parent)
    for note in notes:
        warnings.warn(note, stacklevel=4)
    of_fresh_runs = manifest.model_copy(update={"plan": plan.model_copy(update={"runs": manifest.fresh}), "failed": ()})
    fresh, fresh_failed, _ = collect(of_fresh_runs, folder.parent)
    notes += [each.reason for each in fresh_failed]
    page = hashlib.sha256("\n".join((plan.name, *sorted(r.directory for r in plan.runs))).encode()).hexdigest()[:16]
    reads: dict[str, int] = {}
    for run in (run for run in (*runs, *fresh) if run.status == "finished"):
        readings.count_reading(run.path, f"study {plan.name}", page)
        reads[run.spec.contender] = max(reads.get(run.spec.contender, 0), readings.count_readings(run.path))
    often = ", ".join(f"{name} {count} times" for name, count in reads.items() if count > 1)
    if often:
        notes.append(f"The test split was read more than once, which is a chance to choose on it: {often}.")
    return Page(Context.of(plan, runs, manifest.command, fresh, failed, manifest.enough), notes)


def collect(manifest: Manifest, folder: Path) -> tuple[list[Run], tuple[Failed, ...], list[str]]:
    """The plan's records in `folder`, in its order; its runs that failed or whose records are damaged; and a sentence
    on each of these, and on the contenders whose records are missing."""
    runs, failed, missing = [], [], defaultdict[str, list[str]](list)
    failed_before = {each.run: each for each in manifest.failed}
    for planned in manifest.plan.runs:
        name, path = planned.contender, folder / planned.directory
        try:
            if record.status(path) not in ("absent", "running"):
                runs.append(record.read_run(path, name))
            elif planned.directory in failed_before:
                failed.append(failed_before[planned.directory])
            else:
                missing[name].append(str(planned.seed))
        except BakeoffError as error:
            kind = "damaged" if isinstance(error, Damaged) else "unreadable"
            failed.append(
                Failed(contender=name, seed=planned.seed, run=planned.directory, kind=kind, reason=str(error))
            )
    notes = [f"{name}, seed{'s' * (len(seeds) > 1)} {', '.join(seeds)}" for name, seeds in missing.items()]
    in_time = any(override.source == TIME for override in manifest.plan.overrides)
    why = "no finished record" + (" within the time given; the same command goes on" if in_time else "")
    notes = [f"{'; '.join(notes)}: {why}"] if notes else []
    notes += [f"{each.contender}, seed {each.seed}: {each.kind}: {each.reason}" for each in failed]
    notes += [note for run in runs for note in run.notes] + record.earlier_note(runs)
    return runs, tuple(failed), notes
