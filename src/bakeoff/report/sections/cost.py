"""Accuracy against its cost."""

from __future__ import annotations

from bakeoff.findings import tables
from bakeoff.findings.tables import percent
from bakeoff.report.context import Context
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
            figures.Spot(c["name"], place, c[key], accuracy_dot(c, f"{short(c[key])} {label}, test accuracy"))
            for place, c in enumerate(ranked, 1)
        ]
        front = [spot.name for spot in figures.pareto(spots)]
        caption = f"Front of the means, cheapest first: {tables.listing(front)}." if len(front) <= 8 else ""
        drawn.append(Figure(key, figures.scatter(spots, label), caption))
    many = len(ranked) > figures.MANY
    labels = ["contender", *(["place"] if many else []), "n", "parameters", "multiply-adds", "seconds"]
    rows = [
        [
            name_cell(context, c),
            *([Cell(str(place))] if many else []),
            Cell(tables.trained(c)),
            Cell(f"{c['parameters']:,}"),
            Cell(short(c["multiply_adds"])),
            Cell(f"{c['seconds']:,.1f}"),
            Cell(f"{c['images_per_second']:,.0f}" if c["images_per_second"] else "–"),
            Cell(percent(c["test_accuracy"]["mean"])),
        ]
        for place, c in enumerate(ranked, 1)
    ]
    note = "Multiply-adds of one image, forward; seconds and images/s of training, mean over seeds."
    averaged = [c["name"] for c in ranked if context.study.contender(c["name"]).ensemble]
    if averaged:
        note += f" Of {tables.listing(averaged)}: sums over the members of the ensemble."
    return [Figures(drawn), Table(columns(*labels, "training images/s", "test accuracy"), rows, note)]


SECTION = Kind(blocks, title="Accuracy and its cost", applies=lambda study: len(study.contenders) > 1)
