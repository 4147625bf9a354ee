"""Sections about contenders: how good, how sure, and at what cost."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from bakeoff.evaluation import metrics
from bakeoff.findings import tables
from bakeoff.findings.tables import Summary, interval, percent, points
from bakeoff.report.context import Context, dot
from bakeoff.report.render import figures
from bakeoff.report.render.blocks import Block, Cell, Code, Figure, Figures, Head, Table, Words
from bakeoff.report.render.svg import Axis, Key, accuracy, short
from bakeoff.report.sections import predictions
from bakeoff.spec.study import Section

INTERVALS = (
    "Intervals are 95 %, for the expected accuracy over new training seeds and new images like these. "
    "An interval that leaves its plot ends in an arrow."
)
ONE_RUN = (
    " “One run” marks Wilson's interval of a single run: it is for that run on new images, and says nothing of "
    "other seeds."
)
TRAINED = (
    " A run trained if it did not diverge and beats, on validation images, always naming their most frequent class "
    "(binomial test); means, intervals and verdicts are of the runs that trained."
)


def _name(context: Context, contender: Summary) -> Cell:
    sign = tables.marks(contender)
    kind = "ensemble" if context.study.contender(contender["name"]).ensemble else ""
    tag = f" ({', '.join(filter(None, (kind, contender['variant'])))})" if kind or contender["variant"] else ""
    return Cell(contender["name"] + tag + sign, title=contender["note"])


def _axis(found: Sequence[dict[str, float]], label: str) -> Axis:
    return accuracy([a["mean"] for a in found], [a[end] for a in found for end in ("low", "high")], label)


def league(context: Context, section: Section) -> list[Block]:
    """Everyone's accuracy with its interval, best first."""
    ranked = context.only(section)
    if not ranked:
        return []
    axis = _axis([c["test_accuracy"] for c in ranked], "test accuracy")
    plots = {c["name"]: [accuracy_dot(c)] for c in ranked}
    heads = [Head("contender", "text"), Head("runs trained"), Head("test accuracy, 95 % interval")]
    heads += [Head(axis.label, "plot", figures.dots_axis(axis)), Head("validation"), Head("parameters")]
    heads.append(Head("against the choice", "text"))
    without = [
        c for c in context.summary["contenders"] if not c["trained"] and (not section.of or c["name"] in section.of)
    ]
    text = {row["contender"].partition(" ")[0]: row for row in tables.league_text(context.summary)}
    rows = []
    for c in (*ranked, *without):
        row = text[c["name"]]
        n, test, *others = (
            Cell(row[h]) for h in ("trained", "test accuracy", "validation", "parameters", "against the choice")
        )
        rows.append([_name(context, c), n, test, Cell("", figures.dots_row(axis, plots.get(c["name"], []))), *others])
    drawn = Figure("dots", figures.dots(list(plots.items()), axis, "Test accuracy with 95 % intervals"))
    notes = [Words(f"{c['name']}: {c['note'].rstrip('.')}.", quiet=True) for c in ranked if c["note"]]
    return [Table(heads, rows, _league_caption(context, ranked)), *notes, Figures([drawn], only_file=True)]


def accuracy_dot(contender: Summary, what: str = "test accuracy") -> figures.Dot:
    """A contender's test accuracy as a mark, grey where it is that of one run."""
    one = contender.get("interval") == "wilson"  # summaries of earlier versions do not say
    return dot(
        contender["name"], contender["test_accuracy"], "s0" if one else "s1", f"one run, {what}" if one else what
    )


def _league_caption(context: Context, ranked: Sequence[Summary]) -> str:
    caption = f"Ordered by mean validation accuracy, the only one that may choose. {INTERVALS}"
    caption += ONE_RUN if any(c["interval"] == "wilson" for c in ranked) else ""
    caption += TRAINED if any(c["trained"] < c["n"] + c["failed"] for c in context.summary["contenders"]) else ""
    if any(c["selects_on_test"] for c in ranked):
        caption += (
            " † picks its epoch by test accuracy, a fault kept to reproduce a report: its test accuracy is "
            "flattered, and it is never the choice."
        )
    if any(c["trains_on_test"] for c in ranked):
        caption += (
            " ‡ was trained on test images too, under its teacher's labels, or averages what was: its test accuracy is "
            "that on these images, not on new ones, and it is never the choice."
        )
    return caption


def sweeps(context: Context, section: Section) -> list[Block]:
    """One thing varied at a time, and which differences survive."""
    by_name = {c["name"]: c for c in context.summary["contenders"]}
    drawn = []
    for sweep in context.summary["sweeps"]:
        known = [by_name[p["contender"]] for p in sweep["points"]]
        if not any(c["trained"] for c in known) or (section.of and not {*section.of} & {c["name"] for c in known}):
            continue
        dots = [
            accuracy_dot({**c, "name": p["label"]}, f"n = {c['trained']}, test accuracy") if c["trained"] else None
            for p, c in zip(sweep["points"], known, strict=True)
        ]
        comparable = context.study.comparable  # marks of a whole study's figures mislead beside those of a cut one
        published = [p["reported"].get("test_accuracy") if comparable else None for p in sweep["points"]]
        head, labels = tables.short_labels(sweep)
        svg = figures.sweep(sweep["question"] or sweep["name"], head, labels, dots, published)
        seeds = tables.seeds_said(c["trained"] for c in known)
        drawn.append(Figure(sweep["name"], svg, f"{sweep['answer']} {seeds}.{_unplaced(sweep)}"))
        drawn += filter(None, [predictions.sweep_by_step(context, sweep, labels)])
    words = "Mean test accuracy with 95 % intervals for new seeds and images against the value that is varied."
    return [Words(words), Figures(drawn)] if drawn else []


def _unplaced(sweep: Summary) -> str:
    """The figures that a report gives for values that it does not print: they have no place on the axis."""
    if not sweep["reported"]:
        return ""
    figures = tables.listing([percent(value) for value in sweep["reported"]])
    return f" The report gives {figures} for values that it does not print."


def significance(context: Context, section: Section) -> list[Block]:
    """Every pair: the difference, and the verdict."""
    names = [c["name"] for c in context.only(section)]
    if len(names) < 2:
        return []
    pairs = {(a, b): tables.versus(context.summary, a, b) for a, b in itertools.permutations(names, 2)}
    cells = {
        (a, b): (
            p["difference"],
            p["verdict"],
            f"{a} − {b}: {points(p['difference'])} points {_between(p)}, {_verdict(p)}",
        )
        for (a, b), p in pairs.items()
    }
    margin = tables.margin(context.summary["margin"])
    caption = (
        f"Blue: the row is better than the column; orange: worse; green: as good, within {margin}; grey: undecided. "
        "The table below has each pair's interval and p."
    )
    matrix = Figures([Figure("matrix", figures.significance(names, cells), caption)], wide=True)
    best = tables.pick(context.summary)
    order = sorted(names, key=lambda name: not best or name != best["name"])
    return [matrix, _pairs([pairs[a, b] for a, b in itertools.combinations(order, 2)])]


def _between(pair: Summary) -> str:
    return f"[{points(pair['low'])}, {points(pair['high'])}]"


def _verdict(pair: Summary) -> str:
    """The verdict, and of an undecided pair what would decide it."""
    words = tables.verdict(pair)
    return f"{words}: {tables.what_would_decide(pair)}" if words == "undecided" else words


def _pairs(pairs: Sequence[Summary]) -> Table:
    """Pairs with their intervals, p and verdicts."""
    heads = [Head("contender", "text"), Head("against", "text"), Head("difference, points"), Head("95 % interval")]
    heads += [Head("runs"), Head("p"), Head("adjusted p"), Head("verdict", "word")]
    heads.append(Head("to decide it", "word"))
    rows = []
    for p in pairs:
        numbers = [*tables.measured(p), tables.p_value(p["p"]), tables.p_value(p["p_adjusted"])]
        tone = {"better": "good", "worse": "bad"}.get(p["verdict"], "quiet")
        last = [Cell(tables.verdict(p), tone=tone), Cell(tables.decided_by(p), tone="quiet")]
        rows.append([Cell(p["a"]), Cell(p["b"]), *map(Cell, numbers), *last])
    caption = (
        "Each interval is that of its pair alone; p is adjusted over all pairs of the dataset at once (weighted Holm; "
        "those that the study file names before any run share half the level). To decide it: seeds of each with "
        "which the pair is decided in 8 of 10 studies, if the difference is the one measured."
    )
    caption += tables.ONE_RUN if any(p["single_run"] for p in pairs) else ""
    return Table(heads, rows, caption)


SPLITS = (("train", "s5", "square"), ("validation", "s3", "diamond"), ("test", "s1", "circle"))


def train_test(context: Context, section: Section) -> list[Block]:
    """Train, validation and test accuracy side by side: who learns by heart."""
    ranked = context.only(section)
    if not ranked:
        return []
    axis = accuracy(
        [c[f"{split}_accuracy"]["mean"] for c in ranked for split, *_ in SPLITS],
        [c[f"{split}_accuracy"][end] for c in ranked for split in ("validation", "test") for end in ("low", "high")],
        "accuracy",
    )
    keys = [Key(split, f"dot {classes}", shape) for split, classes, shape in SPLITS]
    heads = [Head("contender", "text"), Head("n"), *(Head(split) for split, *_ in SPLITS)]
    heads += [Head(f"{axis.label}: ■ train ◆ validation ● test", "plot", figures.dots_axis(axis))]
    heads.append(Head("gap, points"))
    rows, plots = [], []
    for c in ranked:
        dots = [dot(c["name"], _interval(c, s), classes, s, shape) for s, classes, shape in SPLITS]
        plots.append((c["name"], dots))
        gap = c["train_accuracy"]["mean"] - c["test_accuracy"]["mean"]
        means = [Cell(percent(c[f"{split}_accuracy"]["mean"])) for split, *_ in SPLITS]
        row = [_name(context, c), Cell(tables.trained(c)), *means, Cell("", figures.dots_row(axis, dots))]
        rows.append([*row, Cell(points(gap))])
    drawn = Figure("dots", figures.dots(plots, axis, "Train, validation and test accuracy", keys))
    caption = (
        "Gap: train less test. Train accuracy is measured after training, in evaluation mode, on a sample where there "
        f"are very many images, and is drawn without an interval. {INTERVALS}"
    )
    return [Table(heads, rows, caption), Figures([drawn], only_file=True)]


def _interval(contender: Summary, split: str) -> Summary:
    """The accuracy on a split; of train the mean alone, for its images are not a sample of others."""
    found: Summary = contender[f"{split}_accuracy"]
    return {**found, "low": found["mean"], "high": found["mean"]} if split == "train" else found


COSTS = {"parameters": "parameters", "multiply_adds": "multiply-adds an image", "seconds": "training seconds"}


def cost(context: Context, section: Section) -> list[Block]:
    """Accuracy against what it costs."""
    ranked = context.only(section)
    if len(ranked) < 2:
        return []
    drawn = []
    for key, label in COSTS.items():
        spots = [
            figures.Spot(
                c["name"],
                c[key],
                accuracy_dot(c, f"{short(c[key])} {label}, test accuracy"),
            )
            for c in ranked
        ]
        front = [spot.name for spot in figures.pareto(spots)]
        caption = f"Front of the means, cheapest first: {tables.listing(front)}." if len(front) <= 8 else ""
        drawn.append(Figure(key, figures.scatter(spots, label), caption))
    heads = [Head("contender", "text"), Head("n"), Head("parameters"), Head("multiply-adds"), Head("seconds")]
    heads += [Head("training images/s"), Head("test accuracy")]
    rows = [
        [
            _name(context, c),
            Cell(tables.trained(c)),
            Cell(f"{c['parameters']:,}"),
            Cell(short(c["multiply_adds"])),
            Cell(f"{c['seconds']:,.1f}"),
            Cell(f"{c['images_per_second']:,.0f}" if c["images_per_second"] else "–"),
            Cell(percent(c["test_accuracy"]["mean"])),
        ]
        for c in ranked
    ]
    caption = "Multiply-adds of one image, forward; seconds and images/s of training, mean over seeds."
    averaged = [c["name"] for c in ranked if context.study.contender(c["name"]).ensemble]
    if averaged:
        caption += f" Of {tables.listing(averaged)}: sums over the members of the ensemble."
    return [Figures(drawn), Table(heads, rows, caption)]


def runs(context: Context, section: Section) -> list[Block]:
    """Every run, so that each number above can be traced."""
    rows = []
    for run in sorted(context.runs, key=lambda run: (run.spec.contender, run.spec.seed)):
        if section.of and run.spec.contender not in section.of:
            continue
        cells = [Cell(run.spec.contender), Cell(str(run.spec.seed))]
        if run.status == "finished":
            right = tables.correct(run)
            found = metrics.wilson(int(right.sum()), len(right))
            test = {"mean": float(right.mean()), "low": found.low, "high": found.high}
            cells += [Cell(interval(test)), Cell(percent(run.metrics["validation_accuracy"]))]
        else:
            cells += [Cell("–"), Cell("–")]
        tone = "" if run.status == "finished" else "bad"
        cells += [Cell(f"{run.seconds:,.1f}"), Cell(str(len(run.history) or "–")), Cell(run.status, tone=tone)]
        rows.append([*cells, Cell(run.path.name)])
    for lost in context.study.failed:
        if not section.of or lost.contender in section.of:
            cells = [Cell(lost.contender), Cell(str(lost.seed)), *[Cell("–")] * 4]
            rows.append([*cells, Cell(lost.kind, tone="bad", title=lost.reason), Cell(lost.run)])
    heads = [Head("contender", "text"), Head("seed"), Head("test accuracy, Wilson 95 %"), Head("validation")]
    heads += [Head("seconds"), Head("epochs"), Head("status", "word"), Head("record", "word")]
    return [Table(heads, rows)] if rows else []


def environment(context: Context, _: Section) -> list[Block]:
    """What made these numbers, and the command that makes them again."""
    blocks: list[Block] = [Words("This page is made again by"), Code(context.command)]
    if context.study.about:
        blocks += [Words("The study's file says:"), Code(context.study.about)]
    rows = [
        [Cell(key), Cell("; ".join(map(str, value)) if isinstance(value, list) else str(value))]
        for key, value in context.summary["environment"].items()
    ]
    return [*blocks, Table([Head("what", "text"), Head("value", "text")], rows)] if rows else blocks
