"""Learning curves."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np

from bakeoff.record import Run
from bakeoff.report.context import Context
from bakeoff.report.format import plural
from bakeoff.report.render import figures
from bakeoff.report.render.blocks import Block, Figure, Figures, Paragraph
from bakeoff.report.render.figures import Series
from bakeoff.report.render.svg import SERIES
from bakeoff.report.sections.kind import Kind, course_by_step, over_seeds


def blocks(context: Context) -> list[Block]:
    """How training went by step, and validation by epoch and by second."""
    every = [c.name for c in context.asked]
    names = [name for name in every if any(len(run.history) > 1 for run in context.finished[name])]
    trained = [name for name in context.shown(len(every)) if any(r.history for r in context.finished[name])]
    coloured, drawn = trained[:SERIES], []
    for column, value in ((1, "train loss"), (2, "train accuracy")):
        by_step = [line for name in every if (line := course_by_step(name, context.finished[name], column))]
        if by_step:
            drawn.append(Figure(f"{value.replace(' ', '-')}-step", figures.curves(by_step, "step", value, coloured)))
    for value, against in itertools.product(("validation accuracy", "validation loss"), ("epoch", "seconds")):
        if series := [_course(n, context.finished[n], value.replace(" ", "_"), against) for n in names]:
            svg = figures.curves(series, against, value, coloured)
            drawn.append(Figure(f"{value.replace(' ', '-')}-{against}", svg))
    if not drawn:
        return []
    alone = [name for name in context.shown(1 + len(context.named)) if name in names]
    words = "Lines are means over the seeds, bands reach from the lowest to the highest seed."
    if len(trained) > SERIES:
        words += f" The best {SERIES} of {len(trained)} contenders have colours."
    short = sum(max(len(run.history) for run in context.finished[name]) == 1 for name in every)
    if names and short:
        words += f" {plural(short, 'contender')} trained for one epoch: see the curves by step."
    return [Paragraph(words), Figures([*drawn, *_train_and_validation(context, alone)])]


def _course(name: str, runs: Sequence[Run], value: str, against: str) -> Series:
    """A value by epoch or by seconds, as far as every seed was trained."""
    epochs = min(len(run.history) for run in runs)
    rows = [[run.history[i] for run in runs] for i in range(epochs)]
    x = [float(np.mean([row["seconds"] for row in same])) for same in rows]
    x = x if against == "seconds" else [i + 1.0 for i in range(epochs)]
    return over_seeds(name, x, np.array([[row.get(value, np.nan) for row in same] for same in rows]))


def _train_and_validation(context: Context, names: Sequence[str]) -> list[Figure]:
    """Of each contender two figures by epoch, accuracy and loss, each with a line for train and one for validation."""
    drawn = []
    for name, value in itertools.product(names, ("accuracy", "loss")):
        lines = [
            dataclasses.replace(_course(name, context.finished[name], f"{split}_{value}", "epoch"), name=split)
            for split in ("train", "validation")
        ]
        svg = figures.curves(lines, "epoch", value, ["train", "validation"])
        caption = f"{name}. Train {value} is the mean over an epoch's batches, as they were trained on."
        drawn.append(Figure(f"{name}-{value}", svg, caption))
    return drawn


SECTION = Kind(blocks, title="Learning curves")
