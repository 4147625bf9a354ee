"""Hypotheses and faults of planted studies: what is named, with which numbers, and what stays silent."""

import dataclasses
import math
import re

import numpy as np
import pytest
from scipy import stats

from bakeoff.findings.runs import correct
from bakeoff.report.context import Context
from bakeoff.report.page import Page
from bakeoff.report.render.blocks import Paragraph, Table
from bakeoff.report.sections import compose
from bakeoff.spec.losses import LOSSES, Loss
from bakeoff.spec.plan import make_plan
from bakeoff.spec.settings import Frozen
from bakeoff.spec.study import Section
from bakeoff.spec.study_file import parse_study

HEAD = (
    'title = "t"\nquestion = "q?"\ndataset = "digits"\nseeds = 3\n[recipe]\nepochs = 4\noptimizer = "sgd"\nlr = 0.001\n'
)

FAULTY = f"""{HEAD}
[contenders.base]
model = "baseline_cnn"
loss = "softmax_output"
variant = "as reported"
reported = {{ test_accuracy = 0.694, loss = 1.52 }}
[contenders.no-softmax]
model = "baseline_cnn"
variant = "repaired"
[contenders.larger-step]
model = "baseline_cnn"
loss = "softmax_output"
lr = 0.1
momentum = 0.9
variant = "repaired"
[contenders.both]
model = "baseline_cnn"
lr = 0.1
momentum = 0.9
epochs = 2
variant = "repaired"
[contenders.cut]
model = "baseline_cnn"
loss = "softmax_output"
preprocess = ["threshold:at=230"]
variant = "as reported"
[contenders.picked]
model = "conv"
keep = "best:monitor=test_accuracy"
variant = "as reported"
[contenders.stuck]
model = "nin"
variant = "as reported"
[contenders.stuck-repaired]
model = "nin"
parameters = {{ batch_norm = true }}
epochs = 9
variant = "repaired"
"""
SKILLS = {
    "base": 3.0,
    "no-softmax": 4.4,
    "larger-step": 4.0,
    "both": 5.6,
    "cut": 2.0,
    "picked": 5.0,
    "stuck": -8.0,
    "stuck-repaired": 5.0,
}
"""Planted; at -8 hardly any image is recognised."""


def spelled(spec):
    """A spec as a record has it: with every parameter of the model."""
    defaults = {"nin": {"batch_norm": False}}.get(spec.model, {})
    return spec.model_copy(update={"parameters": {**defaults, **spec.parameters}})


def train(study, folder, write_run, skills):
    """The study's runs, each of a planted skill."""
    made = []
    for spec in study.specs():
        skill = skills[spec.contender]
        run = write_run(spelled(spec), folder, skill=max(skill, 0.1), test_skill=None)
        if skill < 0:
            run = guessing(run)
        made.append(run)
    return made


def guessing(run):
    """The run as if it had learnt nothing: one class for all, and a loss that stays at ln 10."""
    numbers = {"train_loss": 2.3026, "validation_loss": 2.3026, "validation_accuracy": 0.1}
    rows = [{**row, **numbers} for row in run.history]
    frequent = max(run.dataset["counts"]["validation"]) / sum(run.dataset["counts"]["validation"])
    return dataclasses.replace(run, history=tuple(rows), metrics={**run.metrics, "validation_accuracy": frequent})


@pytest.fixture(scope="module")
def study():
    return make_plan(parse_study(FAULTY, "faulty", "faulty.toml"))


@pytest.fixture(scope="module")
def runs(study, tmp_path_factory, write_run):
    return train(study, tmp_path_factory.mktemp("faulty"), write_run, SKILLS)


@pytest.fixture(scope="module")
def summary(study, runs):
    return Page(Context.of(study, runs)).summary


@pytest.fixture(scope="module")
def diagnoses(summary):
    return summary["diagnoses"]


def answers(runs, name):
    return np.stack([correct(run) for run in runs if run.spec.contender == name])


def words(study, runs, kind="diagnoses"):
    context = Context.of(study, runs, "command")
    part = next(part for part in compose(context) if part.kind == kind)
    return "\n".join(block.text for block in part.blocks if isinstance(block, Paragraph))


def test_pairs_that_differ_in_one_thing_are_found_and_no_others(diagnoses):
    assert [(pair["from"], pair["to"], pair["change"]) for pair in diagnoses["one_change"]] == [
        ("base", "no-softmax", "loss: softmax_output → cross_entropy"),
        ("base", "larger-step", "lr: 0.001 → 0.1, momentum: 0 → 0.9"),
        ("base", "cut", "preprocess: none → threshold:at=230"),
    ]


def test_each_change_has_its_share_of_the_best_repair(diagnoses, runs):
    mean = {name: answers(runs, name).mean() for name in ("base", "no-softmax", "larger-step", "cut", "both")}
    shares = {pair["to"]: pair["share"] for pair in diagnoses["one_change"]}
    gains = {name: mean[name] - mean["base"] for name in ("no-softmax", "larger-step", "cut")}
    assert shares == pytest.approx({name: gain / (mean["both"] - mean["base"]) for name, gain in gains.items()})


def test_their_verdicts_are_those_of_the_family_of_all_pairs(diagnoses, summary):
    family = {frozenset((p["a"], p["b"])): p for p in summary["comparisons"]}
    for pair in diagnoses["one_change"]:
        compared = family[frozenset((pair["from"], pair["to"]))]
        turned = compared["a"] == pair["to"]
        assert pair["difference"] == (compared["difference"] if turned else -compared["difference"])
        assert (pair["p"], pair["p_adjusted"]) == (compared["p"], compared["p_adjusted"])
        better = {"better": pair["a"], "worse": pair["b"]}.get(pair["verdict"])
        assert better == {"better": compared["a"], "worse": compared["b"]}.get(compared["verdict"])


def test_runs_stand_in_the_order_of_the_columns(study, runs):
    """Four of the first, three of the second."""
    last = max(run.spec.seed for run in runs)
    some = [run for run in runs if (run.spec.contender, run.spec.seed) != ("no-softmax", last)]
    context = Context.of(study, some, "command")
    part = next(part for part in compose(context) if part.kind == "diagnoses")
    table = next(block for block in part.blocks if isinstance(block, Table))
    row = next(row for row in table.rows if row[1].text == "no-softmax")
    assert row[5].text == f"{last + 1} and {last}"


def test_points_of_a_sweep_have_their_own_section(tmp_path, write_run):
    swept = f"""{HEAD}
[contenders.base]
model = "conv"
variant = "as reported"
[contenders.plain]
model = "conv"
epochs = 5
[sweeps.rate]
of = "base"
points = [{{ lr = 0.01 }}, {{ lr = 0.1 }}]
"""
    study = make_plan(parse_study(swept, "swept", "swept.toml"))
    summary = Page(Context.of(study, [write_run(spec, tmp_path, skill=4.0) for spec in study.specs()])).summary
    assert [(pair["from"], pair["to"]) for pair in summary["diagnoses"]["one_change"]] == [("base", "plain")]


def test_many_networks_under_one_recipe_do_not_fill_the_table(tmp_path, write_run):
    models = ("resnet18", "resnet34", "se_resnet34", "resnet50", "se_resnet50", "conv", "drop", "nin")
    text = HEAD + "".join(f'[contenders.{m}]\nmodel = "{m}"\nvariant = "as reported"\n' for m in models)
    study = make_plan(parse_study(text, "many", "many.toml")).model_copy(update={"seeds": 1})
    diagnoses = Page(Context.of(study, [write_run(spec, tmp_path, skill=4.0) for spec in study.specs()])).summary[
        "diagnoses"
    ]
    assert [pair["change"] for pair in diagnoses["one_change"]] == [
        "model: resnet34 → se_resnet34",
        "model: resnet50 → se_resnet50",
    ]
    assert diagnoses["one_change_others"] == 0


def test_a_table_of_pairs_ends_where_nobody_reads_on(tmp_path, write_run):
    text = HEAD + "".join(
        f'[contenders.c{i}]\nmodel = "conv"\nl2 = {i / 100}\nvariant = "{"repaired" if i == 6 else "as reported"}"\n'
        for i in range(7)
    )
    study = make_plan(parse_study(text, "many", "many.toml")).model_copy(update={"seeds": 1})
    diagnoses = Page(Context.of(study, [write_run(spec, tmp_path, skill=4.0) for spec in study.specs()])).summary[
        "diagnoses"
    ]
    assert [pair["to"] for pair in diagnoses["one_change"][:7]] == ["c6"] * 6 + ["c1"]
    assert len(diagnoses["one_change"]) == 20
    assert diagnoses["one_change_others"] == 1


def test_whatever_takes_probabilities_for_logits_is_explained(monkeypatch, tmp_path, write_run):
    monkeypatch.setitem(LOSSES.builtin, "twice", LOSSES["softmax_output"])
    study = make_plan(parse_study(FAULTY.replace('"softmax_output"', '"twice"'), "faulty", "faulty.toml"))
    summary = Page(Context.of(study, train(study, tmp_path, write_run, SKILLS))).summary
    assert [each["contender"] for each in summary["diagnoses"]["softmax"]] == ["base", "larger-step", "cut"]


def test_softmax_before_cross_entropy_is_explained(diagnoses, runs):
    entry = next(entry for entry in diagnoses["softmax"] if entry["contender"] == "base")
    assert [e["contender"] for e in diagnoses["softmax"]] == ["base", "larger-step", "cut"]
    least = np.mean([min(row["train_loss"] for row in run.history) for run in runs if run.spec.contender == "base"])
    floor = math.log(math.e + 9) - 1
    assert entry["floor"] == pytest.approx(floor)
    assert entry["train_loss"] == pytest.approx(least)
    assert entry["way"] == pytest.approx((math.log(10) - least) / (math.log(10) - floor))
    assert entry["reported_way"] == pytest.approx((math.log(10) - 1.52) / (math.log(10) - floor))


def test_runs_that_learn_nothing_are_named_with_what_makes_them_learn(diagnoses, summary):
    (entry,) = diagnoses["guessing"]
    assert (entry["contender"], entry["runs"], entry["n"]) == ("stuck", 3, 3)
    assert entry["trains"] == [
        {"contender": "stuck-repaired", "changes": ["batch_norm: false → true", "epochs: 4 → 9"]}
    ]
    assert "Without a result: 3 of 3 runs of stuck." in summary["answer"]


@pytest.mark.parametrize(("task", "outputs"), [("heatmap:cells=8", 640), ("crops", 11)])
def test_a_loss_over_places_or_crops_is_held_against_its_own_number_of_outputs(task, outputs, tmp_path, write_run):
    """Of runs that learn nothing; a run that recognises most images has trained, whatever its loss."""
    text = "title = 'a'\nquestion = 'b?'\ndataset = 'largest-digit'\n[contenders.c]\nmodel = 'heatmap_classifier'\n"
    text += f"task = '{task}'"
    study = make_plan(parse_study(text, "one", "one.toml"))
    run = write_run(study.specs()[0], tmp_path, skill=5.0)
    rows = tuple({**row, "train_loss": math.log(outputs)} for row in run.history)
    for accuracy, runs in ((0.1, 1), (0.9, 0)):
        changed = dataclasses.replace(run, history=rows, metrics={**run.metrics, "validation_accuracy": accuracy})
        entries = Page(Context.of(study, [changed])).summary["diagnoses"]["guessing"]
        assert [entry["equal_loss"] for entry in entries] == [pytest.approx(math.log(outputs))] * runs


def test_a_loss_whose_value_for_equal_logits_is_not_known_is_held_against_none(tmp_path, write_run, monkeypatch):
    monkeypatch.setitem(LOSSES.builtin, "focal", Loss("bakeoff.training.loss:cross_entropy", Frozen))
    text = "title = 'a'\nquestion = 'b?'\ndataset = 'digits'\n[contenders.c]\nmodel = 'logistic'\nloss = 'focal'"
    study = make_plan(parse_study(text, "one", "one.toml"))
    run = write_run(study.specs()[0], tmp_path, skill=5.0)
    run = dataclasses.replace(run, metrics={**run.metrics, "validation_accuracy": 0.1})
    context = Context.of(study, [run])
    assert [entry["equal_loss"] for entry in Page(context).summary["diagnoses"]["guessing"]] == [None]
    tables = [block for part in compose(context) for block in part.blocks if isinstance(block, Table)]
    (row,) = next(table.rows for table in tables if table.columns[3].label == "of equal guessing")
    assert row[3].text == "–"


def test_a_single_change_that_makes_it_learn_comes_before_many(runs):
    nearer = "[contenders.higher]\nmodel = 'nin'\nlr = 0.1\nvariant = 'repaired'\n"
    wider = make_plan(parse_study(FAULTY + nearer, "faulty", "faulty.toml"))
    trained = next(run for run in runs if run.spec.contender == "stuck-repaired")
    spec = spelled(next(spec for spec in wider.specs() if spec.contender == "higher"))
    (entry,) = Page(Context.of(wider, [*runs, dataclasses.replace(trained, spec=spec)])).summary["diagnoses"][
        "guessing"
    ]
    assert entry["trains"] == [{"contender": "higher", "changes": ["lr: 0.001 → 0.1"]}]


def test_what_learnt_nothing_is_no_choice(study, runs):
    summary = Page(Context.of(study, [run for run in runs if run.spec.contender == "stuck"])).summary
    assert summary["answer"].startswith(
        "No answer yet: no contender has a run that may be trusted. Without a result: 3"
    )


def test_a_run_that_fell_back_is_named_and_judged_by_what_came_after(study, runs):
    changed = []
    for run in runs:
        if run.spec.contender == "stuck-repaired":
            rows = [{**row, "optimizer": "sgd" if i > 3 else "adam"} for i, row in enumerate(run.history)]
            rows = [{**row, "train_loss": 2.3 if i < 3 else 0.5} for i, row in enumerate(rows)]
            recipe = run.spec.recipe.model_copy(update={"optimizer": "adam"})
            changed.append(
                dataclasses.replace(
                    run,
                    history=tuple(rows),
                    fallback_epoch=3 + (run.spec.seed == 2),
                    spec=run.spec.model_copy(update={"recipe": recipe}),
                )
            )
        else:
            changed.append(run)
    assert (
        "stuck-repaired got nowhere with adam, and fell back to sgd in 3 of 3 runs, after this many epochs: 3 and 4."
    ) in words(study, changed)


def test_choosing_on_the_test_set_flatters_by_what_is_measured(study, runs):
    lists = [([0.90, 0.95, 0.94, 0.93], [0.91, 0.93, 0.96, 0.90]), ([0.9, 0.8, 0.7, 0.6], [0.92, 0.93, 0.94, 0.95])]
    lists.append(([0.9, 0.91, 0.92, 0.93], [0.90, 0.91, 0.92, 0.93]))
    changed = []
    for run in runs:
        if run.spec.contender == "picked":
            validation, test = lists[run.spec.seed]
            rows = [
                {**row, "validation_accuracy": v, "test_accuracy": t}
                for row, v, t in zip(run.history, validation, test, strict=True)
            ]
            run = dataclasses.replace(run, history=tuple(rows))
        changed.append(run)
    summary = Page(Context.of(study, changed)).summary
    (entry,) = summary["diagnoses"]["test_choices"]
    flattery = [0.96 - 0.93, 0.95 - 0.92, 0.0]
    middle, half = np.mean(flattery), stats.t.ppf(0.975, 2) * stats.sem(flattery)
    assert entry["over"]["by_validation"] == pytest.approx(
        {"mean": middle, "low": max(middle - half, 0), "high": middle + half}
    )
    assert entry["over"]["last"]["mean"] == pytest.approx(np.mean([0.06, 0.0, 0.0]))
    tables = [
        block for part in compose(Context.of(study, changed)) for block in part.blocks if isinstance(block, Table)
    ]
    (row,) = next(table.rows for table in tables if table.columns[-1].label == "gain over the last")
    cells = [cell.text for cell in row]
    assert cells[:3] == ["picked", "3", "4"]
    assert cells[-2] == "2.00 % [0.00, 6.30]"
    one = Page(Context.of(study, [run for run in changed if run.spec.seed == 0])).summary["diagnoses"]["test_choices"][
        0
    ]
    assert one["over"]["last"] == {"mean": pytest.approx(0.06), "low": None, "high": None}


def test_a_study_without_faults_has_no_such_section(tmp_path, write_run):
    plain = make_plan(
        parse_study(HEAD + '[contenders.a]\nmodel = "conv"\n[contenders.b]\nmodel = "drop"\n', "p", "p.toml")
    )
    runs = [write_run(spec, tmp_path, skill=5.0) for spec in plain.specs()]
    context = Context.of(plain, runs, "command")
    assert not {"diagnoses", "hypotheses"} & {part.kind for part in compose(context)}


def test_the_sentence_on_one_seed_stands_once(study, runs):
    context = Context.of(study, runs, "command")
    texts = [block.text for part in compose(context) for block in part.blocks if isinstance(block, Paragraph)]
    assert sum("With one seed a contender" in text for text in texts) == 1


def test_what_ensembles_and_teachers_add(tmp_path, write_run):
    text = f"""{HEAD}
[contenders.a]
model = "conv"
[contenders.b]
model = "drop"
[contenders.both]
ensemble = ["a", "b"]
[contenders.student]
model = "conv"
teacher = "b"
pool = "test:confidence=0.9"
[contenders.other-student]
model = "nin"
teacher = "b"
"""
    study = make_plan(parse_study(text, "more", "more.toml"))
    skills = {"a": 5.0, "b": 4.0, "both": 6.5, "student": 5.001, "other-student": 5.0}
    runs = [write_run(spec, tmp_path, skill=skills[spec.contender]) for spec in study.specs()]
    summary = Page(Context.of(study, runs)).summary
    additions = {pair["a"]: pair for pair in summary["additions"]}
    assert {name: (pair["what"], pair["b"]) for name, pair in additions.items()} == {
        "both": ("ensemble", "a"),
        "student": ("student", "a"),
        "other-student": ("student", "b"),
    }
    gain = answers(runs, "both").mean() - answers(runs, "a").mean()
    assert additions["both"]["difference"] == pytest.approx(gain)
    assert "both, the mean of a and b, is selected" in summary["answer"]
    assert re.search("both gets .* against its best member by validation, a: better", summary["answer"])
    assert (
        "against the same without its teacher, a: undecided; it was trained on these test images." in summary["answer"]
    )
    assert "against its teacher, b: better." in summary["answer"], "which saw no test image"


def test_an_ensemble_with_a_member_that_chooses_on_test_is_no_choice(tmp_path, write_run):
    text = f"""{HEAD}
[contenders.picked]
model = "conv"
keep = "best:monitor=test_accuracy"
[contenders.plain]
model = "drop"
[contenders.both]
ensemble = ["picked", "plain"]
"""
    study = make_plan(parse_study(text, "more", "more.toml"))
    skills = {"picked": 5.0, "plain": 4.0, "both": 6.0}
    summary = Page(
        Context.of(study, [write_run(s, tmp_path, skill=skills[s.contender]) for s in study.specs()])
    ).summary
    assert {c["name"]: c["selects_on_test"] for c in summary["contenders"]} == {
        "picked": True,
        "plain": False,
        "both": True,
    }
    assert summary["answer"].startswith("plain is selected")


def test_a_section_is_of_the_contenders_it_names(study, runs):
    context = Context.of(study, runs, "command")
    sections = (Section(kind="diagnoses", of=("cut", "stuck")),)
    context = dataclasses.replace(context, study=study.model_copy(update={"sections": sections}))
    (part,) = compose(context)
    named = {row[0].text for block in part.blocks if isinstance(block, Table) for row in block.rows}
    assert named == {"base", "cut", "stuck"}
