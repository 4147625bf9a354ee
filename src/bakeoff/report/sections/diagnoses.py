"""Sections of findings: what the runs say of the hypotheses, what went wrong in it, and what that cost."""

from __future__ import annotations

from bakeoff.findings import tables
from bakeoff.findings.hypotheses import WHOSE
from bakeoff.findings.published import noise
from bakeoff.findings.tables import Summary, percent, points
from bakeoff.report import answer
from bakeoff.report.context import Context
from bakeoff.report.render.blocks import Block, Cell, Head, Table, Words
from bakeoff.spec.study import Section

TONES = {"supported": "good", "contradicted": "bad"}
RELATIONS = {
    "better": "over",
    "not worse": "not worse than",
    "equivalent": "as good as",
    "not worse and cheaper": "not worse than, and cheaper than,",
    "faster": "faster than",
}


def hypotheses(context: Context, section: Section) -> list[Block]:
    """The report's statements and our own, and whether the runs support them: a table for each."""
    judged = [
        one for one in context.summary["hypotheses"] if not section.of or {one["better"], one["worse"]} & {*section.of}
    ]
    blocks: list[Block] = []
    for source, title in WHOSE.items():
        run = [one for one in judged if one["source"] == source and one["result"] != "not run"]
        cut = [f"“{one['says']}”" for one in judged if one["source"] == source and one["result"] == "not run"]
        blocks += [Words(title, heading=True)] if run or cut else []
        blocks += [_hypotheses(run)] if run else []
        blocks += [Words(f"Not run at this scale: {'; '.join(cut)}.", quiet=True)] if cut else []
    return [*blocks, Words(_explained(context, judged), quiet=True)] if blocks else []


def _hypotheses(judged: list[Summary]) -> Table:
    given = any(one["reported"] for one in judged)
    rows = []
    for one in judged:
        cells = [Cell(one["says"]), Cell(f"{one['better']} {RELATIONS[one['relation']]} {one['worse']}")]
        cells += [Cell(_given(one))] if given else []
        of_family = "difference" in one and one["relation"] != "faster"  # which is about validation accuracy
        cells += _tested(one) if of_family else [Cell("–")] * 4
        rows.append([*cells, Cell(one["verdict"], tone=TONES.get(one["result"], "quiet"))])
    heads = [Head("hypothesis", "text"), Head("that is", "text"), *([Head("the report's difference")] if given else [])]
    return Table([*heads, *TESTED, Head("verdict", "text")], rows)


def _explained(context: Context, judged: list[Summary]) -> str:
    words = (
        "Differences of test accuracy with 95 % intervals; p is adjusted over all pairs of the dataset. What is "
        "undecided may still be so: the interval says how large it could be."
    )
    if not context.study.comparable:
        words += " Data or recipes are cut at this scale: verdicts hold for this part, not for the whole experiment."
    if any(one["reported"] for one in judged):
        words += " The report's difference is that of the figures it prints, of validation or test images, a run each."
    if any(one.get("single_run") for one in judged):
        words += tables.ONE_RUN
    if any(one["within_noise"] for one in judged):
        words += (
            f" * The report gives one network figures that lie up to {100 * noise(context.study):.2f} points apart."
        )
    if any("Fisher" in one["verdict"] for one in judged):
        words += (
            " Where no run of a contender trained, Fisher's exact test of how many runs trained may decide; a test "
            "apart from the verdicts on test accuracy."
        )
    if any("cheaper" in one["relation"] and "difference" in one for one in judged):
        words += " Cheaper: each run took less training time than each of the other's, on one machine; no test."
    if any(one["relation"] == "faster" for one in judged):
        words += (
            " Faster: validation accuracy after half the time of the shortest training, by Welch's t test over the "
            "seeds; a test apart from the verdicts on test accuracy."
        )
    return words


def _given(one: Summary) -> str:
    """The report's own difference, marked where it is within the noise of its figures."""
    if one["reported_difference"] is None:
        return "–"
    return points(one["reported_difference"]) + (" *" if one["within_noise"] else "")


TESTED = (Head("difference, points"), Head("95 % interval"), Head("runs"), Head("adjusted p"))


def _tested(pair: Summary) -> list[Cell]:
    return [Cell(text) for text in (*tables.measured(pair), tables.p_value(pair["p_adjusted"]))]


def diagnoses(context: Context, section: Section) -> list[Block]:
    """What went wrong, and what it cost: only what applies to the study."""
    found = dict(context.summary["diagnoses"])
    if section.of:
        found = {key: _of(value, section.of) if isinstance(value, list) else 0 for key, value in found.items()}
    blocks = [*_one_change(found), *_softmax(found["softmax"]), *_guessing(found["guessing"])]
    fallbacks = [Words(answer.of_fallback(entry)) for entry in found["fallbacks"]]
    blocks += [Words("Another optimiser took over", heading=True), *fallbacks] if fallbacks else []
    blocks += _test_choices(found["test_choices"])
    return blocks


def _of(entries: list[Summary], names: tuple[str, ...]) -> list[Summary]:
    return [entry for entry in entries if {entry.get("contender"), entry.get("from"), entry.get("to")} & {*names}]


def _one_change(found: Summary) -> list[Block]:
    if not found["one_change"]:
        return []
    heads = [Head("from", "text"), Head("to", "text"), Head("one change", "text"), *TESTED, Head("verdict", "text")]
    rows = []
    for pair in found["one_change"]:
        tone = {"better": "good", "worse": "bad"}.get(pair["verdict"], "quiet")
        in_order = {**pair, "runs": pair["runs"][::-1]}  # of the first, then of the second
        cells = [Cell(pair["from"]), Cell(pair["to"]), Cell(pair["change"]), *_tested(in_order)]
        rows.append([*cells, Cell(tables.verdict(pair), tone=tone)])
    caption = (
        "Test accuracy of the second less that of the first, of which at least one is as reported. Optimiser, rate, "
        "momentum and schedule count as one thing. p is adjusted over all pairs of the dataset."
    )
    caption += tables.ONE_RUN if any(pair["single_run"] for pair in found["one_change"]) else ""
    if found["one_change_others"]:
        caption += f" There was no room for {tables.plural(found['one_change_others'], 'more pair')}."
    said = [Words(sentence) for pair in found["one_change"] if (sentence := answer.of_threshold(pair))]
    return [Words("One change at a time", heading=True), *said, Table(heads, rows, caption)]


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
    heads = [Head("contender", "text"), Head("n"), Head("training loss reached"), Head("of the way down")]
    reported = any(entry["reported_loss"] is not None for entry in entries)
    heads += [Head("reported loss"), Head("of the way down")] if reported else []
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
    caption = "The lowest mean training loss of an epoch, mean over seeds. 100 % is the floor."
    told = [sentence for entry in entries for sentence in answer.of_softmax(entry)]
    return [
        Words("Softmax before the cross-entropy", heading=True),
        Words(said),
        *map(Words, told),
        Table(heads, rows, caption),
    ]


def _guessing(entries: list[Summary]) -> list[Block]:
    if not entries:
        return []
    heads = [Head("contender", "text"), Head("runs"), Head("training loss"), Head("of equal guessing")]
    heads += [Head("validation"), Head("most frequent class"), Head("nearest that learns", "text")]
    rows = []
    for entry in entries:
        cells = [Cell(entry["contender"]), Cell(f"{entry['runs']} of {entry['n']}")]
        loss = entry["train_loss"]
        cells += [Cell(f"{loss:.4f}" if loss < 100 else f"{loss:.2g}"), Cell(f"{entry['equal_loss']:.4f}")]
        cells += [Cell(percent(entry[key])) for key in ("validation_accuracy", "most_frequent")]
        rows.append([*cells, Cell("; or ".join(map(_learns, entry["trains"])) or "–")])
    caption = (
        "Runs whose validation accuracy is not shown to beat always naming the most frequent class (binomial test): "
        "like runs that diverged, they failed to train and count in no mean. Training loss: the lowest of an epoch, "
        "mean over these runs. Nearest that learns: of the contenders all of whose runs trained, those that differ "
        "least from it, and in what."
    )
    return [Words("Hardly better than guessing", heading=True), Table(heads, rows, caption)]


def _learns(way: Summary) -> str:
    return f"{'; '.join(way['changes'])} ({way['contender']})"


def _test_choices(entries: list[Summary]) -> list[Block]:
    if not entries:
        return []
    said = [Words(answer.of_test_choice(entry)) for entry in entries]
    heads = [Head("contender", "text"), Head("n"), Head("best epoch by test"), Head("best by validation")]
    heads += [Head("last epoch")]
    rows = [
        [Cell(e["contender"]), Cell(str(e["n"])), *(Cell(percent(e[k])) for k in ("by_test", "by_validation", "last"))]
        for e in entries
    ]
    caption = (
        "Test accuracy, mean over seeds. The best of several epochs is never below any other, so its lead over an "
        "epoch that was chosen without it is flattery; its 95 % interval is Student's t over the seeds."
    )
    return [Words("Choosing on the test set", heading=True), *said, Table(heads, rows, caption)]
