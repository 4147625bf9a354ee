"""A section about chance: what the seeds do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bakeoff.evaluation.seeds import chance_to_win
from bakeoff.reports import tables
from bakeoff.reports.blocks import Block, Cell, Head, Table, Words
from bakeoff.reports.context import Context
from bakeoff.reports.tables import Summary, percent
from bakeoff.study import Section


def seeds(context: Context, section: Section) -> list[Block]:
    """How far seeds spread, what one seed alone would have said, and what would decide the choice's open pairs."""
    ranked = [c for c in context.only(section) if c["trained"] > 1]
    if len(ranked) < 2:
        return []
    rows = []
    for c in ranked:
        found = np.array([s["test_accuracy"] for s in c["seeds"]])
        cells = [str(len(found)), percent(found.mean()), f"{100 * found.std(ddof=1):.2f}"]
        rows.append([Cell(c["name"]), *map(Cell, [*cells, percent(found.min()), percent(found.max())])])
    heads = [Head("contender", "text"), Head("n"), Head("test accuracy"), Head("deviation, points")]
    spread = Table([*heads, Head("lowest"), Head("highest")], rows, "Standard deviation over the seeds that trained.")
    words = one_seed(ranked)
    return [*([Words(words)] if words else []), *_needed(context), spread]


def one_seed(ranked: Sequence[Summary]) -> str:
    """How often a study with a single seed each would have named another winner; nothing where that cannot be told.

    `ranked` are contenders in the order of their validation accuracy; those with one seed, or that choose on the test
    set, do not count.
    """
    honest = [c for c in ranked if c["trained"] > 1 and not c["selects_on_test"]]
    if len(honest) < 2:
        return ""
    chances = chance_to_win({c["name"]: [s["validation_accuracy"] for s in c["seeds"]] for c in honest})
    best = honest[0]["name"]
    others = sorted(((chance, name) for name, chance in chances.items() if name != best and chance), reverse=True)
    said = [f"{name} ({100 * chance:.0f} %)" for chance, name in others[:3]]
    instead = f", most often {tables.listing(said)}" if said else ""
    return (
        f"With one seed a contender, drawn from those that were trained, validation accuracy would have named another "
        f"winner than {best} in {100 * (1 - chances[best]):.0f} % of studies{instead}."
    )


def _needed(context: Context) -> list[Block]:
    """What would decide the pairs that the choice is undecided in."""
    best = tables.pick(context.summary)
    if not best:
        return []
    rows = [
        [Cell(p["b"]), *map(Cell, [*tables.measured(p), tables.what_would_decide(p)])]
        for p in tables.facing(context.summary, best["name"])
        if tables.verdict(p) == "undecided"
    ]
    if not rows:
        return []
    heads = [Head(f"{best['name']} against", "text"), Head("difference, points"), Head("95 % interval"), Head("runs")]
    caption = (
        "Seeds with which such a study would decide the pair with a chance of 8 in 10, if the true difference is the "
        "one measured: at the adjusted level, with the test images' share of the doubt, and with an upper limit "
        "(80 %) of the seeds' spread."
    )
    return [Table([*heads, Head("what would decide it", "text")], rows, caption)]
