"""Accuracy against its cost."""

from __future__ import annotations

from bakeoff.report.context import Context
from bakeoff.report.format import listing, number, percent
from bakeoff.report.leaderboard import trained
from bakeoff.report.render import figures
from bakeoff.report.render.blocks import Block, Cell, Figure, Figures, Table, columns
from bakeoff.report.render.svg import short
from bakeoff.report.sections.kind import Kind, accuracy_dot, name_cell

COSTS = {"parameters": "parameters", "multiply_adds": "multiply-adds an image", "seconds": "training seconds"}


def blocks(context: Context) -> list[Block]:
    """Accuracy against what it costs."""
    ranked = context.contenders
    drawn = []
    for key, label in COSTS.items():
        costs = [getattr(c, key) for c in ranked]
        dots = [accuracy_dot(c, f"{short(cost)} {label}, test accuracy") for c, cost in zip(ranked, costs, strict=True)]
        spots = [figures.Spot(c.name, i + 1, costs[i], dots[i]) for i, c in enumerate(ranked)]
        drawn.append(Figure(key, figures.scatter(spots, label)))
    labels = ("contender", "place", "n", "parameters", "multiply-adds", "seconds", "training images/s")
    rows = []
    for place, c in enumerate(ranked, 1):
        cells = [str(place), trained(c), number(c.parameters), short(c.multiply_adds or 0)]
        cells += [number(c.seconds, 1), number(c.images_per_second or None), percent(c.test_accuracy.mean)]
        rows.append([name_cell(context, c), *map(Cell, cells)])
    note = "Multiply-adds of one image, forward; seconds and images/s of training, mean over seeds."
    if averaged := [c.name for c in ranked if context.study.contender(c.name).ensemble]:
        note += f" Of {listing(averaged)}: sums over the members of the ensemble."
    return [Figures(drawn), Table(columns(*labels, "test accuracy"), rows, note)]


SECTION = Kind(blocks, title="Accuracy and its cost", least=2)
