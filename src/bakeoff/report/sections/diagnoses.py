"""Diagnoses."""

from __future__ import annotations

from bakeoff.findings import tables
from bakeoff.findings.tables import Summary, percent
from bakeoff.report import answer
from bakeoff.report.context import Context
from bakeoff.report.render.blocks import Block, Cell, Column, Heading, Paragraph, Table, columns
from bakeoff.report.sections.kind import TESTED, Kind, tested, tone


def blocks(context: Context) -> list[Block]:
    """What went wrong, and what it cost: only what applies to the study."""
    found = dict(context.summary["diagnoses"])
    if context.only:
        found = {key: _of(value, context.only) if isinstance(value, list) else 0 for key, value in found.items()}
    changes = [*_one_change(found), *_softmax(found["softmax"]), *_guessing(found["guessing"])]
    fallbacks: list[Block] = [Paragraph(answer.of_fallback(entry)) for entry in found["fallbacks"]]
    optimisers = [Heading("Another optimiser took over"), *fallbacks] if fallbacks else []
    return [*changes, *optimisers, *_test_choices(found["test_choices"])]


def _of(entries: list[Summary], names: tuple[str, ...]) -> list[Summary]:
    return [entry for entry in entries if {entry.get("contender"), entry.get("from"), entry.get("to")} & {*names}]


def _one_change(found: Summary) -> list[Block]:
    if not found["one_change"]:
        return []
    labels, rows = ("from", "to", "one change", *TESTED, "verdict"), []
    for pair in found["one_change"]:
        in_order = {**pair, "runs": pair["runs"][::-1]}  # of the first, then of the second
        cells = [Cell(pair["from"]), Cell(pair["to"]), Cell(pair["change"]), *tested(in_order)]
        rows.append([*cells, Cell(tables.verdict(pair), tone=tone(pair))])
    note = (
        "Test accuracy of the second less that of the first, of which at least one is as reported. Optimiser, rate, "
        "momentum and schedule count as one thing. p is adjusted over all pairs of the dataset."
    )
    note += tables.ONE_RUN if any(pair["single_run"] for pair in found["one_change"]) else ""
    if found["one_change_others"]:
        note += f" There was no room for {tables.plural(found['one_change_others'], 'more pair')}."
    sentences = [Paragraph(sentence) for pair in found["one_change"] if (sentence := answer.of_threshold(pair))]
    return [Heading("One change at a time"), *sentences, Table(columns(*labels, text=3, words=1), rows, note)]


def _softmax(entries: list[Summary]) -> list[Block]:
    if not entries:
        return []
    first = entries[0]
    lead = (
        "A network that ends in softmax and is trained with cross-entropy has its probabilities taken for logits. Even "
        f"where it is right and sure, its loss is ln(e + K − 1) − 1 = {first['floor']:.4f} for these "
        f"{first['classes']} classes, and that of equal guessing is ln K = {first['equal_loss']:.4f}: what training "
        "can gain lies between the two, with gradients that are small from the start."
    )
    labels = ["contender", "n", "training loss reached", "of the way down"]
    reported = any(entry["reported_loss"] is not None for entry in entries)
    labels += ["reported loss", "of the way down"] if reported else []
    rows = []
    for entry in entries:
        loss = entry["reported_loss"]
        cells = [entry["contender"], str(entry["n"]), f"{entry['train_loss']:.4f}", answer.share(entry["way"])]
        cells += ["–", "–"] if loss is None else [f"{loss:.4g}", answer.share(entry["reported_way"])]
        rows.append([*map(Cell, cells[: len(labels)])])
    note = "The lowest mean training loss of an epoch, mean over seeds. 100 % is the floor."
    sentences = [lead, *(sentence for entry in entries for sentence in answer.of_softmax(entry))]
    table = Table(columns(*labels), rows, note)
    return [Heading("Softmax before the cross-entropy"), *map(Paragraph, sentences), table]


def _guessing(entries: list[Summary]) -> list[Block]:
    if not entries:
        return []
    labels = ("contender", "runs", "training loss", "of equal guessing", "validation", "most frequent class")
    rows = []
    for entry in entries:
        loss = entry["train_loss"]
        cells = [entry["contender"], f"{entry['runs']} of {entry['n']}", f"{loss:.4f}" if loss < 100 else f"{loss:.2g}"]
        cells += [f"{entry['equal_loss']:.4f}", percent(entry["validation_accuracy"]), percent(entry["most_frequent"])]
        learns = [f"{'; '.join(way['changes'])} ({way['contender']})" for way in entry["trains"]]
        rows.append([*map(Cell, cells), Cell("; or ".join(learns) or "–")])
    note = (
        "Runs whose validation accuracy is not shown to beat always naming the most frequent class (binomial test): "
        "like runs that diverged, they failed to train and count in no mean. Training loss: the lowest of an epoch, "
        "mean over these runs. Nearest that learns: of the contenders all of whose runs trained, those that differ "
        "least from it, and in what."
    )
    heads = [*columns(*labels), Column("nearest that learns", "text")]
    return [Heading("Hardly better than guessing"), Table(heads, rows, note)]


def _test_choices(entries: list[Summary]) -> list[Block]:
    if not entries:
        return []
    labels = ("contender", "n", "best epoch by test", "best by validation", "last epoch")
    rows = [
        [Cell(e["contender"]), Cell(str(e["n"])), *(Cell(percent(e[k])) for k in ("by_test", "by_validation", "last"))]
        for e in entries
    ]
    note = (
        "Test accuracy, mean over seeds. The best of several epochs is never below any other, so its lead over an "
        "epoch that was chosen without it is flattery; its 95 % interval is Student's t over the seeds."
    )
    sentences = [Paragraph(answer.of_test_choice(entry)) for entry in entries]
    return [Heading("Choosing on the test set"), *sentences, Table(columns(*labels), rows, note)]


SECTION = Kind(blocks, title="Diagnoses")
