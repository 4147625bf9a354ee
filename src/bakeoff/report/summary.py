"""The object of summary.json: a study's numbers and findings as plain values, and contenders and pairs read from it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel

from bakeoff.evaluation.metrics import Interval
from bakeoff.evaluation.verdicts import Pair
from bakeoff.findings.additions import Addition
from bakeoff.findings.changes import Change
from bakeoff.findings.contenders import ContenderResult
from bakeoff.findings.hypotheses import Accuracy, HypothesisResult, Speed
from bakeoff.findings.one_change import OneChange
from bakeoff.findings.softmax import Gap, Part
from bakeoff.findings.study import SeedsToShow
from bakeoff.findings.sweeps import SweepResult
from bakeoff.record import Run
from bakeoff.record.manifest import Failed
from bakeoff.report import hypotheses, overrides, sentences
from bakeoff.report.answer import paragraphs
from bakeoff.report.context import Context
from bakeoff.spec.plan import Plan

ONE_CHANGES = 20
"""Pairs that differ in one thing that a reader still reads."""


def summarise(
    study: Plan,
    runs: Sequence[Run],
    fresh: Sequence[Run] = (),
    failed: Sequence[Failed] = (),
    enough: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The object of summary.json of a study's runs, and of those of selected contenders on `fresh` seeds.

    Raises:
        BakeoffError: runs on one dataset were made from different data.
    """
    return summary(Context.of(study, runs, "", fresh, failed, enough))


def summary(context: Context) -> dict[str, Any]:
    """The object of summary.json. Accuracies are fractions, intervals 95 %, seconds a run's mean."""
    study, found, answer = context.study, context.findings, paragraphs(context)
    value: dict[str, Any] = {
        "study": study.name,
        "title": study.title,
        "scale": study.scale,
        "overrides": overrides.sentences(study),
        "comparable": study.comparable,
        "question": study.question,
        "answer": "\n".join(paragraph.text for paragraph in answer),
        "leads": [paragraph.text for paragraph in answer if paragraph.kind in ("lead", "overrides")],
        "estimand": sentences.ESTIMAND,
        "margin": study.margin,
        "level": study.level,
        "enough": context.enough,
        "contenders": found.contenders,
        "failures": found.failures,
        "comparisons": found.pairs,
        "can_be_best": found.can_be_best,
        "plan": [_need(one, several=len(study.datasets) > 1) for one in found.plan],
        "sweeps": [_sweep(one) for one in found.sweeps],
        "environment": environment(context.runs),
        "confirmation": [_confirmation(one) for one in found.confirmation],
        "hypotheses": [_hypothesis(one, study.margin) for one in found.hypotheses],
        "additions": found.additions,
        "diagnoses": {
            "one_change": found.one_change[:ONE_CHANGES],
            "one_change_others": max(len(found.one_change) - ONE_CHANGES, 0),
            **{key: getattr(found, key) for key in ("softmax", "guessing", "fallbacks", "rising", "test_choices")},
        },
    }
    plain: dict[str, Any] = _plain(value)
    return plain


def _need(one: SeedsToShow, several: bool) -> dict[str, Any]:
    return {**({"dataset": one.dataset} if several else {}), "difference": one.difference, **vars(one.need)}


def _confirmation(one: ContenderResult) -> dict[str, Any]:
    measured = {key: getattr(one, key) for key in ("n", "trained", "failed", "interval", "test_accuracy")}
    return {"contender": one.name, **measured, "seeds": [seed.seed for seed in one.seeds]}


def _sweep(one: SweepResult) -> dict[str, Any]:
    points = [{**vars(point), "reported": point.reported.figures()} for point in one.sweep.points]
    return {**one.sweep.model_dump(), "points": points, "answer": sentences.of_sweep(one)}


def _hypothesis(one: HypothesisResult, margin: float) -> dict[str, Any]:
    basis = one.basis.pair if isinstance(one.basis, Accuracy) else one.basis
    every = vars(basis) if isinstance(basis, Pair | Speed) else {}
    measured = {key: value for key, value in every.items() if key not in ("a", "b", "verdict", "tests")}
    reported = {"reported_difference": one.reported_difference, "within_noise": one.within_noise}
    words = hypotheses.judgement(one, margin)
    return {**vars(one.hypothesis), **reported, **measured, "result": one.result, "verdict": words}


def environment(runs: Sequence[Run]) -> dict[str, Any]:
    """What the runs were made with: a value, or the list of values where runs differ."""
    values: dict[str, list[Any]] = {}
    for run in runs:
        made = [part["environment"] for part in run.segments]
        for environment in (*made, {"data": run.dataset["fingerprint"]}):
            for key, value in environment.items():
                if value not in values.setdefault(key, []):
                    values[key].append(value)
    return {key: some[0] if len(some) == 1 else some for key, some in values.items()}


def _plain(value: Any) -> Any:
    """Plain values for JSON, null for numbers that it cannot say."""
    match value:
        case Interval():
            value = {end: getattr(value, end) for end in ENDS}
        case OneChange():
            names = {"from": value.before, "to": value.after, "what": value.change.what, "change": value.change}
            value = names | vars(value.pair)
        case Gap():
            value = {"to": value.pair.a, **_size(value.pair), "parts": value.parts}
        case Part(change=one):
            value = {"to": one.after, "change": one.change, **_size(one.pair), "share": value.share}
        case Change():
            return sentences.change(value)
        case Addition():
            value = {"what": value.what, "against": sentences.AGAINST[value.against], **vars(value.pair)}
        case np.generic():
            value = value.item()
    if is_dataclass(value):
        value = vars(value)
    if isinstance(value, BaseModel):
        value = value.model_dump()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _size(pair: Pair) -> dict[str, float]:
    return {"difference": pair.difference, "low": pair.low, "high": pair.high}


ENDS = ("mean", "low", "high")
ACCURACIES = ("test_accuracy", "validation_accuracy", "train_accuracy")


def contenders_of(summary: Mapping[str, Any]) -> list[ContenderResult]:
    """The contenders of a summary.json, without their seeds; what an earlier version did not write is missing."""
    return [_contender(each) for each in summary["contenders"]]


def _contender(given: Mapping[str, Any]) -> ContenderResult:
    names = {f.name for f in fields(ContenderResult)} - {"seeds"}
    values = {key: given[key] for key in names if given.get(key) is not None}
    return ContenderResult(**values | {key: _interval(given.get(key, {})) for key in ACCURACIES})


def _interval(given: Mapping[str, float | None]) -> Interval:
    mean, low, high = (math.nan if (value := given.get(end)) is None else value for end in ENDS)
    return Interval(mean, low, high)


def pairs_of(summary: Mapping[str, Any]) -> list[Pair]:
    """The comparisons of a summary.json."""
    return [Pair(**each) for each in summary["comparisons"]]
