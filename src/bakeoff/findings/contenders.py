"""What each contender reached and what it cost, the ranking by validation accuracy, and who is selected by it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np

from bakeoff.evaluation import metrics
from bakeoff.evaluation.metrics import Interval
from bakeoff.evaluation.verdicts import Estimate, estimate
from bakeoff.findings.runs import Groups, all_correct
from bakeoff.record import Run
from bakeoff.spec import Contender
from bakeoff.spec.plan import Plan

NOTHING = Interval(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class SeedResult:
    """The accuracies of one run."""

    seed: int
    test_accuracy: float
    validation_accuracy: float
    train_accuracy: float


@dataclass(frozen=True)
class ContenderResult:
    """A contender's numbers: means over the `n` runs that trained, nan where there are none. Accuracies are fractions.

    `failed` runs have no result, diverged, or learnt nothing.
    """

    name: str
    model: str = ""
    ensemble: tuple[str, ...] = ()
    dataset: str = ""
    variant: str = ""
    note: str = ""
    selects_on_test: bool = False
    trains_on_test: bool = False
    n: int = 0
    failed: int = 0
    seeds: tuple[SeedResult, ...] = ()
    top5: float = math.nan
    negative_log_likelihood: float = math.nan
    calibration_error: float = math.nan
    validation_loss: float = math.nan
    test_loss: float = math.nan
    parameters: int | None = None
    multiply_adds: int | None = None
    seconds: float = math.nan
    images_per_second: float = math.nan
    reported: Mapping[str, float] = field(default_factory=dict)
    interval: Literal["new images", "wilson"] | None = None
    """Of test accuracy: for new seeds and images, or Wilson's of a single run."""
    test_accuracy: Interval = NOTHING
    validation_accuracy: Interval = NOTHING
    train_accuracy: Interval = NOTHING
    """Over seeds alone; of runs that agree, Wilson's over the images."""

    @property
    def ended(self) -> int:
        """Runs with a record or a known failure."""
        return self.n + self.failed

    @property
    def may_be_selected(self) -> bool:
        """Whether it, its members and its teachers were made without a look at the test set."""
        return not (self.selects_on_test or self.trains_on_test)


def find_results(
    study: Plan, ended: Groups, trained: Groups, failures: Sequence[str], test: Mapping[str, Estimate]
) -> Iterator[ContenderResult]:
    """Every contender's numbers.

    Args:
        ended: their finished runs; `trained`: those of them that learnt something.
        failures: the contender of each run without a result.
        test: the estimates of test accuracy that the verdicts rest on.
    """
    validation = {name: estimate(answers) for name, answers in all_correct(trained, "validation").items()}
    for c in study.contenders:
        runs = trained[c.name]
        yield ContenderResult(
            name=c.name,
            model=c.model,
            ensemble=c.ensemble,
            dataset=study.dataset_of(c),
            variant=c.variant,
            note=c.note,
            n=len(runs),
            failed=len(ended[c.name]) - len(runs) + failures.count(c.name),
            reported=c.reported.figures(),
            interval=test[c.name].kind if runs else None,
            test_accuracy=test.get(c.name, NOTHING),
            validation_accuracy=validation.get(c.name, NOTHING),
            train_accuracy=_train_accuracy(runs),
            **uses_of_test(study, c),
            **_measured(runs),
        )


def uses_of_test(study: Plan, contender: Contender) -> dict[str, Any]:
    """Whether it or anything that it needs was selected by, or trained on, the test set."""
    recipes = [study.contender(name).recipe for name in study.with_needs([contender.name])]
    return {use: any(getattr(recipe, use) for recipe in recipes) for use in ("selects_on_test", "trains_on_test")}


def _measured(runs: Sequence[Run]) -> dict[str, Any]:
    """What a contender's runs reached one by one, and means of the other figures."""
    tests = [(run.logits("test"), run.labels("test")) for run in runs]
    figures = [run.metrics | run.test_metrics() for run in runs]
    accuracies = [f.name for f in fields(SeedResult)[1:]]
    values = [[figure[key] for key in accuracies] for figure in figures]
    return {
        "seeds": tuple(SeedResult(run.spec.seed, *row) for run, row in zip(runs, values, strict=True)),
        "top5": _mean(metrics.top_k(*test) for test in tests if test[0].shape[1] > 5),
        "negative_log_likelihood": _mean(metrics.negative_log_likelihood(*test) for test in tests),
        "calibration_error": _mean(metrics.calibration(*test).error for test in tests),
        "validation_loss": _mean(figure["validation_loss"] for figure in figures),
        "test_loss": _mean(figure["test_loss"] for figure in figures),
        "parameters": runs[0].parameters if runs else None,
        "multiply_adds": runs[0].multiply_adds if runs else None,
        "seconds": _mean(run.seconds for run in runs),
        "images_per_second": _mean(run.images_per_second for run in runs),
    }


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return float(np.mean(values)) if values else math.nan


def _train_accuracy(runs: Sequence[Run]) -> Interval:
    """Mean and Student's t interval over the seeds, or where they agree Wilson's over the images, within [0, 1]."""
    if not runs:
        return NOTHING
    values, images = [run.metrics["train_accuracy"] for run in runs], runs[0].measured("train")
    equal = len(set(values)) == 1
    interval = metrics.wilson(round(values[0] * images), images) if equal else metrics.over_seeds(values)
    return Interval(float(np.mean(values)), max(interval.low, 0.0), min(interval.high, 1.0))


def ranking(contenders: Iterable[ContenderResult]) -> list[ContenderResult]:
    """Contenders with a result, best mean validation accuracy first (of equals, the smaller model)."""
    done = [c for c in contenders if not math.isnan(c.test_accuracy.mean)]
    return sorted(done, key=lambda c: (-c.validation_accuracy.mean, c.parameters or 0))


def selected(contenders: Iterable[ContenderResult]) -> ContenderResult | None:
    """The contender that validation accuracy selects; never one that the test set has selected or taught."""
    return next((c for c in ranking(contenders) if c.may_be_selected), None)
