"""Hypotheses, and what the runs say."""

from __future__ import annotations

from collections.abc import Sequence

from bakeoff.findings.hypotheses import Accuracy, Failures, HypothesisResult
from bakeoff.findings.reported import noise
from bakeoff.report import sentences
from bakeoff.report.context import Context
from bakeoff.report.format import points
from bakeoff.report.hypotheses import judgement
from bakeoff.report.render.blocks import Block, Cell, Column, Heading, Paragraph, Table, columns
from bakeoff.report.sections.kind import TESTED, Kind, tested

WHOSE = {"report": "What the report says", "ours": "Our own hypotheses"}
"""Over the two lists of hypotheses."""
TONES = {"supported": "good", "contradicted": "bad"}
RELATIONS = {
    "better": "over",
    "not worse": "not worse than",
    "equivalent": "as good as",
    "not worse and cheaper": "not worse than, and cheaper than,",
    "faster": "faster than",
}

TABLE = (
    "Differences of test accuracy with 95 % intervals; p is adjusted over all pairs of the dataset. What is undecided "
    "may still be so: the interval says how large it could be."
)
CUT = " Data or recipes are cut at this scale: verdicts hold for this part, not for the whole experiment."
GIVEN = " The report's difference is that of the figures it prints, of validation or test images, a run each."
FAILED = (
    " Where no run of a contender trained, Fisher's exact test of how many runs trained may decide; a test apart from "
    "the verdicts on test accuracy."
)
CHEAPER = " Cheaper: each run took less training time than each of the other's, on one machine; no test."
FASTER = (
    " Faster: validation accuracy after half the time of the shortest training, by Welch's t test over the seeds; a "
    "test apart from the verdicts on test accuracy."
)


def blocks(context: Context) -> list[Block]:
    """The report's statements and our own, and whether the runs support them: a table for each."""
    results = context.findings.hypotheses
    judged = [one for one in results if context.includes(one.hypothesis.better, one.hypothesis.worse)]
    blocks: list[Block] = []
    for source, title in WHOSE.items():
        stated = [one for one in judged if one.hypothesis.source == source]
        run = [one for one in stated if one.result != "not run"]
        cut = [f"“{one.hypothesis.says}”" for one in stated if one.result == "not run"]
        blocks += [Heading(title)] if run or cut else []
        blocks += [_hypotheses(run, context.study.margin)] if run else []
        blocks += [Paragraph(f"Not run at this scale: {'; '.join(cut)}.", tone="quiet")] if cut else []
    return [*blocks, Paragraph(_explained(context, judged), tone="quiet")] if blocks else []


def _hypotheses(judged: Sequence[HypothesisResult], margin: float) -> Table:
    given = any(one.hypothesis.reported for one in judged)
    rows = []
    for one in judged:
        stated = one.hypothesis
        cells = [Cell(stated.says), Cell(f"{stated.better} {RELATIONS[stated.relation]} {stated.worse}")]
        cells += [Cell(_given(one))] if given else []
        cells += tested(one.basis.pair) if isinstance(one.basis, Accuracy) else [Cell("–")] * 4
        rows.append([*cells, Cell(judgement(one, margin), tone=TONES.get(one.result, "quiet"))])
    labels = ["hypothesis", "that is", *(["the report's difference"] if given else []), *TESTED]
    return Table([*columns(*labels, text=2), Column("verdict", "text")], rows)


def _explained(context: Context, judged: Sequence[HypothesisResult]) -> str:
    """How to read the tables."""
    bases = [one.basis for one in judged]
    compared = [basis for basis in bases if isinstance(basis, Accuracy)]
    apart = f" * The report gives one network figures that lie up to {100 * noise(context.study):.2f} points apart."
    remarks = (
        (CUT, not context.study.comparable),
        (GIVEN, any(one.hypothesis.reported for one in judged)),
        (sentences.one_run(basis.pair for basis in compared), True),
        (apart, any(one.within_noise for one in judged)),
        (FAILED, any(isinstance(basis, Failures) and basis.p is not None for basis in bases)),
        (CHEAPER, any(basis.seconds for basis in compared)),
        (FASTER, any(one.hypothesis.relation == "faster" for one in judged)),
    )
    return TABLE + "".join(words for words, applies in remarks if applies)


def _given(one: HypothesisResult) -> str:
    """The report's own difference, marked where it is within the noise of its figures."""
    if one.reported_difference is None:
        return "–"
    return points(one.reported_difference) + (" *" if one.within_noise else "")


SECTION = Kind(blocks, title="Hypotheses, and what the runs say")
