"""What the sections share: the entry of their table, and the cells, marks and words that several of them have."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from bakeoff.evaluation.metrics import Interval
from bakeoff.evaluation.verdicts import Pair
from bakeoff.findings.contenders import ContenderResult
from bakeoff.record import Run
from bakeoff.report import sentences
from bakeoff.report.context import Context
from bakeoff.report.format import interval, listing, p_value, sample_sizes
from bakeoff.report.leaderboard import marks
from bakeoff.report.render.blocks import Cell
from bakeoff.report.render.figures import Series
from bakeoff.report.render.svg import Axis, Dot, Key, accuracy
from bakeoff.spec.plan import Plan
from bakeoff.spec.registry import Entry
from bakeoff.spec.settings import Frozen


@dataclasses.dataclass(frozen=True)
class Kind(Entry[Frozen]):
    """A kind of section. Its function makes blocks of a context, none where there is nothing to show; the first
    line of its docstring says what it shows."""

    title: str = ""
    """Over the section; none: the function's name in words."""
    applies: Callable[[Plan], bool] = lambda _: True
    """Which studies it can be about."""
    least: int = 0
    """How many contenders with a result it needs: of fewer it shows nothing."""
    all_runs: bool = False
    """Whether it is about the runs of all datasets at once."""
    names_all: bool = False
    """Whether it names contenders without a finished run beside the others."""

    @property
    def heading(self) -> str:
        return self.title or self.function.__name__.replace("_", " ").capitalize()


FEW = 4
"""How many contenders stand side by side in a table or a diagram."""
INTERVALS = (
    "Intervals are 95 %, for the expected accuracy over new training seeds and new images like these. "
    "An interval that leaves its plot ends in an arrow."
)
TESTED = ("difference, points", "95 % interval", "runs", "adjusted p")
"""The columns of `tested`."""


def tested(pair: Pair) -> list[Cell]:
    """A pair's difference with its interval, its runs and its p."""
    return [Cell(text) for text in (*sentences.measured(pair), p_value(pair.p_adjusted))]


def tone(pair: Pair) -> str:
    """The tone of a verdict's cell."""
    return {"better": "good", "worse": "bad"}.get(pair.verdict, "quiet")


def name_cell(context: Context, contender: ContenderResult) -> Cell:
    """A contender's name with what it is and what it did with the test set; its note as a tooltip."""
    kind = "ensemble" if context.study.contender(contender.name).ensemble else ""
    tags = ", ".join(filter(None, (kind, contender.variant)))
    return Cell(contender.name + (f" ({tags})" if tags else "") + marks(contender), title=contender.note)


def accuracy_axis(marks: Sequence[Dot], label: str) -> Axis:
    """An axis for these accuracies and their intervals."""
    return accuracy([mark.mean for mark in marks], [end for mark in marks for end in (mark.low, mark.high)], label)


def dot(name: str, found: Interval, what: str, key: Key) -> Dot:
    """An accuracy with its interval as a mark, that of `key`."""
    classes = key.classes.removeprefix("dot ")
    return Dot(found.mean, found.low, found.high, classes, f"{name}: {what} {interval(found)}", key.shape)


def accuracy_dot(contender: ContenderResult, what: str = "test accuracy") -> Dot:
    """A contender's test accuracy as a mark, grey where it is that of one run."""
    one = contender.interval == "wilson"
    key = Key("one run", "dot s0", "circle") if one else Key("", "dot s1", "circle")
    return dot(contender.name, contender.test_accuracy, f"one run, {what}" if one else what, key)


def how_many(names: Sequence[str], context: Context, named: Sequence[str] = ()) -> str:
    """Over how many seeds these contenders' numbers are, and which of all contenders they are."""
    seeds = "seed" if all(len(context.finished[name]) == 1 for name in names) else "seeds"
    return f"{sample_sizes(len(context.finished[name]) for name in names)} {seeds}.{which(names, context, named)}"


def which(names: Sequence[str], context: Context, named: Sequence[str] = ()) -> str:
    """Which of all contenders these are, where they are not all."""
    every = len(context.ranked)
    who = f"the selected contender, {listing(named)} as the study names them," if named else "the selected one"
    return f" Shown: {who} and the best after it, {len(names)} of {every}." if len(names) < every else ""


def course_by_step(name: str, runs: Sequence[Run], column: int) -> Series | None:
    """Training loss (column 1) or accuracy (2) against the step, as far as every seed was trained; None for records
    that have no curve within their epochs."""
    every = [[point for row in run.history for point in row.get("curve", [])] for run in runs]
    length = min(map(len, every))
    if not length:
        return None
    values = np.array([[points[i][column] for points in every] for i in range(length)])
    return over_seeds(name, [float(point[0]) for point in every[0][:length]], values)


def over_seeds(name: str, x: Sequence[float], values: np.ndarray) -> Series:
    """Mean, lowest and highest of `values` (points, seeds) at each x."""
    return Series(name, x, *(f(values, axis=1).tolist() for f in (np.mean, np.min, np.max)))
