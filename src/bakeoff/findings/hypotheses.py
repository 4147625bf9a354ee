"""What the runs say of a study's hypotheses, and what that rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from bakeoff.evaluation.exact import fisher_exact, welch
from bakeoff.evaluation.verdicts import Pair
from bakeoff.findings.contenders import ContenderResult
from bakeoff.findings.pairs import versus
from bakeoff.findings.runs import Groups
from bakeoff.record import Run
from bakeoff.spec.hypothesis import Hypothesis

LEVEL = 0.05
DECIDED_BY_FAILURES = ("better", "not worse")
SAME_MACHINE = ("processor", "cores", "threads", "device")

Order = Literal["less", "more", "overlap", "different machines"]
Result = Literal["supported", "contradicted", "as good", "undecided", "no result", "not run"]


@dataclass(frozen=True)
class NotRun:
    """A contender is no part of the study at this scale."""


@dataclass(frozen=True)
class Failures:
    """No run of a contender trained, or there is no record: how many `trained` of those that `ended`, of each of both.

    `p` is that of Fisher's exact test, multiplied by the number of such `tests`; None where failures cannot decide.
    """

    names: tuple[str, str]
    trained: tuple[int, int]
    ended: tuple[int, int]
    p: float | None = None
    tests: int = 0

    @property
    def decides(self) -> bool:
        return self.p is not None and self.p < LEVEL


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
class NoSpeed:
    """Why speeds cannot be compared; `seconds` is half of the shortest training."""

    reason: Literal["different machines", "one run", "no epoch", "seeds agree"]
    seconds: float


@dataclass(frozen=True)
class Seconds:
    """Mean training seconds of both; how they compare run by run."""

    means: tuple[float, float]
    order: Order


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


Basis = NotRun | Failures | Speed | NoSpeed | Accuracy


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
            return "not run", NotRun()
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
    two = a, b = by_name[hypothesis.better], by_name[hypothesis.worse]
    counts = Failures((a.name, b.name), (a.trained, b.trained), (a.ended, b.ended))
    if 0 in counts.ended or not any(counts.trained) or hypothesis.relation not in DECIDED_BY_FAILURES:
        return "no result", counts

    def possible(h: Hypothesis) -> bool:
        both = [by_name[name] for name in (h.better, h.worse) if name in by_name]
        return h.relation in DECIDED_BY_FAILURES and len(both) == 2 and any(c.ended > c.trained for c in both)

    tests = len({frozenset((h.better, h.worse)) for h in hypotheses if possible(h)})
    p = min(fisher_exact([(c.trained, c.ended - c.trained) for c in two]) * tests, 1.0)
    counts = replace(counts, p=p, tests=tests)
    return ("no result" if not counts.decides else "supported" if a.trained else "contradicted"), counts


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
        both = {holds, {"less": True, "more": False}.get(seconds.order)}
        holds = False if False in both else None if None in both else True
    if holds and by_name[two[0]] in flattered:
        holds = None
    return "undecided" if holds is None else "supported" if holds else "contradicted", basis


def _seconds(runs: Sequence[Run], others: Sequence[Run]) -> Seconds:
    """Whether every run took less or more training time than each of the others."""
    mine, theirs = ([run.seconds for run in group] for group in (runs, others))
    order: Order = "less" if max(mine) < min(theirs) else "more" if min(mine) > max(theirs) else "overlap"
    means = float(np.mean(mine)), float(np.mean(theirs))
    return Seconds(means, order if _one_machine([*runs, *others]) else "different machines")


def _one_machine(runs: Sequence[Run]) -> bool:
    return len({tuple(run.environment.get(key) for key in SAME_MACHINE) for run in runs}) == 1


def _of_speed(runs: Sequence[Run], others: Sequence[Run], tests: int) -> tuple[Result, Speed | NoSpeed]:
    """Whether validation accuracy is higher after the same training time: half of what the shortest run took."""
    ends = [run.history[-1]["seconds"] for run in (*runs, *others) if run.history]
    time = min(ends, default=0.0) / 2
    if not _one_machine([*runs, *others]):
        return "undecided", NoSpeed("different machines", time)
    values, theirs = ([_accuracy_after(run, time) for run in group] for group in (runs, others))
    if min(len(values), len(theirs)) < 2:
        return "undecided", NoSpeed("one run", time)
    if np.isnan([*values, *theirs]).any():
        return "undecided", NoSpeed("no epoch", time)
    p, low, high = welch(values, theirs)
    if np.isnan(p):
        return "undecided", NoSpeed("seeds agree", time)
    difference, adjusted = float(np.mean(values) - np.mean(theirs)), min(p * tests, 1.0)
    basis = Speed(difference, low, high, p, adjusted, (len(values), len(theirs)), time, tests)
    return ("undecided" if adjusted >= LEVEL else "supported" if difference > 0 else "contradicted"), basis


def _accuracy_after(run: Run, seconds: float) -> float:
    """Validation accuracy after the last epoch that was done by then; nan where there was none."""
    done = [row["validation_accuracy"] for row in run.history if row["seconds"] <= seconds]
    return float(done[-1]) if done else np.nan
