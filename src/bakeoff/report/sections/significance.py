"""Who is better than whom."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from bakeoff.evaluation.verdicts import Pair
from bakeoff.findings.pairs import versus
from bakeoff.report import sentences
from bakeoff.report.context import Context
from bakeoff.report.format import margin, p_value, points
from bakeoff.report.render.blocks import Block, Cell, Table, columns
from bakeoff.report.sections.kind import TESTED, Kind, tone

NUMBERS = 12
"""Contenders up to which the matrix has the differences; of more it has signs alone."""
SIGNS = {"better": "+", "worse": "−", "equivalent": "="}


def blocks(context: Context) -> list[Block]:
    """Every pair: the difference, and the verdict."""
    names = [c.name for c in context.contenders]
    pairs = {(a, b): versus(context.findings.pairs, a, b) for a, b in itertools.permutations(names, 2)}
    best = context.findings.selected
    order = sorted(names, key=lambda name: not best or name != best.name)
    below = (
        f"Row less column, in points{'' if len(names) <= NUMBERS else ', as signs'}. Blue: the row is better; orange: "
        f"worse; green: as good, within {margin(context.study.margin)}; grey: undecided."
    )
    matrix = Table(columns("", *names), _matrix(names, pairs), below, name="matrix", matrix=True)
    return [matrix, _table([pairs[a, b] for a, b in itertools.combinations(order, 2)])]


def _matrix(names: Sequence[str], pairs: Mapping[tuple[str, str], Pair]) -> list[list[Cell]]:
    rows = []
    for name in names:
        row = [Cell(name)]
        for pair in (pairs.get((name, other)) for other in names):
            text = pair and (points(pair.difference) if len(names) <= NUMBERS else SIGNS.get(pair.verdict, ""))
            row.append(Cell(text or "", title=_tooltip(pair), tone=tone(pair), heat=0.4) if pair else Cell())
        rows.append(row)
    return rows


def _tooltip(pair: Pair) -> str:
    difference, between, _ = sentences.measured(pair)
    return f"{pair.a} − {pair.b}: {difference} points {between}, {sentences.verdict(pair)}"


def _table(pairs: Sequence[Pair]) -> Table:
    """Pairs with their intervals, p and verdicts."""
    labels = ("contender", "against", *TESTED[:3], "p", *TESTED[3:], "verdict", "to decide it")
    rows = []
    for p in pairs:
        numbers = [*sentences.measured(p), p_value(p.p), p_value(p.p_adjusted)]
        last = [Cell(sentences.verdict(p), tone=tone(p)), Cell(sentences.decided_by(p), tone="quiet")]
        rows.append([Cell(p.a), Cell(p.b), *map(Cell, numbers), *last])
    note = (
        "Each interval is that of its pair alone; p is adjusted over all pairs of the dataset at once (weighted Holm; "
        "those that the study file names before any run share half the level). To decide it: seeds of each with "
        "which the pair is decided in 8 of 10 studies, if the difference is the one measured."
    )
    return Table(columns(*labels, text=2, words=2), rows, note + sentences.one_run(pairs))


SECTION = Kind(blocks, title="Who is better than whom", least=2)
