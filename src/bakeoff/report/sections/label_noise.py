"""Wrong labels in the test set."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bakeoff.data.errata import Erratum, published_errata
from bakeoff.evaluation.verdicts import estimate
from bakeoff.findings.runs import all_correct
from bakeoff.report.context import FEW, Context
from bakeoff.report.format import interval, percent
from bakeoff.report.render.blocks import Block, Cell, Paragraph, Table, columns
from bakeoff.report.sections.kind import Kind, how_many


def blocks(context: Context) -> list[Block]:
    """Errors where the label itself is known to be wrong, counted apart."""
    names = context.first(FEW)
    first = context.finished[names[0]][0]
    errata = published_errata(str(first.dataset["name"]), first.labels("test"))
    if not errata:
        return []
    lead = (
        f"{len(errata)} of the {len(first.labels('test')):,} test labels are known to be wrong, by the majority of "
        "five raters each (Northcutt, Athalye & Mueller 2021): there a model that is right counts as wrong."
    )
    labels = ("contender", "n", "errors", "of these, on wrong labels", "test accuracy")
    rows = [[Cell(name), *map(Cell, _row(context, name, errata))] for name in names]
    note = f"Errors are means over the seeds; intervals as in the leaderboard. {how_many(names, context)}"
    return [Paragraph(lead), Table(columns(*labels, "without these images, 95 % interval"), rows, note)]


def _row(context: Context, name: str, errata: Mapping[int, Erratum]) -> list[str]:
    runs, places = context.finished[name], list(errata)
    right = all_correct({name: runs})[name]
    digits = ".1f" if len(runs) > 1 else ".0f"
    return [
        str(len(runs)),
        f"{(~right).sum(axis=1).mean():,{digits}}",
        f"{(~right[:, places]).sum(axis=1).mean():{digits}}",
        percent(float(right.mean())),
        interval(estimate(np.delete(right, places, axis=1))),
    ]


SECTION = Kind(blocks, title="Wrong labels in the test set", least=1)
