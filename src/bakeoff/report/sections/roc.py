"""ROC curves."""

from __future__ import annotations

import numpy as np

from bakeoff.evaluation import metrics
from bakeoff.report.context import Context
from bakeoff.report.render import figures
from bakeoff.report.render.blocks import Block, Figure, Figures
from bakeoff.report.sections.kind import Kind


def blocks(context: Context) -> list[Block]:
    """One class against the others, by the probability that the model gives it."""
    drawn = []
    for name in context.first(1 + len(context.preferred)):
        rates = zip(context.classes, metrics.roc(*context.test(name)), strict=True)
        curves = {label: curve for label, curve in rates if len(curve.false_positive_rate)}
        caption = (
            f"{name}, seeds pooled (n = {len(context.finished[name])}); in brackets the area under each class's "
            f"curve, the smallest first, on average {np.mean([curve.area for curve in curves.values()]):.4f}."
        )
        drawn.append(Figure(name, figures.roc(f"ROC curves of {name}", curves), caption))
    return [Figures(drawn)] if drawn else []


SECTION = Kind(blocks, title="ROC curves")
