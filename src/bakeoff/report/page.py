"""A report: one self-contained HTML page, the same in Markdown with its figures, and summary.json."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bakeoff.record import make_folder, write_atomic, write_json
from bakeoff.report import overrides
from bakeoff.report.answer import paragraphs
from bakeoff.report.context import Context
from bakeoff.report.render import figures, html
from bakeoff.report.render.blocks import Block, Figure, Figures, Items, Paragraph, Table
from bakeoff.report.render.markdown import escaped, markdown
from bakeoff.report.render.svg import standalone
from bakeoff.report.sections import Part, compose
from bakeoff.report.sentences import ESTIMAND
from bakeoff.report.summary import summary as summary_of


@dataclasses.dataclass(frozen=True)
class Page:
    """A report before it is rendered; `notes` are sentences about runs that are missing or damaged."""

    context: Context
    notes: Sequence[str] = ()

    @functools.cached_property
    def parts(self) -> Sequence[Part]:
        """The sections.

        Raises:
            UsageError: a section of the study that does not exist.
        """
        return compose(self.context)

    @functools.cached_property
    def summary(self) -> dict[str, Any]:
        """The object of summary.json."""
        return summary_of(self.context)

    @property
    def tables(self) -> list[Table]:
        return [block for part in self.parts for block in part.blocks if isinstance(block, Table)]

    @property
    def figures(self) -> list[Figure]:
        """The page's pictures, and those that its tables have a column for."""
        blocks = [block for part in self.parts for block in part.blocks]
        drawn = [figure for block in blocks if isinstance(block, Figures) for figure in block.figures]
        return drawn + [_plot(table, table.plot) for table in self.tables if table.plot is not None]

    def write(self, out: Path) -> dict[str, Any]:
        """Write out/report.html, report.md, figures/*.svg and summary.json; give back the summary."""
        files = {f"figures/{figure.name}.svg": standalone(figure.svg).encode() for figure in self.figures}
        files |= {"report.html": self._html().encode(), "report.md": self._markdown().encode()}
        _replace(files, out)
        write_json(out / "summary.json", self.summary)
        return self.summary

    @functools.cached_property
    def header(self) -> list[Block]:
        """The answer, a sentence a sweep as a list; the notes, and what the numbers are of and rest on."""
        answer = paragraphs(self.context)
        sweeps = [paragraph.text for paragraph in answer if paragraph.kind == "sweep"]
        first, *others = (paragraph.text for paragraph in answer if paragraph.kind != "sweep")
        blocks: list[Block] = [Paragraph(first, "lead"), *map(Paragraph, others)]
        blocks += [Items(sweeps)] if sweeps else []
        blocks += [Paragraph(note, "note") for note in self.notes]
        blocks += [Paragraph(ESTIMAND, "quiet"), Items(self.context.facts(), small=True)]
        words = "; ".join(overrides.sentences(self.context.study))
        return [*blocks, Paragraph(f"Overridden here: {words}.", "quiet")] if words else blocks

    def _html(self) -> str:
        return html.page("page.html.j2", study=self.context.study, header=self.header, parts=self.parts)

    def _markdown(self) -> str:
        study = self.context.study
        lines = [f"# {escaped(study.title)}", f"**{escaped(study.question)}**", *map(markdown, self.header)]
        for part in self.parts:
            lines += [f"## {escaped(part.title)}", *map(markdown, part.blocks)]
        return "\n\n".join(lines) + "\n"


def _plot(table: Table, place: int) -> Figure:
    """A table's column of plots as a picture of its own."""
    axis = table.columns[place].axis
    assert axis
    rows = [(row[0].text, row[place].dots) for row in table.rows if row[place].dots]
    keys = [column.key for column in table.columns if column.key]
    return Figure(table.name, figures.dots(rows, axis, table.title, keys))


def _replace(files: Mapping[str, bytes], out: Path) -> None:
    """Write `files`, and delete those that an earlier call wrote and this one does not: of contenders or sections that
    are no more. Other files are not bakeoff's, and stay; files.json tells which are, before they are written."""
    listed = out / "files.json"
    try:
        before = {str(name) for name in json.loads(listed.read_bytes())}
    except (OSError, ValueError, TypeError):
        before = set()  # the first report here, or one of an earlier version: nothing is deleted
    make_folder(out / "figures")
    write_json(listed, sorted({*files, *before}))
    for name, data in files.items():
        write_atomic(out / name, data)
    for name in before - files.keys():
        if re.fullmatch(r"(figures|tables)/[^/]+", name) and (out / name).is_file():
            (out / name).unlink(missing_ok=True)
    write_json(listed, sorted(files))
