"""Learning curves."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from bakeoff.record import Run
from bakeoff.report.context import Context
from bakeoff.report.render import figures
from bakeoff.report.render.blocks import Block, Figure, Figures, Paragraph
from bakeoff.report.render.figures import Series
from bakeoff.report.render.svg import SERIES
from bakeoff.report.sections.kind import Kind, course_by_step, over_seeds


def blocks(context: Context) -> list[Block]:
    """How training went by step, and validation by epoch and by second."""
    epochs = {c.name: max(len(run.history) for run in context.finished[c.name]) for c in context.contenders}
    trained = [name for name in context.first(len(epochs)) if epochs[name]]
    colours = {name: f"s{i}" for i, name in enumerate(trained[:SERIES], 1)}
    drawn = []
    for column, value in ((1, "train loss"), (2, "train accuracy")):
        lines = [course_by_step(name, context.finished[name], column, colours.get(name, "s0")) for name in trained]
        if by_step := [line for line in lines if line]:
            drawn.append(Figure(f"{value.replace(' ', '-')}-step", figures.curves(by_step, "step", value)))
    several = [name for name in trained if epochs[name] > 1]
    for value, against in itertools.product(("validation accuracy", "validation loss"), ("epoch", "seconds")):
        key = value.replace(" ", "_")
        courses = [_course(name, context.finished[name], key, against, colours.get(name, "s0")) for name in several]
        if courses:
            drawn.append(Figure(f"{value.replace(' ', '-')}-{against}", figures.curves(courses, against, value)))
    if not drawn:
        return []
    words = "Lines are means over the seeds, bands reach from the lowest to the highest seed."
    if len(trained) > SERIES:
        words += f" The best {SERIES} of {len(trained)} contenders have colours."
    single = [name for name in context.first(1 + len(context.preferred)) if name in several]
    return [Paragraph(words), Figures([*drawn, *_train_and_validation(context, single)])]


def _course(name: str, runs: Sequence[Run], key: str, against: str, colour: str) -> Series:
    """A value by epoch or by seconds, as far as every seed was trained."""
    epochs = min(len(run.history) for run in runs)
    rows = [[run.history[i] for run in runs] for i in range(epochs)]
    x = [float(np.mean([row["seconds"] for row in same])) for same in rows]
    x = x if against == "seconds" else [i + 1.0 for i in range(epochs)]
    return over_seeds(name, x, np.array([[row.get(key, np.nan) for row in same] for same in rows]), colour)


def _train_and_validation(context: Context, names: Sequence[str]) -> list[Figure]:
    """Of each contender two figures by epoch, accuracy and loss, each with a line for train and one for validation."""
    drawn = []
    for name, value in itertools.product(names, ("accuracy", "loss")):
        runs, splits = context.finished[name], {"train": "s1", "validation": "s2"}
        lines = [_course(split, runs, f"{split}_{value}", "epoch", colour) for split, colour in splits.items()]
        caption = f"{name}. Train {value} is the mean over an epoch's batches, as they were trained on."
        drawn.append(Figure(f"{name}-{value}", figures.curves(lines, "epoch", value), caption))
    return drawn


SECTION = Kind(blocks, title="Learning curves", least=1)
