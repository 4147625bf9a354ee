"""The sections of a report. To add one: a function of (context, section), and a line in SECTIONS."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence

from bakeoff.data import known_wrong_labels
from bakeoff.errors import UsageError, closest
from bakeoff.report import headline
from bakeoff.report.context import Context
from bakeoff.report.render.blocks import Block, Figures, Words
from bakeoff.report.sections import chance, contenders, diagnoses, label_noise, predictions, reported
from bakeoff.spec.study import Section, Study

SECTIONS: dict[str, tuple[str, Callable[[Context, Section], list[Block]]]] = {
    "league": ("League", contenders.league),
    "hypotheses": ("Hypotheses, and what the runs say", diagnoses.hypotheses),
    "reported": ("Reported against measured", reported.reported),
    "diagnoses": ("Diagnoses", diagnoses.diagnoses),
    "sweeps": ("Sweeps", contenders.sweeps),
    "curves": ("Learning curves", predictions.curves),
    "significance": ("Who is better than whom", contenders.significance),
    "seeds": ("What the seeds do", chance.seeds),
    "train_test": ("Train, validation, test", contenders.train_test),
    "cost": ("Accuracy and its cost", contenders.cost),
    "per_class": ("Class by class", predictions.per_class),
    "confusion": ("What is taken for what", predictions.confusion),
    "roc": ("ROC curves", predictions.roc),
    "calibration": ("Is it right when it is sure?", predictions.calibration),
    "mistakes": ("The worst mistakes", predictions.mistakes),
    "label_noise": ("Wrong labels in the test set", label_noise.label_noise),
    "runs": ("Every run", contenders.runs),
    "environment": ("Environment", contenders.environment),
}
"""kind -> (title, function). A function gives no blocks where it has nothing to show."""

WHOLE = ("runs", "environment", "reported")
"""Sections that are about all runs, whatever their dataset."""
NAMES_ALL = (*WHOLE, "league", "sweeps")
"""Sections that name those without a finished run beside the others."""
APPLIES: dict[str, Callable[[Study], bool]] = {
    "hypotheses": lambda study: bool(study.hypotheses),
    "reported": lambda study: any(contender.reported.figures() for contender in study.contenders),
    "sweeps": lambda study: bool(study.sweeps),
    "significance": lambda study: len(study.contenders) > 1,
    "seeds": lambda study: len(study.contenders) > 1 and study.seeds > 1,
    "cost": lambda study: len(study.contenders) > 1,
    "label_noise": lambda study: bool(known_wrong_labels(study.dataset)),
}
"""Which studies a section can be about, where not all."""


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
    for kind in study.shown:
        if kind not in SECTIONS:
            raise UsageError(f"study {study.name} [shown]: no section {kind!r}{closest(kind, SECTIONS)}")
    for section in study.sections:
        if section.kind not in SECTIONS:
            raise UsageError(f"study {study.name}: no section {section.kind!r}{closest(section.kind, SECTIONS)}")
        for name in section.of:
            if name not in names:
                raise UsageError(
                    f"study {study.name}, section {section.kind}: no contender {name!r}{closest(name, names)}"
                )


def compose(context: Context) -> list[Part]:
    """The study's own sections in its order, or all that have something to show."""
    check_sections(context.study)
    asked = context.study.sections
    parts: list[Part] = []
    for section in asked or [Section(kind=kind) for kind in SECTIONS]:
        title, function = SECTIONS[section.kind]
        blocks = _blocks(context, section, function)
        if not blocks and not asked:
            continue  # it does not apply
        same = sum(part.kind == section.kind for part in parts)
        anchor = section.kind.replace("_", "-") + (f"-{same + 1}" if same else "")
        blocks = [_with_name(block, anchor) for block in blocks] or [Words("There is nothing to show here.")]
        parts.append(Part(anchor, section.kind, section.title or title, blocks))
    return parts


def _blocks(context: Context, section: Section, function: Callable[[Context, Section], list[Block]]) -> list[Block]:
    """The section's blocks; of a study of several datasets, dataset by dataset, except what is about all runs."""
    parts = context.parts
    if len(parts) == 1 or section.kind in WHOLE:
        return _said(context, section, function)
    found: list[Block] = []
    for part in parts:
        names = [contender.name for contender in part.study.contenders]
        if section.of and not set(section.of) & set(names):
            continue
        if blocks := _said(part, section, function):
            found += [Words(f"On {part.study.dataset}", heading=True), *(_of(b, part.study.dataset) for b in blocks)]
    return found


def _said(context: Context, section: Section, function: Callable[[Context, Section], list[Block]]) -> list[Block]:
    """The section's blocks on one dataset, and who has no run that trained: of those that the section names, or
    of all contenders if none has one."""
    blocks = function(context, section)
    if blocks and (cut := [c.name for c in context.study.left_out if c.name in _asked_for(context.study, section)]):
        blocks = [*blocks, Words(f"Not run at this scale: {headline.few(cut)}.", quiet=True)]
    every = context.summary["contenders"]
    without = [c for c in every if not c["trained"] and (not section.of or c["name"] in section.of)]
    applies = APPLIES.get(section.kind)
    told = section.kind in NAMES_ALL if blocks else applies is not None and not applies(context.study)
    if told or not without or (context.ranked and not section.of):
        return blocks
    lost, absent = ([c["name"] for c in without if bool(c["n"] + c["failed"]) == ran] for ran in (True, False))
    said = [f"No run of {headline.few(lost)} trained"] if lost else []
    said += [f"{'there' if lost else 'There'} is no record of {headline.few(absent)}"] if absent else []
    return [*blocks, Words(f"{'; '.join(said)}.")]


def _asked_for(study: Study, section: Section) -> Sequence[str]:
    """The contenders that the study names for a section."""
    return section.of or study.shown.get(section.kind, [])


def _of(block: Block, dataset: str) -> Block:
    """The block below the dataset's heading, with the dataset in its figures' names."""
    if isinstance(block, Words) and block.heading:
        return dataclasses.replace(block, inner=True)
    if not isinstance(block, Figures):
        return block
    return dataclasses.replace(
        block, figures=[dataclasses.replace(figure, name=f"{dataset}-{figure.name}") for figure in block.figures]
    )


def _with_name(block: Block, anchor: str) -> Block:
    """The block with its figures' names made unique, and fit for files."""
    if not isinstance(block, Figures):
        return block
    figures = [
        dataclasses.replace(figure, name=re.sub(r"[^A-Za-z0-9._=+,-]+", "-", f"{anchor}-{figure.name}"))
        for figure in block.figures
    ]
    return dataclasses.replace(block, figures=figures)
