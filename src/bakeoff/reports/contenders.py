"""Sections about contenders: how good, how sure, at what cost, and against what was reported."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy import stats

from bakeoff.choices import PoolOfTest
from bakeoff.data import SOURCES
from bakeoff.data.sources import Origin
from bakeoff.evaluation import metrics
from bakeoff.record import Run
from bakeoff.reports import figures, tables
from bakeoff.reports.blocks import Block, Cell, Code, Figure, Figures, Head, Table, Words
from bakeoff.reports.context import Context, dot
from bakeoff.reports.svg import Axis, Key, accuracy, short
from bakeoff.reports.tables import Summary, interval, percent, points
from bakeoff.study import Section, Study

INTERVALS = (
    "n counts finished seeds. Intervals are 95 %: Student's t over the seeds, or Wilson's "
    "over the images where there is one seed or all agree. A drawn interval that would leave its plot is cut."
)


def _learns_from_test(context: Context, name: str) -> bool:
    """Whether its teacher labels the test images for it."""
    recipe = context.study.contender(name).recipe
    return bool(recipe.teacher) and isinstance(recipe.pool_choice, PoolOfTest)


def _name(context: Context, contender: Summary) -> Cell:
    sign = " †" if contender["selects_on_test"] else ""
    sign += " ‡" if _learns_from_test(context, contender["name"]) else ""
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
    plots = {c["name"]: [dot(c["name"], c["test_accuracy"], "s1", "test accuracy")] for c in ranked}
    heads = [Head("contender", "text"), Head("n"), Head("test accuracy, 95 % interval")]
    heads += [Head(axis.label, "plot", figures.dots_axis(axis)), Head("validation"), Head("parameters")]
    heads.append(Head("against the choice", "text"))
    without = [c for c in context.summary["contenders"] if not c["n"] and (not section.of or c["name"] in section.of)]
    text = {row["contender"].removesuffix(" †"): row for row in tables.league_text(context.summary)}
    rows = []
    for c in (*ranked, *without):
        row = text[c["name"]]
        n, test, *others = (
            Cell(row[h]) for h in ("n", "test accuracy", "validation", "parameters", "against the choice")
        )
        rows.append([_name(context, c), n, test, Cell("", figures.dots_row(axis, plots.get(c["name"], []))), *others])
    caption = f"Ordered by mean validation accuracy, the only one that may choose. {INTERVALS}"
    if any(c["failed"] for c in context.summary["contenders"]):
        caption += " 2 of 3: one of three runs diverged."
    if any(c["selects_on_test"] for c in ranked):
        caption += (
            " † picks its epoch by test accuracy, a fault kept to reproduce a report: its test accuracy is "
            "flattered, and it is never the choice."
        )
    if any(_learns_from_test(context, c["name"]) for c in ranked):
        caption += (
            " ‡ was trained on test images too, under its teacher's labels: its test accuracy is that on these "
            "images, not on new ones."
        )
    drawn = Figure("dots", figures.dots(list(plots.items()), axis, "Test accuracy with 95 % intervals"))
    notes = [Words(f"{c['name']}: {c['note'].rstrip('.')}.", quiet=True) for c in ranked if c["note"]]
    return [Table(heads, rows, caption), *notes, Figures([drawn], only_file=True)]


Measure = tuple[str, Callable[[Run], float]]


def _after_last_epoch(run: Run) -> float:
    """Test accuracy of the last epoch, also where the run keeps the epoch that did best on the test set."""
    return run.history[-1]["test_accuracy"] if run.spec.recipe.selects_on_test else run.metrics["test_accuracy"]


def _own_loss(run: Run) -> float:
    """Validation loss as the run was trained: where softmax comes before the cross-entropy, probabilities count as
    logits, as in the report's figure."""
    if run.spec.recipe.loss != "softmax_output":
        return run.metrics["validation_loss"]
    return metrics.negative_log_likelihood(metrics.softmax(run.logits("validation")), run.labels("validation"))


def _of_the_weakest(run: Run) -> float:
    """Test accuracy among the images of the class that does worst."""
    return float(np.nanmin(metrics.per_class(run.logits("test"), run.labels("test"))))


def _images_behind(key: str, run: Run) -> int:
    """How many images a figure of one run is a share of; of the weakest class, as many as the rarest class has."""
    if key == "weakest_class_accuracy":
        return int(np.unique(run.labels("test"), return_counts=True)[1].min())
    return run.measured(
        "train" if key.startswith("train") else "validation" if key.startswith("validation") else "test"
    )


MEASURES: dict[str, Measure] = {
    "test_accuracy": ("test accuracy", lambda run: _after_last_epoch(run)),
    "best_test_accuracy": ("test accuracy of the best epoch", lambda run: run.metrics["test_accuracy"]),
    "validation_accuracy": ("validation accuracy", lambda run: run.metrics["validation_accuracy"]),
    "train_accuracy": ("train accuracy", lambda run: run.metrics["train_accuracy"]),
    "train_error": ("train error", lambda run: 1 - run.metrics["train_accuracy"]),
    "weakest_class_accuracy": ("test accuracy of the weakest class", _of_the_weakest),
    "top5": ("top-5 accuracy", lambda run: metrics.top_k(run.logits("test"), run.labels("test"))),
    "loss": ("validation loss", _own_loss),
    "seconds": ("seconds", lambda run: run.seconds),
    "parameters": ("parameters", lambda run: run.parameters),
}
"""What a report may give, and the same of one run."""

UNDECIDABLE = 0.2
"""Width of a prediction interval above which it would call anything reproduced."""
LESS_IS_BETTER = ("train_error", "loss")
OF_THE_MACHINE, OF_THE_MODEL = ("seconds",), ("parameters",)
GENERATED, CUT = "the images are generated anew", "this scale is cut"
"""Why a figure cannot be held against the published one."""


def judge(key: str, published: float, runs: Sequence[Run], reasons: Sequence[str] = ()) -> tuple[str, str]:
    """(what a further run would give, the verdict) for one published figure.

    A published figure is one run, so it is held against the 95 % prediction interval of one more run of ours:
    mean +- t s sqrt(1 + 1 / n) over n seeds; with one seed, Wilson's interval over the images. `reasons` are those
    for which it cannot be held against them, the most basic one first.
    """
    values = [MEASURES[key][1](run) for run in runs]
    cut = [reason for reason in reasons if reason != GENERATED]
    if key in OF_THE_MODEL:
        same = values[0] == published
        return f"{values[0]:,.0f}", "reproduced" if same else _incomparable(cut) if cut else "not reproduced"
    if key in OF_THE_MACHINE:
        return f"{np.mean(values):,.1f}", _incomparable(["another machine", *cut])
    if key == "best_test_accuracy" and not runs[0].spec.recipe.selects_on_test:
        reasons = [*reasons, "it was chosen on the test set"]
    mean, low, high = _prediction(key, values, runs[0])
    if key == "loss":
        said = f"{mean:.3f} [{low:.3f}, {high:.3f}]"
    else:
        said = interval({"mean": mean, "low": max(low, 0.0), "high": min(high, 1.0)})
    within, wide = low <= published <= high, high - low > UNDECIDABLE
    if GENERATED in reasons:
        alike = "our seeds spread too widely to compare" if wide else "ours is the same within chance"
        return said, _incomparable(reasons, alike if within else "ours lower" if high < published else "ours higher")
    if reasons:
        return said, _incomparable(reasons)
    if within:
        return said, "not decidable: our seeds spread too widely" if wide else "reproduced"
    better = published > high if key in LESS_IS_BETTER else published < low
    return said, "exceeded" if better else "not reproduced"


def _incomparable(reasons: Sequence[str], ours: str = "") -> str:
    return f"not comparable: {' and '.join(reasons)}{f'; {ours}' if ours else ''}"


def _prediction(key: str, values: Sequence[float], run: Run) -> tuple[float, float, float]:
    mean = float(np.mean(values))
    if len(values) > 1:
        half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) * np.sqrt(1 + 1 / len(values))
        return mean, mean - float(half), mean + float(half)
    if key == "loss":
        return mean, mean, mean
    images = _images_behind(key, run)
    found = metrics.wilson(round(mean * images), images)
    return mean, found.low, found.high


def _figure(key: str, value: float) -> str:
    if key == "parameters":
        return f"{value:,.0f}"
    return f"{value:,.6g}" if key in ("seconds", "loss") else percent(value)


TONES = {"reproduced": "good", "exceeded": "good", "not reproduced": "bad"}


def _point_name(sweep: str, label: str) -> str:
    """`momentum=0.9`, or `optimizer: adam` where the label does not say what was varied."""
    varied, said = (re.sub("[-_ ]", "", text).lower() for text in (sweep, label))
    return label if said.startswith(varied) else f"{sweep}: {label}"


def _reasons(study: Study, name: str) -> list[str]:
    """Why a contender's figures cannot be held against published ones, the most basic reason first."""
    dataset, _, options = study.dataset_of(study.contender(name)).partition(":")
    source = SOURCES.get(dataset)
    made = source and issubclass(source.options, Origin) and "origin=kaggle" not in options.split(",")
    return ([GENERATED] if made else []) + ([] if study.comparable else [CUT])


def _published(context: Context) -> list[tuple[str, str, Mapping[str, float]]]:
    """(label, contender, figures) of all that reports give, those that this scale leaves out included."""
    summary, study = context.summary, context.study
    found = [(c["name"], c["name"], c["reported"]) for c in summary["contenders"]]
    for sweep in summary["sweeps"]:
        found += [(_point_name(sweep["name"], p["label"]), p["contender"], p["reported"]) for p in sweep["points"]]
    found += [(c.name, c.name, c.reported.figures()) for c in study.left_out]
    for left in study.left_out_points:
        found += [(_point_name(left.name, p.label), p.contender, p.reported.figures()) for p in left.points]
    return found


def reported(context: Context, section: Section) -> list[Block]:
    """What reports gave against what the runs give."""
    rows, seen = [], set()
    failed = {c["name"]: c["failed"] for c in context.summary["contenders"]}
    for label, name, given in _published(context):
        for key, published in given.items():
            if (name, key, published) in seen or (section.of and name not in section.of):
                continue
            seen.add((name, key, published))
            runs = context.finished.get(name, ())
            if runs:
                said, verdict = judge(key, published, runs, _reasons(context.study, name))
            elif name in failed:
                said, verdict = "–", "no result: training diverged" if failed[name] else "no result: no record"
            else:
                said, verdict = "–", "not run at this scale"
            cells = [Cell(label), Cell(MEASURES[key][0]), Cell(_figure(key, published)), Cell(said)]
            rows.append([*cells, Cell(str(len(runs) or "–")), Cell(verdict, tone=TONES.get(verdict, "quiet"))])
    heads = [Head("contender", "text"), Head("figure", "text"), Head("reported")]
    heads += [Head("ours, 95 % for one more run"), Head("n"), Head("verdict", "text")]
    caption = (
        "A reported figure is one run, so it is held against the 95 % prediction interval for one more run of ours "
        "(t over the seeds; of one seed, Wilson's over the images): inside it is reproduced; ours better, exceeded. "
        "Test accuracy is that after the last epoch, also of a contender that keeps its best one."
    )
    return [Table(heads, rows, caption)] if rows else []


def sweeps(context: Context, section: Section) -> list[Block]:
    """One thing varied at a time, and which differences survive."""
    by_name = {c["name"]: c for c in context.summary["contenders"]}
    drawn = []
    for sweep in context.summary["sweeps"]:
        known = [by_name[p["contender"]] for p in sweep["points"]]
        if not any(c["n"] for c in known) or (section.of and not {*section.of} & {c["name"] for c in known}):
            continue
        dots = [
            dot(p["label"], c["test_accuracy"], "s1", f"n = {c['n']}, test accuracy") if c["n"] else None
            for p, c in zip(sweep["points"], known, strict=True)
        ]
        published = [p["reported"].get("test_accuracy") for p in sweep["points"]]
        svg = figures.sweep(sweep["question"] or sweep["name"], *tables.short_labels(sweep), dots, published)
        drawn.append(Figure(sweep["name"], svg, f"{sweep['answer']} {tables.seeds_said(c['n'] for c in known)}."))
    said = (
        "Mean test accuracy with 95 % intervals against the value that is varied. Which differences survive is "
        "decided by paired tests with Holm's correction over the pairs within each sweep."
    )
    return [Words(said), Figures(drawn)] if drawn else []


def significance(context: Context, section: Section) -> list[Block]:
    """Every pair: the difference, and whether it survives."""
    names = [c["name"] for c in context.only(section)]
    if len(names) < 2:
        return []
    pairs = {}
    for p in (p for name in names for p in tables.facing(context.summary, name)):
        said = (
            f"{p['a']} − {p['b']}: {points(p['difference'])} points {_between(p)}, n = {p['seeds']}, "
            f"p = {p['p_adjusted']:.2g} after Holm: {p['verdict']}"
        )
        pairs[p["a"], p["b"]] = (p["difference"], 0 if not tables.beaten(p) else 1 if p["difference"] > 0 else -1, said)
    caption = (
        "Blue: the row is better than the column; orange: worse; grey: no difference shown. Differences are "
        "paired by seed and by test image; Holm's correction covers all pairs of the study. Each cell's tooltip has "
        "its interval and p."
    )
    matrix = Figures([Figure("matrix", figures.significance(names, pairs), caption)], wide=True)
    return [matrix, *_against_choice(context, names)]


def _between(pair: Summary) -> str:
    return f"[{points(pair['low'])}, {points(pair['high'])}]"


def _against_choice(context: Context, names: Sequence[str]) -> list[Block]:
    best = tables.pick(context.summary)
    if not best or best["name"] not in names:
        return []
    heads = [Head("the choice against", "text"), Head("difference, points"), Head("95 % interval"), Head("p")]
    heads += [Head("p after Holm"), Head("n"), Head("verdict", "word")]
    rows = []
    for p in tables.facing(context.summary, best["name"]):
        numbers = [points(p["difference"]), _between(p), f"{p['p']:.2g}", f"{p['p_adjusted']:.2g}", str(p["seeds"])]
        tone = "" if tables.beaten(p) else "quiet"
        rows += [[Cell(p["b"]), *map(Cell, numbers), Cell(p["verdict"], tone=tone)]] if p["b"] in names else []
    return [Table(heads, rows, f"The choice is {best['name']}. Each interval is that of its pair alone.")]


SPLITS = (("train", "s5", "square"), ("validation", "s3", "diamond"), ("test", "s1", "circle"))


def train_test(context: Context, section: Section) -> list[Block]:
    """Train, validation and test accuracy side by side: who learns by heart."""
    ranked = context.only(section)
    if not ranked:
        return []
    axis = _axis([c[f"{split}_accuracy"] for c in ranked for split, *_ in SPLITS], "accuracy")
    keys = [Key(split, f"dot {classes}", shape) for split, classes, shape in SPLITS]
    heads = [Head("contender", "text"), Head("n"), *(Head(split) for split, *_ in SPLITS)]
    heads += [Head(f"{axis.label}: ■ train ◆ validation ● test", "plot", figures.dots_axis(axis))]
    heads.append(Head("gap, points"))
    rows, plots = [], []
    for c in ranked:
        dots = [dot(c["name"], c[f"{s}_accuracy"], classes, s, shape) for s, classes, shape in SPLITS]
        plots.append((c["name"], dots))
        gap = c["train_accuracy"]["mean"] - c["test_accuracy"]["mean"]
        means = [Cell(percent(c[f"{split}_accuracy"]["mean"])) for split, *_ in SPLITS]
        row = [_name(context, c), Cell(str(c["n"])), *means, Cell("", figures.dots_row(axis, dots))]
        rows.append([*row, Cell(points(gap))])
    drawn = Figure("dots", figures.dots(plots, axis, "Train, validation and test accuracy", keys))
    caption = (
        "Gap: train less test. Train accuracy is measured after training, in evaluation mode, on a sample where there "
        f"are very many images. {INTERVALS}"
    )
    return [Table(heads, rows, caption), Figures([drawn], only_file=True)]


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
                dot(c["name"], c["test_accuracy"], "s1", f"{short(c[key])} {label}, test accuracy"),
            )
            for c in ranked
        ]
        front = [spot.name for spot in figures.pareto(spots)]
        caption = f"Front, cheapest first: {tables.listing(front)}." if len(front) <= 8 else ""
        drawn.append(Figure(key, figures.scatter(spots, label), caption))
    heads = [Head("contender", "text"), Head("n"), Head("parameters"), Head("multiply-adds"), Head("seconds")]
    heads += [Head("training images/s"), Head("test accuracy")]
    rows = [
        [
            _name(context, c),
            Cell(str(c["n"])),
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
