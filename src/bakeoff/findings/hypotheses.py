"""What the runs say of a study's hypotheses, and what that rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bakeoff.evaluation.exact import fisher_exact, welch
from bakeoff.evaluation.verdicts import Pair
from bakeoff.findings.contenders import ContenderResult
from bakeoff.findings.pairs import versus
from bakeoff.findings.runs import Groups
from bakeoff.record import Run
from bakeoff.spec.study import Hypothesis

LEVEL = 0.05
DECIDED_BY_FAILURES = ("better", "not worse")
SAME_MACHINE = ("processor", "cores", "threads", "device")

Result = Literal["supported", "contradicted", "as good", "undecided", "no result", "not run"]


@dataclass(frozen=True)
class Failures:
    """No run of a contender trained, or there is no record: how many `trained` of those that `ended`, of each of both.

    `p` is that of Fisher's exact test, multiplied by the number of such `tests`; None where failures do not decide.
    """

    trained: tuple[int, int]
    ended: tuple[int, int]
    p: float | None
    tests: int


@dataclass(frozen=True)
class Speed:
    """Validation accuracy after the same `seconds` of training each, by Welch's t test over the seeds.

    `p_adjusted` is multiplied by the number of such `tests`; it is not of the family of verdicts on test accuracy.
    """

    difference: float
    low: float
    high: float
    p: float
    p_adjusted: float
    runs: tuple[int, int]
    seconds: float
    tests: int


@dataclass(frozen=True)
class Seconds:
    """Mean training seconds of both."""

    means: tuple[float, float]
    cheaper: bool | None
    """Whether every run of the first took less than each of the other's; None where they overlap, or the machines
    differ."""


@dataclass(frozen=True)
class Accuracy:
    """The verdict on the pair, which the family of all pairs gave."""

    pair: Pair
    within: bool
    """Whether the difference is shown to be below the margin."""
    seconds: Seconds | None
    """Where the hypothesis is about them, too."""
    flattered: tuple[ContenderResult, ...]
    """Those of the two that chose or trained on the test set."""


Basis = Accuracy | Speed | Failures | None
"""None: a contender is no part of the study at this scale, or speeds cannot be compared."""


@dataclass(frozen=True)
class HypothesisResult:
    """A hypothesis, its result, and what that rests on; and the report's own difference, where it gives one."""

    hypothesis: Hypothesis
    result: Result
    basis: Basis
    reported_difference: float | None
    within_noise: bool | None
    """Whether the report's difference is no larger than those between its figures of one network."""


def find_hypotheses(
    hypotheses: Sequence[Hypothesis],
    groups: Groups,
    results: Sequence[ContenderResult],
    pairs: Sequence[Pair],
    noise: float,
) -> Iterator[HypothesisResult]:
    """Each hypothesis with its result, given the runs that trained, and the report's `noise` between single runs."""
    by_name = {c.name: c for c in results}

    def judge(h: Hypothesis) -> tuple[Result, Basis]:
        if not by_name.keys() >= {h.better, h.worse}:
            return "not run", None
        if not (groups[h.better] and groups[h.worse]):
            return _of_failures(h, by_name, hypotheses)
        if h.relation == "faster":
            tests = sum(hypothesis.relation == "faster" for hypothesis in hypotheses)
            return _of_speed(groups[h.better], groups[h.worse], tests)
        return _of_accuracy(h, groups, by_name, pairs)

    for h in hypotheses:
        difference = h.reported[0] - h.reported[1] if h.reported else None
        within = round(abs(difference), 9) <= round(noise, 9) if difference is not None and noise else None
        yield HypothesisResult(h, *judge(h), difference, within)


def _of_failures(
    hypothesis: Hypothesis, by_name: Mapping[str, ContenderResult], hypotheses: Sequence[Hypothesis]
) -> tuple[Result, Failures]:
    """Where no run of one of the two trained: that alone may decide who is better, by Fisher's exact test.

    Its p is multiplied by the number of pairs of `hypotheses` that could be decided so, those of which a run failed:
    for others the test cannot reject, and takes no part of the level.
    """

    def testable(h: Hypothesis) -> bool:
        both = [by_name[name] for name in (h.better, h.worse) if name in by_name]
        return h.relation in DECIDED_BY_FAILURES and len(both) == 2 and any(c.failed for c in both)

    a, b = by_name[hypothesis.better], by_name[hypothesis.worse]
    tests = max(len({frozenset((h.better, h.worse)) for h in hypotheses if testable(h)}), 1)
    p = min(fisher_exact([(c.n, c.failed) for c in (a, b)]) * tests, 1.0)
    decided = p < LEVEL and hypothesis.relation in DECIDED_BY_FAILURES
    result: Result = "no result" if not decided else "supported" if a.n else "contradicted"
    return result, Failures((a.n, b.n), (a.ended, b.ended), p if decided else None, tests)


def _of_accuracy(
    hypothesis: Hypothesis, groups: Groups, by_name: Mapping[str, ContenderResult], pairs: Sequence[Pair]
) -> tuple[Result, Accuracy]:
    """What the verdict on the pair says of the hypothesis; what chose or trained on test images supports nothing."""
    two, relation = (hypothesis.better, hypothesis.worse), hypothesis.relation
    pair = versus(pairs, *two)
    within = pair.p_equivalent is not None and pair.p_equivalent < LEVEL
    seconds = _seconds(groups[two[0]], groups[two[1]]) if "cheaper" in relation else None
    flattered = tuple(by_name[name] for name in two if not by_name[name].may_be_selected)
    basis = Accuracy(pair, within, seconds, flattered)
    if relation == "better" and pair.verdict == "equivalent":
        return "as good", basis
    holds = {"better": relation != "equivalent", "worse": False}.get(pair.verdict)
    if relation != "better" and within:
        holds = True
    if seconds:
        both = {holds, seconds.cheaper}
        holds = False if False in both else None if None in both else True
    if holds and by_name[two[0]] in flattered:
        holds = None
    return "undecided" if holds is None else "supported" if holds else "contradicted", basis


def _seconds(runs: Sequence[Run], others: Sequence[Run]) -> Seconds:
    first, second = ([run.seconds for run in group] for group in (runs, others))
    cheaper = True if max(first) < min(second) else False if min(first) > max(second) else None
    means = float(np.mean(first)), float(np.mean(second))
    return Seconds(means, cheaper if _one_machine([*runs, *others]) else None)


def _one_machine(runs: Sequence[Run]) -> bool:
    return len({tuple(run.environment.get(key) for key in SAME_MACHINE) for run in runs}) == 1


def _of_speed(runs: Sequence[Run], others: Sequence[Run], tests: int) -> tuple[Result, Speed | None]:
    """Whether validation accuracy is higher after the same training time: half of what the shortest run took."""
    ends = [run.history[-1]["seconds"] for run in (*runs, *others) if run.history]
    time = min(ends, default=0.0) / 2
    if min(len(runs), len(others)) < 2 or not _one_machine([*runs, *others]):
        return "undecided", None
    first, second = ([_accuracy_after(run, time) for run in group] for group in (runs, others))
    p, low, high = welch(first, second)
    if np.isnan(p):  # a run without an epoch by then, or seeds that all agree
        return "undecided", None
    difference, adjusted = float(np.mean(first) - np.mean(second)), min(p * tests, 1.0)
    basis = Speed(difference, low, high, p, adjusted, (len(first), len(second)), time, tests)
    return ("undecided" if adjusted >= LEVEL else "supported" if difference > 0 else "contradicted"), basis


def _accuracy_after(run: Run, seconds: float) -> float:
    """Validation accuracy after the last epoch that was done by then; nan where there was none."""
    done = [row["validation_accuracy"] for row in run.history if row["seconds"] <= seconds]
    return float(done[-1]) if done else np.nan
