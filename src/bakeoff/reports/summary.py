"""The object of summary.json: a study's numbers and findings, from its records."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from bakeoff.evaluation import compare, metrics
from bakeoff.record import Run
from bakeoff.reports import answer, evidence
from bakeoff.reports.evidence import Right
from bakeoff.reports.tables import Summary, by_contender, by_images, correct, over_runs
from bakeoff.spec import Contender
from bakeoff.study import Study, Sweep

SPLITS = ("test", "validation", "train")


def summarise(study: Study, runs: Sequence[Run]) -> Summary:
    """The object of summary.json. Accuracies are fractions, intervals 95 %, seconds a run's mean.

    Of a study of several datasets each is summarised by itself; only contenders on the same data are compared.

    Raises:
        BakeoffError: runs on one dataset were made from different data.
    """
    if len(study.datasets) == 1:
        found = _summarise(study, runs)
        found["answer"] = "\n".join((*answer.lines(found), *answer.cuts(study)))
        return found
    parts = [on_dataset(study, runs, name) for name in study.datasets]
    whole = dict(parts[0])
    for key in ("contenders", "comparisons", "sweeps", "claims", "additions"):
        whole[key] = [item for part in parts for item in part[key]]
    for key, first in parts[0]["diagnoses"].items():
        whole["diagnoses"] = {**whole["diagnoses"], key: sum((p["diagnoses"][key] for p in parts[1:]), first)}
    said = [f"On {name}: {part['answer']}" for name, part in zip(study.datasets, parts, strict=True)]
    whole["answer"] = "\n".join((*said, *answer.cuts(study)))
    whole["environment"] = environment(runs)
    return whole


def on_dataset(study: Study, runs: Sequence[Run], name: str) -> Summary:
    """The summary of the part of a study that is about one dataset."""
    return _summarise(study.on(name), runs)


def _summarise(study: Study, runs: Sequence[Run]) -> Summary:
    groups = by_contender(study, runs)
    failed = by_contender(study, runs, "diverged")
    right = {name: {run.spec.seed: correct(run) for run in found} for name, found in groups.items() if found}
    summary: Summary = {
        "study": study.name,
        "title": study.title,
        "scale": study.scale,
        "cuts": list(study.cuts),
        "question": study.question,
        "answer": "",
        "contenders": [_contender(c, study, groups[c.name], len(failed[c.name])) for c in study.contenders],
        "comparisons": _pairs(right),
        "sweeps": [_sweep(sweep, right) for sweep in study.sweeps],
        "claims": evidence.claims(study, right),
        "environment": environment([run for group in (*groups.values(), *failed.values()) for run in group]),
    }
    told, others = evidence.one_change(study, groups, right)
    summary["additions"] = evidence.additions(study, right, summary)
    summary["diagnoses"] = {
        "one_change": told,
        "one_change_others": others,
        "softmax": evidence.softmax(study, groups, summary, told),
        "guessing": evidence.guessing(study, groups),
        "fallbacks": evidence.fallbacks(study, groups),
        "test_choices": evidence.test_choices(study, groups),
    }
    summary = _clean(summary)
    for sweep in summary["sweeps"]:
        sweep["answer"] = answer.of_sweep(sweep, summary)
    summary["answer"] = "\n".join(answer.lines(summary))
    return summary


def _accuracy(runs: Sequence[Run], figures: Sequence[dict[str, float]], split: str) -> dict[str, float | None]:
    values = [figure[f"{split}_accuracy"] for figure in figures]
    return over_runs(values, runs[0].measured(split) if by_images(values) else 0)


def _mean(values: Iterable[float]) -> float | None:
    values = list(values)
    return float(np.mean(values)) if values else None


def _contender(contender: Contender, study: Study, runs: Sequence[Run], failed: int) -> Summary:
    tests = [(run.logits("test"), run.labels("test")) for run in runs]
    figures = [run.metrics | run.test_metrics() for run in runs]
    return {
        "name": contender.name,
        "model": contender.model,
        "ensemble": list(contender.ensemble),
        "dataset": study.dataset_of(contender),
        "variant": contender.variant,
        "note": contender.note,
        "selects_on_test": _selects_on_test(contender, study),
        "n": len(runs),
        "failed": failed,
        "interval": ("wilson" if by_images([f["test_accuracy"] for f in figures]) else "t") if runs else None,
        **{f"{split}_accuracy": _accuracy(runs, figures, split) for split in SPLITS},
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


def _selects_on_test(contender: Contender, study: Study) -> bool:
    """Whether the test set chooses its epoch, or that of a member or teacher."""
    needed = map(study.contender, study.needs(contender))
    return contender.recipe.selects_on_test or any(_selects_on_test(other, study) for other in needed)


def _pairs(right: Right) -> list[Summary]:
    """Paired comparisons of all, Holm-corrected over just these pairs."""
    return [evidence.row(pair) for pair in compare.compare_all(right)]


def _sweep(sweep: Sweep, right: Right) -> Summary:
    """A sweep's points and its own comparisons: Holm's correction covers this sweep's pairs only."""
    names = dict.fromkeys(point.contender for point in sweep.points if point.contender in right)
    labels = [
        {"label": point.label, "contender": point.contender, "reported": point.reported.figures()}
        for point in sweep.points
    ]
    pairs = _pairs({name: right[name] for name in names})
    return {"name": sweep.name, "question": sweep.question, "points": labels, "comparisons": pairs}


def environment(runs: Sequence[Run]) -> Summary:
    """What the runs were made with: a value, or the list of values where runs differ."""
    found: dict[str, list[Any]] = {}
    for run in runs:
        for key, value in (*run.environment.items(), ("data", run.dataset["fingerprint"])):
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
