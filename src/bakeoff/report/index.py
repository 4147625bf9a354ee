"""The page over all studies: each one's question, answer and best contenders, and the way to its report."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from bakeoff.errors import BakeoffError
from bakeoff.findings import tables
from bakeoff.findings.tables import Summary
from bakeoff.record import write_atomic
from bakeoff.report.answer import PART
from bakeoff.report.page import render
from bakeoff.report.render import figures
from bakeoff.report.render.blocks import Figure
from bakeoff.report.render.svg import accuracy
from bakeoff.report.sections.contenders import accuracy_dot

BEST = 5
"""Contenders in a thumbnail."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One study on the page."""

    name: str
    link: str
    title: str
    question: str
    answers: Sequence[str]
    facts: Sequence[str]
    thumbnails: Sequence[Figure]


def write_index(folders: Sequence[Path], out: Path) -> Path:
    """Write out/index.html over the studies in `folders`, each with its summary.json; returns the file.

    Raises:
        BakeoffError: a summary that cannot be read.
    """
    entries = [_entry(folder, out) for folder in folders]
    file = out / "index.html"
    write_atomic(file, render("index.html.j2", entries=entries).encode())
    return file


def _entry(folder: Path, out: Path) -> Entry:
    file = folder / "summary.json"
    try:
        summary = json.loads(file.read_text(encoding="utf-8"))
        return Entry(
            name=summary["study"],
            link=quote(f"{folder.relative_to(out).as_posix()}/report.html"),
            title=summary["title"],
            question=summary["question"],
            answers=_leads(summary),
            facts=_facts(summary),
            thumbnails=_thumbnails(summary),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BakeoffError(f"{file}: cannot be read as a summary ({error}): `bakeoff report` writes it again") from None


def datasets(summary: Summary) -> list[str]:
    """The datasets of a summary, in its order."""
    return list(dict.fromkeys(contender["dataset"] for contender in summary["contenders"]))


def _leads(summary: Summary) -> list[str]:
    """The first sentence of the answer, of several datasets one for each; and that it is of a part of the study."""
    lines = summary["answer"].split("\n")
    first = [line for line in lines if line.startswith("On ")] if len(datasets(summary)) > 1 else lines[:1]
    return first + [line for line in lines if line.startswith(PART)]


def _facts(summary: Summary) -> list[str]:
    contenders = summary["contenders"]
    n = sum(contender["n"] for contender in contenders)
    said = [f"{summary['scale']} scale", tables.plural(len(contenders), "contender"), tables.plural(n, "finished run")]
    return said + datasets(summary)


def _single(contender: Summary) -> bool:
    return bool(contender.get("interval") == "wilson")


def _thumbnails(summary: Summary) -> list[Figure]:
    """The best contenders' test accuracies with their intervals, a picture for each dataset."""
    drawn = []
    for name in datasets(summary):
        part = {**summary, "contenders": [c for c in summary["contenders"] if c["dataset"] == name]}
        ranked = tables.ranking(part)
        if not ranked:
            continue
        best = [(c["name"], [accuracy_dot(c)]) for c in ranked[:BEST]]
        marks = [mark for _, dots in best for mark in dots]
        axis = accuracy([mark.mean for mark in marks], figures.ends(marks), "test accuracy")
        said = f"Best by validation accuracy on {name}, {len(best)} of {len(ranked)}; intervals 95 %."
        said += " Grey: of a single run, for new images alone." if any(_single(c) for c in ranked[:BEST]) else ""
        drawn.append(Figure(name, figures.dots(best, axis, f"{summary['title']}: the best on {name}"), said))
    return drawn
