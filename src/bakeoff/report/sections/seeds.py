"""What the seeds do."""

from __future__ import annotations

import numpy as np

from bakeoff.findings.one_seed import OneSeed, find_one_seed
from bakeoff.report.context import Context
from bakeoff.report.format import listing, percent
from bakeoff.report.render.blocks import Block, Cell, Paragraph, Table, columns
from bakeoff.report.sections.kind import Kind


def blocks(context: Context) -> list[Block]:
    """How far seeds spread, what one seed alone would have said, and how many seeds a difference needs."""
    ranked = [c for c in context.contenders if c.n > 1]
    if len(ranked) < 2:
        return []
    rows = []
    for c in ranked:
        values = np.array([s.test_accuracy for s in c.seeds])
        cells = [str(len(values)), percent(values.mean()), f"{100 * values.std(ddof=1):.2f}"]
        rows.append([Cell(c.name), *map(Cell, [*cells, percent(values.min()), percent(values.max())])])
    labels = ("contender", "n", "test accuracy", "deviation, points", "lowest", "highest")
    spread = Table(columns(*labels), rows, "Standard deviation over the seeds that trained.")
    return [*map(_one_seed, find_one_seed(ranked)), *_plan(context), spread]


def _one_seed(result: OneSeed) -> Paragraph:
    most = [f"{name} ({100 * chance:.0f} %)" for name, chance in result.others[:3]]
    instead = f", most often {listing(most)}" if most else ""
    draws = f"in {100 * (1 - result.chance):.0f} % of the draws{instead}"
    words = (
        "With one seed a contender, drawn from those that were trained, validation accuracy would have named another"
    )
    return Paragraph(f"{words} winner than {result.winner} {draws}.")


def _plan(context: Context) -> list[Block]:
    """How many seeds show a true difference."""
    limits = {"images": "none: the test set is too small", "seeds": "over 1,000"}
    rows = []
    for entry in context.findings.plan:
        needed = f"{entry.need.seeds:,}" if entry.need.seeds else limits[entry.need.limited_by or "seeds"]
        rows.append([Cell(f"{100 * entry.difference:g}"), Cell(needed)])
    note = (
        "Seeds of each contender with which a study like this one shows a true difference of so many points in 8 of 10 "
        "cases, between two contenders as well told apart as half of the pairs here: at the level that the family of "
        "pairs leaves, with the test images' share of the doubt, and the upper 80 % limit of the seeds' spread."
    )
    return [Table(columns("true difference, points", "seeds needed", text=0, words=1), rows, note)] if rows else []


SECTION = Kind(blocks, title="What the seeds do")
