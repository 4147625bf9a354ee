"""A section on what reports gave against what the runs give."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from bakeoff.data import SOURCES
from bakeoff.data.sources import Origin
from bakeoff.evaluation import metrics
from bakeoff.record import Run
from bakeoff.reports.blocks import Block, Cell, Head, Table
from bakeoff.reports.context import Context
from bakeoff.reports.tables import interval, percent
from bakeoff.study import Section, Study


class Measure(NamedTuple):
    """A figure that a report may give: its name, the same of one run (nan where the run has none), and the split whose
    images it is a share of, or how many digits are shown of it."""

    label: str
    of: Callable[[Run], float]
    split: str = ""
    digits: int = 0


def _test_accuracy(run: Run) -> float:
    return run.test_metrics()["test_accuracy"]


def _after_last_epoch(run: Run) -> float:
    """Test accuracy of the last epoch, also where the run keeps the epoch that did best on the test set."""
    return run.history[-1]["test_accuracy"] if run.spec.recipe.selects_on_test else _test_accuracy(run)


def _own_loss(run: Run) -> float:
    """Validation loss as the run was trained: where softmax comes before the cross-entropy, probabilities count as
    logits, as in the report's figure."""
    if run.spec.recipe.loss != "softmax_output":
        return run.metrics["validation_loss"]
    return metrics.negative_log_likelihood(metrics.softmax(run.logits("validation")), run.labels("validation"))


def _of_the_weakest(run: Run) -> float:
    """Test accuracy among the images of the class that does worst."""
    return float(np.nanmin(metrics.per_class(run.logits("test"), run.labels("test"))))


def _smallest_area(run: Run) -> float:
    """The smallest area under a class's ROC curve."""
    return float(np.nanmin([curve.area for curve in metrics.roc(run.logits("test"), run.labels("test"))]))


def _after_two_epochs(run: Run) -> float:
    return run.history[1]["validation_accuracy"] if len(run.history) > 1 else np.nan


def _after_first_fit(key: str) -> Callable[[Run], float]:
    """At the end of the first fit of a run of several."""

    def measure(run: Run) -> float:
        return [epoch[key] for epoch in run.history if epoch["fit"] == 0][-1] if run.spec.recipe.fits > 1 else np.nan

    return measure


MEASURES = {
    "test_accuracy": Measure("test accuracy", _after_last_epoch, "test"),
    "best_test_accuracy": Measure("test accuracy of the best epoch", _test_accuracy, "test"),
    "validation_accuracy": Measure("validation accuracy", lambda run: run.metrics["validation_accuracy"], "validation"),
    "train_accuracy": Measure("train accuracy", lambda run: run.metrics["train_accuracy"], "train"),
    "train_error": Measure("train error", lambda run: 1 - run.metrics["train_accuracy"], "train"),
    "weakest_class_accuracy": Measure("test accuracy of the weakest class", _of_the_weakest, "test"),
    "second_epoch_validation_accuracy": Measure("validation accuracy after 2 epochs", _after_two_epochs, "validation"),
    "first_fit_validation_accuracy": Measure(
        "validation accuracy after the first fit", _after_first_fit("validation_accuracy"), "validation"
    ),
    "first_fit_train_accuracy": Measure(
        "train accuracy in the first fit's last epoch", _after_first_fit("train_accuracy"), "train"
    ),
    "top5": Measure("top-5 accuracy", lambda run: metrics.top_k(run.logits("test"), run.labels("test")), "test"),
    "roc_area": Measure("smallest area under a class's ROC curve", _smallest_area, digits=4),
    "loss": Measure("validation loss", _own_loss, digits=3),
    "seconds": Measure("seconds", lambda run: run.seconds, digits=1),
    "epoch_seconds": Measure("seconds an epoch", lambda run: run.seconds / max(len(run.history), 1), digits=1),
    "parameters": Measure("parameters", lambda run: run.parameters),
}
"""What a report may give: the fields of `Reported`."""

UNDECIDABLE = 0.2
"""Width of a prediction interval above which it would call anything reproduced."""
LESS_IS_BETTER = ("train_error", "loss")
OF_THE_MACHINE, OF_THE_MODEL = ("seconds", "epoch_seconds"), ("parameters",)
GENERATED, CUT = "the images are generated anew", "this scale is cut"
"""Why a figure cannot be held against the published one."""


def judge(key: str, published: float, runs: Sequence[Run], reasons: Sequence[str] = ()) -> tuple[str, str]:
    """(what a further run would give, the verdict) for one published figure.

    A published figure is one run, so it is held against the 95 % prediction interval of one more run of ours:
    mean +- t s sqrt(1 + 1 / n) over n seeds; with one seed, Wilson's interval over the images. `reasons` are those
    for which it cannot be held against them, the most basic one first.
    """
    measure = MEASURES[key]
    values = [measure.of(run) for run in runs]
    cut = [reason for reason in reasons if reason != GENERATED]
    if key in OF_THE_MODEL:
        same = values[0] == published
        return f"{values[0]:,.0f}", "reproduced" if same else _incomparable(cut) if cut else "not reproduced"
    if np.isnan(values).any():
        return "–", _incomparable(cut or ["our runs have no such figure"])
    if key in OF_THE_MACHINE:
        return f"{np.mean(values):,.{measure.digits}f}", _incomparable(["another machine", *cut])
    if key == "best_test_accuracy" and not runs[0].spec.recipe.selects_on_test:
        reasons = [*reasons, "it was chosen on the test set"]
    mean, low, high = _prediction(key, values, runs[0])
    if measure.split:
        said = interval({"mean": mean, "low": max(low, 0.0), "high": min(high, 1.0)})
    else:
        said = f"{mean:.{measure.digits}f} [{low:.{measure.digits}f}, {high:.{measure.digits}f}]"
    within, wide = low <= published <= high, high - low > UNDECIDABLE
    if GENERATED in reasons:
        alike = "our seeds spread too widely to compare" if wide else "ours is the same within chance"
        return said, _incomparable(reasons, alike if within else "ours lower" if high < published else "ours higher")
    if reasons:
        return said, _incomparable(reasons)
    if within:
        return said, "not decidable: our seeds spread too widely" if wide else "reproduced"
    better = published > high if key in LESS_IS_BETTER else published < low
    return said, "exceeded" if better else "not reproduced"


def _incomparable(reasons: Sequence[str], ours: str = "") -> str:
    return f"not comparable: {' and '.join(reasons)}{f'; {ours}' if ours else ''}"


def _prediction(key: str, values: Sequence[float], run: Run) -> tuple[float, float, float]:
    mean = float(np.mean(values))
    if len(values) > 1:
        half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) * np.sqrt(1 + 1 / len(values))
        return mean, mean - float(half), mean + float(half)
    if not MEASURES[key].split:
        return mean, mean, mean
    images = _images_behind(key, run)
    found = metrics.wilson(round(mean * images), images)
    return mean, found.low, found.high


def _images_behind(key: str, run: Run) -> int:
    """How many images a figure of one run is a share of; of the weakest class, as many as the rarest class has."""
    if key == "weakest_class_accuracy":
        return int(np.unique(run.labels("test"), return_counts=True)[1].min())
    return run.measured(MEASURES[key].split)


def _figure(key: str, value: float) -> str:
    return percent(value) if MEASURES[key].split else f"{value:,.10g}"


TONES = {"reproduced": "good", "exceeded": "good", "not reproduced": "bad"}


def _point_name(sweep: str, label: str) -> str:
    """`momentum=0.9`, or `optimizer: adam` where the label does not say what was varied."""
    varied, said = (re.sub("[-_ ]", "", text).lower() for text in (sweep, label))
    return label if said.startswith(varied) else f"{sweep}: {label}"


def _reasons(study: Study, name: str) -> list[str]:
    """Why a contender's figures cannot be held against published ones, the most basic reason first."""
    dataset, _, options = study.dataset_of(study.contender(name)).partition(":")
    source = SOURCES.get(dataset)
    made = source and issubclass(source.options, Origin) and "origin=kaggle" not in options.split(",")
    return ([GENERATED] if made else []) + ([] if study.comparable else [CUT])


def _published(context: Context) -> list[tuple[str, str, Mapping[str, float]]]:
    """(label, contender, figures) of all that reports give, those that this scale leaves out included."""
    summary, study = context.summary, context.study
    found = [(c["name"], c["name"], c["reported"]) for c in summary["contenders"]]
    for sweep in summary["sweeps"]:
        found += [(_point_name(sweep["name"], p["label"]), p["contender"], p["reported"]) for p in sweep["points"]]
    found += [(c.name, c.name, c.reported.figures()) for c in study.left_out]
    for left in study.left_out_points:
        found += [(_point_name(left.name, p.label), p.contender, p.reported.figures()) for p in left.points]
    return found


def reported(context: Context, section: Section) -> list[Block]:
    """What reports gave against what the runs give."""
    rows, seen = [], set()
    failed = {c["name"]: c["failed"] for c in context.summary["contenders"]}
    for label, name, given in _published(context):
        for key, published in given.items():
            if (name, key, published) in seen or (section.of and name not in section.of):
                continue
            seen.add((name, key, published))
            runs = context.finished.get(name, ())
            if runs:
                said, verdict = judge(key, published, runs, _reasons(context.study, name))
            elif name in failed:
                said, verdict = "–", "no result: training diverged" if failed[name] else "no result: no record"
            else:
                said, verdict = "–", "not run at this scale"
            cells = [Cell(label), Cell(MEASURES[key].label), Cell(_figure(key, published)), Cell(said)]
            rows.append([*cells, Cell(str(len(runs) or "–")), Cell(verdict, tone=TONES.get(verdict, "quiet"))])
    heads = [Head("contender", "text"), Head("figure", "text"), Head("reported")]
    heads += [Head("ours, 95 % for one more run"), Head("n"), Head("verdict", "text")]
    caption = (
        "A reported figure is one run, so it is held against the 95 % prediction interval for one more run of ours "
        "(t over the seeds; of one seed, Wilson's over the images): inside it is reproduced; ours better, exceeded. "
        "Test accuracy is that after the last epoch, also of a contender that keeps its best one."
    )
    return [Table(heads, rows, caption)] if rows else []
