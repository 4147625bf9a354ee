"""What the runs say of a study's hypotheses. Differences are accuracies, in fractions; everything here is part of
summary.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bakeoff.evaluation.exact import fisher_exact, welch
from bakeoff.findings import tables
from bakeoff.findings.published import noise
from bakeoff.findings.tables import Summary, listing, plural, points
from bakeoff.record import Run
from bakeoff.spec.hypothesis import Hypothesis
from bakeoff.spec.study import Study

Groups = Mapping[str, Sequence[Run]]
"""Contenders' runs that trained, by name."""

LEVEL = 0.05
DECIDED_BY_FAILURES = ("better", "not worse")
SAME_MACHINE = ("processor", "cores", "threads", "device")


def judge_all(study: Study, groups: Groups, summary: Summary) -> list[Summary]:
    """Each hypothesis with its result (a key of RESULTS), the same in words as `verdict`, and the comparison that it
    rests on."""
    names = {contender.name for contender in study.contenders}
    how = {
        c["name"]: "chose by test accuracy" if c["selects_on_test"] else "trained on test images"
        for c in summary["contenders"]
        if not tables.may_be_chosen(c)
    }
    timed = sum(hypothesis.relation == "faster" for hypothesis in study.hypotheses)
    judged = []
    for hypothesis in study.hypotheses:
        pair: Summary = {}
        two = (hypothesis.better, hypothesis.worse)
        if not names >= {*two}:
            result, words = "not run", "not run at this scale"
        elif not (groups[two[0]] and groups[two[1]]):
            result, words = _of_failures(hypothesis, groups, summary, study.hypotheses)
        elif hypothesis.relation == "faster":
            pair, result, words = _faster(groups[two[0]], groups[two[1]], timed)
        else:
            pair, result, words = _of_verdict(hypothesis, groups, study.margin, summary)
            if flattered := [name for name in two if name in how]:
                if result == "supported" and two[0] in flattered:
                    result, words = "undecided", words.replace("supported: ", "undecided: ")
                words += "".join(f"; {name} {how[name]}, which flatters it" for name in flattered)
        judged.append(
            {**hypothesis.model_dump(), **_reported(hypothesis, study), **pair, "result": result, "verdict": words}
        )
    return judged


def _of_failures(
    hypothesis: Hypothesis, groups: Groups, summary: Summary, hypotheses: Sequence[Hypothesis]
) -> tuple[str, str]:
    """Where no run of one of the two trained: that alone may decide who is better, by Fisher's exact test.

    Its p is multiplied by the number of pairs of `hypotheses` that could be decided so; it is not of the family of
    verdicts.
    """
    two = (hypothesis.better, hypothesis.worse)
    ended = {c["name"]: c["n"] + c["failed"] for c in summary["contenders"]}
    lost = [name for name in two if not groups[name]]
    if absent := [name for name in lost if not ended[name]]:
        return "no result", f"no result: no record of {listing(absent)}"
    words = f"no run of {listing(lost)} trained"
    if len(lost) == 2 or hypothesis.relation not in DECIDED_BY_FAILURES:
        return "no result", f"no result: {words}"
    counts = [(len(groups[name]), ended[name] - len(groups[name])) for name in two]
    tests = len({frozenset((h.better, h.worse)) for h in hypotheses if _may_be_of_failures(h, groups, ended)})
    p = min(fisher_exact(counts) * tests, 1.0)
    trained = " against ".join(f"{count} of {count + others}" for count, others in counts)
    if p >= LEVEL:
        return "no result", f"no result: {words}"
    result = "supported" if lost[0] == hypothesis.worse else "contradicted"
    return result, f"{result}: {trained} runs trained (Fisher's exact {_p(p, tests)})"


def _may_be_of_failures(hypothesis: Hypothesis, groups: Groups, ended: Mapping[str, int]) -> bool:
    """Whether a run of the two failed to train: else Fisher's test cannot reject, and takes no part of the level."""
    names = (hypothesis.better, hypothesis.worse)
    known = hypothesis.relation in DECIDED_BY_FAILURES and ended.keys() >= {*names}
    return known and any(ended[name] > len(groups[name]) for name in names)


def _p(value: float, tests: int) -> str:
    """A p that was multiplied by the number of such tests: `p = 0.034`, `p < 0.0001 over 2 such tests`."""
    return f"p {'< 0.0001' if value < 0.0001 else f'= {value:.2g}'}{f' over {tests} such tests' if tests > 1 else ''}"


def _reported(hypothesis: Hypothesis, study: Study) -> Summary:
    """The report's own difference, and whether it is larger than what it gives to one network."""
    if not hypothesis.reported:
        return {"reported_difference": None, "within_noise": None}
    difference = hypothesis.reported[0] - hypothesis.reported[1]
    largest = noise(study)
    return {
        "reported_difference": difference,
        "within_noise": round(abs(difference), 9) <= round(largest, 9) if largest else None,
    }


def _of_verdict(hypothesis: Hypothesis, groups: Groups, margin: float, summary: Summary) -> tuple[Summary, str, str]:
    """What the verdict on the pair, which the family of all pairs gave, says of the hypothesis."""
    pair = tables.versus(summary, hypothesis.better, hypothesis.worse)
    kept = {key: value for key, value in pair.items() if key not in ("a", "b", "verdict")}
    words, within = tables.verdict(pair), f"within {tables.margin(margin)}"
    alike = pair["p_equivalent"] is not None and pair["p_equivalent"] < LEVEL
    if alike:
        words += f", {within}" if pair["verdict"] == "equivalent" else f", but {within}"
    elif pair["verdict"] == "undecided" and pair["p_adjusted"] is not None:
        words += f": {tables.what_would_decide(pair)}"
    if hypothesis.relation == "better" and pair["verdict"] == "equivalent":
        return kept, "as good", words
    holds = {"better": True, "worse": False}.get(pair["verdict"])
    if hypothesis.relation == "equivalent":
        holds = None if holds is None else False
    if hypothesis.relation != "better" and alike:
        holds = True
    if "cheaper" in hypothesis.relation:
        cheaper, seconds = _cheaper(groups[hypothesis.better], groups[hypothesis.worse])
        words += f"; {seconds}"
        both = {holds, cheaper}
        holds = False if False in both else None if None in both else True
    result = {True: "supported", False: "contradicted", None: "undecided"}[holds]
    return kept, result, words if words.startswith((result, "no verdict")) else f"{result}: {words}"


def _cheaper(runs: Sequence[Run], others: Sequence[Run]) -> tuple[bool | None, str]:
    """Whether every run took fewer training seconds than each of the others; None where that cannot be told."""
    seconds, theirs = ([run.seconds for run in group] for group in (runs, others))
    words = f"{np.mean(seconds):,.1f} s of training against {np.mean(theirs):,.1f} s"
    if not _one_machine([*runs, *others]):
        return None, f"{words} on different machines"
    if max(seconds) < min(theirs):
        return True, words
    return (False, words) if min(seconds) > max(theirs) else (None, f"{words}, which overlap")


def _one_machine(runs: Sequence[Run]) -> bool:
    return len({tuple(run.environment.get(key) for key in SAME_MACHINE) for run in runs}) == 1


def _faster(runs: Sequence[Run], others: Sequence[Run], tests: int) -> tuple[Summary, str, str]:
    """Whether validation accuracy is higher after the same training time: half of what the shortest run took.

    Welch's t test over the seeds, on these validation images; p is multiplied by the number of such `tests`. It is not
    of the family of verdicts, which is about test accuracy.
    """
    if not _one_machine([*runs, *others]):
        return {}, "undecided", "undecided: trained on different machines"
    ends = [run.history[-1]["seconds"] for run in (*runs, *others) if run.history]
    time = min(ends, default=0.0) / 2
    values, theirs = ([_accuracy_after(run, time) for run in group] for group in (runs, others))
    if min(len(values), len(theirs)) < 2:
        return {}, "undecided", "no verdict: one run"
    if np.isnan([*values, *theirs]).any():
        return {}, "undecided", f"undecided: no epoch ends within {time:,.1f} s, half of the shortest training"
    raw, low, high = welch(values, theirs)
    if np.isnan(raw):
        return {}, "undecided", "undecided: all seeds agree"
    difference, p = float(np.mean(values) - np.mean(theirs)), min(raw * tests, 1.0)
    pair: Summary = {"difference": difference, "low": low, "high": high, "p": raw, "p_adjusted": p}
    pair |= {"runs": [len(values), len(theirs)], "seconds": time}
    words = (
        f"{points(difference)} points [{points(pair['low'])}, {points(pair['high'])}] of validation accuracy after "
        f"{time:,.1f} s of training each ({pair['runs'][0]} and {pair['runs'][1]} runs, Welch's {_p(p, tests)})"
    )
    if not p < LEVEL:
        return pair, "undecided", f"undecided: {words}"
    return pair, *(
        ("supported", f"supported: {words}") if difference > 0 else ("contradicted", f"contradicted: {words}")
    )


def _accuracy_after(run: Run, seconds: float) -> float:
    """Validation accuracy after the last epoch that was done by then; nan where there was none."""
    done = [row["validation_accuracy"] for row in run.history if row["seconds"] <= seconds]
    return float(done[-1]) if done else np.nan


WHOSE = {"report": "What the report says", "ours": "Our own hypotheses"}
"""The two lists of hypotheses."""
RESULTS = {
    "supported": ("is supported", "are supported"),
    "contradicted": ("is contradicted", "are contradicted"),
    "as good": ("is about two that are as good", "are about two that are as good"),
    "undecided": ("is undecided", "are undecided"),
    "no result": ("has no result", "have no result"),
    "not run": ("was not run at this scale", "were not run at this scale"),
}
"""What can become of a hypothesis, with the words for one and for several."""


def sentences(judged: Sequence[Summary], *, whole: bool = True) -> str:
    """How many of the report's and of our hypotheses are supported, contradicted or left open, and which.

    Args:
        whole: the runs are those that the study describes; where data or recipes are cut, they tell of that part only.
    """
    parts = [_counted([one for one in judged if one["source"] == source], source) for source in WHOSE]
    told = " ".join(filter(None, parts))
    return told if whole or not told else f"As far as this part of the study tells, {told[0].lower()}{told[1:]}"


def _counted(judged: Sequence[Summary], source: str) -> str:
    """`Of the report's 3 statements, 1 is supported: “...”. 2 are undecided.`"""
    parts = []
    for result, verbs in RESULTS.items():
        says = [f"“{one['says']}”" for one in judged if one["result"] == result]
        which = f": {'; '.join(says)}" if result in ("supported", "contradicted", "as good") else ""
        parts += [f"{len(says)} {verbs[len(says) > 1]}{which}"] if says else []
    whose = "the report's" if source == "report" else "our own"
    of = f"{whose} {plural(len(judged), 'statement')}"
    return f"Of {of}, {'. '.join(parts)}." if parts else ""
