"""A section on what reports gave against what the runs give."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from bakeoff.data import SOURCES
from bakeoff.data.sources import Origin
from bakeoff.evaluation import metrics
from bakeoff.evaluation.exact import t_quantile
from bakeoff.findings.published import figures_of
from bakeoff.record import Run
from bakeoff.report.context import Context
from bakeoff.report.format import interval, listing, percent
from bakeoff.report.render.blocks import Block, Cell, Column, Paragraph, Table, columns
from bakeoff.report.sections.kind import Kind
from bakeoff.spec.plan import Plan


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
        first = [epoch[key] for epoch in run.history if epoch["round"] == 0]
        return first[-1] if run.spec.recipe.rounds > 1 else np.nan

    return measure


MEASURES = {
    "test_accuracy": Measure("test accuracy", _after_last_epoch, "test"),
    "best_test_accuracy": Measure("test accuracy of the best epoch", _test_accuracy, "test"),
    "validation_accuracy": Measure("validation accuracy", lambda run: run.metrics["validation_accuracy"], "validation"),
    "train_accuracy": Measure("train accuracy", lambda run: run.metrics["train_accuracy"], "train"),
    "train_error": Measure("train error", lambda run: 1 - run.metrics["train_accuracy"], "train"),
    "weakest_class_accuracy": Measure(
        "test accuracy of the weakest class",
        _of_the_weakest,
        "test",
    ),
    "second_epoch_validation_accuracy": Measure(
        "validation accuracy after 2 epochs",
        _after_two_epochs,
        "validation",
    ),
    "first_fit_validation_accuracy": Measure(
        "validation accuracy after the first fit", _after_first_fit("validation_accuracy"), "validation"
    ),
    "first_fit_train_accuracy": Measure(
        "train accuracy in the first fit's last epoch", _after_first_fit("train_accuracy"), "train"
    ),
    "top5": Measure("top-5 accuracy", lambda run: metrics.top_k(run.logits("test"), run.labels("test")), "test"),
    "roc_area": Measure(
        "smallest area under a class's ROC curve",
        _smallest_area,
        digits=4,
    ),
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
UNPRINTED = "setting not printed"
ONE_RUN = "one run: cannot be judged"
"""Why a figure cannot be held against the published one."""


def judge(key: str, published: float, runs: Sequence[Run], reasons: Sequence[str] = ()) -> tuple[str, str]:
    """(what a further run would give, the verdict) for one published figure.

    A published figure is one run, so it is held against the 95 % prediction interval of one more run of ours, see
    `_prediction`; one run of ours predicts nothing. `reasons` are those for which it cannot be held against ours, the
    most basic one first. A number of parameters is a fact of the model: it is compared to the digits that are printed.
    """
    measure = MEASURES[key]
    values = [measure.of(run) for run in runs]
    if key in OF_THE_MODEL:
        cut = [reason for reason in reasons if reason == CUT]
        same = _as_printed(values[0], published)
        return f"{values[0]:,.0f}", "reproduced" if same else _incomparable(cut) if cut else "not reproduced"
    if np.isnan(values).any():
        return "–", _incomparable([r for r in reasons if r == CUT] or ["our runs have no such figure"])
    if key in OF_THE_MACHINE:
        others = [reason for reason in reasons if reason != GENERATED]
        return f"{np.mean(values):,.{measure.digits}f}", _incomparable(["another machine", *others])
    if key == "best_test_accuracy" and not runs[0].spec.recipe.selects_on_test:
        reasons = [*reasons, "it was chosen on the test set"]
    mean = float(np.mean(values))
    if len(runs) == 1:
        ours = percent(mean) if measure.split else f"{mean:.{measure.digits}f}"
        return ours, _incomparable(reasons, ONE_RUN if CUT not in reasons else "") if reasons else ONE_RUN
    low, high = _prediction(key, values, runs[0])
    if measure.split:
        ours = interval(metrics.Interval(mean, max(low, 0.0), min(high, 1.0)))
    else:
        between = "" if low == high else f" [{low:.{measure.digits}f}, {high:.{measure.digits}f}]"
        ours = f"{mean:.{measure.digits}f}{between}"
    within, wide = low <= published <= high, high - low > UNDECIDABLE
    if high == low and not within:  # equal seeds are chance too
        return ours, _incomparable(reasons) if reasons else "not decidable: our seeds agree exactly"
    if reasons:
        alike = "our seeds spread too widely to compare" if wide else "the same within chance"
        order = alike if within else "ours lower" if high < published else "ours higher"
        ordered = all(reason == GENERATED or reason.startswith(UNPRINTED) for reason in reasons)
        return ours, _incomparable(reasons, order if ordered else "")
    if within:
        return ours, "not decidable: our seeds spread too widely" if wide else "reproduced"
    better = published > high if key in LESS_IS_BETTER else published < low
    return ours, "exceeded" if better else "not reproduced"


def _as_printed(count: float, published: float) -> bool:
    """Whether a whole number rounds to the published one, whose zeros at the end may stand for unknown digits."""
    zeros = len(text := f"{published:.0f}") - len(text.rstrip("0"))
    return round(count, -zeros) == published


def _incomparable(reasons: Sequence[str], ours: str = "") -> str:
    only_unprinted = all(reason.startswith(UNPRINTED) for reason in reasons)
    return f"{'' if only_unprinted else 'not comparable: '}{listing(reasons)}{f'; {ours}' if ours else ''}"


def _prediction(key: str, values: Sequence[float], run: Run) -> tuple[float, float]:
    """The 95 % prediction interval of one more run: mean +- t s sqrt(1 + 1 / n) over n >= 2 seeds. Training and
    validation images of a report are others than ours, of about as many: their part, 2 p (1 - p) / M, is added."""
    seeds = t_quantile(0.95, len(values) - 1) * float(np.std(values, ddof=1)) * np.sqrt(1 + 1 / len(values))
    mean, images = float(np.mean(values)), 0.0
    if MEASURES[key].split in ("train", "validation"):
        images = 1.96 * np.sqrt(2 * mean * (1 - mean) / run.measured(MEASURES[key].split))
    half = float(np.hypot(seeds, images))
    return mean - half, mean + half


def _figure(key: str, value: float) -> str:
    return percent(value) if MEASURES[key].split else f"{value:,.10g}"


TONES = {"reproduced": "good", "exceeded": "good", "not reproduced": "bad"}


def _point_name(sweep: str, label: str) -> str:
    """`momentum=0.9`, or `optimizer: adam` where the label does not say what was varied."""
    varied, said = (re.sub("[-_ ]", "", text).lower() for text in (sweep, label))
    return label if said.startswith(varied) else f"{sweep}: {label}"


def generated_anew(study: Plan, name: str) -> bool:
    """Whether a contender's images are made here, in place of a competition's that cannot be had."""
    dataset, _, options = study.dataset_of(study.contender(name)).partition(":")
    source = SOURCES.get(dataset)
    return source is not None and issubclass(source.settings, Origin) and "origin=kaggle" not in options.split(",")


def _reasons(study: Plan, name: str, unprinted: str) -> list[str]:
    """Why a contender's figures cannot be held against published ones, the most basic reason first."""
    found = [GENERATED] if generated_anew(study, name) else []
    if unprinted or study.unprinted:
        found.append(f"{UNPRINTED} ({unprinted})" if unprinted else UNPRINTED)
    return found if study.comparable else [*found, CUT]


Given = tuple[str, str, Mapping[str, float], str]
"""Label, contender, figures, and what is not printed of their setting."""


def _published(study: Plan) -> list[Given]:
    """All that reports give, what this scale leaves out included."""
    found: list[Given] = []
    for c in (*study.contenders, *study.left_out):
        every = [c.reported.figures(), *({"test_accuracy": value} for value in c.reported.repeats)]
        found += [(c.name, c.name, figures, c.reported.unprinted) for figures in every]
    for sweep in (*study.sweeps, *study.left_out_points):
        for p in sweep.points:
            found.append((_point_name(sweep.name, p.label), p.contender, p.reported.figures(), p.reported.unprinted))
    return found


def _of_unprinted_values(study: Plan) -> list[str]:
    """The figures of each sweep whose values the report does not print: `l2: 96.67 % and 11.35 %`."""
    sweeps = {sweep.name: sweep for sweep in (*study.left_out_points, *study.sweeps) if sweep.reported}
    return [f"{name}: {listing([percent(value) for value in sweep.reported])}" for name, sweep in sweeps.items()]


def blocks(context: Context) -> list[Block]:
    """What reports gave against what the runs give."""
    rows, seen, left_out = [], set(), []
    study = context.study
    failed = {c.name: c.failed for c in context.findings.contenders}
    for label, name, given, unprinted in _published(study):
        for key, published in given.items():
            if (name, key, published) in seen or (context.only and name not in context.only):
                continue
            seen.add((name, key, published))
            runs = context.ended.get(name, ())
            if runs:
                ours, verdict = judge(key, published, runs, _reasons(study, name, unprinted))
            elif name in failed:
                ours, verdict = "–", "no result: training failed" if failed[name] else "no result: no record"
            else:
                left_out.append(f"{label} ({MEASURES[key].label}, {_figure(key, published)})")
                continue
            cells = [Cell(label), Cell(MEASURES[key].label), Cell(_figure(key, published)), Cell(ours)]
            rows.append([*cells, Cell(str(len(runs) or "–")), Cell(verdict, tone=TONES.get(verdict, "quiet"))])
    heads = columns("contender", "figure", "reported", "ours, 95 % for one more run", "n", text=2)
    note = (
        "A reported figure is one run, so it is held against the 95 % prediction interval for one more run of ours "
        "(t over two or more seeds, and for training and validation accuracy the noise of other images): inside it is "
        f"reproduced, unless it is wider than {100 * UNDECIDABLE:g} points; ours better, exceeded. "
        "Parameters are compared to the digits that are printed. "
        "Test accuracy is that after the last epoch, also of a contender that keeps its best one."
    )
    if any(c.trained < c.n for c in context.findings.contenders):
        note += " n counts the runs that ended, those that did not train among them: unlike elsewhere, they count here."
    if study.unprinted:
        note += f" Of no accuracy or loss is the whole setting printed; what is missing: {study.unprinted}."
    words = [Paragraph(_of_noise(name, values)) for name, values in figures_of(study).items()]
    found: list[Block] = [*words, Table([*heads, Column("verdict", "text")], rows, note)] if rows else []
    if (unplaced := _of_unprinted_values(study)) and not context.only:
        words_of = f"Reported for values that are not printed (test accuracy): {'; '.join(unplaced)}."
        found.append(Paragraph(words_of, tone="quiet"))
    if left_out:
        found.append(Paragraph(f"Reported, and not run at this scale: {'; '.join(left_out)}.", tone="quiet"))
    return found


def _of_noise(name: str, values: Sequence[float]) -> str:
    """How far apart the figures are that a report gives to one network."""
    return (
        f"The report gives {len(values)} test accuracies that may all be of {name}: "
        f"{listing([percent(value) for value in values])}. They lie {100 * (values[-1] - values[0]):.2f} points apart, "
        "so a smaller difference between two of its figures may be chance."
    )


SECTION = Kind(
    blocks,
    title="Reported against measured",
    applies=lambda study: any(contender.reported.figures() for contender in study.contenders),
    all_runs=True,
    names_all=True,
)
