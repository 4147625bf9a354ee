"""The sections of a report, a file each: its function makes blocks of the numbers and findings. To add one: such a
file, and its line in SECTIONS."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from bakeoff.errors import UsageError, closest
from bakeoff.report import headline
from bakeoff.report.context import Context
from bakeoff.report.render.blocks import Block, Figure, Figures, Heading, Paragraph, Table
from bakeoff.report.sections import (
    calibration,
    confusion,
    cost,
    curves,
    diagnoses,
    environment,
    hypotheses,
    label_noise,
    leaderboard,
    mistakes,
    per_class,
    reported,
    roc,
    runs,
    seeds,
    significance,
    sweeps,
    train_test,
)
from bakeoff.report.sections.kind import Kind
from bakeoff.spec.registry import Registry
from bakeoff.spec.study import Section, Study

SECTIONS = Registry(
    "section",
    {
        "leaderboard": leaderboard.SECTION,
        "hypotheses": hypotheses.SECTION,
        "reported": reported.SECTION,
        "diagnoses": diagnoses.SECTION,
        "sweeps": sweeps.SECTION,
        "curves": curves.SECTION,
        "significance": significance.SECTION,
        "seeds": seeds.SECTION,
        "train_test": train_test.SECTION,
        "cost": cost.SECTION,
        "per_class": per_class.SECTION,
        "confusion": confusion.SECTION,
        "roc": roc.SECTION,
        "calibration": calibration.SECTION,
        "mistakes": mistakes.SECTION,
        "label_noise": label_noise.SECTION,
        "runs": runs.SECTION,
        "environment": environment.SECTION,
    },
    kind=Kind,
    group="sections",
)
"""In the order of the page."""
RENAMED = {"league": "leaderboard"}
"""Sections that had another name in earlier versions."""


@dataclasses.dataclass(frozen=True)
class Part:
    """A section as it stands on the page."""

    anchor: str
    kind: str
    title: str
    blocks: Sequence[Block]


def check_sections(study: Study) -> None:
    """That the study's sections exist, and the contenders they are of.

    Raises:
        UsageError: the first that does not, with the closest valid names.
    """
    names = [contender.name for contender in (*study.contenders, *study.left_out)]
    asked: list[tuple[str, str, tuple[str, ...]]] = [(f"study {study.name} [shown]", kind, ()) for kind in study.shown]
    asked += [(f"study {study.name}", section.kind, section.of) for section in study.sections]
    for where, kind, of in asked:
        if kind in RENAMED:
            raise UsageError(f"{where}: section {kind!r} is now called {RENAMED[kind]!r}")
        if kind not in SECTIONS:
            raise UsageError(f"{where}: no section {kind!r}{closest(kind, SECTIONS)}")
        if other := next((name for name in of if name not in names), None):
            raise UsageError(f"{where}, section {kind}: no contender {other!r}{closest(other, names)}")


def compose(context: Context) -> list[Part]:
    """The study's own sections in its order, or all that have something to show."""
    check_sections(context.study)
    asked = context.study.sections
    parts: list[Part] = []
    for section in asked or [Section(kind=kind) for kind in SECTIONS]:
        blocks = _blocks(context, section)
        if not blocks and not asked:
            continue  # it does not apply
        title = section.title or SECTIONS[section.kind].heading
        same = sum(part.kind == section.kind for part in parts)
        anchor = re.sub("[^A-Za-z0-9]+", "-", section.kind) + (f"-{same + 1}" if same else "")
        blocks = _named(blocks, anchor, title) or [Paragraph("There is nothing to show here.")]
        parts.append(Part(anchor, section.kind, title, blocks))
    return parts


def _blocks(context: Context, section: Section) -> list[Block]:
    """The section's blocks; of a study of several datasets, dataset by dataset, except what is about all runs."""
    if len(context.parts) == 1 or SECTIONS[section.kind].all_runs:
        return _on_one(context, section)
    blocks: list[Block] = []
    for part in context.parts:
        dataset, names = part.study.dataset, [contender.name for contender in part.study.contenders]
        if section.of and not set(section.of) & set(names):
            continue
        if some := _on_one(part, section):
            blocks += [Heading(f"On {dataset}"), *(_below(block, dataset) for block in some)]
    return blocks


def _on_one(context: Context, section: Section) -> list[Block]:
    """The section's blocks on one dataset, and who has no run that trained: of those that the section names, or
    of all contenders if none has one."""
    kind = SECTIONS[section.kind]
    blocks: list[Block] = kind.function(context, section)
    asked = section.of or context.study.shown.get(section.kind, [])
    if blocks and (absent := [c.name for c in context.study.left_out if c.name in asked]):
        blocks = [*blocks, Paragraph(f"Not run at this scale: {headline.few(absent)}.", quiet=True)]
    every = context.summary["contenders"]
    without = [c for c in every if not c["trained"] and (not section.of or c["name"] in section.of)]
    known = kind.names_all if blocks else not kind.applies(context.study)
    if known or not without or (context.ranked and not section.of):
        return blocks
    lost, absent = ([c["name"] for c in without if bool(c["n"] + c["failed"]) == ran] for ran in (True, False))
    words = [f"No run of {headline.few(lost)} trained"] if lost else []
    words += [f"{'there' if lost else 'There'} is no record of {headline.few(absent)}"] if absent else []
    return [*blocks, Paragraph(f"{'; '.join(words)}.")]


def _below(block: Block, dataset: str) -> Block:
    """The block below its dataset's heading, the dataset in the names of its figures and tables."""
    match block:
        case Heading():
            return dataclasses.replace(block, level=block.level + 1)
        case Figures():
            return dataclasses.replace(block, figures=[_renamed(f, f"{dataset}-{f.name}") for f in block.figures])
        case Table():
            return dataclasses.replace(block, name=dataset, title=f"on {dataset}")
    return block


def _renamed(figure: Figure, name: str) -> Figure:
    """The figure under another name, of characters that are fit for files."""
    return dataclasses.replace(figure, name=re.sub(r"[^A-Za-z0-9._=+,-]+", "-", name))


def _named(blocks: Sequence[Block], anchor: str, title: str) -> list[Block]:
    """The blocks with names for files that no other section has, and their tables with a caption; a heading between
    is part of it."""
    named: list[Block] = []
    tables = 0
    for block in blocks:
        match block:
            case Figures():
                block = dataclasses.replace(block, figures=[_renamed(f, f"{anchor}-{f.name}") for f in block.figures])
            case Table():
                tables += 1
                name = anchor + (f"-{tables}" if tables > 1 else "")
                block = dataclasses.replace(block, name=name, title=f"{title} {block.title}".strip())
        named.append(block)
    return named
