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
    ranked = context.asked
    if len(ranked) < 2:
        return []
    drawn = []
    for key, label in COSTS.items():
        spots = [
            figures.Spot(c.name, place, value, accuracy_dot(c, f"{short(value)} {label}, test accuracy"))
            for place, c in enumerate(ranked, 1)
            for value in [getattr(c, key)]
        ]
        front = [spot.name for spot in figures.pareto(spots)]
        caption = f"Front of the means, cheapest first: {listing(front)}." if len(front) <= 8 else ""
        drawn.append(Figure(key, figures.scatter(spots, label), caption))
    many = len(ranked) > figures.MANY
    labels = ["contender", *(["place"] if many else []), "n", "parameters", "multiply-adds", "seconds"]
    rows = [
        [
            name_cell(context, c),
            *([Cell(str(place))] if many else []),
            Cell(trained(c)),
            Cell(number(c.parameters)),
            Cell(short(c.multiply_adds or 0)),
            Cell(number(c.seconds, 1)),
            Cell(number(c.images_per_second or None)),
            Cell(percent(c.test_accuracy.mean)),
        ]
        for place, c in enumerate(ranked, 1)
    ]
    note = "Multiply-adds of one image, forward; seconds and images/s of training, mean over seeds."
    averaged = [c.name for c in ranked if context.study.contender(c.name).ensemble]
    if averaged:
        note += f" Of {listing(averaged)}: sums over the members of the ensemble."
    return [Figures(drawn), Table(columns(*labels, "training images/s", "test accuracy"), rows, note)]


SECTION = Kind(blocks, title="Accuracy and its cost", applies=lambda study: len(study.contenders) > 1)
