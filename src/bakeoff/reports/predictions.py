"""Sections about single predictions: how training went, which classes and images are hard, and how sure it is."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.special import softmax

from bakeoff.evaluation import errors, metrics
from bakeoff.record import Run
from bakeoff.reports import figures, tables
from bakeoff.reports.blocks import Block, Cell, Figure, Figures, Gallery, Head, Table, Thumbnail, Words
from bakeoff.reports.context import Context, dot
from bakeoff.reports.figures import Series
from bakeoff.reports.svg import SERIES, accuracy
from bakeoff.reports.tables import percent
from bakeoff.study import Section

FEW = 4
"""How many contenders stand side by side in a table or a diagram."""


def _series(name: str, runs: Sequence[Run], value: str, against: str) -> Series:
    """Mean, lowest and highest over the seeds, as far as every seed was trained."""
    length = min(len(run.history) for run in runs)
    rows = [[run.history[i] for run in runs] for i in range(length)]
    found = np.array([[row.get(value, np.nan) for row in same] for same in rows])
    x = [float(np.mean([row["seconds"] for row in same])) for same in rows]
    x = x if against == "seconds" else [float(i + 1) for i in range(length)]
    return Series(name, x, *(f(found, axis=1).tolist() for f in (np.mean, np.min, np.max)))


def curves(context: Context, section: Section) -> list[Block]:
    """How validation accuracy and loss went, by epoch and by second."""
    names = [c["name"] for c in context.only(section)]
    if not any(len(run.history) > 1 for name in names for run in context.finished[name]):
        return []
    drawn = []
    for value in ("validation_accuracy", "validation_loss"):
        for against in ("epoch", "seconds"):
            series = [_series(name, context.finished[name], value, against) for name in names]
            svg = figures.curves(series, against, value.replace("_", " "), context.shown(section, SERIES))
            drawn.append(Figure(f"{value.replace('_', '-')}-{against}", svg))
    said = "Lines are means over the seeds, bands reach from the lowest to the highest seed."
    if len(names) > SERIES:
        said += f" The best {SERIES} of {len(names)} contenders have colours."
    return [Words(said), Figures(drawn)]


def _confusions(context: Context, name: str) -> list[NDArray[np.int64]]:
    count = len(context.classes)
    return [metrics.confusion(run.logits("test"), run.labels("test"), count) for run in context.finished[name]]


def per_class(context: Context, section: Section) -> list[Block]:
    """How many of each class's test images are recognised, by the choice and the best after it."""
    names = context.shown(section, FEW)
    if not names:
        return []
    recalls = {n: np.array([np.diag(c) / c.sum(axis=1) for c in _confusions(context, n)]) for n in names}
    first = context.finished[names[0]][0]
    images = np.bincount(first.labels("test"), minlength=len(context.classes))
    rows, marks = [], []
    for k, label in enumerate(context.classes):
        dots = []
        for i, name in enumerate(names):
            found = tables.over_runs(recalls[name][:, k].tolist(), int(images[k]))
            dots.append(dot(f"{name}, class {label}", found, f"s{i + 1}", "accuracy", SHAPES[i]))
        marks.append(dots)
    axis = accuracy([v for dots in marks for d in dots for v in (d.low, d.mean, d.high)], "accuracy")
    for k, label in enumerate(context.classes):
        means = [Cell(percent(float(recalls[name][:, k].mean()))) for name in names]
        rows.append([Cell(label), Cell(f"{images[k]:,}"), *means, Cell("", figures.dots_row(axis, marks[k][::-1]))])
    heads = [Head("class", "text"), Head("test images")]
    heads += [Head(f"{name} {sign}") for name, sign in zip(names, SIGNS, strict=False)]
    heads.append(Head(axis.label, "plot", figures.dots_axis(axis)))
    said = f"Mean over seeds; intervals as in the league. {_how_many(names, context)}"
    return [Table(heads, rows, said)]


SHAPES = ("circle", "diamond", "square", "triangle")
SIGNS = "●◆■▲"


def _how_many(names: Sequence[str], context: Context) -> str:
    every = len(context.ranked)
    return f"Shown: the choice and the best after it, {len(names)} of {every}." if len(names) < every else ""


def confusion(context: Context, section: Section) -> list[Block]:
    """Which class is taken for which, summed over the seeds."""
    blocks: list[Block] = []
    for name in context.shown(section, 1 if not section.of else FEW):
        counts = np.sum(_confusions(context, name), axis=0)
        n = len(context.finished[name])
        logits, labels = context.test(name)
        pairs = errors.most_confused(logits, labels, 8)
        said = f"{name}, test predictions of {tables.plural(n, 'seed')} summed."
        if pairs:
            most = [f"{context.classes[p.true]} for {context.classes[p.predicted]} ({p.count})" for p in pairs]
            said += f" Most often taken, the one for the other: {tables.listing(most)}."
        svg = figures.confusion(counts, context.classes, f"Confusion matrix of {name}")
        blocks.append(Figures([Figure(name, svg, said)], wide=True))
    return blocks


def roc(context: Context, section: Section) -> list[Block]:
    """One class against the others, by the probability that the model gives it."""
    blocks: list[Block] = []
    for name in context.shown(section, 1 if not section.of else FEW):
        found = metrics.roc(*context.test(name))
        lines = [
            (f"{label} ({curve.area:.4f})", curve.false_positive_rate, curve.true_positive_rate)
            for label, curve in zip(context.classes, found, strict=True)
        ]
        said = (
            f"{name}, seeds pooled (n = {len(context.finished[name])}); in brackets the area under each class's "
            f"curve, on average {np.mean([curve.area for curve in found]):.4f}."
        )
        whole = Figure(name, figures.roc(f"ROC curves of {name}", lines, 1.0), said)
        corner = figures.roc(f"ROC curves of {name}, upper left corner", lines, 0.05)
        blocks.append(Figures([whole, Figure(f"{name}-corner", corner, "The same, its upper left corner.")]))
    return blocks


def calibration(context: Context, section: Section) -> list[Block]:
    """Whether confidence is what it says, and whether the wrong predictions are the unsure ones."""
    names = context.shown(section, FEW)
    if not names:
        return []
    series, rows = [], []
    for name in names:
        logits, labels = context.test(name)
        found = metrics.calibration(logits, labels)
        bins = [i for i in range(len(found.count)) if found.count[i]]
        points = [(float(found.confidence[i]), float(found.accuracy[i])) for i in bins]
        series.append((name, points, [int(found.count[i]) for i in bins]))
        sure = errors.confidence_of_errors(logits, labels)
        summary = next(c for c in context.ranked if c["name"] == name)
        rows.append(
            [
                Cell(name),
                Cell(str(summary["n"])),
                Cell(percent(summary["calibration_error"])),
                Cell(f"{summary['negative_log_likelihood']:.4f}"),
                Cell(percent(sure.right)),
                Cell(percent(sure.wrong)),
                Cell(f"{sure.area:.3f}"),
            ]
        )
    heads = [Head("contender", "text"), Head("n"), Head("calibration error"), Head("negative log-likelihood")]
    heads += [Head("confidence when right"), Head("when wrong"), Head("errors are the unsure ones (area)")]
    return [
        Figures([Figure("reliability", figures.reliability("Reliability", series), "")]),
        Table(heads, rows, ""),
    ]


def _png(image: NDArray[np.uint8]) -> bytes:
    """(C, H, W) as PNG: three channels as colour, else their first as grey."""
    pixels = image.transpose(1, 2, 0) if len(image) == 3 else image[0]
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def mistakes(context: Context, section: Section) -> list[Block]:
    """The choice's wrong test predictions, those that most seeds make first, then the surest."""
    return []
