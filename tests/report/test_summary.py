"""summary.json of a planted study that has one of everything: every key and value stays what it is."""

import dataclasses
import json
import os
from pathlib import Path

import pytest

from bakeoff.report.context import Context
from bakeoff.report.page import Page
from bakeoff.spec.plan import make_plan
from bakeoff.spec.study_file import parse_study

GOLDEN = Path(__file__).with_name("summary.json")

STUDY = """
title = "Everything"
question = "What does a summary hold?"
dataset = "digits"
seeds = 4
[recipe]
epochs = 5
optimizer = "sgd"
lr = 0.001
[contenders.base]
model = "baseline_cnn"
loss = "softmax_output"
variant = "as reported"
reported = { test_accuracy = 0.694, loss = 1.52, repeats = [0.7] }
[contenders.no-softmax]
model = "baseline_cnn"
variant = "repaired"
[contenders.cut]
model = "baseline_cnn"
loss = "softmax_output"
preprocess = ["threshold:at=230"]
variant = "as reported"
[contenders.best]
model = "baseline_cnn"
lr = 0.1
momentum = 0.9
variant = "repaired"
note = "both repairs"
[contenders.picked]
model = "conv"
keep = "best:monitor=test_accuracy"
[contenders.stuck]
model = "nin"
variant = "as reported"
[contenders.trained]
model = "nin"
parameters = { batch_norm = true }
epochs = 9
variant = "repaired"
[contenders.mean]
ensemble = ["best", "no-softmax"]
[contenders.student]
model = "conv"
teacher = "best"
pool = "test:confidence=0.9"
[sweeps.learning-rate]
of = "no-softmax"
points = [{ lr = 0.001, reported = { test_accuracy = 0.9 } }, { lr = 0.01 }, { lr = 100.0 }]
reported = [0.5]
""" + "".join(
    f'[[hypotheses]]\nsource = "{source}"\nsays = "{better} {relation} {worse}"\n'
    f'better = "{better}"\nworse = "{worse}"\nrelation = "{relation}"\n{more}\n'
    for source, better, worse, relation, more in [
        ("report", "best", "base", "better", "reported = [0.70, 0.694]"),
        ("report", "picked", "best", "better", ""),
        ("report", "trained", "stuck", "better", ""),
        ("ours", "best", "no-softmax", "faster", ""),
        ("ours", "no-softmax", "best", "not worse and cheaper", ""),
        ("ours", "mean", "best", "equivalent", ""),
    ]
)
SKILLS = {"base": 3.0, "no-softmax": 4.4, "cut": 2.0, "best": 5.6, "picked": 5.0, "trained": 5.0, "mean": 5.61}
SKILLS |= {"student": 5.2, "lr=0.01": 4.6, "lr=100.0": 0.0, "stuck": 0.1}


def rounded(value: object) -> object:
    """The value with its numbers to eight digits, as other processors give them."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(f"{value:.8g}") if isinstance(value, float) else value


@pytest.fixture(scope="module")
def summary(tmp_path_factory, write_run):
    study, folder, runs = (
        make_plan(parse_study(STUDY, "everything", "everything.toml")),
        tmp_path_factory.mktemp("runs"),
        [],
    )
    for spec in study.specs():
        if spec.model == "nin":  # records spell every parameter out
            spec = spec.model_copy(update={"parameters": {"batch_norm": False, **spec.parameters}})
        run = write_run(spec, folder, skill=SKILLS[spec.contender], images=400)
        if spec.contender == "stuck":
            rows = [{**row, "train_loss": 2.3026, "validation_loss": 2.3026} for row in run.history]
            run = dataclasses.replace(run, history=tuple(rows), metrics={**run.metrics, "validation_accuracy": 0.1})
        runs.append(run)
    fresh = [spec.model_copy(update={"seed": 4 + spec.seed}) for spec in study.specs() if spec.contender == "mean"]
    return Page(
        Context.of(study, runs, fresh=[write_run(spec, folder, skill=5.5, images=400) for spec in fresh])
    ).summary


def test_a_summary_keeps_every_key_and_value(summary):
    """Where a change is meant: WRITE_GOLDEN=1 pytest tests/report/test_summary.py, and read the difference."""
    before = json.loads(GOLDEN.read_text())
    now = rounded(json.loads(json.dumps(summary)))
    now["failures"] = [{**failure, "run": ""} for failure in now["failures"]]  # a directory's name
    if os.environ.get("WRITE_GOLDEN"):
        GOLDEN.write_text(json.dumps(now, indent=1, ensure_ascii=False) + "\n")
    for key in before | now:
        assert now.get(key) == before.get(key), key
