"""Keep finished runs in results/, packed, and the pages that are made of them.

    python bench/keep.py runs laptop     pack every study in runs/ whose report is of that scale, and make its pages
    python bench/keep.py                 make every page in results/ again, from the packed records there

Records lie in results/STUDY/SCALE/records/, as `bakeoff pack` writes them. A page is made of what `bakeoff unpack`
makes of them, with `bakeoff report`; of it summary.json, report.md, report.html and the figures that report.md shows
are copied to results/STUDY/SCALE/, at most 2 MB in this order; a file that would pass that is left out and named.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
from pathlib import Path

from bakeoff.record import make_folder, write_atomic
from bakeoff.record.manifest import FILE
from bakeoff.studies.packing import pack, unpack
from bakeoff.studies.reports import report

ROOT = Path(__file__).parents[1]
LIMIT = 2_000_000
"""Bytes that are kept of a study."""
FIGURE = re.compile(r"!\[[^\]]*\]\((figures/[^)]+)\)\n*")


def keep(folder: Path, target: Path, limit: int = LIMIT) -> list[str]:
    """Copy the report in `folder` to `target`, in place of what an earlier call left there.

    Returns:
        The names of files that would pass the limit, and are left out.
    """
    text = (folder / "report.md").read_text(encoding="utf-8")
    wanted = ["summary.json", "report.md", "report.html", *dict.fromkeys(FIGURE.findall(text))]
    kept, left_out, total = [], [], 0
    for name in wanted:
        size = (folder / name).stat().st_size
        if total + size > limit:
            left_out.append(name)
        else:
            kept.append(name)
            total += size
    shutil.rmtree(target / "figures", ignore_errors=True)
    (target / "report.html").unlink(missing_ok=True)
    for name in kept:
        make_folder((target / name).parent)
        shutil.copyfile(folder / name, target / name)
    shown = FIGURE.sub(lambda link: link[0] if link[1] in kept else "", text)
    write_atomic(target / "report.md", shown.encode())
    return left_out


def make_page(place: Path) -> None:
    """The page of the records in `place`/records, in `place`."""
    with tempfile.TemporaryDirectory(prefix="bakeoff-keep-") as folder:
        made, _ = unpack(place / "records", Path(folder))
        report(made)
        left_out = keep(made, place)
    sizes = [file.stat().st_size for file in place.rglob("*") if file.is_file() and file.parent.name != "records"]
    print(f"{place}: {sum(sizes) / 1e6:.2f} MB", *(f"left out: {name}" for name in left_out), sep="; ")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="?", help="the folder that `bakeoff run --out` wrote")
    parser.add_argument("scale", nargs="?", help="of these reports: laptop, evening, full")
    parser.add_argument("--out", type=Path, default=ROOT / "results")
    given = parser.parse_args()
    places = sorted(records.parent for records in given.out.glob("*/*/records"))
    if given.runs:
        chosen = sorted(file.parent for file in given.runs.glob(f"*/{given.scale}/{FILE}"))
        if not chosen:
            parser.error(f"{given.runs}: no report of scale {given.scale!r} there")
        places = [given.out / folder.parent.name / folder.name for folder in chosen]
        for folder, place in zip(chosen, places, strict=True):
            files, left_out = pack(folder, place / "records")
            print(f"{place}/records: {len(files)} runs", *(f"left out: {name}" for name in left_out), sep="; ")
    for place in places:
        make_page(place)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
