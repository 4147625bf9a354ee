"""Numbers and lists as text: what everything that is shown is written with."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from bakeoff.evaluation.metrics import Interval


def percent(value: float) -> str:
    """`98.31 %`, or a dash for nan."""
    return "–" if math.isnan(value) else f"{100 * value:.2f} %"


def share(value: float) -> str:
    """A part of a whole: `95 %`, or a dash for nan."""
    return "–" if math.isnan(value) else f"{100 * value:.0f} %".replace("-", "−")


def points(value: float) -> str:
    """A difference of accuracies in percentage points: `+0.42`, `−0.10`, and `0.00` without a sign."""
    text = f"{100 * value:+.2f}"
    return "0.00" if text[1:] == "0.00" else text.replace("-", "−")


def between(low: float, high: float) -> str:
    """The interval of a difference in percentage points: `[+0.10, +0.74]`."""
    return f"[{points(low)}, {points(high)}]"


def p_value(value: float | None) -> str:
    """A p value to two digits: `0.034`, `<0.0001`; a dash where there is none."""
    return "–" if value is None else "<0.0001" if value < 0.0001 else f"{value:.2g}"


def interval(value: Interval) -> str:
    """`98.31 % [98.10, 98.52]`, or the mean alone where there is no interval, or one of no width."""
    if math.isnan(value.low) or math.isnan(value.high) or value.low == value.high:
        return percent(value.mean)
    return f"{percent(value.mean)} [{100 * value.low:.2f}, {100 * value.high:.2f}]"


def margin(value: float) -> str:
    """A margin of equivalence: `0.5 points`, `1 point`."""
    return f"{100 * value:g} point{'' if value == 0.01 else 's'}"


def number(value: float | None, digits: int = 0) -> str:
    """`1,234`, or a dash where there is no finite number."""
    return "–" if value is None or not math.isfinite(value) else f"{value:,.{digits}f}"


def listing(names: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    names = list(names)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def few(names: Sequence[str]) -> str:
    """The names, or the first five and how many more."""
    return listing(names) if len(names) <= 6 else f"{', '.join(names[:5])} and {len(names) - 5} others"


def plural(count: int, noun: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def sample_sizes(counts: Iterable[int]) -> str:
    """`n = 3`, or `n = 3, 2 and 3` where the contenders named before differ."""
    texts = [str(count) for count in counts]
    return f"n = {texts[0] if len({*texts}) == 1 else listing(texts)}"
