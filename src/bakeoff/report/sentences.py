"""Findings in words: verdicts, what would decide a pair, changes, and one sentence a finding."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from bakeoff.evaluation.verdicts import Pair
from bakeoff.findings.additions import Addition
from bakeoff.findings.changes import Change
from bakeoff.findings.fallbacks import Fallback
from bakeoff.findings.hypotheses import Speed
from bakeoff.findings.pairs import better_first
from bakeoff.findings.sweeps import SweepResult
from bakeoff.report import format

ESTIMAND = (
    "Every verdict is on the difference in expected accuracy over training seeds and over images like the test "
    "images, for this training set, split and recipe."
)
FEW_PAIRS = 3
"""Pairs of a sweep's values that a sentence still names."""


def verdict(pair: Pair) -> str:
    """The verdict on a pair: `better`, `worse`, `as good`, `undecided`, or that there is none."""
    if pair.p_adjusted is None:
        return "no verdict: one run"
    return "as good" if pair.verdict == "equivalent" else pair.verdict


def one_run(pairs: Iterable[Pair]) -> str:
    """What a table says below of pairs of which a contender has a single run; empty without such pairs."""
    words = "Where one of the two has a single run and no spread to borrow, interval and p are for new images alone"
    return f" {words}, of these runs." if any(pair.single_run for pair in pairs) else ""


def decided_by(pair: Pair) -> str:
    """What would probably decide an undecided pair if the difference is as measured; a dash for one that is decided."""
    if pair.verdict != "undecided":
        return "–"
    limits = {"images": "a larger test set", "seeds": "over 1,000 seeds", "single run": "more runs"}
    return f"{pair.seeds_needed:,} seeds" if pair.seeds_needed is not None else limits[pair.limited_by or "images"]


def measured(pair: Pair) -> tuple[str, str, str]:
    """A pair's difference in points, its interval, and its runs, for a table."""
    return format.points(pair.difference), format.between(pair.low, pair.high), f"{pair.runs[0]} and {pair.runs[1]}"


def difference(pair: Pair | Speed) -> str:
    """`+0.42 points [+0.10, +0.74]`."""
    return f"{format.points(pair.difference)} points {format.between(pair.low, pair.high)}"


def of_change(change: Change) -> str:
    """`lr: 0.001 → 0.1, momentum: 0 → 0.9`."""
    return ", ".join(f"{field.name}: {_value(field.before)} → {_value(field.after)}" for field in change.fields)


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        value = ", ".join(value)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).lower() if isinstance(value, bool) else str(value) or "none"


AGAINST = {
    "best member": "its best member by validation",
    "twin": "the same without its teacher",
    "teacher": "its teacher",
}


def of_addition(addition: Addition) -> str:
    """What an ensemble or a teacher adds."""
    pair = addition.pair
    remark = "; it was trained on these test images" if addition.trained_on_test else ""
    return f"{pair.a} gets {difference(pair)} against {AGAINST[addition.against]}, {pair.b}: {verdict(pair)}{remark}."


def of_fallback(fallback: Fallback) -> str:
    """Where runs began again, and how."""
    return (
        f"{fallback.contender} got nowhere with {fallback.before}, and fell back to {fallback.after} in "
        f"{fallback.runs} of {format.plural(fallback.n, 'run')}, after this many epochs: "
        f"{format.listing(map(str, fallback.epochs))}."
    )


def short_labels(labels: Sequence[str]) -> tuple[str, list[str]]:
    """`lr=0.1`, `lr=1` -> `lr` and `0.1`, `1`: the head that all labels share, if any, and what differs."""
    heads = {label.rpartition("=")[0] for label in labels}
    if len(heads) > 1 or "" in heads:
        return "", list(labels)
    return heads.pop(), [label.rpartition("=")[2] for label in labels]


def of_sweep(result: SweepResult) -> str:
    """One sentence: which values beat which, which are as good, and which pairs are undecided."""
    points = result.sweep.points
    short = short_labels([point.label for point in points])[1]
    labels = dict(zip([point.contender for point in points], short, strict=True))
    wins = {win for pair in result.pairs if (win := better_first(pair))}
    beaten = {a: [labels[b] for b in result.order if (a, b) in wins] for a in result.order}
    parts = [f"{labels[a]} beats {format.listing(worse)}" for a, worse in beaten.items() if worse]
    for words in ("as good", "undecided", "no verdict: one run"):
        pairs = [f"{labels[pair.a]} and {labels[pair.b]}" for pair in result.pairs if verdict(pair) == words]
        which = ", ".join(pairs) if len(pairs) <= FEW_PAIRS else f"{len(pairs)} of {len(result.pairs)} pairs"
        parts += [f"{words.replace(':', ' on')}: {which}"] if pairs else []
    missing = [label for name, label in labels.items() if name not in result.order]
    parts += [f"no result: {format.listing(missing)}"] if missing else []
    return f"{re.sub('[-_]', ' ', result.sweep.name)}: {'; '.join(parts) or 'nothing to compare'}."
