"""What the runs say of a hypothesis, in words."""

from __future__ import annotations

from typing import assert_never

from bakeoff.findings.hypotheses import Accuracy, Failures, HypothesisResult, Result, Speed
from bakeoff.report.format import margin, number
from bakeoff.report.sentences import decided_by, difference, verdict

NOT_TESTED: dict[Result, str] = {
    "not run": "no part of the study at this scale",
    "undecided": "speeds need two runs or more of each, on one machine, with an epoch in half of the shortest training",
}
"""Of results that rest on no numbers."""


def judgement(hypothesis: HypothesisResult, equal: float) -> str:
    """The verdict on a hypothesis; accuracies closer than `equal`, a fraction, are as good."""
    basis = hypothesis.basis
    match basis:
        case None:
            details = [NOT_TESTED[hypothesis.result]]
        case Failures():
            runs = " against ".join(f"{n} of {ended}" for n, ended in zip(basis.trained, basis.ended, strict=True))
            test = "" if basis.p is None else f" (Fisher's exact {_p(basis.p, basis.tests)})"
            details = [f"{runs} runs trained{test}"]
        case Speed():
            details = [
                f"{difference(basis)} of validation accuracy after {number(basis.seconds, 1)} s of training each "
                f"({basis.runs[0]} and {basis.runs[1]} runs, Welch's {_p(basis.p_adjusted, basis.tests)})"
            ]
        case Accuracy():
            details = _of_accuracy(basis, hypothesis.result, equal)
        case _ as never:
            assert_never(never)
    return "; ".join([f"{hypothesis.result}: {details[0]}", *details[1:]])


def _of_accuracy(basis: Accuracy, result: Result, equal: float) -> list[str]:
    pair = basis.pair
    details = [verdict(pair)] if pair.verdict != "undecided" and verdict(pair) != result else []
    if basis.within:
        details.append(f"within {margin(equal)}")
    elif pair.verdict == "undecided":
        details.append(f"{decided_by(pair)} would probably decide it, if the difference is as measured")
    if seconds := basis.seconds:
        means = " against ".join(f"{number(mean, 1)} s" for mean in seconds.means)
        details.append(f"{means} of training" + (", not comparable" if seconds.cheaper is None else ""))
    return details + [f"{c.name} chose or trained on the test set, which flatters it" for c in basis.flattered]


def _p(value: float, tests: int) -> str:
    """A p that was multiplied by the number of such tests: `p = 0.034`, `p < 0.0001 over 2 such tests`."""
    return f"p {'< 0.0001' if value < 0.0001 else f'= {value:.2g}'}{f' over {tests} such tests' if tests > 1 else ''}"
