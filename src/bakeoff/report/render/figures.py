"""The report's plots: each function takes numbers and returns a picture as SVG text."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from markupsafe import escape

from bakeoff.evaluation.metrics import Curve
from bakeoff.report import format
from bakeoff.report.render.svg import (
    SERIES,
    Axis,
    Dot,
    Key,
    Panel,
    Point,
    accuracy,
    categories,
    legend,
    linear,
    logarithmic,
    mark,
    picture,
    text,
)


def ends(dots: Iterable[Dot]) -> list[float]:
    """Where the intervals end."""
    return [value for dot in dots for value in (dot.low, dot.high)]


def _percent(axis: Axis, value: float) -> str:
    return f"{100 * axis.at(value):.2f}%"


def dots_row(axis: Axis, dots: Sequence[Dot]) -> str:
    """One table cell's drawing: as wide as the cell, the dots below each other, the grid of `axis` behind them."""
    places = [_percent(axis, tick) for tick, _ in axis.ticks]
    drawn = [f'<line class="grid" x1="{x}" x2="{x}" y1="0" y2="100%"/>' for x in places]
    for i, dot in enumerate(dots):
        y = f"{100 * (i + 1) / (len(dots) + 1):.1f}%"
        ends = f'x1="{_percent(axis, dot.low)}" x2="{_percent(axis, dot.high)}"'
        drawn.append(f'<line class="whisker {dot.key.colour}" {ends} y1="{y}" y2="{y}"/>')
        drawn.append(mark(_percent(axis, dot.mean), y, dot.key.shape, dot.key.colour, dot.title))
    label = escape("; ".join(dot.title for dot in dots) or "no result")
    size = f'width="100%" height="{_row_height(len(dots))}"'
    return f'<svg class="row" {size} role="img" aria-label="{label}">{"".join(drawn)}</svg>'


def _row_height(count: int) -> int:
    """Pixels that a row of `count` dots takes."""
    return 24 if count < 2 else 10 + 9 * count


def dots_axis(axis: Axis) -> str:
    """The labels that belong above a column of `dots_row`, as many as fit."""
    ticks = [(_percent(axis, tick), escape(label)) for tick, label in axis.spaced(0.14)]
    drawn = [f'<text class="small middle" x="{x}" y="11">{label}</text>' for x, label in ticks]
    return f'<svg class="row" width="100%" height="14" aria-hidden="true">{"".join(drawn)}</svg>'


def dots(rows: Sequence[tuple[str, Sequence[Dot]]], axis: Axis, title: str, keys: Sequence[Key] = ()) -> str:
    """All rows as one picture, for a file of its own; the legend `keys` below."""
    longest = min(max((len(name) for name, _ in rows), default=0), 40)
    left, y = 20 + 7 * longest, 40
    width = left + 450
    place = f'x="{left}" width="{width - left - 30}"'
    body = [text(left, 14, axis.label), f'<svg {place} y="24" height="14">{dots_axis(axis)}</svg>']
    for name, items in rows:
        height = _row_height(len(items))
        body.append(text(left - 14, y + height / 2 + 4, name, "end strong", most=longest))
        body.append(f'<svg {place} y="{y}" height="{height}">{dots_row(axis, items)}</svg>')
        y += height
    below, extra = legend(keys, width, y)
    return picture(width, y + 8 + extra, "".join([*body, below]), title)


@dataclasses.dataclass(frozen=True)
class Series:
    """A named line: its mean, lowest and highest at each x, in the colour s1 ... s6, or grey, s0."""

    name: str
    x: Sequence[float]
    mean: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    colour: str = "s0"


def _course_axis(values: Sequence[float], label: str) -> Axis:
    """Seconds and steps from 0, epochs from the first to the last, at whole numbers."""
    first = 1 if label == "epoch" else 0
    axis = linear([*values, first], label, tight=True)
    later = (tick for tick in axis.ticks if tick[0] > first and (label == "seconds" or tick[0] == round(tick[0])))
    return dataclasses.replace(axis, ticks=((first, str(first)), *later))


def curves(series: Sequence[Series], x_label: str, y_label: str, rest: str = "other contender") -> str:
    """Lines with bands; grey ones, each a `rest`, lie behind the others without a band, along the edge where they
    leave the range of these."""
    coloured = sorted((s for s in series if s.colour != "s0"), key=lambda s: s.colour)
    grey = [s for s in series if s.colour == "s0"]
    values = [v for s in coloured or grey for v in (*s.low, *s.high)]
    if y_label.endswith("accuracy"):
        y = accuracy(values, (), y_label)
    elif all(v > 0 and math.isfinite(v) for v in values) and max(values) > 10 * min(values):
        y = logarithmic(values, f"{y_label} (log scale)")
    else:
        y = linear(values, y_label)
    panel = Panel(_course_axis([v for s in series for v in s.x], x_label), y, f"{y_label} by {x_label}")
    body = []
    for s in (*grey, *reversed(coloured)):
        if s.colour != "s0":
            low, high = zip(s.x, s.low, strict=True), list(zip(s.x, s.high, strict=True))
            body.append(panel.band(low, high, s.colour))
        body.append(panel.line(zip(s.x, s.mean, strict=True), s.colour, s.name))
    keys = [Key(s.name, s.colour) for s in coloured]
    return panel.draw(body, keys + ([Key(format.plural(len(grey), rest), "s0")] if grey else []))


def sweep(
    title: str, head: str, labels: Sequence[str], dots: Sequence[Dot | None], reported: Sequence[float | None]
) -> str:
    """Test accuracy against the value of `head` that is varied; what a report gave lies over it as diamonds."""
    published = [v for v in reported if v is not None]
    known = [dot for dot in dots if dot]
    y = accuracy([*(d.mean for d in known), *published], ends(known), "test accuracy")
    panel = Panel(categories(labels, head), y, title)
    ordered = all(value.replace(".", "", 1).replace("e-", "", 1).isdigit() for value in labels)
    body = [panel.line([(i, dot.mean) for i, dot in enumerate(dots) if dot], "s1")] if ordered else []
    for i, dot in enumerate(dots):
        no_result = text(panel.at(i, 0)[0], panel.height - 46, "no result", "middle small")
        body.append(panel.interval(i, dot, "s1") if dot else no_result)
    for i, value in enumerate(reported):
        if value is not None:
            label = f"{labels[i]}: reported {100 * value:.2f} %"
            body.append(panel.dot(i + 0.12, value, "hollow", label, "diamond"))
    keys = [Key("measured, 95 % interval", "s1", "circle"), Key("reported", "hollow", "diamond")]
    return panel.draw(body, keys if published else keys[:1])


@dataclasses.dataclass(frozen=True)
class Spot:
    """A contender in the plane of cost and accuracy; `place` is its place in the table below."""

    name: str
    place: int
    cost: float
    dot: Dot


def pareto(spots: Sequence[Spot]) -> list[Spot]:
    """Those than which no other is both cheaper (or as cheap) and better, cheapest first."""
    front: list[Spot] = []
    for spot in sorted(spots, key=lambda s: (s.cost, -s.dot.mean)):
        if not front or spot.dot.mean > front[-1].dot.mean:
            front.append(spot)
    return front


MANY = 12
"""Spots above which those that are not on the front have their number for a name."""


def scatter(spots: Sequence[Spot], x_label: str) -> str:
    """Test accuracy against a cost, on a log scale, with the Pareto front and a name or number at every spot."""
    x = logarithmic([s.cost for s in spots], f"{x_label} (log scale)")
    y = accuracy([s.dot.mean for s in spots], ends([s.dot for s in spots]), "test accuracy")
    panel = Panel(x, y, f"Test accuracy against {x_label}", height=280)
    front = pareto(spots)
    corners = [(after.cost, before.dot.mean) for before, after in itertools.pairwise(front)]
    steps = sorted([*((spot.cost, spot.dot.mean) for spot in front), *corners])
    body = [panel.line(steps, "front")]
    for spot in sorted(spots, key=lambda s: s in front):
        body.append(panel.interval(spot.cost, spot.dot, "s1" if spot in front else "s0"))
    others = [s for s in spots if s not in front]
    many = len(spots) > MANY
    labels = [(s, s.name if len(s.name) < 22 else s.name[:20] + "…", "halo strong") for s in reversed(front)]
    labels += [(s, str(s.place) if many else s.name, "halo small" if many else "halo") for s in others]
    body += _labels(panel, labels)
    rest = "others; number: place below" if many else "others, 95 % intervals"
    keys = [Key("Pareto front, 95 % intervals", "s1", "circle"), Key(rest, "s0", "circle")]
    return panel.draw(body, keys if others else keys[:1])


PLACES = ((-1, 4), (1, 4), (-1, -5), (1, -5), (0, -5), (-1, 13), (1, 13), (0, 13), (0, -9), (0, 17))
"""Where a label may lie beside its mark: left (-1), right (1) or in the middle, and so many pixels lower."""


def _labels(panel: Panel, labels: Sequence[tuple[Spot, str, str]]) -> list[str]:
    """Each (spot, text, classes) right beside its mark, where it covers no mark and no other label; one that has
    no such place is left out, for its mark has it as a tooltip."""
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y in (panel.at(s.cost, s.dot.mean) for s, *_ in labels)]
    drawn = []
    for spot, words, classes in labels:
        x, y = panel.at(spot.cost, spot.dot.mean)
        width = (5.6 if "small" in classes else 6.6) * len(words)
        for side, rise in PLACES:
            at, base, anchor = x + 8 * side, y + rise, ("middle", "", "end")[side]
            start = at - (0.5, 0.0, 1.0)[side] * width
            box = (start, base - 10, start + width, base + 3)
            inside = box[0] > panel.left and box[2] < panel.width and panel.top - 8 < box[1] < panel.height - 54
            if inside and not any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in taken):
                taken.append(box)
                drawn.append(text(at, base, words, f"{classes} {anchor}".strip()))
                break
    return drawn


def roc(title: str, curves: Mapping[str, Curve]) -> str:
    """The classes' ROC curves, false positive rates on a log scale: those of the smallest areas coloured, smallest
    first, the others grey."""
    order = sorted(curves.items(), key=lambda item: item[1].area)
    rates = np.concatenate([curve.false_positive_rate for curve in curves.values()])
    x = logarithmic([0.001, *rates[rates > 0].tolist(), 1.0], "false positive rate (log scale)")
    first = min(tick for tick, _ in x.ticks)
    starts = [float(np.interp(first, c.false_positive_rate, c.true_positive_rate)) for c in curves.values()]
    panel = Panel(x, linear([*starts, 0.999, 1.0], "true positive rate"), title, height=300)
    body, keys = [], []
    for i, (name, curve) in enumerate(order):
        colour = f"s{i + 1}" if i < SERIES else "s0"
        points = zip(curve.false_positive_rate.tolist(), curve.true_positive_rate.tolist(), strict=True)
        body.append(panel.line(points, colour, name))
        keys.append(Key(f"{name} ({curve.area:.4f})", colour))
    if others := order[SERIES:]:
        rest = f"{len(others)} other class{'es' * (len(others) > 1)}"
        keys[SERIES:] = [Key(f"{rest} (from {others[0][1].area:.4f})", "s0")]
    return panel.draw(reversed(body), keys)


def reliability(title: str, series: Sequence[tuple[str, Sequence[Point]]]) -> str:
    """Accuracy against confidence: a line of (name, points) for each contender."""
    x, y = (linear([0, 1], f"{what}, %", lambda v: f"{100 * v:g}") for what in ("confidence", "accuracy"))
    panel = Panel(x, y, title, height=300)
    keys = [Key(name, f"s{i}") for i, (name, _) in enumerate(series, 1)]
    body = [panel.line([(0, 0), (1, 1)], "diagonal")]
    for key, (name, points) in zip(reversed(keys), reversed(series), strict=True):
        body.append(panel.line(points, key.colour))
        for confidence, right in points:
            tooltip = f"{name}: confidence {100 * confidence:.2f} %, right {100 * right:.2f} %"
            body.append(panel.dot(confidence, right, key.colour, tooltip))
    return panel.draw(body, [*keys, Key("as sure as right", "diagonal")])
