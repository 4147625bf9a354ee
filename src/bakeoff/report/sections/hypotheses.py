"""Hypotheses, and what the runs say."""

from __future__ import annotations

from collections.abc import Sequence

from bakeoff.findings.hypotheses import Accuracy, HypothesisResult
from bakeoff.findings.reported import noise
from bakeoff.report import sentences
from bakeoff.report.context import Context
from bakeoff.report.format import points
from bakeoff.report.hypotheses import judgement
from bakeoff.report.render.blocks import Block, Cell, Column, Heading, Paragraph, Table, columns
from bakeoff.report.sections.kind import TESTED, Kind, tested

HEADINGS = {"report": "What the report says", "ours": "Our own hypotheses"}
"""Over the two lists of hypotheses."""
TONES = {"supported": "good", "contradicted": "bad"}
RELATIONS = {
    "better": "over",
    "not worse": "not worse than",
    "equivalent": "as good as",
    "not worse and cheaper": "not worse than, and cheaper than,",
    "faster": "faster than",
}

NOTE = (
    "Differences of test accuracy with 95 % intervals; p is adjusted over all pairs of the dataset. What is undecided "
    "may still be so: the interval says how large it could be."
)


def blocks(context: Context) -> list[Block]:
    """The report's statements and our own, and whether the runs support them: a table for each."""
    results = context.findings.hypotheses
    judged = [result for result in results if context.includes(result.hypothesis.better, result.hypothesis.worse)]
    blocks: list[Block] = []
    for source, title in HEADINGS.items():
        stated = [result for result in judged if result.hypothesis.source == source]
        run = [result for result in stated if result.result != "not run"]
        cut = [f"“{result.hypothesis.says}”" for result in stated if result.result == "not run"]
        blocks += [Heading(title)] if run or cut else []
        blocks += [_table(run, context.study.margin)] if run else []
        blocks += [Paragraph(f"Not run at this scale: {'; '.join(cut)}.", tone="quiet")] if cut else []
    bases = [result.basis for result in judged]
    note = NOTE + sentences.one_run(basis.pair for basis in bases if isinstance(basis, Accuracy))
    if any(result.hypothesis.reported for result in judged):
        note += " The report's difference is that of the figures it prints, of validation or test images, a run each."
    if any(result.within_noise for result in judged):
        note += f" * The report gives one network figures that lie up to {100 * noise(context.study):.2f} points apart."
    return [*blocks, Paragraph(note, tone="quiet")] if blocks else []


def _table(judged: Sequence[HypothesisResult], margin: float) -> Table:
    reported = any(result.hypothesis.reported for result in judged)
    rows = []
    for result in judged:
        stated = result.hypothesis
        cells = [Cell(stated.says), Cell(f"{stated.better} {RELATIONS[stated.relation]} {stated.worse}")]
        cells += [Cell(_reported_difference(result))] if reported else []
        cells += tested(result.basis.pair) if isinstance(result.basis, Accuracy) else [Cell("–")] * 4
        rows.append([*cells, Cell(judgement(result, margin), tone=TONES.get(result.result, "quiet"))])
    labels = ["hypothesis", "that is", *(["the report's difference"] if reported else []), *TESTED]
    return Table([*columns(*labels, text=2), Column("verdict", "text")], rows)


def _reported_difference(result: HypothesisResult) -> str:
    """The report's own difference, marked where it is within the noise of its figures."""
    if result.reported_difference is None:
        return "–"
    return points(result.reported_difference) + (" *" if result.within_noise else "")


SECTION = Kind(blocks, title="Hypotheses, and what the runs say")
