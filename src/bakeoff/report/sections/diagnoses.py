"""Diagnoses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from bakeoff.findings.fallbacks import Fallback
from bakeoff.findings.guessing import Guessing
from bakeoff.findings.one_change import OneChange
from bakeoff.findings.softmax import SoftmaxBeforeLoss
from bakeoff.findings.test_choices import ChosenOnTest
from bakeoff.report import sentences
from bakeoff.report.context import Context
from bakeoff.report.format import interval, percent, share
from bakeoff.report.render.blocks import Block, Cell, Column, Heading, Paragraph, Table, columns
from bakeoff.report.sections.kind import TESTED, Kind, tested, tone


def blocks(context: Context) -> list[Block]:
    """What went wrong, and what it cost: only what applies to the study."""
    findings = context.findings
    parts: list[tuple[str, Callable[[Sequence[Any]], list[Block]], Sequence[Any]]] = [
        ("One change at a time", _one_change, findings.one_change),
        ("Softmax before the cross-entropy", _softmax, findings.softmax),
        ("Hardly better than guessing", _guessing, findings.guessing),
        ("Another optimiser took over", _fallbacks, findings.fallbacks),
        ("Choosing on the test set", _test_choices, findings.test_choices),
    ]
    blocks: list[Block] = []
    for title, make, entries in parts:
        if included := [entry for entry in entries if context.includes(*_names(entry))]:
            blocks += [Heading(title), *make(included)]
    return blocks


def _names(entry: Any) -> tuple[str, ...]:
    return (entry.before, entry.after) if isinstance(entry, OneChange) else (entry.contender,)


def _one_change(changes: Sequence[OneChange]) -> list[Block]:
    rows = []
    for change in changes:
        in_order = replace(change.pair, runs=change.pair.runs[::-1])  # of the first, then of the second
        cells = [Cell(change.before), Cell(change.after), Cell(sentences.of_change(change.change)), *tested(in_order)]
        cells.append(Cell(share(change.share)))
        rows.append([*cells, Cell(sentences.verdict(change.pair), tone=tone(change.pair))])
    note = (
        "Test accuracy of the second less that of the first, of which at least one is as reported. Optimiser, rate, "
        "momentum and schedule count as one thing. p is adjusted over all pairs of the dataset. Of the repair: the "
        "share of the difference to the network's best repaired contender, where that is shown to be better."
    )
    note += sentences.one_run(change.pair for change in changes)
    labels = ("from", "to", "one change", *TESTED, "of the repair", "verdict")
    return [Table(columns(*labels, text=3, words=1), rows, note)]


def _fallbacks(entries: Sequence[Fallback]) -> list[Block]:
    return [Paragraph(sentences.of_fallback(entry)) for entry in entries]


def _softmax(entries: Sequence[SoftmaxBeforeLoss]) -> list[Block]:
    first = entries[0]
    lead = (
        "A network that ends in softmax and is trained with cross-entropy has its probabilities taken for logits. Even "
        f"where it is right and sure, its loss is ln(e + K − 1) − 1 = {first.floor:.4f} for these "
        f"{first.classes} classes, and that of equal guessing is ln K = {first.equal_loss:.4f}: what training "
        "can gain lies between the two, with gradients that are small from the start."
    )
    labels = ["contender", "n", "training loss reached", "of the way down"]
    labels += ["reported loss", "of the way down"] * any(entry.reported_loss is not None for entry in entries)
    rows = []
    for entry in entries:
        loss, way = entry.reported_loss, entry.reported_way
        cells = [entry.contender, str(entry.n), f"{entry.train_loss:.4f}", share(entry.way)]
        cells += ["–", "–"] if loss is None or way is None else [f"{loss:.4g}", share(way)]
        rows.append([*map(Cell, cells[: len(labels)])])
    note = "The lowest mean training loss of an epoch, mean over seeds. 100 % is the floor."
    return [Paragraph(lead), Table(columns(*labels), rows, note)]


def _guessing(entries: Sequence[Guessing]) -> list[Block]:
    labels = ("contender", "runs", "training loss", "of equal guessing", "validation", "most frequent class")
    rows = []
    for entry in entries:
        cells = [entry.contender, f"{entry.runs} of {entry.n}", f"{entry.train_loss:#.5g}"]
        cells += ["–" if entry.equal_loss is None else f"{entry.equal_loss:.4f}"]
        cells += [percent(entry.validation_accuracy), percent(entry.most_frequent)]
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
