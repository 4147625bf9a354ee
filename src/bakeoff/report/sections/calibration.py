"""Whether confidence is what it says."""

from __future__ import annotations

import math

import numpy as np

from bakeoff.evaluation import metrics
from bakeoff.report.context import FEW, Context
from bakeoff.report.format import number, percent
from bakeoff.report.render import figures
from bakeoff.report.render.blocks import Block, Cell, Figure, Figures, Table, columns
from bakeoff.report.sections.kind import Kind, how_many

ENOUGH = 10
"""Predictions in a bin of the reliability diagram below which it says nothing."""
UNSURE = 0.05
"""The part of the images, the least sure, in which errors should lie."""


def blocks(context: Context) -> list[Block]:
    """Whether confidence is what it says, and whether the wrong predictions are the unsure ones."""
    names = context.first(FEW)
    bins, rows = [], []
    for name in names:
        logits, labels = context.test(name)
        calibration = metrics.calibration(logits, labels)
        full = [i for i in range(len(calibration.count)) if calibration.count[i] >= ENOUGH]
        points = [(float(calibration.confidence[i]), float(calibration.accuracy[i])) for i in full]
        bins.append((name, points))
        order = np.argsort(-metrics.softmax(logits).max(axis=1), kind="stable")
        wrong = (logits.argmax(axis=1) != labels)[order]
        sure = metrics.confidence_of_errors(logits, labels)
        unsure = math.nan if not wrong.any() else wrong[-math.ceil(UNSURE * len(wrong)) :].sum() / wrong.sum()
        numbers = next(c for c in context.ranked if c.name == name)
        cells = [name, percent(numbers.calibration_error), f"{numbers.negative_log_likelihood:.4f}"]
        cells += [*map(percent, (sure.right, sure.wrong, unsure)), number(sure.area, 3)]
        rows.append([*map(Cell, cells)])
    heads = ["contender", "calibration error", "negative log-likelihood", "confidence when right", "when wrong"]
    heads += [f"errors among the {100 * UNSURE:g} % least sure", "right is surer than wrong"]
    below = f"Above the diagonal: less sure than right; below: surer. Bins of under {ENOUGH} predictions are left out."
    diagram = Figure("reliability", figures.reliability("Reliability", bins), below)
    note = (
        "Calibration error (the mean distance between confidence and accuracy over 15 bins) and likelihood are means "
        "over seeds; the rest pools them. Last column: how often a right prediction is surer than a wrong one; at 1 "
        f"the errors are the unsure ones, at 0.5 confidence says nothing about them. {how_many(names, context)}"
    )
    return [Figures([diagram]), Table(columns(*heads), rows, note)]


SECTION = Kind(blocks, title="Is it right when it is sure?", least=1)
