"""What reports gave against what the runs give: each published figure, and whether one more run would give it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from bakeoff.data import SOURCES
from bakeoff.data.composite.options import CompositeOptions
from bakeoff.evaluation import metrics
from bakeoff.evaluation.exact import t_quantile
from bakeoff.evaluation.metrics import Interval
from bakeoff.findings.contenders import NOTHING
from bakeoff.findings.runs import Groups
from bakeoff.record import Run
from bakeoff.spec.plan import Plan

Reason = Literal[
    "cut",
    "generated",
    "unprinted",
    "no figure",
    "machine",
    "chosen on test",
    "one run",
    "seeds agree",
    "seeds spread",
]
"""Why a figure cannot be held against ours: this scale cuts the study, the images are generated anew, its setting is
not printed, our runs have no such figure, it depends on the machine, or it was chosen on the test set; or why our runs
do not decide: there is only one, their values agree exactly, or they spread too widely."""
Verdict = Literal["reproduced", "exceeded", "not reproduced", "not comparable", "not decidable", "no result", "not run"]

UNDECIDABLE = 0.2
"""Width of a prediction interval above which it would call anything reproduced."""
LESS_IS_BETTER = ("train_error", "loss")
OF_THE_MACHINE = ("seconds", "epoch_seconds")


@dataclass(frozen=True)
class Judgement:
    """The verdict, our mean with the 95 % prediction interval of one more run (nan where there is none), and the
    `reason` where there is no comparison or no decision."""

    verdict: Verdict
    ours: Interval = NOTHING
    reason: Reason | None = None


@dataclass(frozen=True)
class ReportedFigure:
    """A published figure of a contender, perhaps of a `point` of a `sweep`, against the `n` runs of it that ended."""

    contender: str
    key: str
    published: float
    sweep: str
    point: str
    unprinted: str
    """What the report does not print of its setting."""
    n: int
    judgement: Judgement


class Measure(NamedTuple):
    """A figure of one run (nan where it has none), and the split whose images it is a share of, if any."""

    of: Callable[[Run], float]
    split: str = ""


def _test_accuracy(run: Run) -> float:
    return run.test_metrics()["test_accuracy"]


def _after_last_epoch(run: Run) -> float:
    """Test accuracy of the last epoch, also where the run keeps the epoch that did best on the test set."""
    return run.history[-1]["test_accuracy"] if run.spec.recipe.selects_on_test else _test_accuracy(run)


def _loss_as_trained(run: Run) -> float:
    """Validation loss as the run was trained: where softmax comes before the cross-entropy, probabilities count as
    logits, as in the report's figure."""
    if not run.spec.recipe.loss_entry.double_softmax:
        return run.metrics["validation_loss"]
    return metrics.negative_log_likelihood(metrics.softmax(run.logits("validation")), run.labels("validation"))


def _of_the_weakest(run: Run) -> float:
    """Test accuracy among the images of the class that does worst."""
    return float(np.nanmin(metrics.per_class(run.logits("test"), run.labels("test"))))


def _smallest_area(run: Run) -> float:
    """The smallest area under a class's ROC curve."""
    return float(np.nanmin([curve.area for curve in metrics.roc(run.logits("test"), run.labels("test"))]))


def _after_two_epochs(run: Run) -> float:
    return run.history[1]["validation_accuracy"] if len(run.history) > 1 else math.nan


def _after_first_round(run: Run, key: str) -> float:
    """At the end of the first round of a run of several."""
    first = [epoch[key] for epoch in run.history if epoch["round"] == 0]
    return first[-1] if run.spec.recipe.rounds > 1 else math.nan


MEASURES = {
    "test_accuracy": Measure(_after_last_epoch, "test"),
    "best_test_accuracy": Measure(_test_accuracy, "test"),
    "validation_accuracy": Measure(lambda run: run.metrics["validation_accuracy"], "validation"),
    "train_accuracy": Measure(lambda run: run.metrics["train_accuracy"], "train"),
    "train_error": Measure(lambda run: 1 - run.metrics["train_accuracy"], "train"),
    "weakest_class_accuracy": Measure(_of_the_weakest, "test"),
    "second_epoch_validation_accuracy": Measure(_after_two_epochs, "validation"),
    "first_fit_validation_accuracy": Measure(lambda run: _after_first_round(run, "validation_accuracy"), "validation"),
    "first_fit_train_accuracy": Measure(lambda run: _after_first_round(run, "train_accuracy"), "train"),
    "top5": Measure(lambda run: metrics.top_k(run.logits("test"), run.labels("test")), "test"),
    "roc_area": Measure(_smallest_area),
    "loss": Measure(_loss_as_trained),
    "seconds": Measure(lambda run: run.seconds),
    "epoch_seconds": Measure(lambda run: run.seconds / max(len(run.history), 1)),
    "parameters": Measure(lambda run: run.parameters),
}
"""What a report may give: the fields of `Reported`."""


def find_reported(study: Plan, ended: Groups) -> tuple[ReportedFigure, ...]:
    """Every figure that reports give, once; those of contenders that this scale leaves out are `not run`."""
    figures: dict[tuple[str, str, float], ReportedFigure] = {}
    for name, sweep, point, published, unprinted in _published(study):
        for key, value in published.items():
            if runs := ended.get(name, ()):
                judgement = judge(key, value, runs, _reason(study, name, unprinted))
            else:
                judgement = Judgement("no result" if name in ended else "not run")
            figure = ReportedFigure(name, key, value, sweep, point, unprinted, len(runs), judgement)
            figures.setdefault((name, key, value), figure)
    return tuple(figures.values())


Published = tuple[str, str, str, Mapping[str, float], str]
"""Contender, sweep and label of its point, figures, and what is not printed of their setting."""


def _published(study: Plan) -> list[Published]:
    """All that reports give, what this scale leaves out included."""
    published: list[Published] = []
    for c in (*study.contenders, *study.left_out):
        figures = [c.reported.figures(), *({"test_accuracy": value} for value in c.reported.repeats)]
        published += [(c.name, "", c.name, values, c.reported.unprinted) for values in figures]
    for sweep in (*study.sweeps, *study.left_out_points):
        for p in sweep.points:
            published.append((p.contender, sweep.name, p.label, p.reported.figures(), p.reported.unprinted))
    return published


def generated_anew(study: Plan, name: str) -> bool:
    """Whether a contender's images are made here, in place of a competition's that cannot be had."""
    dataset, _, options = study.dataset_of(study.contender(name)).partition(":")
    source = SOURCES.get(dataset)
    is_generated = source is not None and issubclass(source.settings, CompositeOptions)
    return is_generated and "origin=kaggle" not in options.split(",")


def _reason(study: Plan, name: str, unprinted: str) -> Reason | None:
    """Why a contender's figures cannot be held against published ones: the most basic reason, if there is one."""
    if not study.comparable:
        return "cut"
    if generated_anew(study, name):
        return "generated"
    return "unprinted" if unprinted or study.unprinted else None


def judge(key: str, published: float, runs: Sequence[Run], reason: Reason | None = None) -> Judgement:
    """One published figure against one or more runs.

    A published figure is one run, so it is held against the 95 % prediction interval of one more run of ours, see
    `_prediction`; one run of ours predicts nothing. `reason` is why it cannot be held against ours, if there is one.
    A number of parameters is a fact of the model: it is compared to the digits that are printed.
    """
    values = [MEASURES[key].of(run) for run in runs]
    ours = _prediction(key, values, runs[0])
    if key == "parameters" and _as_printed(values[0], published):
        return Judgement("reproduced", ours)
    if reason != "cut":
        if math.isnan(ours.mean):
            reason = "no figure"
        elif key in OF_THE_MACHINE:
            reason = "machine"
        elif key == "parameters":
            return Judgement("not reproduced", ours)
        elif key == "best_test_accuracy" and not runs[0].spec.recipe.selects_on_test:
            reason = reason or "chosen on test"
    if reason:
        return Judgement("not comparable", ours, reason)
    if len(runs) == 1:
        return Judgement("not decidable", ours, "one run")
    if ours.low <= published <= ours.high:
        wide = ours.high - ours.low > UNDECIDABLE
        return Judgement("not decidable", ours, "seeds spread") if wide else Judgement("reproduced", ours)
    if ours.low == ours.high:  # equal seeds are chance too
        return Judgement("not decidable", ours, "seeds agree")
    better = published > ours.high if key in LESS_IS_BETTER else published < ours.low
    return Judgement("exceeded" if better else "not reproduced", ours)


def _as_printed(count: float, published: float) -> bool:
    """Whether a whole number rounds to the published one, whose zeros at the end may stand for unknown digits."""
    zeros = len(text := f"{published:.0f}") - len(text.rstrip("0"))
    return round(count, -zeros) == published


def _prediction(key: str, values: Sequence[float], run: Run) -> Interval:
    """The 95 % prediction interval of one more run: mean +- t s sqrt(1 + 1 / n) over n >= 2 seeds. Training and
    validation images of a report are others than ours, of about as many: their part, 2 p (1 - p) / M, is added."""
    mean, images = float(np.mean(values)), 0.0
    if len(values) == 1:
        return Interval(mean, math.nan, math.nan)
    seeds = t_quantile(0.95, len(values) - 1) * float(np.std(values, ddof=1)) * math.sqrt(1 + 1 / len(values))
    if (split := MEASURES[key].split) in ("train", "validation"):
        images = 1.96 * math.sqrt(2 * mean * (1 - mean) / run.measured(split))
    half = math.hypot(seeds, images)
    return Interval(mean, mean - half, mean + half)


def figures_of(study: Plan) -> dict[str, list[float]]:
    """Of each contender to which the report gives several test accuracies: those, in ascending order."""
    accuracies = defaultdict[str, set[float]](set)
    for name, _, _, figures, _ in _published(study):
        accuracies[name] |= {value for key, value in figures.items() if key == "test_accuracy"}
    return {name: sorted(values) for name, values in accuracies.items() if len(values) > 1}


def noise(study: Plan) -> float:
    """The widest range of test accuracies that the report gives to one contender: its noise between single runs."""
    return max((values[-1] - values[0] for values in figures_of(study).values()), default=0.0)
