"""The object of summary.json: a study's numbers and findings, from its records."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from bakeoff.evaluation import metrics
from bakeoff.evaluation.verdicts import Estimate
from bakeoff.findings import comparisons, evidence, hypotheses, tables
from bakeoff.findings.tables import Summary, by_contender, by_images, correct, over_runs
from bakeoff.record import Run
from bakeoff.report import answer
from bakeoff.spec import Contender, Recipe
from bakeoff.spec.study import Study
from bakeoff.spec.study_parts import Failed, Sweep

SPLITS = ("test", "validation", "train")


def summarise(study: Study, runs: Sequence[Run], fresh: Sequence[Run] = ()) -> Summary:
    """The object of summary.json. Accuracies are fractions, intervals 95 %, seconds a run's mean.

    `fresh` are runs of the choice on seeds that it was not chosen by.
    Of a contender's runs `n` finished and `failed` did not; its numbers rest on those `trained` that learnt something.
    Of a study of several datasets each is summarised by itself; only contenders on the same data are compared.

    Raises:
        BakeoffError: runs on one dataset were made from different data.
    """
    if len(study.datasets) == 1:
        found = _summarise(study, runs, fresh)
        found["answer"] = "\n".join((*answer.lines(found), *answer.cuts(study)))
        return found
    parts = [on_dataset(study, runs, name, fresh) for name in study.datasets]
    whole = dict(parts[0])
    lists = (
        "contenders",
        "failures",
        "comparisons",
        "can_be_best",
        "confirmation",
        "sweeps",
        "hypotheses",
        "additions",
    )
    for key in (*lists, "additions"):
        whole[key] = [item for part in parts for item in part[key]]
    for key, first in parts[0]["diagnoses"].items():
        whole["diagnoses"] = {**whole["diagnoses"], key: sum((p["diagnoses"][key] for p in parts[1:]), first)}
    said = [f"On {name}: {part['answer']}" for name, part in zip(study.datasets, parts, strict=True)]
    whole["answer"] = "\n".join((*said, *answer.cuts(study)))
    parts_of = zip(study.datasets, parts, strict=True)
    whole["plan"] = [{"dataset": name, **need} for name, part in parts_of for need in part["plan"]]
    whole["environment"] = environment(runs)
    return whole


def on_dataset(study: Study, runs: Sequence[Run], name: str, fresh: Sequence[Run] = ()) -> Summary:
    """The summary of the part of a study that is about one dataset."""
    return _summarise(study.on(name), runs, fresh)


def _summarise(study: Study, runs: Sequence[Run], fresh: Sequence[Run] = ()) -> Summary:
    ended, diverged = by_contender(study, runs), by_contender(study, runs, "diverged")
    groups, failed = evidence.only_learnt(ended), failures(study, runs)
    honest = [
        c.name for c in study.contenders if not any(r.selects_on_test or r.trains_on_test for r in _recipes(c, study))
    ]
    verdicts = comparisons.decide(study, _right(groups, "test"), honest)
    estimates = {"test": verdicts.estimates, "validation": comparisons.estimates(_right(groups, "validation"))}
    summary: Summary = {
        "study": study.name,
        "title": study.title,
        "scale": study.scale,
        "cuts": list(study.cuts),
        "comparable": study.comparable,
        "question": study.question,
        "answer": "",
        "estimand": comparisons.ESTIMAND,
        "margin": study.margin,
        "level": study.level,
        "enough": dict(study.enough),
        "contenders": [
            _contender(c, study, groups[c.name], len(ended[c.name]), [f["contender"] for f in failed].count(c.name))
            | _accuracies(groups[c.name], {split: found.get(c.name) for split, found in estimates.items()})
            for c in study.contenders
        ],
        "failures": failed,
        "comparisons": [comparisons.row(pair) for pair in verdicts.pairs],
        "can_be_best": list(verdicts.can_be_best),
        "plan": comparisons.plan(verdicts),
        "sweeps": [_sweep(sweep) for sweep in study.sweeps],
        "environment": environment([run for group in (*ended.values(), *diverged.values()) for run in group]),
    }
    summary["confirmation"] = _confirmation(study, summary, fresh)
    summary["hypotheses"] = hypotheses.judge_all(study, groups, summary)
    summary["additions"] = evidence.additions(study, summary)
    pairs, others = evidence.one_change(study, groups, summary)
    summary["diagnoses"] = {
        "one_change": pairs,
        "one_change_others": others,
        "softmax": evidence.softmax(study, ended, summary, pairs),
        "guessing": evidence.guessing(study, ended),
        "fallbacks": evidence.fallbacks(study, ended),
        "rising": evidence.rising(study, groups),
        "test_choices": evidence.test_choices(study, ended),
    }
    summary = _clean(summary)
    for sweep in summary["sweeps"]:
        sweep["answer"] = answer.of_sweep(sweep, summary)
    summary["answer"] = "\n".join(answer.lines(summary))
    return summary


def _confirmation(study: Study, summary: Summary, fresh: Sequence[Run]) -> list[Summary]:
    """The choice measured on fresh seeds: nothing, or one entry like a contender's, with its name."""
    if not (best := tables.pick(summary)):
        return []
    name = best["name"]
    finished, diverged = (by_contender(study, fresh, status)[name] for status in ("finished", "diverged"))
    if not finished and not diverged:
        return []
    groups = evidence.only_learnt({name: finished})
    accuracies = _accuracies(groups[name], {"test": comparisons.estimates(_right(groups, "test")).get(name)})
    return [
        {
            "contender": name,
            "n": len(finished),
            "trained": len(groups[name]),
            "failed": len(diverged),
            "interval": accuracies["interval"],
            "test_accuracy": accuracies["test_accuracy"],
            "seeds": [run.spec.seed for run in groups[name]],
        }
    ]


def _right(groups: evidence.Groups, split: str) -> comparisons.Right:
    """Which images of a split are recognised, of each contender with a run that trained."""
    return {name: np.stack([correct(run, split) for run in runs]) for name, runs in groups.items() if runs}


def _accuracies(runs: Sequence[Run], estimates: Mapping[str, Estimate | None]) -> Summary:
    """Mean accuracies with 95 % intervals: of test and validation for new seeds and images, of train over seeds."""
    nothing = {"mean": None, "low": None, "high": None}
    train = [run.metrics["train_accuracy"] for run in runs]
    return {
        "interval": estimates["test"].kind if estimates["test"] else None,
        **{
            f"{split}_accuracy": {"mean": found.mean, "low": found.low, "high": found.high} if found else nothing
            for split, found in estimates.items()
        },
        "train_accuracy": over_runs(train, runs[0].measured("train") if by_images(train) else 0),
    }


def _mean(values: Iterable[float]) -> float | None:
    values = list(values)
    return float(np.mean(values)) if values else None


def _contender(contender: Contender, study: Study, runs: Sequence[Run], finished: int, failed: int) -> Summary:
    """A contender's numbers, those of its `runs` that trained: others of the finished ones learnt nothing."""
    tests = [(run.logits("test"), run.labels("test")) for run in runs]
    figures = [run.metrics | run.test_metrics() for run in runs]
    return {
        "name": contender.name,
        "model": contender.model,
        "ensemble": list(contender.ensemble),
        "dataset": study.dataset_of(contender),
        "variant": contender.variant,
        "note": contender.note,
        "selects_on_test": any(recipe.selects_on_test for recipe in _recipes(contender, study)),
        "trains_on_test": any(recipe.trains_on_test for recipe in _recipes(contender, study)),
        "n": finished,
        "trained": len(runs),
        "failed": failed,
        "seeds": [
            {"seed": run.spec.seed, **{f"{split}_accuracy": figure[f"{split}_accuracy"] for split in SPLITS}}
            for run, figure in zip(runs, figures, strict=True)
        ],
        "top5": _mean(metrics.top_k(*test) for test in tests if test[0].shape[1] > 5),
        "negative_log_likelihood": _mean(metrics.negative_log_likelihood(*test) for test in tests),
        "calibration_error": _mean(metrics.calibration(*test).error for test in tests),
        "validation_loss": _mean(figure["validation_loss"] for figure in figures),
        "test_loss": _mean(figure["test_loss"] for figure in figures),
        "parameters": runs[0].parameters if runs else None,
        "multiply_adds": runs[0].multiply_adds if runs else None,
        "seconds": _mean(run.seconds for run in runs),
        "images_per_second": _mean(run.images_per_second for run in runs),
        "reported": contender.reported.figures(),
    }


def _recipes(contender: Contender, study: Study) -> list[Recipe]:
    """Its recipe, and those of all members and teachers that it needs, directly or through others."""
    needed, ahead = {contender.name: contender}, [contender]
    while ahead:
        new = [study.contender(name) for name in study.needs(ahead.pop()) if name not in needed]
        needed |= {other.name: other for other in new}
        ahead += new
    return [other.recipe for other in needed.values()]


def failures(study: Study, runs: Sequence[Run]) -> list[Summary]:
    """The study's runs without a result, with the reason of each."""
    diverged = [
        Failed(
            contender=run.spec.contender,
            seed=run.spec.seed,
            run=run.path.name,
            kind="diverged",
            reason=f"a value became non-finite in epoch {len(run.history) + 1}",
        )
        for run in runs
        if run.status == "diverged"
    ]
    names = {contender.name for contender in study.contenders}
    return [failed.model_dump() for failed in (*diverged, *study.failed) if failed.contender in names]


def _sweep(sweep: Sweep) -> Summary:
    points = [
        {"label": point.label, "contender": point.contender, "reported": point.reported.figures()}
        for point in sweep.points
    ]
    return {"name": sweep.name, "question": sweep.question, "points": points, "reported": list(sweep.reported)}


def environment(runs: Sequence[Run]) -> Summary:
    """What the runs were made with: a value, or the list of values where runs differ."""
    found: dict[str, list[Any]] = {}
    for run in runs:
        made = [part["environment"] for part in run.segments]
        for environment in (*made, {"data": run.dataset["fingerprint"]}):
            for key, value in environment.items():
                if value not in found.setdefault(key, []):
                    found[key].append(value)
    return {key: values[0] if len(values) == 1 else values for key, values in found.items()}


def _clean(value: Any) -> Any:
    """The same, with null for what JSON cannot say."""
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    if isinstance(value, np.generic):
        return _clean(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value
