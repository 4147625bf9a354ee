"""Findings in words: verdicts, what would decide a pair, changes, and one sentence a finding."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from bakeoff.evaluation.metrics import Interval
from bakeoff.evaluation.verdicts import Pair
from bakeoff.findings.additions import Addition
from bakeoff.findings.changes import Change
from bakeoff.findings.fallbacks import Fallback
from bakeoff.findings.hypotheses import Speed
from bakeoff.findings.one_change import OneChange
from bakeoff.findings.pairs import better_first
from bakeoff.findings.softmax import SoftmaxBeforeLoss
from bakeoff.findings.sweeps import SweepResult
from bakeoff.findings.test_choices import ChosenOnTest
from bakeoff.report import format

ESTIMAND = (
    "Every verdict is on the difference in expected accuracy over training seeds and over images like the test "
    "images, for this training set, split and recipe."
)
LIMITS = {
    "images": "more seeds alone would probably not decide {}: the test set is too small",
    "seeds": "1,000 seeds of each would probably not decide {}",
    "single run": "one run, which says nothing of other seeds, cannot decide {}",
}
"""What stands in the way of deciding, of `limited_by`."""
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


def what_would_decide(pair: Pair) -> str:
    """What an undecided pair needs."""
    if pair.seeds_needed is not None:
        words = f"{pair.seeds_needed:,} seeds of each would probably decide it"
    else:
        words = LIMITS[pair.limited_by or "images"].format("it")
    return words if pair.limited_by == "single run" else f"if the difference is as measured, {words}"


def decided_by(pair: Pair) -> str:
    """What would decide an undecided pair, in few words for a table; a dash for one that is decided."""
    if pair.verdict != "undecided":
        return "–"
    short = {"images": "a larger test set", "seeds": "over 1,000 seeds", "single run": "more runs"}
    return f"{pair.seeds_needed:,} seeds" if pair.seeds_needed is not None else short[pair.limited_by or "images"]


def measured(pair: Pair) -> tuple[str, str, str]:
    """A pair's difference in points, its interval, and its runs, for a table."""
    return format.points(pair.difference), format.between(pair.low, pair.high), f"{pair.runs[0]} and {pair.runs[1]}"


def difference(pair: Pair | Speed) -> str:
    """`+0.42 points [+0.10, +0.74]`."""
    return f"{format.points(pair.difference)} points {format.between(pair.low, pair.high)}"


def _unsure(pair: Pair) -> str:
    """`, undecided` where neither is shown to be better, and `, as good` where that is shown."""
    return "" if better_first(pair) else f", {verdict(pair)}"


def change(one: Change) -> str:
    """`lr: 0.001 → 0.1, momentum: 0 → 0.9`."""
    return ", ".join(f"{field.name}: {_value(field.before)} → {_value(field.after)}" for field in one.fields)


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        value = ", ".join(value)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).lower() if isinstance(value, bool) else str(value) or "none"


def of_addition(found: Addition) -> str:
    """What an ensemble or a teacher adds."""
    pair = found.pair
    who = f"{pair.a}, an ensemble," if found.what == "ensemble" else f"{pair.a}, taught by another,"
    against = f"{AGAINST[found.against]}, {pair.b}"
    if found.against == "only member":
        who, against = f"{pair.a}, made of {pair.b} alone,", "it"
    seen = "; it was trained on these test images" if found.trained_on_test else ""
    return f"{who} gets {difference(pair)} against {against}{_unsure(pair)}{seen}."


AGAINST = {
    "best member": "its best member by validation",
    "only member": "its best member by validation",
    "twin": "the same without its teacher",
    "teacher": "its teacher",
}


def of_softmax(found: SoftmaxBeforeLoss) -> list[str]:
    """What taking the softmax away changes, and how much of the way to the repaired contender each change alone is."""
    who, gap, sentences = found.contender, found.gap, []
    if found.without:
        gets = f"{difference(found.without.pair)}{_unsure(found.without.pair)}"
        sentences.append(f"Without the softmax before its cross-entropy, {who} gets {gets}.")
    if gap:
        gains = {p.change.after: f"{difference(p.change.pair)} ({format.share(p.share)})" for p in gap.parts}
        parts = format.listing(f"{name} alone gains {gain}" for name, gain in gains.items())
        sentences.append(f"Of the {100 * gap.pair.difference:.2f} points from {who} to {gap.pair.a}, {parts}.")
    return sentences


def of_threshold(found: OneChange) -> str:
    """What cutting the pixels changes, where a pair differs in nothing else; empty for other changes."""
    if found.threshold is None:
        return ""
    by = f"{difference(found.pair)}{_unsure(found.pair)}"
    return f"Cutting pixels at {found.threshold} changes {found.before} by {by}."


def of_fallback(found: Fallback) -> str:
    """Where runs began again, and how."""
    epochs = f"epoch{'' if len(found.epochs) == 1 else 's'} {format.listing(map(str, found.epochs))}"
    return (
        f"{found.contender} got nowhere with {found.before}, and after {epochs} fell back to {found.after} in "
        f"{found.runs} of {format.plural(found.n, 'run')}."
    )


def of_test_choice(found: ChosenOnTest) -> str:
    """By how much choosing the epoch on the test set flatters."""
    over = {"picking it on validation": found.over["by_validation"], "the last epoch": found.over["last"]}
    picking = f"Picking the best of {format.plural(found.epochs, 'epoch')} on the test set"
    by = [f"{_gain(gain)} over {words}" for words, gain in over.items() if gain.mean]
    what = f"flatters {found.contender} by {format.listing(by)}" if by else f"gained {found.contender} nothing here"
    return f"{picking} {what} (n = {found.n})."


def _gain(gain: Interval) -> str:
    """`0.12 points [0.02, 0.22]`: a mean over seeds, with its interval where there is one."""
    ends = "" if gain.low != gain.low else f" [{100 * gain.low:.2f}, {100 * gain.high:.2f}]"
    return f"{100 * gain.mean:.2f} points{ends}"


def short_labels(labels: Sequence[str]) -> tuple[str, list[str]]:
    """`lr=0.1`, `lr=1` -> `lr` and `0.1`, `1`: the head that all labels share, if any, and what differs."""
    heads = {label.rpartition("=")[0] for label in labels}
    if len(heads) > 1 or "" in heads:
        return "", list(labels)
    return heads.pop(), [label.rpartition("=")[2] for label in labels]


def of_sweep(found: SweepResult) -> str:
    """One sentence: which values beat which, which are as good, and which pairs are undecided."""
    points = found.sweep.points
    shown = short_labels([point.label for point in points])[1]
    labels = dict(zip([point.contender for point in points], shown, strict=True))
    order, pairs = found.order, found.pairs
    if len(order) > 2 and all(better_first(p) == (p.a, p.b) for p in pairs):
        parts = [f"every pair differs; from best to worst {', '.join(labels[n] for n in order)}"]
    else:
        wins = {win for p in pairs if (win := better_first(p))}
        beaten = {a: [labels[b] for b in order if (a, b) in wins] for a in order}
        parts = [f"{labels[a]} beats {format.listing(worse)}" for a, worse in beaten.items() if worse]
        for words in ("as good", "undecided", "no verdict: one run"):
            alike = [f"{labels[p.a]} and {labels[p.b]}" for p in pairs if verdict(p) == words]
            which = ", ".join(alike) if len(alike) <= FEW_PAIRS else f"{len(alike)} of {len(pairs)} pairs"
            parts += [f"{words.replace(':', ' on')}: {which}"] if alike else []
    without = {name: label for name, label in labels.items() if name not in order}
    for words, ran in (("no run trained with ", True), ("not run: ", False)):
        some = [label for name, label in without.items() if (name in found.untrained) == ran]
        parts += [words + format.listing(some)] if some else []
    return f"{re.sub('[-_]', ' ', found.sweep.name)}: {'; '.join(parts) or 'nothing to compare'}."
