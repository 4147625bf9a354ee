"""Who is better than whom."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from bakeoff.evaluation.verdicts import Pair
from bakeoff.findings.pairs import versus
from bakeoff.report import sentences
from bakeoff.report.context import Context
from bakeoff.report.format import margin, p_value
from bakeoff.report.render import figures
from bakeoff.report.render.blocks import Block, Cell, Figure, Figures, Table, columns
from bakeoff.report.sections.kind import TESTED, Kind, tone


def blocks(context: Context) -> list[Block]:
    """Every pair: the difference, and the verdict."""
    names = [c.name for c in context.asked]
    pairs = {(a, b): versus(context.findings.pairs, a, b) for a, b in itertools.permutations(names, 2)}
    cells: dict[tuple[str, str], tuple[float, str, str]] = {
        key: (pair.difference, pair.verdict, _tooltip(pair)) for key, pair in pairs.items()
    }
    caption = (
        "Blue: the row is better than the column; orange: worse; green: as good, within "
        f"{margin(context.study.margin)}; grey: undecided. The table below has each pair's interval and p."
    )
    matrix = Figures([Figure("matrix", figures.significance(names, cells), caption)], wide=True)
    best = context.findings.selected
    order = sorted(names, key=lambda name: not best or name != best.name)
    return [matrix, _pairs([pairs[a, b] for a, b in itertools.combinations(order, 2)])]


def _tooltip(pair: Pair) -> str:
    """A pair in full, and of an undecided one what would decide it."""
    difference, between, _ = sentences.measured(pair)
    verdict = sentences.verdict(pair)
    decide = f": {sentences.what_would_decide(pair)}" if verdict == "undecided" else ""
    return f"{pair.a} − {pair.b}: {difference} points {between}, {verdict}{decide}"


def _pairs(pairs: Sequence[Pair]) -> Table:
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


SECTION = Kind(blocks, title="Who is better than whom", least=2, applies=lambda study: len(study.contenders) > 1)
