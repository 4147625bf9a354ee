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
from bakeoff.findings.study import Diagnoses
from bakeoff.findings.sweeps import SweepResult
from bakeoff.record import Run
from bakeoff.report import hypotheses, overrides, sentences
from bakeoff.report.answer import paragraphs
from bakeoff.report.context import Context

ONE_CHANGES = 20
"""Pairs that differ in one thing that a reader still reads."""


def summary(context: Context) -> dict[str, Any]:
    """The object of summary.json. Accuracies are fractions, intervals 95 %, seconds a run's mean."""
    study, findings, answer = context.study, context.findings, paragraphs(context)
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
        "contenders": findings.contenders,
        "failures": findings.failures,
        "comparisons": findings.pairs,
        "can_be_best": findings.can_be_best,
        "plan": [{"dataset": item.dataset, "difference": item.difference, **vars(item.need)} for item in findings.plan],
        "sweeps": [_sweep(item) for item in findings.sweeps],
        "environment": environment(context.runs),
        "confirmation": [_confirmation(item) for item in findings.confirmation],
        "hypotheses": [_hypothesis(item, study.margin) for item in findings.hypotheses],
        "additions": findings.additions,
        "diagnoses": {
            "one_change": findings.one_change[:ONE_CHANGES],
            "one_change_others": max(len(findings.one_change) - ONE_CHANGES, 0),
            **{f.name: getattr(findings, f.name) for f in fields(Diagnoses)},
        },
    }
    plain: dict[str, Any] = _plain(value)
    return plain


def _confirmation(result: ContenderResult) -> dict[str, Any]:
    measured = {key: getattr(result, key) for key in ("n", "failed", "interval", "test_accuracy")}
    return {"contender": result.name, **measured, "seeds": [seed.seed for seed in result.seeds]}


def _sweep(result: SweepResult) -> dict[str, Any]:
    points = [{**vars(point), "reported": point.reported.figures()} for point in result.sweep.points]
    return {**result.sweep.model_dump(), "points": points, "answer": sentences.of_sweep(result)}


def _hypothesis(result: HypothesisResult, margin: float) -> dict[str, Any]:
    basis = result.basis.pair if isinstance(result.basis, Accuracy) else result.basis
    numbers = vars(basis) if isinstance(basis, Pair | Speed) else {}
    measured = {key: value for key, value in numbers.items() if key not in ("a", "b", "verdict", "tests")}
    reported = {"reported_difference": result.reported_difference, "within_noise": result.within_noise}
    words = hypotheses.judgement(result, margin)
    return {**vars(result.hypothesis), **reported, **measured, "result": result.result, "verdict": words}


def environment(runs: Sequence[Run]) -> dict[str, Any]:
    """What the runs were made with: a value, or the list of values where runs differ."""
    values: dict[str, list[Any]] = {}
    for run in runs:
        made = [part["environment"] for part in run.segments]
        for environment in (*made, {"data": run.dataset["fingerprint"]}):
            for key, value in environment.items():
                if value not in values.setdefault(key, []):
                    values[key].append(value)
    return {key: different[0] if len(different) == 1 else different for key, different in values.items()}


def _plain(value: Any) -> Any:
    """Plain values for JSON, null for numbers that it cannot say."""
    match value:
        case Interval():
            value = {end: getattr(value, end) for end in ENDS}
        case OneChange():
            names = {"from": value.before, "to": value.after, "what": value.change.what, "change": value.change}
            value = names | vars(value.pair) | {"share": value.share}
        case Change():
            return sentences.of_change(value)
        case Addition():
            what = "ensemble" if value.against == "best member" else "student"
            value = {"what": what, "against": sentences.AGAINST[value.against], **vars(value.pair)}
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


ENDS = ("mean", "low", "high")
ACCURACIES = ("test_accuracy", "validation_accuracy", "train_accuracy")


def contenders_of(summary: Mapping[str, Any]) -> list[ContenderResult]:
    """The contenders of a summary.json, without their seeds; what an earlier version did not write is missing."""
    return [_contender(each) for each in summary["contenders"]]


def _contender(record: Mapping[str, Any]) -> ContenderResult:
    names = {f.name for f in fields(ContenderResult)} - {"seeds"}
    values = {key: record[key] for key in names if record.get(key) is not None}
    if "trained" in record:  # of an earlier version, whose `n` counts what did not train as well
        values |= {"n": record["trained"], "failed": record["n"] + record["failed"] - record["trained"]}
    return ContenderResult(**values | {key: _interval(record.get(key, {})) for key in ACCURACIES})


def _interval(record: Mapping[str, float | None]) -> Interval:
    mean, low, high = (math.nan if (value := record.get(end)) is None else value for end in ENDS)
    return Interval(mean, low, high)


def pairs_of(summary: Mapping[str, Any]) -> list[Pair]:
    """The comparisons of a summary.json."""
    return [Pair(**each) for each in summary["comparisons"]]
