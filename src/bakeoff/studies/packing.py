"""A study's report and records in a folder of small files, and back."""

from __future__ import annotations

import lzma
from collections.abc import Sequence
from pathlib import Path

from bakeoff import record
from bakeoff.errors import BakeoffError, UsageError
from bakeoff.record import manifest, packed

FILE = f"{manifest.FILE}.xz"


def pack(folder: Path, target: Path) -> tuple[list[Path], list[str]]:
    """Write the report in OUT/STUDY/SCALE to `target`: its manifest, and its ended runs without weights. Files of runs
    that are there already are written again.

    Returns:
        The files of runs, and the directories' names of those that have not ended.

    Raises:
        UsageError: not the folder of one report.
        BakeoffError: a record is damaged, or a file cannot be read or written.
    """
    reports = manifest.find_reports(folder)
    if len(reports) > 1:
        scales = ", ".join(str(each) for each in reports)
        raise UsageError(f"{folder}: has several reports, of which one is packed at a time: {scales}")
    plan = manifest.read_manifest(reports[0])
    record.make_folder(target)
    content = record.read_bytes(reports[0] / manifest.FILE)
    record.write_atomic(target / FILE, lzma.compress(content, check=lzma.CHECK_SHA256))
    files, left_out = [], []
    for run in (*plan.plan.runs, *plan.fresh):
        path = reports[0].parent / run.directory
        try:
            files.append(packed.pack(path, target))
        except UsageError:
            left_out.append(path.name)
    return files, left_out


def unpack(folder: Path, out: Path) -> tuple[Path, Sequence[Path]]:
    """Make the report's folder OUT/STUDY/SCALE and its runs in OUT/STUDY from what `pack` wrote to `folder`. Records
    and a manifest that are there already stay.

    Returns:
        The report's folder, and the directories of its runs.

    Raises:
        UsageError: nothing is packed there.
        BakeoffError: a file is damaged, cannot be read or written, or another version wrote it.
    """
    if not record.exists(file := folder / FILE):
        raise UsageError(f"{folder}: nothing is packed there: it has no {FILE}")
    content = packed.decompress(file)
    plan = manifest.parse_manifest(content, file).plan
    if any(Path(name).name != name for name in (plan.name, plan.scale)):
        raise BakeoffError(f"{file}: no study is called {plan.name!r}, or scale {plan.scale!r}")
    report = record.make_folder(out / plan.name / plan.scale)
    if not record.exists(report / manifest.FILE):
        record.write_atomic(report / manifest.FILE, content)
    return report, [packed.unpack(each, report.parent) for each in sorted(folder.glob(f"*{packed.RUN}"))]
