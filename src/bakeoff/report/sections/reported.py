"""A section on what reports gave against what the runs give."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bakeoff.evaluation.metrics import Interval
from bakeoff.findings.reported import (
    MEASURES,
    UNDECIDABLE,
    Judgement,
    Reason,
    ReportedFigure,
    figures_of,
    find_reported,
)
from bakeoff.report.context import Context
from bakeoff.report.format import interval, listing, number, percent
from bakeoff.report.render.blocks import Block, Cell, Column, Paragraph, Table, columns
from bakeoff.report.sections.kind import Kind
from bakeoff.spec.plan import Plan

LABELS = {"loss": "validation loss", "top5": "top-5 accuracy", "roc_area": "smallest area under a class's ROC curve"}
"""Of the figures whose key does not say it."""
REASONS: dict[Reason, str] = {
    "cut": "this scale is cut",
    "generated": "the images are generated anew",
    "unprinted": "setting not printed",
    "no figure": "our runs have no such figure",
    "machine": "another machine",
    "chosen on test": "it was chosen on the test set",
    "one run": "one run",
    "seeds agree": "our seeds agree exactly",
    "seeds spread": "our seeds spread too widely",
}
TONES = {"reproduced": "good", "exceeded": "good", "not reproduced": "bad"}


def ours_text(key: str, ours: Interval) -> str:
    """Our figure, with the prediction interval of one more run where there is one."""
    if MEASURES[key].split:
        return interval(Interval(ours.mean, max(ours.low, 0.0), min(ours.high, 1.0)))
    return _number(ours.mean) + (f" [{_number(ours.low)}, {_number(ours.high)}]" if ours.low < ours.high else "")


def _number(value: float) -> str:
    """A figure that is no share of images: `92,498`, `0.1013`."""
    return number(value) if value >= 1000 else f"{value:.4g}"


def verdict_text(judgement: Judgement, unprinted: str = "") -> str:
    """The verdict, and why there is none. `unprinted`: what is not printed of the figure's setting."""
    if not judgement.reason:
        return judgement.verdict
    detail = f" ({unprinted})" if unprinted and judgement.reason == "unprinted" else ""
    return f"{judgement.verdict}: {REASONS[judgement.reason]}{detail}"


def _name(figure: ReportedFigure) -> str:
    """`momentum=0.9`, or `optimizer: adam` where the label does not say what was varied."""
    varied, label = (re.sub("[-_ ]", "", text).lower() for text in (figure.sweep, figure.point))
    return figure.point if label.startswith(varied) else f"{figure.sweep}: {figure.point}"


def _of_unprinted_values(study: Plan) -> list[str]:
    """The figures of each sweep whose values the report does not print: `l2: 96.67 % and 11.35 %`."""
    sweeps = {sweep.name: sweep for sweep in (*study.left_out_points, *study.sweeps) if sweep.reported}
    return [f"{name}: {listing([percent(value) for value in sweep.reported])}" for name, sweep in sweeps.items()]


def blocks(context: Context) -> list[Block]:
    """What reports gave against what the runs give."""
    study, rows, left_out = context.study, [], []
    figures = find_reported(study, context.ended)
    for figure in figures:
        if not context.includes(figure.contender):
            continue
        name, judgement = _name(figure), figure.judgement
        label = LABELS.get(figure.key, figure.key.replace("_", " "))
        published = percent(figure.published) if MEASURES[figure.key].split else _number(figure.published)
        if judgement.verdict == "not run":
            left_out.append(f"{name} ({label}, {published})")
            continue
        cells = [name, label, published, ours_text(figure.key, judgement.ours), str(figure.n or "–")]
        verdict = Cell(verdict_text(judgement, figure.unprinted), tone=TONES.get(judgement.verdict, "quiet"))
        rows.append([*map(Cell, cells), verdict])
    heads = columns("contender", "figure", "reported", "ours, 95 % for one more run", "n", text=2)
    note = (
        "A reported figure is one run, so it is held against the 95 % prediction interval for one more run of ours "
        "(t over two or more seeds, and for training and validation accuracy the noise of other images): inside it is "
        f"reproduced, unless it is wider than {100 * UNDECIDABLE:g} points; ours better, exceeded. "
        "Parameters are compared to the digits that are printed. "
        "Test accuracy is that after the last epoch, also of a contender that keeps its best one."
    )
    trained = {c.name: c.n for c in context.findings.contenders}
    if any(figure.n > trained.get(figure.contender, 0) for figure in figures):
        note += " n counts the runs that ended, those that did not train among them: unlike elsewhere, they count here."
    if study.unprinted:
        note += f" Of no accuracy or loss is the whole setting printed; what is missing: {study.unprinted}."
    words = [Paragraph(_of_noise(name, values)) for name, values in figures_of(study).items()]
    blocks: list[Block] = [*words, Table([*heads, Column("verdict", "text")], rows, note)] if rows else []
    if unplaced := _of_unprinted_values(study):
        sentence = f"Reported for values that are not printed (test accuracy): {'; '.join(unplaced)}."
        blocks.append(Paragraph(sentence, tone="quiet"))
    if left_out:
        blocks.append(Paragraph(f"Reported, and not run at this scale: {'; '.join(left_out)}.", tone="quiet"))
    return blocks


def _of_noise(name: str, values: Sequence[float]) -> str:
    """How far apart the figures are that a report gives to one network."""
    return (
        f"The report gives {len(values)} test accuracies that may all be of {name}: "
        f"{listing([percent(value) for value in values])}. They lie {100 * (values[-1] - values[0]):.2f} points apart, "
        "so a smaller difference between two of its figures may be chance."
    )


SECTION = Kind(blocks, title="Reported against measured", all_runs=True)
