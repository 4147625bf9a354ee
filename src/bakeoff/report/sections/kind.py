"""What the sections share: the entry of their table, and the cells, marks and words that several of them have."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from bakeoff.evaluation.metrics import Interval
from bakeoff.evaluation.verdicts import Pair
from bakeoff.findings.contenders import ContenderResult
from bakeoff.record import Run
from bakeoff.report import sentences
from bakeoff.report.context import Context
from bakeoff.report.format import interval, p_value, sample_sizes
from bakeoff.report.leaderboard import marks
from bakeoff.report.render import figures
from bakeoff.report.render.blocks import Cell
from bakeoff.report.render.figures import Series
from bakeoff.report.render.svg import Axis, Dot, Key, accuracy
from bakeoff.spec.registry import Entry
from bakeoff.spec.settings import Frozen


@dataclasses.dataclass(frozen=True)
class Kind(Entry[Frozen]):
    """A kind of section. Its function makes blocks of a context, none where there is nothing to show; the first
    line of its docstring says what it shows."""

    title: str = ""
    """Over the section; none: the function's name in words."""
    least: int = 0
    """How many contenders with a result it needs: of fewer it shows nothing."""
    all_runs: bool = False
    """Whether it is about the runs of all datasets at once."""

    @property
    def heading(self) -> str:
        return self.title or self.function.__name__.replace("_", " ").capitalize()


INTERVALS = "Intervals are 95 %, for the expected accuracy over new training seeds and new images like these."
TESTED = ("difference, points", "95 % interval", "runs", "adjusted p")
"""The columns of `tested`."""


def tested(pair: Pair) -> list[Cell]:
    """A pair's difference with its interval, its runs and its p."""
    return [Cell(text) for text in (*sentences.measured(pair), p_value(pair.p_adjusted))]


def tone(pair: Pair) -> str:
    """The tone of a verdict's cell."""
    return {"better": "good", "worse": "bad", "equivalent": "equal"}.get(pair.verdict, "quiet")


def name_cell(context: Context, contender: ContenderResult) -> Cell:
    """A contender's name with what it is and what it did with the test set; its note as a tooltip."""
    kind = "ensemble" if context.study.contender(contender.name).ensemble else ""
    tags = ", ".join(tag for tag in (kind, contender.variant) if tag and tag != contender.name)
    return Cell(contender.name + (f" ({tags})" if tags else "") + marks(contender), title=contender.note)


def accuracy_axis(dots: Sequence[Dot], label: str) -> Axis:
    """An axis for these accuracies and their intervals."""
    return accuracy([dot.mean for dot in dots], figures.ends(dots), label)


def make_dot(name: str, value: Interval, what: str, key: Key) -> Dot:
    """An accuracy with its interval as a mark, that of `key`."""
    return Dot(value.mean, value.low, value.high, key, f"{name}: {what} {interval(value)}")


def accuracy_dot(contender: ContenderResult, what: str = "test accuracy") -> Dot:
    """A contender's test accuracy as a mark, grey where it is that of one run."""
    single = contender.interval == "wilson"
    key = Key("", "s0" if single else "s1", "circle")
    return make_dot(contender.name, contender.test_accuracy, f"one run, {what}" if single else what, key)


def how_many(names: Sequence[str], context: Context) -> str:
    """Over how many seeds these contenders' numbers are, and how many of all contenders they are."""
    seeds = "seed" if all(len(context.finished[name]) == 1 for name in names) else "seeds"
    part = f" Shown: {len(names)} of {len(context.ranked)} contenders." if len(names) < len(context.ranked) else ""
    return f"{sample_sizes(len(context.finished[name]) for name in names)} {seeds}.{part}"


def course_by_step(name: str, runs: Sequence[Run], column: int, colour: str) -> Series | None:
    """Training loss (column 1) or accuracy (2) against the step, as far as every seed was trained; None for records
    that have no curve within their epochs."""
    seeds = [[point for row in run.history for point in row.get("curve", [])] for run in runs]
    length = min(map(len, seeds))
    if not length:
        return None
    values = np.array([[points[i][column] for points in seeds] for i in range(length)])
    return over_seeds(name, [float(point[0]) for point in seeds[0][:length]], values, colour)


def over_seeds(name: str, x: Sequence[float], values: np.ndarray, colour: str) -> Series:
    """Mean, lowest and highest of `values` (points, seeds) at each x."""
    mean, low, high = (f(values, axis=1).tolist() for f in (np.mean, np.min, np.max))
    return Series(name, x, mean, low, high, colour)
