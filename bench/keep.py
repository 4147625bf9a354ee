"""Keep what is worth keeping of finished studies: their reports without their runs.

    python bench/keep.py runs laptop [--out results]

Copies, for every study in RUNS whose report is of that scale, summary.json, report.md, report.html and the figures that
report.md shows, to OUT/STUDY/SCALE/. A study keeps at most 2 MB, in this order; a file that would pass
that is left out and named.
"""

from __future__ import annotations

import argparse
import re
import shutil
from pathlib import Path

from bakeoff.record import make_folder, write_atomic

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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, help="the folder that `bakeoff run --out` wrote")
    parser.add_argument("scale", help="of these reports: laptop, full")
    parser.add_argument("--out", type=Path, default=ROOT / "results")
    given = parser.parse_args()
    chosen = sorted(file.parent for file in given.runs.glob(f"*/{given.scale}/summary.json"))
    if not chosen:
        parser.error(f"{given.runs}: no report of scale {given.scale!r} there")
    for folder in chosen:
        target = make_folder(given.out / folder.parent.name / given.scale)
        left_out = keep(folder, target)
        size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
        print(f"{target}: {size / 1e6:.2f} MB", *(f"left out: {name}" for name in left_out), sep="; ")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
