"""The report's files: one self-contained HTML page, the same in Markdown, figures, tables and summary.json."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from bakeoff.record import Run, write_atomic, write_json
from bakeoff.reports.blocks import Figure, Figures, Table, escaped, markdown
from bakeoff.reports.context import Context
from bakeoff.reports.export import write_tables
from bakeoff.reports.raster import png
from bakeoff.reports.sections import Part, compose
from bakeoff.reports.summary import summarise
from bakeoff.reports.svg import STYLE, standalone
from bakeoff.reports.tables import Summary
from bakeoff.study import Study

HERE = Path(__file__).parent


def write_report(study: Study, runs: Sequence[Run], out: Path, *, command: str, notes: Sequence[str] = ()) -> Summary:
    """Write out/report.html, report.md, summary.json, figures/*.{svg,png} and tables/*; give back the summary.

    `study` is already cut to its scale. `command` makes these files again; `notes` are sentences about runs
    that are missing or damaged. Both are shown.

    Raises:
        UsageError: a section of the study that does not exist.
        BakeoffError: a damaged record, or runs of different data.
    """
    summary = summarise(study, runs)
    context = Context.of(study, runs, summary, command)
    parts = compose(context)
    figures = [f for part in parts for block in part.blocks if isinstance(block, Figures) for f in block.figures]
    (out / "figures").mkdir(parents=True, exist_ok=True)
    _write_figures(figures, out / "figures")
    write_tables(_tables(parts), summary, out / "tables")
    write_atomic(out / "report.html", _html(context, parts, notes).encode())
    write_atomic(out / "report.md", _markdown(context, parts, notes).encode())
    write_json(out / "summary.json", summary)
    return summary


def _tables(parts: Sequence[Part]) -> dict[str, Table]:
    """The page's tables under the names of their sections, numbered where one has several."""
    found: dict[str, Table] = {}
    for part in parts:
        for i, table in enumerate(block for block in part.blocks if isinstance(block, Table)):
            found[part.anchor + (f"-{i + 1}" if i else "")] = table
    return found


def _write_figures(figures: Sequence[Figure], folder: Path) -> None:
    for figure in figures:
        write_atomic(folder / f"{figure.name}.svg", standalone(figure.svg).encode())
        write_atomic(folder / f"{figure.name}.png", png(figure.svg))
    names = {f"{figure.name}{end}" for figure in figures for end in (".svg", ".png")}
    for old in (file for file in folder.iterdir() if file.name not in names):
        old.unlink()  # of a contender or section that is no more


def _answer(summary: Summary) -> tuple[str, list[str], list[str]]:
    """The answer's first paragraph, its others, and its findings: a sentence a sweep."""
    findings = [sweep["answer"] for sweep in summary["sweeps"]]
    first, *others = (line for line in summary["answer"].split("\n") if line not in findings)
    return first, others, findings


def _cuts(study: Study) -> list[str]:
    """Every cut, in a sentence, if there is one."""
    return [f"Cut here: {'; '.join(study.cuts)}."] if study.cuts else []


def _html(context: Context, parts: Sequence[Part], notes: Sequence[str]) -> str:
    lead, others, findings = _answer(context.summary)
    return render(
        "page.html.j2",
        study=context.study,
        facts=context.facts(),
        lead=lead,
        others=others,
        findings=findings,
        cuts=_cuts(context.study),
        parts=parts,
        notes=notes,
    )


def render(template: str, **values: Any) -> str:
    """A template with its values, and with the style that all pages share as `style`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["held"] = _held
    style = STYLE + (HERE / "page.css").read_text(encoding="utf-8")
    return environment.get_template(template).render(**values, style=style)


def _held(words: str) -> str:
    """The words with no line break before a % sign or within `n = 3`."""
    return re.sub(r" (?=%)|(?<=\bn) (?==)|(?<=\bn =) ", "\u00a0", words)


def _markdown(context: Context, parts: Sequence[Part], notes: Sequence[str]) -> str:
    study = context.study
    lead, others, findings = _answer(context.summary)
    lines = [f"# {escaped(study.title)}", f"**{escaped(study.question)}**", *map(escaped, (lead, *others))]
    lines += ["\n".join(f"- {escaped(finding)}" for finding in findings)] if findings else []
    lines += [
        escaped(" · ".join(context.facts())),
        *map(escaped, _cuts(study)),
        *(f"> {escaped(note)}" for note in notes),
    ]
    for part in parts:
        lines += [f"## {escaped(part.title)}", *map(markdown, part.blocks)]
    return "\n\n".join(lines) + "\n"
