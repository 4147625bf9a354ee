"""The environment."""

from __future__ import annotations

from bakeoff.report.context import Context
from bakeoff.report.format import plural
from bakeoff.report.render.blocks import Block, Cell, Code, Paragraph, Table, columns
from bakeoff.report.sections.kind import Kind
from bakeoff.report.summary import environment


def blocks(context: Context) -> list[Block]:
    """What made these numbers, and the command that makes them again."""
    blocks: list[Block] = [Paragraph("This page is made again by"), Code(context.command)]
    if context.study.about:
        blocks += [Paragraph("The study's file says:"), Code(context.study.about)]
    rows = [
        [Cell(key), Cell("; ".join(map(str, value)) if isinstance(value, list) else str(value))]
        for key, value in environment(context.runs).items()
    ]
    if packed := sum(run.packed for run in context.runs):
        words = f"{plural(packed, 'record')} {'was' if packed == 1 else 'were'} packed"
        blocks.append(Paragraph(f"{words}: accuracies are exact, losses, calibration and areas rounded."))
    return [*blocks, Table(columns("what", "value", text=2), rows)] if rows else blocks


SECTION = Kind(blocks, title="Environment", all_runs=True)
