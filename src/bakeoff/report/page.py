"""The report's files: one self-contained HTML page, the same in Markdown, figures, tables and summary.json."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from bakeoff.findings.tables import Summary
from bakeoff.record import Run, make_folder, write_atomic, write_json
from bakeoff.report.context import Context
from bakeoff.report.render.blocks import Figures, Table, escaped, markdown
from bakeoff.report.render.export import table_files
from bakeoff.report.render.raster import png
from bakeoff.report.render.svg import STYLE, standalone
from bakeoff.report.sections import Part, compose
from bakeoff.report.summary import summarise
from bakeoff.spec.study import Study

TEMPLATES = Path(__file__).parent / "render"


def write_report(
    study: Study,
    runs: Sequence[Run],
    out: Path,
    *,
    command: str,
    notes: Sequence[str] = (),
    fresh: Sequence[Run] = (),
) -> Summary:
    """Write out/report.html, report.md, summary.json, figures/*.{svg,png} and tables/*; give back the summary.

    `study` is already cut to its scale. `command` makes these files again; `notes` are sentences about runs that are
    missing or damaged. Both are shown. `fresh` are the choice's runs on seeds that it was not chosen by.

    Raises:
        UsageError: a section of the study that does not exist.
        BakeoffError: a damaged record, or runs of different data.
    """
    summary = summarise(study, runs, fresh)
    context = Context.of(study, runs, summary, command)
    parts = compose(context)
    figures = [f for part in parts for block in part.blocks if isinstance(block, Figures) for f in block.figures]
    files = {
        **{f"figures/{figure.name}.svg": standalone(figure.svg).encode() for figure in figures},
        **{f"figures/{figure.name}.png": png(figure.svg) for figure in figures},
        **{f"tables/{name}": text.encode() for name, text in table_files(_tables(parts), summary).items()},
        "report.html": _html(context, parts, notes).encode(),
        "report.md": _markdown(context, parts, notes).encode(),
    }
    _replace(files, out)
    write_json(out / "summary.json", summary)
    return summary


def _replace(files: Mapping[str, bytes], out: Path) -> None:
    """Write `files`, and delete those that an earlier call wrote and this one does not: of contenders or sections that
    are no more. Other files are not bakeoff's, and stay; files.json tells which are, before they are written."""
    listed = out / "files.json"
    try:
        before = {str(name) for name in json.loads(listed.read_bytes())}
    except (OSError, ValueError, TypeError):
        before = set()  # the first report here, or one of an earlier version: nothing is deleted
    for name in ("figures", "tables"):
        make_folder(out / name)
    write_json(listed, sorted({*files, *before}))
    for name, data in files.items():
        write_atomic(out / name, data)
    for name in before - files.keys():
        if re.fullmatch(r"(figures|tables)/[^/]+", name) and (out / name).is_file():
            (out / name).unlink(missing_ok=True)
    write_json(listed, sorted(files))


def _tables(parts: Sequence[Part]) -> dict[str, Table]:
    """The page's tables under the names of their sections, numbered where one has several."""
    found: dict[str, Table] = {}
    for part in parts:
        for i, table in enumerate(block for block in part.blocks if isinstance(block, Table)):
            found[part.anchor + (f"-{i + 1}" if i else "")] = table
    return found


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
        estimand=context.summary["estimand"],
        cuts=_cuts(context.study),
        parts=parts,
        notes=notes,
    )


def render(template: str, **values: Any) -> str:
    """A template with its values, and with the style that all pages share as `style`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["held"] = _held
    style = STYLE + (TEMPLATES / "page.css").read_text(encoding="utf-8")
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
        escaped(context.summary["estimand"]),
        escaped(" · ".join(context.facts())),
        *map(escaped, _cuts(study)),
        *(f"> {escaped(note)}" for note in notes),
    ]
    for part in parts:
        lines += [f"## {escaped(part.title)}", *map(markdown, part.blocks)]
    return "\n\n".join(lines) + "\n"
