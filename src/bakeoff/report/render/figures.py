"""The report's plots: each function takes numbers and returns a picture as SVG text."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from markupsafe import escape
from numpy.typing import NDArray

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
    cut_ends,
    legend,
    linear,
    logarithmic,
    mark,
    number,
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
        drawn.append(f'<line class="whisker {dot.classes}" {ends} y1="{y}" y2="{y}"/>')
        for value, classes, title, shape in cut_ends(axis, dot.low, dot.high, ("left", "right"), dot.classes):
            drawn.append(mark(_percent(axis, value), y, shape, classes, title))
        drawn.append(mark(_percent(axis, dot.mean), y, dot.shape, f"dot {dot.classes}", dot.title))
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
    """A named line: its mean, and where known its lowest and highest, at each x."""

    name: str
    x: Sequence[float]
    mean: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


def _course_axis(values: Sequence[float], label: str) -> Axis:
    """Seconds and steps from 0, epochs from the first to the last, at whole numbers."""
    if label == "seconds":
        return linear([*values, 0], label, tight=True)
    first = 1 if label == "epoch" else 0
    axis = linear([*values, first], label, tight=True)
    whole = [t for t in axis.ticks if t[0] == round(t[0])]
    distance = whole[1][0] - whole[0][0] if len(whole) > 1 else 1
    return dataclasses.replace(axis, ticks=((first, str(first)), *(t for t in whole if t[0] - first > distance / 2)))


def curves(
    series: Sequence[Series], x_label: str, y_label: str, shown: Sequence[str], rest: str = "other contender"
) -> str:
    """Lines with bands. `shown` get a colour each, in that order; the others lie behind them in grey, along
    the edge where they leave the range of the first."""
    values = [v for s in series if s.name in shown for v in (*s.low, *s.high)]
    values = values or [v for s in series for v in (*s.low, *s.high)]
    if y_label.endswith("accuracy"):
        y = accuracy(values, (), y_label)
    elif all(v > 0 and math.isfinite(v) for v in values) and max(values) > 10 * min(values):
        y = logarithmic(values, f"{y_label} (log scale)")
    else:
        y = linear(values, y_label)
    panel = Panel(_course_axis([v for s in series for v in s.x], x_label), y, f"{y_label} by {x_label}")
    by_name = {s.name: s for s in series}
    order = [(n, f"s{i + 1}") for i, n in enumerate(shown) if n in by_name][:SERIES]
    coloured = {name for name, _ in order}
    body = [panel.line(zip(s.x, s.mean, strict=True), "s0", s.name) for s in series if s.name not in coloured]
    for name, classes in reversed(order):
        s = by_name[name]
        low, high = zip(s.x, s.low, strict=True), list(zip(s.x, s.high, strict=True))
        body.append(panel.band(low, high, classes))
        body.append(panel.line(zip(s.x, s.mean, strict=True), classes, name))
    keys = [Key(name, classes) for name, classes in order]
    others = len(series) - len(order)
    return panel.draw(body, keys + ([Key(format.plural(others, rest), "s0")] if others else []))


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
        if dot:
            body += [panel.whisker(i, dot.low, dot.high, "s1"), panel.dot(i, dot.mean, "dot s1", dot.title)]
        else:
            body.append(text(panel.at(i, 0)[0], panel.height - 46, "no result", "middle small"))
    for i, value in enumerate(reported):
        if value is not None:
            label = f"{labels[i]}: reported {100 * value:.2f} %"
            body.append(panel.dot(i + 0.12, value, "hollow", label, "diamond"))
    keys = [Key("measured, 95 % interval", "dot s1", "circle"), Key("reported", "hollow", "diamond")]
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
        classes = "s1" if spot in front else "s0"
        body.append(panel.whisker(spot.cost, spot.dot.low, spot.dot.high, classes))
        body.append(panel.dot(spot.cost, spot.dot.mean, f"dot {classes}", spot.dot.title))
    others = [s for s in spots if s not in front]
    many = len(spots) > MANY
    labels = [(s, s.name if len(s.name) < 22 else s.name[:20] + "…", "halo strong") for s in reversed(front)]
    labels += [(s, str(s.place) if many else s.name, "halo small" if many else "halo") for s in others]
    body += _labels(panel, labels)
    rest = "others; number: place below" if many else "others, 95 % intervals"
    keys = [Key("Pareto front, 95 % intervals", "dot s1", "circle"), Key(rest, "dot s0", "circle")]
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


def _matrix(names: Sequence[str], cells: Iterable[str], size: float, title: str, across: str) -> str:
    """A frame of labels around square cells that are drawn already, a row and a column of each name; long names of
    columns stand slantwise."""
    longest = min(max(map(len, names)), 34)
    slant = longest > size / 5.5
    left, top = 30 + 6.4 * longest, 30 + (4.2 * longest if slant else 0)
    turned, classes = (" rotate(-45)", "small") if slant else ("", "middle small")
    rows, body = [], [text(left, 12, across)]
    for i, name in enumerate(names):
        middle = size * (i + 0.5)
        rows.append(text(left - 8, top + 6 + middle + 4, name, "end strong", most=longest))
        label = text(0, 0, name, classes, most=longest)
        body.append(f'<g transform="translate({number(left + middle)} {number(top)}){turned}">{label}</g>')
    inner = f'<g transform="translate({number(left)} {number(top + 6)})">{"".join(cells)}</g>'
    width = max(left + size * len(names) + (4.2 * longest if slant else 6), left + 6.4 * len(across))
    body[1:1] = rows
    return picture(width, top + 12 + size * len(names), "".join([*body, inner]), title, natural=True)


def _cell(i: int, j: int, size: float, classes: str, depth: float, words: str, title: str) -> str:
    at = f'x="{number(j * size)}" y="{number(i * size)}" width="{number(size)}" height="{number(size)}"'
    middle = (j + 0.5) * size, (i + 0.5) * size + 4
    label = text(*middle, words, "middle strong" if size > 24 else "middle strong small") if words else ""
    return f'<g><title>{escape(title)}</title><rect class="cell {classes}" {at} fill-opacity="{depth:.2f}"/>{label}</g>'


VERDICTS = {"better": ("better", "+"), "worse": ("worse", "−"), "equivalent": ("equal", "="), "undecided": ("same", "")}
"""The class of a cell and its sign, where there is no room for the difference."""


def significance(names: Sequence[str], pairs: Mapping[tuple[str, str], tuple[float, str, str]]) -> str:
    """Who beats whom: row against column. `pairs[row, column]` is (difference, verdict, tooltip)."""
    few = len(names) <= MANY
    size = 52.0 if few else 15.0
    decided = [abs(difference) for difference, verdict, _ in pairs.values() if verdict in ("better", "worse")]
    largest = max(decided, default=1.0) or 1.0
    places, cells = {name: i for i, name in enumerate(names)}, []
    for (a, b), (difference, verdict, title) in pairs.items():
        classes, sign = VERDICTS[verdict]
        depth = 0.2 + 0.45 * math.sqrt(abs(difference) / largest) if verdict in ("better", "worse") else 0.6
        cells.append(
            _cell(places[a], places[b], size, classes, depth, format.points(difference) if few else sign, title)
        )
    across = "row minus column, in points" if few else "row against column: + better, − worse, = as good"
    return _matrix(names, cells, size, "Differences of test accuracy", across)


def confusion(counts: NDArray[np.int64], classes: Sequence[str], title: str) -> str:
    """(K, K) counts, true class by predicted class; colour by the share of the true class's images."""
    few = len(classes) <= MANY
    size = 38.0 if few else 15.0
    totals = np.maximum(counts.sum(axis=1), 1)
    errors = counts / totals[:, None] * (1 - np.eye(len(classes)))
    worst = float(errors.max()) or 1.0
    cells = []
    for (i, true), (j, predicted) in itertools.product(enumerate(classes), repeat=2):
        count, part = int(counts[i, j]), float(counts[i, j] / totals[i])
        label = f"{true} taken for {predicted}" if i != j else f"{true} recognised"
        kind = "better" if i == j else "worse" if count else "same"
        depth = {"better": 0.15 + 0.35 * part, "worse": 0.65 * math.sqrt(part / worst), "same": 0.35}[kind]
        tooltip = f"{label}: {count} of {totals[i]}, {100 * part:.2f} %"
        cells.append(_cell(i, j, size, kind, depth, str(count) if few and count else "", tooltip))
    return _matrix(classes, cells, size, title, "true class (row) by predicted class (column)")


def roc(title: str, curves: Mapping[str, Curve], zoom: float) -> str:
    """The classes' ROC curves up to the false positive rate `zoom`: those of the smallest areas coloured,
    smallest first, the others grey."""
    order = sorted(curves.items(), key=lambda item: item[1].area)
    zoomed = [float(np.interp(zoom / 50, c.false_positive_rate, c.true_positive_rate)) for c in curves.values()]
    lowest = min(zoomed) if zoom < 1 else 0.0
    axis = linear([min(lowest, 0.999), 1], "true positive rate")
    panel = Panel(linear([0, zoom], "false positive rate"), axis, title, height=300)
    body = [panel.line([(0, 0), (1, 1)], "diagonal")] if zoom == 1 else []
    for i, (name, curve) in reversed(list(enumerate(order))):
        x, y = curve.false_positive_rate, curve.true_positive_rate
        upto = int(np.searchsorted(x, zoom, side="right"))
        points = [*zip(x[:upto].tolist(), y[:upto].tolist(), strict=True), (zoom, float(np.interp(zoom, x, y)))]
        body.append(panel.line(points, f"s{i + 1}" if i < SERIES else "s0", name))
    keys = [Key(f"{name} ({curve.area:.4f})", f"s{i + 1}") for i, (name, curve) in enumerate(order[:SERIES])]
    if others := order[SERIES:]:
        rest = f"{len(others)} other class{'es' * (len(others) > 1)}"
        keys.append(Key(f"{rest} (from {others[0][1].area:.4f})", "s0"))
    return panel.draw(body, [*keys, Key("chance", "diagonal")] if zoom == 1 else keys)


def reliability(title: str, series: Sequence[tuple[str, Sequence[Point], Sequence[int]]]) -> str:
    """Accuracy against confidence: a line a contender, (name, points, images in each bin)."""
    x, y = (linear([0, 1], f"{what}, %", lambda v: f"{100 * v:g}") for what in ("confidence", "accuracy"))
    panel = Panel(x, y, title, height=300)
    body = [panel.line([(0, 0), (1, 1)], "diagonal")]
    for i, (name, points, counts) in reversed(list(enumerate(series))):
        body.append(panel.line(points, f"s{i + 1}"))
        for (confidence, right), count in zip(points, counts, strict=True):
            tooltip = f"{name}: {count} predictions, confidence {100 * confidence:.2f} %, right {100 * right:.2f} %"
            body.append(panel.dot(confidence, right, f"dot s{i + 1}", tooltip))
    keys = [Key(name, f"s{i + 1}") for i, (name, _, _) in enumerate(series)]
    return panel.draw(body, [*keys, Key("as sure as right", "diagonal")])


def coverage(title: str, series: Sequence[tuple[str, NDArray[np.bool_]]]) -> str:
    """Accuracy on the surest part of the images against that part: (name, right or wrong, surest first)."""
    parts = np.linspace(0.1, 1.0, 46)
    counts = {name: np.maximum(np.rint(parts * len(right)), 1).astype(int) for name, right in series}
    lines = [(name, (np.cumsum(right)[counts[name] - 1] / counts[name]).tolist()) for name, right in series]
    y = linear([1.0, *(v for _, values in lines for v in values)], "accuracy on these, %", lambda v: f"{100 * v:.6g}")
    x = linear([0.1, 1], "the surest part of the test images, %", lambda v: f"{100 * v:g}", tight=True)
    panel = Panel(x, y, title, height=300)
    keys = [Key(name, f"s{i + 1}") for i, (name, _) in enumerate(lines)]
    drawn = zip(keys, lines, strict=True)
    body = [panel.line(zip(parts, values, strict=True), key.classes, key.label) for key, (_, values) in drawn]
    return panel.draw(reversed(body), keys)
