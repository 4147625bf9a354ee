"""The leaderboard."""

from __future__ import annotations

from collections.abc import Sequence

from bakeoff.findings.contenders import ContenderResult
from bakeoff.report.context import Context
from bakeoff.report.format import number, percent
from bakeoff.report.leaderboard import AGAINST, standing, test_accuracy, trained
from bakeoff.report.render.blocks import Block, Cell, Column, Paragraph, Table, columns
from bakeoff.report.sections.kind import INTERVALS, Kind, accuracy_axis, accuracy_dot, name_cell

ONE_RUN = (
    " “One run” marks Wilson's interval of a single run: it is for that run on new images, and says nothing of "
    "other seeds; its mark is grey."
)
TRAINED = (
    " A run trained if it did not diverge and beats, on validation images, always naming their most frequent class "
    "(binomial test); means, intervals and verdicts are of the runs that trained."
)
SELECTS_ON_TEST = (
    " † picks its epoch by test accuracy, a fault kept to reproduce a report: its test accuracy is flattered, and it "
    "is never selected."
)
TRAINS_ON_TEST = (
    " ‡ was trained on test images too, under its teacher's labels, or averages what was: its test accuracy is that "
    "on these images, not on new ones, and it is never selected."
)


def blocks(context: Context) -> list[Block]:
    """Everyone's accuracy with its interval, best first."""
    ranked = context.contenders
    marks = {c.name: [accuracy_dot(c)] for c in ranked}
    axis = accuracy_axis([mark for (mark,) in marks.values()], "test accuracy")
    against = standing(context.findings.contenders, context.findings.pairs)
    without = [c for c in context.findings.contenders if not c.n and context.includes(c.name)]
    rows = []
    for c in (*ranked, *without):
        plot = Cell(dots=marks.get(c.name, ()))
        others = (percent(c.validation_accuracy.mean), number(c.parameters), against[c.name])
        rows.append([name_cell(context, c), Cell(trained(c)), Cell(test_accuracy(c)), plot, *map(Cell, others)])
    heads = columns("contender", "runs trained", "test accuracy, 95 % interval")
    heads.append(Column(axis.label, axis=axis))
    heads += columns("validation", "parameters", AGAINST, text=0, words=1)
    notes = [Paragraph(f"{c.name}: {c.note.rstrip('.')}.", tone="quiet") for c in ranked if c.note]
    return [Table(heads, rows, _note(context, ranked)), *notes] if rows else []


def _note(context: Context, ranked: Sequence[ContenderResult]) -> str:
    note = f"Ordered by mean validation accuracy, which alone may select. {INTERVALS}"
    note += ONE_RUN if any(c.interval == "wilson" for c in ranked) else ""
    note += TRAINED if any(c.failed for c in context.findings.contenders) else ""
    note += SELECTS_ON_TEST if any(c.selects_on_test for c in ranked) else ""
    note += TRAINS_ON_TEST if any(c.trains_on_test for c in ranked) else ""
    return note


SECTION = Kind(blocks, title="Leaderboard")
