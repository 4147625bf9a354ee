"""ROC curves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bakeoff.evaluation import metrics
from bakeoff.report.context import Context
from bakeoff.report.render import figures
from bakeoff.report.render.blocks import Block, Figure, Figures
from bakeoff.report.sections.kind import FEW, Kind


def blocks(context: Context) -> Iterator[Block]:
    """One class against the others, by the probability that the model gives it."""
    for name in context.shown(FEW if context.only else 1 + len(context.named)):
        every = zip(context.classes, metrics.roc(*context.test(name)), strict=True)
        curves = {label: curve for label, curve in every if len(curve.false_positive_rate)}
        caption = (
            f"{name}, seeds pooled (n = {len(context.finished[name])}); in brackets the area under each class's "
            f"curve, the smallest first, on average {np.mean([curve.area for curve in curves.values()]):.4f}."
        )
        whole = Figure(name, figures.roc(f"ROC curves of {name}", curves, 1.0), caption)
        corner = figures.roc(f"ROC curves of {name}, upper left corner", curves, 0.05)
        yield Figures([whole, Figure(f"{name}-corner", corner, "The same, its upper left corner.")])


SECTION = Kind(blocks, title="ROC curves")
