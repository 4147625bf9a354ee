"""Diagnoses."""

from __future__ import annotations

from bakeoff.findings import tables
from bakeoff.findings.tables import Summary, percent
from bakeoff.report import answer
from bakeoff.report.context import Context
from bakeoff.report.render.blocks import Block, Cell, Column, Heading, Paragraph, Table
from bakeoff.report.sections.kind import TESTED, Kind, tested, tone
from bakeoff.spec.study import Section


def blocks(context: Context, section: Section) -> list[Block]:
    """What went wrong, and what it cost: only what applies to the study."""
    found = dict(context.summary["diagnoses"])
    if section.of:
        found = {key: _of(value, section.of) if isinstance(value, list) else 0 for key, value in found.items()}
    changes = [*_one_change(found), *_softmax(found["softmax"]), *_guessing(found["guessing"])]
    fallbacks: list[Block] = [Paragraph(answer.of_fallback(entry)) for entry in found["fallbacks"]]
    optimisers = [Heading("Another optimiser took over"), *fallbacks] if fallbacks else []
    return [*changes, *optimisers, *_test_choices(found["test_choices"])]


def _of(entries: list[Summary], names: tuple[str, ...]) -> list[Summary]:
    return [entry for entry in entries if {entry.get("contender"), entry.get("from"), entry.get("to")} & {*names}]


def _one_change(found: Summary) -> list[Block]:
    if not found["one_change"]:
        return []
    columns = [
        Column("from", "text"),
        Column("to", "text"),
        Column("one change", "text"),
        *TESTED,
        Column("verdict", "text"),
    ]
    rows = []
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
    said = [Paragraph(sentence) for pair in found["one_change"] if (sentence := answer.of_threshold(pair))]
    return [Heading("One change at a time"), *said, Table(columns, rows, note)]


def _softmax(entries: list[Summary]) -> list[Block]:
    if not entries:
        return []
    first = entries[0]
    said = (
        "A network that ends in softmax and is trained with cross-entropy has its probabilities taken for logits. Even "
        f"where it is right and sure, its loss is ln(e + K − 1) − 1 = {first['floor']:.4f} for these "
        f"{first['classes']} classes, and that of equal guessing is ln K = {first['equal_loss']:.4f}: what training "
        "can gain lies between the two, with gradients that are small from the start."
    )
    columns = [Column("contender", "text"), Column("n"), Column("training loss reached"), Column("of the way down")]
    reported = any(entry["reported_loss"] is not None for entry in entries)
    columns += [Column("reported loss"), Column("of the way down")] if reported else []
    rows = []
    for entry in entries:
        cells = [Cell(entry["contender"]), Cell(str(entry["n"])), Cell(f"{entry['train_loss']:.4f}")]
        cells += [Cell(answer.share(entry["way"]))]
        if reported:
            loss = entry["reported_loss"]
            cells += (
                [Cell("–")] * 2 if loss is None else [Cell(f"{loss:.4g}"), Cell(answer.share(entry["reported_way"]))]
            )
        rows.append(cells)
    note = "The lowest mean training loss of an epoch, mean over seeds. 100 % is the floor."
    told = [sentence for entry in entries for sentence in answer.of_softmax(entry)]
    return [
        Heading("Softmax before the cross-entropy"),
        Paragraph(said),
        *map(Paragraph, told),
        Table(columns, rows, note),
    ]


def _guessing(entries: list[Summary]) -> list[Block]:
    if not entries:
        return []
    columns = [Column("contender", "text"), Column("runs"), Column("training loss"), Column("of equal guessing")]
    columns += [Column("validation"), Column("most frequent class"), Column("nearest that learns", "text")]
    rows = []
    for entry in entries:
        cells = [Cell(entry["contender"]), Cell(f"{entry['runs']} of {entry['n']}")]
        loss = entry["train_loss"]
        cells += [Cell(f"{loss:.4f}" if loss < 100 else f"{loss:.2g}"), Cell(f"{entry['equal_loss']:.4f}")]
        cells += [Cell(percent(entry[key])) for key in ("validation_accuracy", "most_frequent")]
        rows.append([*cells, Cell("; or ".join(map(_learns, entry["trains"])) or "–")])
    note = (
        "Runs whose validation accuracy is not shown to beat always naming the most frequent class (binomial test): "
        "like runs that diverged, they failed to train and count in no mean. Training loss: the lowest of an epoch, "
        "mean over these runs. Nearest that learns: of the contenders all of whose runs trained, those that differ "
        "least from it, and in what."
    )
    return [Heading("Hardly better than guessing"), Table(columns, rows, note)]


def _learns(way: Summary) -> str:
    return f"{'; '.join(way['changes'])} ({way['contender']})"


def _test_choices(entries: list[Summary]) -> list[Block]:
    if not entries:
        return []
    said = [Paragraph(answer.of_test_choice(entry)) for entry in entries]
    columns = [Column("contender", "text"), Column("n"), Column("best epoch by test"), Column("best by validation")]
    columns += [Column("last epoch")]
    rows = [
        [Cell(e["contender"]), Cell(str(e["n"])), *(Cell(percent(e[k])) for k in ("by_test", "by_validation", "last"))]
        for e in entries
    ]
    note = (
        "Test accuracy, mean over seeds. The best of several epochs is never below any other, so its lead over an "
        "epoch that was chosen without it is flattery; its 95 % interval is Student's t over the seeds."
    )
    return [Heading("Choosing on the test set"), *said, Table(columns, rows, note)]


SECTION = Kind(blocks, title="Diagnoses")
