"""The sections of a report, a file each: its function makes blocks of the numbers and findings. To add one: such a
file, and its name in ORDER."""

from __future__ import annotations

import dataclasses
import importlib
import re
from collections.abc import Sequence

from bakeoff.errors import UsageError, closest
from bakeoff.report.context import Context
from bakeoff.report.render.blocks import Block, Figures, Heading, Paragraph, Table
from bakeoff.report.sections.kind import Kind
from bakeoff.spec.plan import Plan
from bakeoff.spec.plugins import absent
from bakeoff.spec.registry import Registry
from bakeoff.spec.study import Section

ORDER = (
    "leaderboard hypotheses reported diagnoses sweeps curves significance seeds train_test cost per_class confusion "
    "roc calibration mistakes label_noise runs environment"
)
"""The sections in the order of the page; each is the module of its name."""
SECTIONS: Registry[Kind] = Registry(
    "section",
    {name: importlib.import_module(f"{__name__}.{name}").SECTION for name in ORDER.split()},
    kind=Kind,
    group="sections",
)
RENAMED = {"league": "leaderboard"}
"""Sections that had another name in earlier versions."""


@dataclasses.dataclass(frozen=True)
class Part:
    """A section as it stands on the page."""

    anchor: str
    kind: str
    title: str
    blocks: Sequence[Block]


def check_sections(study: Plan) -> None:
    """That the study's sections exist, and the contenders they are of.

    Raises:
        UsageError: the first that does not, with the closest valid names.
    """
    names = [contender.name for contender in (*study.contenders, *study.left_out)]
    sections = [(f"study {study.name} [shown]", Section(kind=kind)) for kind in study.shown]
    sections += [(f"study {study.name}", section) for section in study.sections]
    for where, section in sections:
        kind = section.kind
        if kind in RENAMED:
            raise UsageError(f"{where}: section {kind!r} is now called {RENAMED[kind]!r}")
        if kind not in SECTIONS:
            raise UsageError(f"{where}: no section {kind!r}{absent('sections', kind) or closest(kind, SECTIONS)}")
        if unknown := next((name for name in section.of if name not in names), None):
            raise UsageError(f"{where}, section {kind}: no contender {unknown!r}{closest(unknown, names)}")


def compose(context: Context) -> list[Part]:
    """The study's own sections in its order, or all that have something to show."""
    renamed = [s.model_copy(update={"kind": RENAMED.get(s.kind, s.kind)}) for s in context.study.sections]
    sections = tuple(renamed)  # a study.json of an earlier version has the old names
    check_sections(context.study.model_copy(update={"sections": sections}))
    parts: list[Part] = []
    for section in sections or [Section(kind=kind) for kind in SECTIONS]:
        title = section.title or SECTIONS[section.kind].heading
        same = sum(part.kind == section.kind for part in parts)
        anchor = _file_name(section.kind.replace("_", "-")) + (f"-{same + 1}" if same else "")
        blocks = _blocks(context, section, anchor, title)
        if blocks or sections:  # else it does not apply
            nothing = "There is nothing to show here: no contender that it is about has a result."
            parts.append(Part(anchor, section.kind, title, blocks or [Paragraph(nothing)]))
    return parts


def _blocks(context: Context, section: Section, anchor: str, title: str) -> list[Block]:
    """The section's blocks; of a study of several datasets, dataset by dataset, except what is about all runs."""
    if len(context.parts) == 1 or SECTIONS[section.kind].all_runs:
        return _named(_on_one(context, section), anchor, title)
    blocks: list[Block] = []
    for part in context.parts:
        dataset = part.study.dataset
        if on_dataset := _on_one(part, section):
            named = _named(on_dataset, f"{anchor}-{dataset}", f"{title} on {dataset}", below=1)
            blocks += [Heading(f"On {dataset}"), *named]
    return blocks


def _on_one(context: Context, section: Section) -> list[Block]:
    kind, context = SECTIONS[section.kind], dataclasses.replace(context, section=section)
    return [*kind.function(context)] if len(context.contenders) >= kind.least else []


def _named(blocks: Sequence[Block], name: str, title: str, below: int = 0) -> list[Block]:
    """The blocks: figures and tables with names for files that no other section has, tables with their caption, and
    headings so many levels lower."""
    named: list[Block] = []
    tables = 0
    for block in blocks:
        match block:
            case Heading():
                block = dataclasses.replace(block, level=block.level + below)
            case Figures():
                figures = [dataclasses.replace(f, name=_file_name(f"{name}-{f.name}")) for f in block.figures]
                block = dataclasses.replace(block, figures=figures)
            case Table():
                tables += not block.name
                suffix = f"-{block.name or tables}" if block.name or tables > 1 else ""
                block = dataclasses.replace(block, name=_file_name(name + suffix), title=title)
        named.append(block)
    return named


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._=+,-]+", "-", name)
