"""The page over all studies: each one's question, answer and best contenders, and the way to its report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bakeoff.errors import BakeoffError
from bakeoff.findings.contenders import ContenderResult, ranking, selected
from bakeoff.record import write_atomic
from bakeoff.report.format import interval
from bakeoff.report.leaderboard import marks, trained
from bakeoff.report.render import figures, html
from bakeoff.report.render.blocks import Cell, Figure, Table, columns
from bakeoff.report.sections.kind import accuracy_axis, accuracy_dot
from bakeoff.report.summary import contenders_of

BEST = 5
"""Contenders in a thumbnail."""


def write_index(folders: Sequence[Path], out: Path) -> Path:
    """Write out/index.html over the studies in `folders`, each with its summary.json; returns the file.

    Raises:
        BakeoffError: a summary that cannot be read.
    """
    entries, rows = [], []
    for folder in folders:
        file = folder / "summary.json"
        try:
            summary = json.loads(file.read_text(encoding="utf-8"))
            name = folder.relative_to(out).as_posix()
            entry = {"folder": name, "link": quote(f"{name}/report.html"), "study": summary}
            answers = summary.get("leads", summary["answer"].split("\n")[:1])
            entries.append({**entry, "answers": answers, "thumbnails": _thumbnails(summary)})
            rows += [[Cell(name), *map(Cell, cells)] for cells in _rows(summary)]
        except (OSError, ValueError, KeyError, TypeError) as error:
            again = "`bakeoff report` writes it again"
            raise BakeoffError(f"{file}: cannot be read as a summary ({error}): {again}") from None
    labels = ("folder", "study", "scale", "dataset", "selected", "runs trained", "test accuracy, 95 % interval")
    overview = Table(columns(*labels, "contenders", text=5), rows, title="All studies")
    file = out / "index.html"
    write_atomic(file, html.page("index.html.j2", entries=entries, overview=overview).encode())
    return file


def datasets(summary: dict[str, Any]) -> dict[str, list[ContenderResult]]:
    """The contenders of each dataset of a summary.json, in its order."""
    by_dataset: dict[str, list[ContenderResult]] = {}
    for contender in contenders_of(summary):
        by_dataset.setdefault(contender.dataset, []).append(contender)
    return by_dataset


def _rows(summary: dict[str, Any]) -> list[list[str]]:
    """Of each dataset: study, scale, dataset, and the selected contender with its accuracy."""
    rows = []
    for name, contenders in datasets(summary).items():
        best = selected(contenders)
        result = [best.name, trained(best), interval(best.test_accuracy)] if best else [*"–––"]
        rows.append([summary["study"], summary["scale"], name, *result, str(len(contenders))])
    return rows


def _thumbnails(summary: dict[str, Any]) -> list[Figure]:
    """The best contenders' test accuracies with their intervals, a picture for each dataset."""
    drawn = []
    for name, contenders in datasets(summary).items():
        if not (ranked := ranking(contenders)):
            continue
        best = [(c.name + marks(c), [accuracy_dot(c)]) for c in ranked[:BEST]]
        axis = accuracy_axis([mark for _, (mark,) in best], "test accuracy")
        caption = f"Best by validation accuracy on {name}, {len(best)} of {len(ranked)}; intervals 95 %."
        if any(c.interval == "wilson" for c in ranked[:BEST]):
            caption += " Grey: of a single run, for new images alone."
        if not all(c.may_be_selected for c in ranked[:BEST]):
            caption += " † chose its epoch on the test set, ‡ was trained on test images; neither is ever selected."
        drawn.append(Figure(name, figures.dots(best, axis, f"{summary['title']}: the best on {name}"), caption))
    return drawn
