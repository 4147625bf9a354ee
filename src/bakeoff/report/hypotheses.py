"""What the runs say of the hypotheses, in words: of each a verdict, of all a paragraph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from bakeoff.findings.contenders import ContenderResult
from bakeoff.findings.hypotheses import Accuracy, Failures, HypothesisResult, NoSpeed, NotRun, Result, Seconds, Speed
from bakeoff.report.format import listing, margin, number, plural
from bakeoff.report.sentences import difference, verdict, what_would_decide

RESULTS: dict[Result, tuple[str, str]] = {
    "supported": ("is supported", "are supported"),
    "contradicted": ("is contradicted", "are contradicted"),
    "as good": ("is about two that are as good", "are about two that are as good"),
    "undecided": ("is undecided", "are undecided"),
    "no result": ("has no result", "have no result"),
    "not run": ("was not run at this scale", "were not run at this scale"),
}
"""What can become of a hypothesis, with the words for one and for several."""
NAMED = ("supported", "contradicted", "as good")
"""Results of which each statement is named."""
WHOSE = {"report": "the report's", "ours": "our own"}
NO_SPEED = {
    "different machines": "undecided: trained on different machines",
    "one run": "no verdict: one run",
    "no epoch": "undecided: no epoch ends within {} s, half of the shortest training",
    "seeds agree": "undecided: all seeds agree",
}
ORDER = {"less": "", "more": "", "overlap": ", which overlap", "different machines": " on different machines"}


def judgement(found: HypothesisResult, equal: float) -> str:
    """The verdict on a hypothesis; accuracies closer than `equal`, a fraction, are as good."""
    basis = found.basis
    match basis:
        case NotRun():
            return "not run at this scale"
        case Failures():
            return f"{found.result}: {_failures(basis)}"
        case NoSpeed():
            return NO_SPEED[basis.reason].format(number(basis.seconds, 1))
        case Speed():
            return f"{found.result}: {_speed(basis)}"
        case Accuracy():
            words = _accuracy(basis, equal)
            if basis.pair.p_adjusted is not None and verdict(basis.pair) != found.result:
                words = f"{found.result}: {words}"
            return "; ".join([words, *map(_flattered, basis.flattered)])
        case _ as never:
            assert_never(never)


def _flattered(found: ContenderResult) -> str:
    did = "chose by test accuracy" if found.selects_on_test else "trained on test images"
    return f"{found.name} {did}, which flatters it"


def _failures(basis: Failures) -> str:
    if absent := [name for name, ended in zip(basis.names, basis.ended, strict=True) if not ended]:
        return f"no record of {listing(absent)}"
    if not basis.decides:
        return f"no run of {listing(n for n, t in zip(basis.names, basis.trained, strict=True) if not t)} trained"
    runs = " against ".join(f"{count} of {all_}" for count, all_ in zip(basis.trained, basis.ended, strict=True))
    return f"{runs} runs trained (Fisher's exact {_p(basis.p or 0, basis.tests)})"


def _speed(basis: Speed) -> str:
    return (
        f"{difference(basis)} of validation accuracy after {number(basis.seconds, 1)} s of training each "
        f"({basis.runs[0]} and {basis.runs[1]} runs, Welch's {_p(basis.p_adjusted, basis.tests)})"
    )


def _p(value: float, tests: int) -> str:
    """A p that was multiplied by the number of such tests: `p = 0.034`, `p < 0.0001 over 2 such tests`."""
    return f"p {'< 0.0001' if value < 0.0001 else f'= {value:.2g}'}{f' over {tests} such tests' if tests > 1 else ''}"


def _accuracy(basis: Accuracy, equal: float) -> str:
    pair, words = basis.pair, verdict(basis.pair)
    if basis.within:
        words += f", {'' if pair.verdict == 'equivalent' else 'but '}within {margin(equal)}"
    elif pair.verdict == "undecided" and pair.p_adjusted is not None:
        words += f": {what_would_decide(pair)}"
    return words + (f"; {_seconds(basis.seconds)}" if basis.seconds else "")


def _seconds(found: Seconds) -> str:
    mine, theirs = (number(mean, 1) for mean in found.means)
    return f"{mine} s of training against {theirs} s{ORDER[found.order]}"


def paragraph(results: Sequence[HypothesisResult], *, whole: bool) -> str:
    """How many of the report's and of our hypotheses are supported, contradicted or left open, and which.

    Args:
        whole: the runs are those that the study describes; where data or recipes are cut, they tell of that part only.
    """
    parts = [_counted([one for one in results if one.hypothesis.source == source], WHOSE[source]) for source in WHOSE]
    text = " ".join(filter(None, parts))
    return text if whole or not text else f"As far as this part of the study tells, {text[0].lower()}{text[1:]}"


def _counted(results: Sequence[HypothesisResult], whose: str) -> str:
    """`Of the report's 3 statements, 1 is supported: “...”. 2 are undecided.`, `Our one statement is undecided.`"""
    parts = []
    for result, verbs in RESULTS.items():
        quoted = [f"“{one.hypothesis.says}”" for one in results if one.result == result]
        which = f": {'; '.join(quoted)}" if result in NAMED else ""
        parts += [f"{len(quoted)} {verbs[len(quoted) > 1]}{which}"] if quoted else []
    if len(results) == 1:
        return f"{whose.removesuffix(' own').capitalize()} one statement {parts[0].removeprefix('1 ')}."
    return f"Of {whose} {plural(len(results), 'statement')}, {'. '.join(parts)}." if parts else ""
