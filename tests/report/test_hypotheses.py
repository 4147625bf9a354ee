"""Hypotheses of a report and our own: what supports, contradicts or leaves each open, on the page and off it."""

import dataclasses
import re

import numpy as np
import pytest

from bakeoff.errors import UsageError
from bakeoff.report.context import Context
from bakeoff.report.page import Page
from bakeoff.report.render.blocks import Heading, Paragraph, Table
from bakeoff.report.sections import compose
from bakeoff.spec.plan import make_plan
from bakeoff.spec.study_file import parse_study

HEAD = """
title = "t"
question = "q?"
dataset = "digits"
seeds = 4
[recipe]
epochs = 8
"""
CONTENDERS = """
[contenders.good]
model = "conv"
reported = { test_accuracy = 0.97, repeats = [0.9756] }
[contenders.twin]
model = "drop"
[contenders.poor]
model = "nin"
[contenders.picked]
model = "conv"
keep = "best:monitor=test_accuracy"
[scales.small]
only = ["good", "poor"]
[scales.cut]
images = 900
"""
SKILLS = {"good": 6.0, "twin": 6.0, "poor": 3.0, "picked": 6.5}


def stated(better, worse, relation="better", source="report", says="x", more=""):
    return (
        f'[[hypotheses]]\nsays = "{says}"\nsource = "{source}"\nbetter = "{better}"\nworse = "{worse}"\n'
        f'relation = "{relation}"\n{more}\n'
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory, write_run):
    study = make_plan(parse_study(HEAD + CONTENDERS, "h", "h.toml"))
    folder = tmp_path_factory.mktemp("hypotheses")
    return [write_run(spec, folder, skill=SKILLS[spec.contender]) for spec in study.specs()]


def judged(runs, *hypotheses, margin=0.005, scale="full"):
    study = parse_study(f"margin = {margin}\n{HEAD}{CONTENDERS}{''.join(hypotheses)}", "h", "h.toml")
    return Page(Context.of(make_plan(study, scale), runs)).summary["hypotheses"]


@pytest.mark.parametrize(
    ("better", "worse", "relation", "margin", "result", "words"),
    [
        ("good", "poor", "better", 0.005, "supported", "supported: better"),
        ("poor", "good", "better", 0.005, "contradicted", "contradicted: worse"),
        ("good", "twin", "better", 0.2, "as good", "as good: within 20 points"),
        ("good", "twin", "better", 0.0001, "undecided", "undecided: "),
        ("good", "poor", "not worse", 0.005, "supported", "supported: better"),
        ("poor", "good", "not worse", 0.005, "contradicted", "contradicted: worse"),
        ("good", "twin", "not worse", 0.2, "supported", "supported: as good; within 20 points"),
        ("poor", "good", "not worse", 0.9, "supported", "supported: worse; within 90 points"),
        ("good", "twin", "equivalent", 0.2, "supported", "supported: as good"),
        ("good", "poor", "equivalent", 0.005, "contradicted", "contradicted: better"),
        ("good", "twin", "equivalent", 0.0001, "undecided", "undecided: "),
    ],
)
def test_each_relation_follows_from_the_verdict_and_the_margin(runs, better, worse, relation, margin, result, words):
    """A claim to be better is not refuted by being as good within the margin: it may be so by less."""
    (one,) = judged(runs, stated(better, worse, relation), margin=margin)
    assert one["result"] == result
    assert one["verdict"].startswith(words)


def timed(runs, name, seconds, **machine):
    """The runs, those of one contender with so many seconds of training, and on a machine of their own."""

    def changed(run):
        return {"seconds": seconds + run.spec.seed, "environment": {**run.environment, **machine}}

    return [dataclasses.replace(r, **changed(r)) if r.spec.contender == name else r for r in runs]


def test_cheaper_is_fewer_seconds_of_every_run_on_one_machine(runs):
    relation = "not worse and cheaper"
    (one,) = judged(timed(timed(runs, "good", 10), "poor", 100), stated("good", "poor", relation))
    assert (one["result"], one["verdict"]) == ("supported", "supported: better; 11.5 s against 101.5 s of training")
    (one,) = judged(timed(timed(runs, "good", 100), "poor", 10), stated("good", "poor", relation))
    assert one["result"] == "contradicted", "better, but not cheaper"
    (one,) = judged(timed(timed(runs, "good", 100), "poor", 101), stated("good", "poor", relation))
    assert (one["result"], one["verdict"].endswith("of training, not comparable")) == ("undecided", True)
    (one,) = judged(timed(timed(runs, "good", 10), "poor", 100), stated("poor", "good", relation))
    assert one["result"] == "contradicted", "neither as good nor cheaper"
    other = timed(timed(runs, "good", 10, processor="Loom 9"), "poor", 100)
    (one,) = judged(other, stated("good", "poor", relation))
    assert (one["result"], one["verdict"].endswith("of training, not comparable")) == ("undecided", True)


def trained_at(runs, name, accuracies, seconds):
    """The runs, those of one contender with these validation accuracies, an epoch each of so many seconds."""

    def history(run):
        rows = list(run.history[: len(accuracies)])
        return [
            {**row, "seconds": (i + 1) * seconds, "validation_accuracy": value + run.spec.seed / 1000}
            for i, (row, value) in enumerate(zip(rows, accuracies, strict=True))
        ]

    return [dataclasses.replace(r, history=history(r)) if r.spec.contender == name else r for r in runs]


def test_faster_is_better_after_the_same_training_time(runs):
    """At 20 s, half of the shorter training: after two epochs of 10 s against one of 20 s."""
    changed = trained_at(runs, "good", [0.5, 0.9, 0.91, 0.92], 10)
    changed = trained_at(changed, "poor", [0.7, 0.95, 0.96], 20)
    one, other = judged(changed, stated("good", "poor", "faster"), stated("poor", "good", "faster"))
    assert one["difference"] == pytest.approx(0.9 - 0.7)
    assert one["result"] == "supported"
    assert re.fullmatch(
        r"supported: \+20\.00 points \[\+19\.\d\d, \+20\.\d\d\] of validation accuracy after 20\.0 s of training each "
        r"\(4 and 4 runs, Welch's p < 0\.0001 over 2 such tests\)",
        one["verdict"],
    )
    assert (other["result"], other["difference"]) == ("contradicted", pytest.approx(-0.2))
    assert one["p_adjusted"] == pytest.approx(2 * one["p"]), "two such tests"
    level = trained_at(changed, "poor", [0.9, 0.95, 0.96], 20)
    (one,) = judged(level, stated("good", "poor", "faster"))
    assert (one["result"], one["difference"]) == ("undecided", pytest.approx(0.0, abs=1e-12))
    slow = trained_at(changed, "poor", [0.7, 0.95, 0.96], 50)
    (one,) = judged(slow, stated("good", "poor", "faster"))
    assert one["verdict"].startswith("undecided: speeds need two runs or more of each"), "no epoch ends within 20 s"
    (one,) = judged([run for run in changed if run.spec.seed == 0], stated("good", "poor", "faster"))
    assert one["verdict"].startswith("undecided: speeds need two runs or more of each")


def test_contenders_drawn_alike_are_hardly_ever_told_apart_as_faster(runs):
    """In one of twenty studies, give or take chance."""
    rng = np.random.default_rng(0)
    pair = [run for run in runs if run.spec.contender in ("good", "poor")]

    def noisy(run):
        rows = enumerate(run.history, 1)
        return [{**row, "seconds": float(i), "validation_accuracy": rng.normal(0.9, 0.01)} for i, row in rows]

    results = []
    for _ in range(50):
        changed = [dataclasses.replace(run, history=noisy(run)) for run in pair]
        results.append(judged(changed, stated("good", "poor", "faster"), scale="small")[0]["result"])
    assert results.count("undecided") >= 43


def test_choosing_on_the_test_set_supports_nothing(runs):
    supported, contradicted = judged(runs, stated("picked", "poor"), stated("poor", "picked"), margin=0.0001)
    assert supported["result"] == "undecided"
    assert supported["verdict"] == "undecided: better; picked chose or trained on the test set, which flatters it"
    assert contradicted["result"] == "contradicted"
    assert contradicted["verdict"].endswith("picked chose or trained on the test set, which flatters it")


def test_a_student_that_trained_on_test_images_supports_nothing(tmp_path, write_run):
    text = HEAD + '[contenders.plain]\nmodel = "conv"\n[contenders.student]\nmodel = "conv"\nteacher = "plain"\n'
    study = make_plan(parse_study(text + 'pool = "test:confidence=0.9"\n' + stated("student", "plain"), "h", "h.toml"))
    skills = {"plain": 4.0, "student": 6.0}
    trained_runs = [write_run(spec, tmp_path, skill=skills[spec.contender]) for spec in study.specs()]
    (one,) = Page(Context.of(study, trained_runs)).summary["hypotheses"]
    assert one["result"] == "undecided"
    assert one["verdict"] == "undecided: better; student chose or trained on the test set, which flatters it"


def test_what_was_not_run_or_has_no_result(runs):
    hypotheses = stated("good", "poor"), stated("good", "twin")
    some = [run for run in runs if run.spec.contender == "good"]
    first, second = judged(some, *hypotheses, scale="small")
    assert (first["verdict"], second["verdict"]) == (
        "no result: 4 of 4 against 0 of 0 runs trained",
        "not run: no part of the study at this scale",
    )


@pytest.mark.parametrize(
    ("seeds", "result", "words"),
    [
        (4, "supported", "4 of 4 against 0 of 4 runs trained (Fisher's exact p = 0.029)"),
        (3, "no result", "3 of 3 against 0 of 3 runs trained"),
    ],
)
def test_a_network_of_which_no_run_trains_is_worse_if_enough_runs_say_so(tmp_path, write_run, seeds, result, words):
    """Four of four against none: Fisher's exact p is 2 / 70; three of three against none: 2 / 20."""
    text = (
        HEAD.replace("seeds = 4", f"seeds = {seeds}")
        + '[contenders.conv]\nmodel = "conv"\n[contenders.nin]\nmodel = "nin"\n'
    )
    study = make_plan(parse_study(text + stated("conv", "nin") + stated("nin", "conv"), "h", "h.toml"))
    trained_runs = [write_run(spec, tmp_path, skill=5.0 if spec.model == "conv" else 0.0) for spec in study.specs()]
    stated_first, turned = Page(Context.of(study, trained_runs)).summary["hypotheses"]
    assert stated_first["result"] == result
    assert words in stated_first["verdict"]
    assert turned["result"] == {"supported": "contradicted"}.get(result, result)


def test_the_p_of_failures_counts_each_pair_that_failures_could_decide(tmp_path, write_run):
    """Of three pairs two have runs that failed: 2 / 70, twice; the third cannot be decided so."""
    text = HEAD + "".join(f'[contenders.{name}]\nmodel = "{name}"\n' for name in ("conv", "drop", "nin"))
    text += stated("conv", "nin") + stated("drop", "nin") + stated("conv", "drop") + stated("nin", "conv", "faster")
    study = make_plan(parse_study(text, "h", "h.toml"))
    trained_runs = [write_run(spec, tmp_path, skill=0.0 if spec.model == "nin" else 5.0) for spec in study.specs()]
    one, other, *_ = Page(Context.of(study, trained_runs)).summary["hypotheses"]
    for judgement in (one, other):
        assert (judgement["result"], judgement["verdict"]) == (
            "no result",
            "no result: 4 of 4 against 0 of 4 runs trained",
        )
    alone = study.model_copy(update={"hypotheses": study.hypotheses[:1]})
    assert Page(Context.of(alone, trained_runs)).summary["hypotheses"][0]["result"] == "supported"


def test_what_is_not_about_test_accuracy_stands_in_no_column_of_test_accuracy(runs):
    changed = trained_at(trained_at(runs, "good", [0.5, 0.9, 0.9, 0.9], 10), "poor", [0.7, 0.8], 20)
    study = make_plan(
        parse_study(HEAD + CONTENDERS + stated("good", "poor", "faster") + stated("good", "poor"), "h", "h.toml")
    )
    context = Context.of(study, changed, "command")
    (part,) = [part for part in compose(context) if part.kind == "hypotheses"]
    faster, better = next(block for block in part.blocks if isinstance(block, Table)).rows
    assert [cell.text for cell in faster[2:6]] == ["–"] * 4
    assert "points [" in faster[-1].text
    assert "–" not in [cell.text for cell in better[2:6]]


def test_the_page_has_a_list_for_the_report_and_one_for_us(runs):
    more = "reported = [0.98, 0.975]"
    text = stated("good", "poor", says="stated", more=more) + stated("poor", "good", source="ours", says="our own")
    study = make_plan(parse_study(HEAD + CONTENDERS + text, "h", "h.toml"))
    summary = Page(Context.of(study, runs)).summary
    context = Context.of(study, runs, "command")
    (part,) = [part for part in compose(context) if part.kind == "hypotheses"]
    titles = [block.text for block in part.blocks if isinstance(block, Heading | Paragraph)]
    first, second = [block for block in part.blocks if isinstance(block, Table)]
    assert titles[:2] == ["What the report says", "Our own hypotheses"]
    assert [row[0].text for row in first.rows] == ["stated"]
    assert [row[1].text for row in second.rows] == ["poor over good"]
    assert first.rows[0][2].text == "+0.50 *", "within the 0.56 points that the report gives to one network"
    assert "figures that lie up to 0.56 points apart" in titles[-1]
    assert "The report's hypotheses: 1 supported. Our own hypotheses: 1 contradicted." in summary["answer"]


def test_what_a_part_of_a_study_shows_is_said_of_that_part_alone(runs):
    text = stated("poor", "good", says="stated")
    study = make_plan(parse_study(HEAD + CONTENDERS + text, "h", "h.toml"), "cut")
    summary = Page(Context.of(study, runs)).summary
    assert "What it shows holds for this part." in summary["answer"]


@pytest.mark.parametrize(
    ("skill", "verdict"),
    [(0.0, "no result: 0 of 4 against 0 of 4 runs trained"), (None, "no result: 0 of 0 against 0 of 0 runs trained")],
)
def test_statements_are_listed_where_no_contender_trained(tmp_path, write_run, skill, verdict):
    """As without a result, whether every run diverged or there is none."""
    text = stated("good", "poor", says="stated") + stated("poor", "good", source="ours", says="our own")
    study = make_plan(parse_study(HEAD + CONTENDERS + text, "h", "h.toml"))
    trained_runs = [] if skill is None else [write_run(spec, tmp_path, skill=skill) for spec in study.specs()]
    context = Context.of(study, trained_runs, "command")
    (part,) = [part for part in compose(context) if part.kind == "hypotheses"]
    rows = [row for block in part.blocks if isinstance(block, Table) for row in block.rows]
    assert [(row[0].text, row[-1].text) for row in rows] == [
        ("stated", verdict),
        ("our own", verdict),
    ]


def test_hypotheses_that_a_scale_leaves_out_take_no_rows(runs):
    text = stated("good", "poor", says="here") + stated("good", "twin", says="elsewhere")
    study = make_plan(parse_study(HEAD + CONTENDERS + text, "h", "h.toml"), "small")
    some = [run for run in runs if run.spec.contender in ("good", "poor")]
    context = Context.of(study, some, "command")
    (part,) = [part for part in compose(context) if part.kind == "hypotheses"]
    (table,) = [block for block in part.blocks if isinstance(block, Table)]
    assert [row[0].text for row in table.rows] == ["here"]
    assert "Not run at this scale: “elsewhere”." in [
        block.text for block in part.blocks if isinstance(block, Paragraph)
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (stated("god", "poor"), "h.toml: no contender 'god' (closest: good"),
        (stated("good", "good"), "better and worse are both 'good'"),
        (stated("good", "poor").replace("worse =", "worst ="), "unknown key 'hypotheses.0.worst' (closest: worse"),
        (stated("good", "poor", source="mine"), "hypotheses.0.source = 'mine': must be 'report' or 'ours'"),
        (stated("good", "poor", relation="best"), "hypotheses.0.relation = 'best': must be 'better', 'not worse'"),
        (stated("good", "poor", more="reported = [0.9]"), "reported = [0.9]: two accuracies, from 0 to 1, or none"),
        (stated("good", "far"), "good is on digits and far on mnist: only answers to the same images can be compared"),
    ],
)
def test_a_hypothesis_that_cannot_be_is_one_sentence(text, message):
    far = '[contenders.far]\nmodel = "conv"\ndataset = "mnist"\n'
    with pytest.raises(UsageError) as caught:
        make_plan(parse_study(HEAD + CONTENDERS + far + text, "h", "h.toml"))
    assert message in str(caught.value)
    assert str(caught.value).startswith("h.toml")


def test_hypotheses_of_several_datasets_stand_where_their_contenders_are(tmp_path, write_run):
    more = "".join(f'[contenders.{name}-cifar]\nmodel = "conv"\ndataset = "cifar10"\n' for name in ("good", "poor"))
    text = stated("good-cifar", "poor-cifar", says="on photographs") + stated("good", "poor", says="on digits")
    study = make_plan(parse_study(HEAD + CONTENDERS.split("[contenders.picked]")[0] + more + text, "h", "h.toml"))
    skills = {**SKILLS, "good-cifar": 5.5, "poor-cifar": 4.0}
    trained_runs = [write_run(spec, tmp_path, skill=skills[spec.contender]) for spec in study.specs()]
    summary = Page(Context.of(study, trained_runs)).summary
    assert [one["says"] for one in summary["hypotheses"]] == ["on digits", "on photographs"]
