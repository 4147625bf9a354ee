"""A section about chance: what the seeds do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bakeoff.evaluation.seeds import MOST, chance_to_win, seeds_needed
from bakeoff.reports import tables
from bakeoff.reports.blocks import Block, Cell, Head, Table, Words
from bakeoff.reports.context import Context
from bakeoff.reports.tables import Summary, percent
from bakeoff.study import Section

DIFFERENCES = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02)
"""True differences of accuracy for which the seeds needed are told."""


def seeds(context: Context, section: Section) -> list[Block]:
    """How far seeds spread, what one seed alone would have said, and how many a difference needs."""
    ranked = [c for c in context.only(section) if c["n"] > 1]
    if len(ranked) < 2:
        return []
    accuracies = {c["name"]: {s["seed"]: s["test_accuracy"] for s in c["seeds"]} for c in ranked}
    rows = []
    for c in ranked:
        found = np.array(list(accuracies[c["name"]].values()))
        cells = [str(len(found)), percent(found.mean()), f"{100 * found.std(ddof=1):.2f}"]
        rows.append([Cell(c["name"]), *map(Cell, [*cells, percent(found.min()), percent(found.max())])])
    heads = [Head("contender", "text"), Head("n"), Head("test accuracy"), Head("deviation, points")]
    spread = Table([*heads, Head("lowest"), Head("highest")], rows, "Standard deviation over the seeds.")
    said = one_seed(ranked)
    return [*([Words(said)] if said else []), *_needed(accuracies, ranked[0]["name"]), spread]


def one_seed(ranked: Sequence[Summary]) -> str:
    """How often a study with a single seed each would have named another winner; nothing where that cannot be told.

    `ranked` are contenders in the order of their validation accuracy; those with one seed, or that choose on the test
    set, do not count.
    """
    honest = [c for c in ranked if c["n"] > 1 and not c["selects_on_test"]]
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


def _needed(accuracies: dict[str, dict[int, float]], best: str) -> list[Block]:
    """How many seeds show a difference, from the spread of the paired differences to the best."""
    spreads = []
    for name, found in accuracies.items():
        shared = sorted(found.keys() & accuracies[best].keys())
        if name != best and len(shared) > 1:
            spreads.append(float(np.std([accuracies[best][s] - found[s] for s in shared], ddof=1)))
    spread = float(np.median(spreads)) if spreads else 0.0
    if spread == 0:
        return []
    rows = []
    for difference in DIFFERENCES:
        needed = seeds_needed(spread, difference)
        rows.append([Cell(f"{100 * difference:g}"), Cell(str(needed) if needed else f"over {MOST}")])
    caption = (
        f"Seeds whose paired t test finds a true difference in 8 of 10 studies, where paired differences spread by "
        f"{100 * spread:.2f} points from seed to seed (the median over the pairs with {best}). No number of seeds "
        "makes up for a small test set: its share of the doubt stays."
    )
    return [Table([Head("true difference, points"), Head("seeds needed")], rows, caption)]
