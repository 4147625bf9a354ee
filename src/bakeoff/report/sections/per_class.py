"""Class by class."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bakeoff.evaluation.metrics import Interval
from bakeoff.evaluation.verdicts import estimate
from bakeoff.findings.runs import all_correct
from bakeoff.report.context import FEW, Context
from bakeoff.report.format import percent
from bakeoff.report.render.blocks import Block, Cell, Column, Table, columns
from bakeoff.report.render.svg import Key
from bakeoff.report.sections.kind import Kind, accuracy_axis, how_many, make_dot

SHAPES = ("circle", "diamond", "square", "triangle")


def blocks(context: Context) -> list[Block]:
    """How many of each class's test images are recognised, by the selected contender and the best after it."""
    names = context.first(FEW)
    labels = context.finished[names[0]][0].labels("test")
    right = all_correct(context.finished)
    keys = [Key(name, f"s{i + 1}", SHAPES[i]) for i, name in enumerate(names)]
    marks, texts = [], []
    for k, label in enumerate(context.classes):
        of_class = [_of_class(right[name][:, labels == k]) for name in names]
        texts.append([label, f"{(labels == k).sum():,}", *(percent(value.mean) for value in of_class)])
        pairs = zip(keys, of_class, strict=True)
        marks.append([make_dot(f"{key.label}, class {label}", value, "accuracy", key) for key, value in pairs])
    axis = accuracy_axis([mark for dots in marks for mark in dots], "accuracy")
    rows = [[*map(Cell, cells), Cell(dots=dots)] for cells, dots in zip(texts, marks, strict=True)]
    heads = [*columns("class", "test images"), *(Column(key.label, key=key) for key in keys)]
    note = (
        "Means over seeds; intervals 95 %, each of its class alone, for new seeds and new images of the class "
        f"(Wilson's of one seed). {how_many(names, context)}"
    )
    return [Table([*heads, Column(axis.label, axis=axis)], rows, note)]


def _of_class(right: NDArray[np.bool_]) -> Interval:
    """Mean and 95 % interval of one class's answers (n, M); of less than two images it leaves all open, of none nan."""
    if right.shape[1] < 2:
        mean = float(right.mean()) if right.size else math.nan
        return Interval(mean, 0.0 * mean, 1.0 + 0.0 * mean)
    return estimate(right)


SECTION = Kind(blocks, title="Class by class", least=1)
