"""Train, validation and test accuracy side by side."""

from __future__ import annotations

from bakeoff.evaluation.metrics import Interval
from bakeoff.findings.contenders import ContenderResult
from bakeoff.report.context import Context
from bakeoff.report.format import percent, points
from bakeoff.report.leaderboard import trained
from bakeoff.report.render.blocks import Block, Cell, Column, Table, columns
from bakeoff.report.render.svg import Dot, Key
from bakeoff.report.sections.kind import INTERVALS, Kind, accuracy_axis, make_dot, name_cell

KEYS = (Key("train", "s5", "square"), Key("validation", "s3", "diamond"), Key("test", "s1", "circle"))


def blocks(context: Context) -> list[Block]:
    """Train, validation and test accuracy side by side: who learns by heart."""
    ranked = context.contenders
    marks = {c.name: [_dot(c, key) for key in KEYS] for c in ranked}
    axis = accuracy_axis([mark for dots in marks.values() for mark in dots], "accuracy")
    rows = []
    for c in ranked:
        means = [Cell(percent(getattr(c, f"{key.label}_accuracy").mean)) for key in KEYS]
        gap = points(c.train_accuracy.mean - c.test_accuracy.mean)
        rows.append([name_cell(context, c), Cell(trained(c)), *means, Cell(dots=marks[c.name]), Cell(gap)])
    heads = [*columns("contender", "n"), *(Column(key.label, key=key) for key in KEYS)]
    heads += [Column(axis.label, axis=axis), Column("gap, points")]
    note = (
        "Gap: train less test. Train accuracy is measured after training, in evaluation mode, on a sample where there "
        f"are very many images, and is drawn without an interval. {INTERVALS}"
    )
    return [Table(heads, rows, note)]


def _dot(contender: ContenderResult, key: Key) -> Dot:
    """The accuracy on a split; of train the mean alone, for its images are not a sample of others."""
    value: Interval = getattr(contender, f"{key.label}_accuracy")
    if key.label == "train":
        value = Interval(value.mean, value.mean, value.mean)
    return make_dot(contender.name, value, key.label, key)


SECTION = Kind(blocks, title="Train, validation, test", least=1)
