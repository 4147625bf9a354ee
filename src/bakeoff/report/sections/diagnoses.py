"""Diagnoses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from bakeoff.findings.guessing import Guessing
from bakeoff.findings.one_change import OneChange
from bakeoff.findings.softmax import SoftmaxBeforeLoss
from bakeoff.findings.test_choices import ChosenOnTest
from bakeoff.report import sentences
from bakeoff.report.context import Context
from bakeoff.report.format import interval, percent, plural, share
from bakeoff.report.render.blocks import Block, Cell, Column, Heading, Paragraph, Table, columns
from bakeoff.report.sections.kind import TESTED, Kind, tested, tone
from bakeoff.report.summary import ONE_CHANGES

F = TypeVar("F")


def blocks(context: Context) -> list[Block]:
    """What went wrong, and what it cost: only what applies to the study."""

    def own(entries: Sequence[F], *keys: str) -> list[F]:
        """Those about a contender that the section is of."""
        return [entry for entry in entries if context.includes(*(getattr(entry, key) for key in keys or ["contender"]))]

    findings = context.findings
    parts: dict[str, list[Block]] = {
        "One change at a time": _one_change(own(findings.one_change, "before", "after")),
        "Softmax before the cross-entropy": _softmax(own(findings.softmax)),
        "Hardly better than guessing": _guessing(own(findings.guessing)),
        "Another optimiser took over": [Paragraph(sentences.of_fallback(entry)) for entry in own(findings.fallbacks)],
        "Choosing on the test set": _test_choices(own(findings.test_choices)),
    }
    return [block for title, blocks in parts.items() if blocks for block in (Heading(title), *blocks)]


def _one_change(changes: Sequence[OneChange]) -> list[Block]:
    if not changes:
        return []
    labels, rows, shown = ("from", "to", "one change", *TESTED, "verdict"), [], changes[:ONE_CHANGES]
    for one in shown:
        in_order = replace(one.pair, runs=one.pair.runs[::-1])  # of the first, then of the second
        cells = [Cell(one.before), Cell(one.after), Cell(sentences.of_change(one.change)), *tested(in_order)]
        rows.append([*cells, Cell(sentences.verdict(one.pair), tone=tone(one.pair))])
    note = (
        "Test accuracy of the second less that of the first, of which at least one is as reported. Optimiser, rate, "
        "momentum and schedule count as one thing. p is adjusted over all pairs of the dataset."
    )
    note += sentences.one_run(one.pair for one in shown)
    if others := len(changes) - len(shown):
        note += f" There was no room for {plural(others, 'more pair')}."
    return [Table(columns(*labels, text=3, words=1), rows, note)]


def _softmax(entries: Sequence[SoftmaxBeforeLoss]) -> list[Block]:
    if not entries:
        return []
    first = entries[0]
    lead = (
        "A network that ends in softmax and is trained with cross-entropy has its probabilities taken for logits. Even "
        f"where it is right and sure, its loss is ln(e + K − 1) − 1 = {first.floor:.4f} for these "
        f"{first.classes} classes, and that of equal guessing is ln K = {first.equal_loss:.4f}: what training "
        "can gain lies between the two, with gradients that are small from the start."
    )
    labels = ["contender", "n", "training loss reached", "of the way down"]
    reported = any(entry.reported_loss is not None for entry in entries)
    labels += ["reported loss", "of the way down"] if reported else []
    rows = []
    for entry in entries:
        loss, way = entry.reported_loss, entry.reported_way
        cells = [entry.contender, str(entry.n), f"{entry.train_loss:.4f}", share(entry.way)]
        cells += ["–", "–"] if loss is None or way is None else [f"{loss:.4g}", share(way)]
        rows.append([*map(Cell, cells[: len(labels)])])
    note = "The lowest mean training loss of an epoch, mean over seeds. 100 % is the floor."
    return [Paragraph(lead), Table(columns(*labels), rows, note)]


def _guessing(entries: Sequence[Guessing]) -> list[Block]:
    if not entries:
        return []
    labels = ("contender", "runs", "training loss", "of equal guessing", "validation", "most frequent class")
    rows = []
    for entry in entries:
        loss = entry.train_loss
        cells = [entry.contender, f"{entry.runs} of {entry.n}", f"{loss:.4f}" if loss < 100 else f"{loss:.2g}"]
        cells += [f"{entry.equal_loss:.4f}", percent(entry.validation_accuracy), percent(entry.most_frequent)]
        learns = [f"{'; '.join(map(sentences.of_change, way.changes))} ({way.contender})" for way in entry.trains]
        rows.append([*map(Cell, cells), Cell("; or ".join(learns) or "–")])
    note = (
        "Runs whose validation accuracy is not shown to beat always naming the most frequent class (binomial test): "
        "like runs that diverged, they failed to train and count in no mean. Training loss: the lowest of an epoch, "
        "mean over these runs. Nearest that learns: of the contenders all of whose runs trained, those that differ "
        "least from it, and in what."
    )
    heads = [*columns(*labels), Column("nearest that learns", "text")]
    return [Table(heads, rows, note)]


def _test_choices(entries: Sequence[ChosenOnTest]) -> list[Block]:
    if not entries:
        return []
    labels = ("contender", "n", "epochs", "best epoch by test", "best by validation", "last epoch")
    gains = ("gain over the best by validation", "gain over the last")
    rows = []
    for entry in entries:
        accuracies = map(percent, (entry.by_test, entry.by_validation, entry.last))
        cells = [entry.contender, str(entry.n), str(entry.epochs), *accuracies, *map(interval, entry.over.values())]
        rows.append([*map(Cell, cells)])
    note = (
        "Test accuracy, mean over seeds. The best of several epochs is never below any other, so its lead over an "
        "epoch that was chosen without it is flattery; its 95 % interval is Student's t over the seeds."
    )
    return [Table(columns(*labels, *gains), rows, note)]


SECTION = Kind(blocks, title="Diagnoses")
