"""Drawing: axes, marks and panels as SVG text. Colours are CSS variables, see figure.css.

Written by hand rather than with a plotting library: a panel is a few kilobytes instead of tens, follows the
reader's light or dark scheme, keeps its text as text, and is the same bytes every time.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from markupsafe import escape

STYLE = (Path(__file__).parent / "figure.css").read_text(encoding="utf-8")
SERIES = 6
"""How many series have a colour and a dash of their own; further ones are grey."""

Point = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Axis:
    """`place` maps a value to [0, 1]; `ticks` are the values that get a label."""

    place: Callable[[float], float]
    ticks: tuple[tuple[float, str], ...]
    label: str

    def at(self, value: float) -> float:
        """Where the value lies; one beyond the axis lies at its end."""
        return min(max(self.place(value), 0.0), 1.0)

    def spaced(self, least: float) -> list[tuple[float, str]]:
        """The first tick and the last, and of the others those that lie `least`, a part of the axis, from these and
        each other."""
        kept = [*self.ticks[:1], *self.ticks[-1:]]
        for tick in self.ticks:
            if all(abs(self.at(tick[0]) - self.at(other[0])) >= least for other in kept):
                kept.append(tick)
        return sorted(set(kept))


def _round_values(low: float, high: float) -> list[float]:
    """About five values, 1, 2 or 5 x 10^n apart, that cover [low, high]."""
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [step * i for i in range(first, last + 1)]


def _finite(values: Iterable[float]) -> list[float]:
    return [v for v in values if math.isfinite(v)] or [0.0, 1.0]


def linear(
    values: Iterable[float], label: str, text_of: Callable[[float], str] = "{:g}".format, *, tight: bool = False
) -> Axis:
    """An axis over round numbers that cover `values`, or `tight`: over the values alone."""
    known = _finite(values)
    low, high = min(known), max(known)
    if high - low < 1e-9:
        low, high = low - 0.5 * (abs(low) or 1), high + 0.5 * (abs(high) or 1)
    ticks = _round_values(low, high)
    first, last = (low, high) if tight else (ticks[0], ticks[-1])
    labelled = tuple((t, text_of(round(t, 12))) for t in ticks if first - 1e-9 <= t <= last + 1e-9)
    return Axis(lambda v: (v - first) / (last - first), labelled, label)


def short(value: float) -> str:
    """`92.5 k`, `1.2 M`: three significant digits and a unit."""
    for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= 0.9995 * size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g}"


def logarithmic(values: Iterable[float], label: str) -> Axis:
    """An axis on which equal steps are equal factors. Values that are not positive lie at its lower end."""
    known = [v for v in _finite(values) if v > 0] or [1.0]
    low, high = math.log10(min(known)), math.log10(max(known))
    margin = max(0.06 * (high - low), 0.1)
    low, high = low - margin, high + margin
    multiples = (1,) if high - low > 2.5 else (1, 3) if high - low > 1.2 else (1, 2, 5)
    ticks = [m * 10.0**p for p in range(math.floor(low), math.ceil(high) + 1) for m in multiples]
    ticks = [t for t in ticks if low <= math.log10(t) <= high]
    if len(ticks) < 2:
        ticks = [t for t in _round_values(10**low, 10**high) if 10**low <= t <= 10**high]
    labelled = tuple((t, short(t)) for t in ticks[:: len(ticks) // 6 + 1])
    return Axis(lambda v: (math.log10(v) - low) / (high - low) if v > 0 else 0.0, labelled, label)


ROUND_ACCURACIES = (0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9998, 0.9999)


def accuracy(means: Iterable[float], ends: Iterable[float], label: str) -> Axis:
    """A percent axis over `means` and the `ends` of their intervals: linear, or logarithmic in the error where the
    errors differ more than tenfold.

    On a log scale 100 % has no place: what is above the last label lies there with it.
    """
    least = max(min((1 - v for v in _finite(means) if v < 1), default=0.01) / 3, 1e-4)
    known = [min(max(v, 0.0), 1.0) for v in (*_finite(means), *ends) if math.isfinite(v)]
    worst, best = 1 - min(known), max(1 - max(known), least)
    if worst < 10 * best or worst < 0.05:
        axis = linear(known, f"{label}, %", lambda v: f"{100 * v:.6g}")
        return dataclasses.replace(axis, ticks=tuple(t for t in axis.ticks if -1e-9 <= t[0] <= 1 + 1e-9))
    low = max(t for t in ROUND_ACCURACIES if t <= 1 - worst)
    high = 1 - best / 1.1
    if beyond := max(known) > high:
        high = min((t for t in ROUND_ACCURACIES if t >= 1 - best), default=ROUND_ACCURACIES[-1])
    first, last = math.log10(1 - low), math.log10(1 - high)
    labels = [(t, f"{100 * t:g}") for t in ROUND_ACCURACIES if low <= t <= high]
    if beyond:
        labels[-1] = (high, f"≥ {100 * high:g}")
    label = f"{label}, % (log scale of the error)"
    return Axis(lambda v: (first - math.log10(max(1 - v, 1e-12))) / (first - last), tuple(labels), label)


def categories(names: Sequence[str], label: str) -> Axis:
    """Values 0, 1, 2 ... with a name each."""
    return Axis(lambda v: (v + 0.5) / len(names), tuple(enumerate(names)), label)


def number(value: float) -> str:
    """A coordinate: a tenth of a pixel is exact enough."""
    return f"{value:.1f}".removesuffix(".0")


def _title(words: str) -> str:
    return f"<title>{escape(words)}</title>" if words else ""


def text(x: float, y: float, words: str, classes: str = "", *, most: int = 200) -> str:
    """A line of text, cut to `most` characters; the whole is then its tooltip."""
    cut = words if len(words) <= most else words[: most - 1] + "…"
    title = "" if cut == words else _title(words)
    kind = f' class="{classes}"' if classes else ""
    return f'<text x="{number(x)}" y="{number(y)}"{kind}>{escape(cut)}{title}</text>'


def path(points: Iterable[Point], classes: str, title: str = "", *, closed: bool = False) -> str:
    """A line through `points`, without those that lie less than half a pixel from the one before or nowhere."""
    kept: list[Point] = []
    for point in (p for p in points if math.isfinite(p[0] + p[1])):
        if not kept or abs(point[0] - kept[-1][0]) + abs(point[1] - kept[-1][1]) >= 0.5:
            kept.append(point)
    shape = "M" + "L".join(f"{number(x)},{number(y)}" for x, y in kept) + ("Z" if closed else "")
    return f'<path class="{classes}" d="{shape}">{_title(title)}</path>'


SHAPES = {
    "circle": "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0Z",
    "diamond": "M0,-5.2L5.2,0L0,5.2L-5.2,0Z",
    "square": "M-3.6,-3.6H3.6V3.6H-3.6Z",
    "triangle": "M0,-5L4.6,3.6H-4.6Z",
}
"""Marks of values."""


def mark(x: str, y: str, shape: str, colour: str, title: str = "") -> str:
    """A point mark. `x` and `y` are lengths: pixels, or percent of what it lies in."""
    drawn = f'<path class="dot {colour}" d="{SHAPES[shape]}">{_title(title)}</path>'
    return f'<svg x="{x}" y="{y}" width="1" height="1">{drawn}</svg>'


@dataclasses.dataclass(frozen=True)
class Key:
    """One entry of a legend: a line, or a mark where it has a shape. `colour`: s0 (grey), s1 ... s6, or another class
    of figure.css."""

    label: str
    colour: str
    shape: str = ""

    def draw(self, x: float, y: float, most: int) -> str:
        if self.shape:
            sample = mark(number(x + 9), number(y - 4), self.shape, self.colour)
        else:
            sample = path([(x, y - 4), (x + 18, y - 4)], f"line {self.colour}")
        return sample + text(x + 24, y, self.label, "strong", most=most)


@dataclasses.dataclass(frozen=True)
class Dot:
    """A value with its interval, drawn as the mark of `key`."""

    mean: float
    low: float
    high: float
    key: Key
    title: str


def key_mark(key: Key) -> str:
    """The mark of a legend's entry, to stand in a line of text."""
    return f'<svg class="key" width="12" height="12" aria-hidden="true">{mark("6", "6", key.shape, key.colour)}</svg>'


def legend(keys: Sequence[Key], width: float, top: float) -> tuple[str, float]:
    """The keys in as many rows as they need below `top`, and how high that is."""
    drawn, x, row = "", 8.0, 0
    for key in keys:
        room = 24 + 7.4 * min(len(key.label), 34) + 14
        if x > 8 and x + room > width:
            x, row = 8.0, row + 1
        drawn += key.draw(x, top + 16 + 18 * row, 34)
        x += room
    return drawn, 18.0 * (row + 1) + 6 if keys else 0.0


def picture(width: float, height: float, body: str, title: str) -> str:
    """A whole picture for a page that has figure.css."""
    box = f"0 0 {number(width)} {number(height)}"
    return f'<svg viewBox="{box}" role="img" aria-label="{escape(title)}">{body}</svg>'


def standalone(drawn: str) -> str:
    """A picture as a file: with its namespace and its colours."""
    return styled(drawn, f"{STYLE}:root {{ background: var(--paper); }}")


def styled(drawn: str, style: str) -> str:
    """A picture with its namespace and a style sheet of its own."""
    head, rest = drawn.split(">", 1)
    return f'{head} xmlns="http://www.w3.org/2000/svg"><style>{style}</style>{rest}\n'


RIGHT = 16
"""Pixels right of a plot: room for half of the last tick's label."""


@dataclasses.dataclass(frozen=True)
class Panel:
    """One plot: two axes and what is drawn between them. Sizes in pixels."""

    x: Axis
    y: Axis
    title: str
    width: float = 340
    height: float = 240
    top: float = 26

    @property
    def left(self) -> float:
        """Room for the labels of the y axis."""
        return max(44.0, 14 + 6.6 * max((len(label) for _, label in self.y.ticks), default=0))

    def at(self, x: float, y: float) -> Point:
        """Where a value lies in the picture."""
        across, down = self.width - self.left - RIGHT, self.height - self.top - 40
        return self.left + self.x.at(x) * across, self.top + (1 - self.y.at(y)) * down

    def line(self, points: Iterable[Point], classes: str, title: str = "") -> str:
        return path((self.at(*p) for p in points), f"line {classes}", title)

    def band(self, low: Iterable[Point], high: Sequence[Point], classes: str) -> str:
        return path((self.at(*p) for p in (*low, *reversed(high))), f"band {classes}", closed=True)

    def dot(self, x: float, y: float, colour: str, title: str = "", shape: str = "circle") -> str:
        at_x, at_y = self.at(x, y)
        return mark(number(at_x), number(at_y), shape, colour, title)

    def interval(self, x: float, dot: Dot, colour: str) -> str:
        """A value with its interval, upright."""
        whisker = path((self.at(x, dot.low), self.at(x, dot.high)), f"whisker {colour}")
        return whisker + self.dot(x, dot.mean, colour, dot.title)

    def draw(self, body: Iterable[str], keys: Sequence[Key] = ()) -> str:
        """The picture: grid and labels, then `body`, and the legend below."""
        end, base = self.width - RIGHT, self.height - 40
        down = base - self.top
        frame = [text(4, 14, self.y.label)]
        for value, label in self.y.spaced(14 / down):
            y = self.top + (1 - self.y.at(value)) * down
            frame.append(path([(self.left, y), (end, y)], "grid"))
            frame.append(text(self.left - 6, y + 4, label, "end"))
        ticks = self.x.spaced(0.09)
        most = max(3, int((end - self.left) / max(len(ticks), 1) / 6.4))
        size = " small" if any(len(label) >= most for _, label in ticks) else ""
        for value, label in ticks:
            frame.append(text(self.at(value, 0)[0], base + 16, label, f"middle{size}", most=most + 1))
        frame.append(path([(self.left, base), (end, base)], "axis"))
        frame.append(text((self.left + end) / 2, base + 33, self.x.label, "middle"))
        below, extra = legend(keys, self.width, self.height)
        return picture(self.width, self.height + extra, "".join([*frame, *body, below]), self.title)
