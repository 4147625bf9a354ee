"""Wrong labels in the test set."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bakeoff.data import known_wrong_labels
from bakeoff.data.errata import Erratum, published_errata
from bakeoff.evaluation.verdicts import Estimate, Verdicts, decide
from bakeoff.findings.pairs import declared
from bakeoff.findings.runs import all_correct
from bakeoff.report import sentences
from bakeoff.report.context import Context
from bakeoff.report.format import interval, listing, percent
from bakeoff.report.render.blocks import Block, Cell, Paragraph, Table, columns
from bakeoff.report.sections.kind import FEW, Kind, which

CHECK = "A check beside the page's verdicts, in which all pairs are decided anew: without these images"


def blocks(context: Context) -> list[Block]:
    """Errors where the label itself is known to be wrong, for the selected contender and the best after it, and what
    changes without these images."""
    names = context.shown(FEW)
    first = context.finished[names[0]][0]
    errata = published_errata(str(first.dataset["name"]), first.labels("test"))
    if not errata:
        return []
    sound = np.ones(len(first.labels("test")), bool)
    sound[list(errata)] = False
    right = {name: answers[:, sound] for name, answers in all_correct(context.finished).items()}
    study = context.study
    named = declared(study.contenders, study.hypotheses, study.sweeps, right)
    without = decide(right, declared=named, margin=study.margin, level=study.level)
    labels = ("contender", "n", "errors", "of these, on wrong labels", "says there what people see", "test accuracy")
    rows = [[Cell(name), *map(Cell, _row(context, name, errata, without.estimates[name]))] for name in names]
    note = f"Errors are means over the seeds; intervals as in the leaderboard.{which(names, context)}"
    lead = (
        f"{len(errata)} of the {len(sound):,} test labels are known to be wrong, by the majority of five raters each "
        "(Northcutt, Athalye & Mueller 2021): there a model that is right counts as wrong."
    )
    return [
        Paragraph(lead),
        Table(columns(*labels, "without these images, 95 % interval"), rows, note),
        *_verdicts(context, names, without),
    ]


def _row(context: Context, name: str, errata: Mapping[int, Erratum], without: Estimate) -> list[str]:
    runs, places = context.finished[name], list(errata)
    right = all_correct({name: runs})[name]
    seen = np.array([run.logits("test")[places].argmax(axis=1) for run in runs])
    agree = (seen == [erratum.seen for erratum in errata.values()]).sum(axis=1).mean()
    digits = ".1f" if len(runs) > 1 else ".0f"
    return [
        str(len(runs)),
        f"{(~right).sum(axis=1).mean():,{digits}}",
        f"{(~right[:, places]).sum(axis=1).mean():{digits}}",
        f"{agree:{digits}} of {len(errata)}",
        percent(float(right.mean())),
        interval(without),
    ]


def _verdicts(context: Context, names: list[str], without: Verdicts) -> list[Block]:
    """Whether the comparisons among `names` end in another verdict without the images whose labels are wrong; they
    too are decided among all pairs of the study."""
    before = {(p.a, p.b): sentences.verdict(p) for p in context.findings.pairs}
    after = {(p.a, p.b): sentences.verdict(p) for p in without.pairs if {p.a, p.b} <= {*names}}
    changed = [
        f"{a} against {b}: {before[a, b]} with them, {verdict} without"
        for (a, b), verdict in after.items()
        if verdict != before[a, b]
    ]
    every = f"every verdict among {listing(names)} stays what it is"
    what = f"another verdict stands in {listing(changed)}" if changed else every
    return [Paragraph(f"{CHECK} {what}.")] if after else []


SECTION = Kind(
    blocks, title="Wrong labels in the test set", least=1, applies=lambda study: bool(known_wrong_labels(study.dataset))
)
