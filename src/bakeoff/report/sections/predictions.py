"""Sections about single predictions: how training went, which classes and images are hard, and how sure it is."""

from __future__ import annotations

import dataclasses
import io
import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bakeoff.data.errata import published_errata
from bakeoff.evaluation import errors, metrics
from bakeoff.findings import comparisons, tables
from bakeoff.findings.tables import Summary, percent
from bakeoff.record import Run
from bakeoff.report.context import Context, dot
from bakeoff.report.render import figures
from bakeoff.report.render.blocks import (
    Block,
    Cell,
    Figure,
    Figures,
    Gallery,
    Group,
    Groups,
    Head,
    Table,
    Thumbnail,
    Words,
)
from bakeoff.report.render.figures import Series
from bakeoff.report.render.svg import SERIES, accuracy
from bakeoff.spec.study import Section

FEW = 4
"""How many contenders stand side by side in a table or a diagram."""
ENOUGH = 10
"""Predictions in a bin of the reliability diagram below which it says nothing."""
GALLERY = 24
"""How many mistakes are shown."""
CONFUSIONS = 8
"""How many confusions are told, the most frequent first."""
EXAMPLES = 6
"""Images of a confusion that are shown at most."""
UNSURE = 0.05
"""The part of the images, the least sure, in which errors should lie."""


def _series(name: str, runs: Sequence[Run], value: str, against: str) -> Series:
    """Mean, lowest and highest over the seeds, as far as every seed was trained."""
    length = min(len(run.history) for run in runs)
    rows = [[run.history[i] for run in runs] for i in range(length)]
    found = np.array([[row.get(value, np.nan) for row in same] for same in rows])
    x = [float(np.mean([row["seconds"] for row in same])) for same in rows]
    x = x if against == "seconds" else [float(i + 1) for i in range(length)]
    return Series(name, x, *(f(found, axis=1).tolist() for f in (np.mean, np.min, np.max)))


def _by_step(name: str, runs: Sequence[Run], column: int) -> Series | None:
    """Training loss (column 1) or accuracy (2) against the step, as far as every seed was trained; None for records
    that have no curve within their epochs."""
    every = [[point for row in run.history for point in row.get("curve", [])] for run in runs]
    length = min(map(len, every))
    if not length:
        return None
    found = np.array([[points[i][column] for points in every] for i in range(length)])
    x = [float(point[0]) for point in every[0][:length]]
    return Series(name, x, *(f(found, axis=1).tolist() for f in (np.mean, np.min, np.max)))


def curves(context: Context, section: Section) -> list[Block]:
    """How training went by step, and validation by epoch and by second."""
    every = [c["name"] for c in context.only(section)]
    names = [name for name in every if any(len(run.history) > 1 for run in context.finished[name])]
    trained = [name for name in context.shown(section, len(every)) if any(r.history for r in context.finished[name])]
    coloured, drawn = trained[:SERIES], []
    for column, value in ((1, "train loss"), (2, "train accuracy")):
        by_step = [line for name in every if (line := _by_step(name, context.finished[name], column))]
        if by_step:
            svg = figures.curves(by_step, "step", value, coloured)
            drawn.append(Figure(f"{value.replace(' ', '-')}-step", svg))
    for value in ("validation_accuracy", "validation_loss") if names else ():
        for against in ("epoch", "seconds"):
            series = [_series(name, context.finished[name], value, against) for name in names]
            svg = figures.curves(series, against, value.replace("_", " "), coloured)
            drawn.append(Figure(f"{value.replace('_', '-')}-{against}", svg))
    if not drawn:
        return []
    drawn += _train_and_validation(
        context, [n for n in context.shown(section, 1 + len(context.named(section))) if n in names]
    )
    said = "Lines are means over the seeds, bands reach from the lowest to the highest seed."
    if len(trained) > SERIES:
        said += f" The best {SERIES} of {len(trained)} contenders have colours."
    short = sum(max(len(run.history) for run in context.finished[name]) == 1 for name in every)
    if names and short:
        said += f" {tables.plural(short, 'contender')} trained for one epoch: see the curves by step."
    return [Words(said), Figures(drawn)]


def _train_and_validation(context: Context, names: Sequence[str]) -> list[Figure]:
    """Of each contender two figures by epoch, accuracy and loss, each with a line for train and one for validation."""
    drawn = []
    for name, value in itertools.product(names, ("accuracy", "loss")):
        runs = context.finished[name]
        lines = [
            dataclasses.replace(_series(name, runs, f"{split}_{value}", "epoch"), name=split)
            for split in ("train", "validation")
        ]
        svg = figures.curves(lines, "epoch", value, ["train", "validation"])
        caption = f"{name}. Train {value} is the mean over an epoch's batches, as they were trained on."
        drawn.append(Figure(f"{name}-{value}", svg, caption))
    return drawn


def sweep_by_step(context: Context, sweep: Summary, labels: Sequence[str]) -> Figure | None:
    """Train accuracy of a sweep's points against the step; None for records that have no curve within their epochs."""
    lines = []
    for label, point in zip(labels, sweep["points"], strict=True):
        if (runs := context.finished.get(point["contender"])) and (line := _by_step(label, runs, 2)):
            lines.append(line)
    if not lines:
        return None
    svg = figures.curves(lines, "step", "train accuracy", [line.name for line in lines][:SERIES], "other value")
    return Figure(f"{sweep['name']}-by-step", svg, f"{sweep['question'] or sweep['name']} Train accuracy by step.")


def per_class(context: Context, section: Section) -> list[Block]:
    """How many of each class's test images are recognised, by the choice and the best after it."""
    names = context.shown(section, FEW)
    if not names:
        return []
    recalls = {
        name: np.array([metrics.per_class(run.logits("test"), run.labels("test")) for run in context.finished[name]])
        for name in names
    }
    first = context.finished[names[0]][0]
    images = np.bincount(first.labels("test"), minlength=len(context.classes))
    right = {name: np.stack([tables.correct(run) for run in context.finished[name]]) for name in names}
    rows, marks = [], []
    for k, label in enumerate(context.classes):
        dots = []
        for i, name in enumerate(names):
            found = _of_class(right[name][:, first.labels("test") == k])
            dots.append(dot(f"{name}, class {label}", found, f"s{i + 1}", "accuracy", SHAPES[i]))
        marks.append(dots)
    every = [mark for dots in marks for mark in dots]
    axis = accuracy([mark.mean for mark in every], figures.ends(every), "accuracy")
    for k, label in enumerate(context.classes):
        means = [Cell(percent(float(recalls[name][:, k].mean()))) for name in names]
        rows.append([Cell(label), Cell(f"{images[k]:,}"), *means, Cell("", figures.dots_row(axis, marks[k]))])
    heads = [Head("class", "text"), Head("test images")]
    heads += [Head(f"{name} {sign}") for name, sign in zip(names, SIGNS, strict=False)]
    heads.append(Head(axis.label, "plot", figures.dots_axis(axis)))
    intervals = (
        "intervals 95 %, each of its class alone, for new seeds and new images of the class (Wilson's of one seed)"
    )
    said = f"Means over seeds; {intervals}. {_how_many(names, context, context.named(section))}"
    return [Table(heads, rows, said)]


def _of_class(right: NDArray[np.bool_]) -> dict[str, float]:
    """Mean and 95 % interval of one class's answers (n, M); of less than two images it leaves all open, of none nan."""
    if right.shape[1] < 2:
        mean = float(right.mean()) if right.size else math.nan
        return {"mean": mean, "low": 0.0 * mean, "high": 1.0 + 0.0 * mean}
    found = comparisons.estimates({"": right})[""]
    return {"mean": found.mean, "low": found.low, "high": found.high}


SHAPES = ("circle", "diamond", "square", "triangle")
SIGNS = "●◆■▲"


def _how_many(names: Sequence[str], context: Context, named: Sequence[str] = ()) -> str:
    every = len(context.ranked)
    words = "seed" if all(len(context.finished[name]) == 1 for name in names) else "seeds"
    said = f"{tables.seeds_said(len(context.finished[name]) for name in names)} {words}."
    who = (
        f"the choice, {tables.listing(named)} as the study names them, and the best"
        if named
        else "the choice and the best"
    )
    return f"{said} Shown: {who} after it, {len(names)} of {every}." if len(names) < every else said


def confusion(context: Context, section: Section) -> list[Block]:
    """Which class is taken for which, summed over the seeds."""
    blocks: list[Block] = []
    for name in context.shown(section, 1 if not section.of else FEW):
        counts = metrics.confusion(*context.test(name), len(context.classes))
        n = len(context.finished[name])
        pairs = errors.most_confused(counts, CONFUSIONS)
        said = f"{name}, test predictions of {tables.plural(n, 'seed')} summed."
        if pairs:
            most = [f"{context.classes[true]} for {context.classes[taken]} ({count})" for true, taken, count in pairs]
            said += f" Most often taken, the one for the other: {tables.listing(most)}."
        svg = figures.confusion(counts, context.classes, f"Confusion matrix of {name}")
        blocks += [Figures([Figure(name, svg, said)], wide=True), *_examples(context, name, pairs)]
    return blocks


def _examples(context: Context, name: str, pairs: Sequence[tuple[int, int, int]]) -> list[Block]:
    """Test images of each confusion (true, taken for, how often), the surest first, each once."""
    found: dict[tuple[int, int], dict[int, tuple[float, NDArray[np.uint8]]]] = {}
    for run in context.finished[name]:
        index = run.arrays.get("confused_index", np.zeros(0, np.int64))  # records of older versions have none
        sure = metrics.softmax(run.logits("test")[index])
        for place, image, chances in zip(index, run.arrays.get("confused_images", ()), sure, strict=True):
            same = found.setdefault((int(run.labels("test")[place]), int(chances.argmax())), {})
            if place not in same or chances.max() > same[place][0]:
                same[place] = (float(chances.max()), image)
    groups = []
    for true, taken, count in pairs:
        surest = sorted(found.get((true, taken), {}).values(), key=lambda seen: -seen[0])[:EXAMPLES]
        title = f"{context.classes[true]} taken for {context.classes[taken]} ({tables.plural(count, 'time')})"
        items = [Thumbnail(_png(image), [f"{100 * sure:.2f} %"]) for sure, image in surest]
        groups += [Group(title, items)] if items else []
    said = "Some of them, the surest of any seed first, with how sure it was of the wrong class."
    return [Words(said, quiet=True), Groups(groups)] if groups else []


def roc(context: Context, section: Section) -> list[Block]:
    """One class against the others, by the probability that the model gives it."""
    blocks: list[Block] = []
    for name in context.shown(section, FEW if section.of else 1 + len(context.named(section))):
        found = metrics.roc(*context.test(name))
        lines = [
            (f"{label} ({curve.area:.4f})", curve.false_positive_rate, curve.true_positive_rate)
            for label, curve in zip(context.classes, found, strict=True)
            if len(curve.false_positive_rate)
        ]
        said = (
            f"{name}, seeds pooled (n = {len(context.finished[name])}); in brackets the area under each class's "
            f"curve, on average {np.nanmean([curve.area for curve in found]):.4f}."
        )
        whole = Figure(name, figures.roc(f"ROC curves of {name}", lines, 1.0), said)
        corner = figures.roc(f"ROC curves of {name}, upper left corner", lines, 0.05)
        blocks.append(Figures([whole, Figure(f"{name}-corner", corner, "The same, its upper left corner.")]))
    return blocks


def _known(value: float) -> str:
    return percent(None if math.isnan(value) else value)


def calibration(context: Context, section: Section) -> list[Block]:
    """Whether confidence is what it says, and whether the wrong predictions are the unsure ones."""
    names = context.shown(section, FEW)
    if not names:
        return []
    bins, surest, rows = [], [], []
    lead = ""
    for name in names:
        logits, labels = context.test(name)
        found = metrics.calibration(logits, labels)
        full = [i for i in range(len(found.count)) if found.count[i] >= ENOUGH]
        points = [(float(found.confidence[i]), float(found.accuracy[i])) for i in full]
        bins.append((name, points, [int(found.count[i]) for i in full]))
        order = np.argsort(-metrics.softmax(logits).max(axis=1), kind="stable")
        surest.append((name, (logits.argmax(axis=1) == labels)[order]))
        sure = errors.confidence_of_errors(logits, labels)
        wrong = ~surest[-1][1]
        unsure = math.nan if not wrong.any() else wrong[-math.ceil(UNSURE * len(wrong)) :].sum() / wrong.sum()
        lead = lead or _unsure(name, int(wrong.sum()), unsure, len(context.finished[name]))
        numbers = next(c for c in context.ranked if c["name"] == name)
        cells = [percent(numbers["calibration_error"]), f"{numbers['negative_log_likelihood']:.4f}"]
        cells += [_known(sure.right), _known(sure.wrong), _known(unsure)]
        cells.append("–" if math.isnan(sure.area) else f"{sure.area:.3f}")
        rows.append([Cell(name), *map(Cell, cells)])
    heads = [Head("contender", "text"), Head("calibration error"), Head("negative log-likelihood")]
    heads += [Head("confidence when right"), Head("when wrong")]
    heads += [Head(f"errors among the {100 * UNSURE:g} % least sure"), Head("right is surer than wrong")]
    reliability = figures.reliability("Reliability", bins)
    below = (
        f"Above the diagonal: less sure than right; below: surer. Bins with under {ENOUGH} predictions are left out."
    )
    drawn = [Figure("reliability", reliability, below)]
    coverage = figures.coverage("Accuracy of the surest", surest)
    drawn.append(Figure("coverage", coverage, "Accuracy if the least sure images are set aside."))
    said = (
        "Calibration error (the mean distance between confidence and accuracy over 15 bins) and likelihood are means "
        "over seeds; the rest pools them. Last column: how often a right prediction is surer than a wrong one; at 1 "
        f"the errors are the unsure ones, at 0.5 confidence says nothing about them. {_how_many(names, context)}"
    )
    return [Words(lead), Figures(drawn), Table(heads, rows, said)]


def _unsure(name: str, wrong: int, unsure: float, seeds: int) -> str:
    """Whether the errors are the unsure ones, in one sentence; `unsure` of them lie in the least sure UNSURE."""
    if not wrong:
        return f"{name} makes no error, so none to be sure or unsure of."
    among = f"among the {100 * UNSURE:g} % of test images that it is least sure of"
    if wrong == 1:
        return f"{name} makes one error, which is {'' if unsure else 'not '}{among}."
    within = f" in {tables.plural(seeds, 'seed')}" if seeds > 1 else ""
    return f"Of the {wrong:,} errors that {name} makes{within}, {100 * unsure:.0f} % are {among}."


def _png(image: NDArray[np.uint8]) -> bytes:
    """(C, H, W) as PNG: three channels as colour, else their first as grey."""
    pixels = image.transpose(1, 2, 0) if len(image) == 3 else image[0]
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def mistakes(context: Context, section: Section) -> list[Block]:
    """The choice's wrong test predictions, those that most seeds make first, then the surest."""
    blocks: list[Block] = []
    for name in context.shown(section, FEW if section.of else 1):
        runs = context.finished[name]
        images = {int(i): image for run in runs for i, image in zip(*_kept(run), strict=True)}
        if not images:
            continue
        right = np.array([tables.correct(run) for run in runs])
        everyone = np.array([tables.correct(run) for group in context.finished.values() for run in group])
        sure = np.array([metrics.softmax(run.logits("test")).max(axis=1) for run in runs])
        sure = np.where(right, 0.0, sure)
        errata = published_errata(str(runs[0].dataset["name"]), runs[0].labels("test"))
        worst = sorted(images, key=lambda i: (right[:, i].sum(), -sure[:, i].max()))[:GALLERY]
        items = []
        for i in worst:
            run = runs[int(sure[:, i].argmax())]
            true, taken = (context.classes[k] for k in (run.labels("test")[i], run.logits("test")[i].argmax()))
            lines = [name_of] if (name_of := run.image_name("test", i)) else []
            lines += [f"{true}, taken for {taken}", f"{100 * sure[:, i].max():.2f} % sure"]
            lines.append(f"wrong: {(~right[:, i]).sum()} of {tables.plural(len(runs), 'seed')}")
            lines += [f"label known to be wrong: {context.classes[errata[i].seen]}"] if i in errata else []
            if len(everyone) > len(runs):
                lines.append(f"all: {(~everyone[:, i]).sum()} of {tables.plural(len(everyone), 'run')}")
            items.append(Thumbnail(_png(images[i]), lines))
        said = (
            f"{name}: the {len(items)} test images that it gets wrong in the most seeds, the surest first. "
            f"The confidence is the surest seed's; “all” counts the runs of every contender that trained."
        )
        blocks += [Words(said), Gallery(items)]
    return blocks


def _kept(run: Run) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    return run.arrays["mistake_index"], run.arrays["mistake_images"]
