"""Wrong labels in the test set, against counts by hand."""

import dataclasses

import numpy as np
import pytest

from bakeoff.data.errata import WRONG_LABELS
from bakeoff.record import Run
from bakeoff.report.context import Context
from bakeoff.report.render.blocks import Paragraph, Table
from bakeoff.report.sections.label_noise import blocks as label_noise
from bakeoff.spec.plan import Plan, make_plan
from bakeoff.spec.study_file import parse_study

STUDY = """
title = "Wrong labels"
question = "Do wrong labels matter?"
dataset = "mnist"
seeds = 3
[contenders.sees]
model = "conv"
[contenders.believes]
model = "logistic"
[contenders.weak]
model = "small_cnn"
"""
ERRATA = WRONG_LABELS["mnist"]
PLACES = list(ERRATA)


@pytest.fixture(scope="module")
def study() -> Plan:
    return make_plan(parse_study(STUDY, "wrong-labels", "wrong-labels.toml"))


def answers(*wrong: int, on_wrong_labels: str) -> np.ndarray:
    """(10000,) classes: 7, or on labels known to be wrong the `published` or the `corrected` one; and 1 for the images
    `wrong`."""
    predicted = np.full(10_000, 7)
    predicted[PLACES] = [getattr(erratum, on_wrong_labels) for erratum in ERRATA.values()]
    predicted[list(wrong)] = 1
    return predicted


@pytest.fixture(scope="module")
def runs(study, write_run, tmp_path_factory) -> list[Run]:
    """`sees` says what people see, `believes` what the labels say; of the other images they miss 20 and 22."""
    folder, made = tmp_path_factory.mktemp("runs"), []
    for spec in study.specs():
        predicted = {
            "sees": answers(*range(20 + spec.seed), on_wrong_labels="corrected"),
            "believes": answers(*range(22 + spec.seed), on_wrong_labels="published"),
            "weak": answers(*range(400 + 9 * spec.seed), on_wrong_labels="published"),
        }[spec.contender]
        labels = answers(on_wrong_labels="published")
        run = write_run(spec, folder, skill=5.0, images=10_000, test_labels=labels)
        run.arrays["test_logits"] = np.eye(10, dtype=np.float32)[predicted] * 9
        validation = 0.9 + 0.01 * ["weak", "believes", "sees"].index(spec.contender)
        made.append(dataclasses.replace(run, metrics={**run.metrics, "validation_accuracy": validation}))
        made[-1].__dict__["arrays"] = run.arrays
    return made


def shown(study: Plan, runs: list[Run]) -> list[Paragraph | Table]:
    return label_noise(Context.of(study, runs, "command"))


def test_errors_on_wrong_labels_are_counted_apart(study, runs):
    lead, table = shown(study, runs)
    assert lead.text.startswith("15 of the 10,000 test labels are known to be wrong")
    assert [[cell.text for cell in row[:5]] for row in table.rows] == [
        ["sees", "3", "36.0", "15.0", "99.64 %"],
        ["believes", "3", "23.0", "0.0", "99.77 %"],
        ["weak", "3", "409.0", "0.0", "95.91 %"],
    ]
    assert table.rows[0][5].text.startswith(f"{100 * (1 - 21 / 9985):.2f} % [")


def test_another_test_split_has_none_of_these_labels(study, write_run, tmp_path):
    short = [write_run(spec, tmp_path, skill=5.0) for spec in study.specs()]
    assert shown(study, short) == []
