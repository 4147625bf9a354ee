"""Study files: contenders, sweeps, grids, scales, and the sentence for what is wrong."""

import pytest

from bakeoff.errors import UsageError
from bakeoff.studies.runner import packaged_studies
from bakeoff.study import Study, at_scale, parse_study

STUDY = """
# What it asks.
title = "t"
question = "q"
dataset = "digits"
seeds = 3
[recipe]
optimizer = "sgd"
lr = 0.1
[contenders.plain]
model = "small_cnn"
parameters = { width = 10, dropout = 0.0 }
[contenders.fast]
model = "small_cnn"
lr = 0.5
reported = { test_accuracy = 0.9 }
[sweeps.rate]
of = "plain"
points = [{ lr = 0.01 }, { lr = 0.1, reported = { test_accuracy = 0.8 } }, { label = "big step", lr = 1 }]
[sweeps.width]
of = "plain"
points = [{ parameters = { width = 10 } }, { parameters = { width = 20 } }]
[scales.smoke]
seeds = 1
images = 100
only = ["plain", "lr=0.01"]
recipe = { epochs = 1 }
"""


def study(text: str = STUDY) -> Study:
    return parse_study(text, "name", "name.toml")


def test_contenders_share_the_recipe_but_for_their_differences() -> None:
    made = study()
    assert made.contender("plain").recipe.lr == 0.1
    assert made.contender("fast").recipe.lr == 0.5
    assert made.contender("fast").recipe.optimizer == "sgd"
    assert made.contender("fast").reported.figures() == {"test_accuracy": 0.9}


def test_a_sweep_adds_only_the_points_that_are_new() -> None:
    """lr 0.1 and width 10 are `plain` itself, and are not trained twice."""
    made = study()
    assert [c.name for c in made.contenders] == ["plain", "fast", "lr=0.01", "big-step", "width=20"]
    rate, width = made.sweeps
    assert [point.contender for point in rate.points] == ["lr=0.01", "plain", "big-step"]
    assert rate.points[1].reported.test_accuracy == 0.8
    assert width.points[0].contender == "plain"
    assert made.contender("width=20").parameters == {"width": 20, "dropout": 0.0}


def test_a_grid_is_a_product() -> None:
    text = STUDY.split("[sweeps.rate]")[0] + "[grid]\nlr = [0.1, 1]\nbatch_size = [32, 64]\n"
    names = [c.name for c in study(text).contenders]
    assert len(names) == 8
    assert "plain,lr=0.1,batch_size=32" in names


def test_a_scale_cuts_and_says_so() -> None:
    small = at_scale(study(), "smoke")
    assert [c.name for c in small.contenders] == ["plain", "lr=0.01"]
    assert all(c.recipe.epochs == 1 for c in small.contenders)
    assert len(small.runs()) == 2
    assert [sweep.name for sweep in small.sweeps] == ["rate"]
    assert small.cuts == (
        "images: 100 instead of all",
        "seeds: 1 instead of 3",
        "epochs = 1 in every recipe",
        "2 of 5 contenders",
    )
    assert not small.comparable
    assert at_scale(study(), "full").cuts == ()
    assert at_scale(study(), "full", seeds=2, only=["plain"]).comparable
    assert at_scale(study(), "full", seeds=7).runs()[-1].seed == 6


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("lr = 0.5", "lrr = 0.5", r"name\.toml \[contenders\.fast\]: unknown key 'lrr' \(closest: lr"),
        ("lr = 0.5", "lr = -1", r"name\.toml \[contenders\.fast\]: lr = -1: must be greater than 0"),
        ('optimizer = "sgd"', 'optimiser = "sgd"', r"name\.toml \[recipe\]: unknown key 'optimiser'"),
        ("seeds = 3", "sedes = 3", r"name\.toml: unknown key 'sedes' \(closest: seeds"),
        ("seeds = 3", "seeds = 0", r"name\.toml: seeds = 0: must be greater"),
        ('title = "t"', 'name = "../../evil"', r"name\.toml: unknown key 'name'"),
        ("[scales.smoke]", "[scale.smoke]", r"name\.toml: unknown key 'scale' \(closest: scales"),
        ("points = [{ lr = 0.01 },", "points = [0.01,", r"points = \[0\.01, \.\.\.\]: each point is a table"),
        ("[sweeps.rate]", "[grid]\nlr = 0.1\n[sweeps.rate]", r"\[grid\]: lr = 0\.1: must be a list"),
        ('title = "t"', "", r"name\.toml: title is missing"),
        ('title = "t"', "title = t", r"name\.toml: not valid TOML"),
        ('of = "plain"\npoints = [{ lr', "points = [{ lr", r"of is missing: the contender whose values are varied"),
        ('of = "plain"\npoints = [{ lr', 'of = "plane"\npoints = [{ lr', r"no such contender \(closest: plain"),
        ("{ test_accuracy = 0.9 }", "{ accuracy = 0.9 }", r"unknown key 'reported.accuracy' \(closest: test_accuracy"),
        ("{ test_accuracy = 0.9 }", "{ test_accuracy = 90 }", r"test_accuracy = 90: must be less than or equal to 1"),
        ('{ label = "big step"', '{ label = "fast"', r"two contenders are called 'fast'"),
        ("[scales.smoke]", "[scales.smoke]\nsead = 1", r"unknown key '(scales\.smoke\.)?sead'"),
    ],
)
def test_a_wrong_file_gets_one_sentence(old: str, new: str, sentence: str) -> None:
    assert old in STUDY
    with pytest.raises(UsageError, match=sentence) as error:
        study(STUDY.replace(old, new, 1))
    assert "\n" not in str(error.value)


def test_unknown_scales_and_contenders() -> None:
    with pytest.raises(UsageError, match=r"no scale 'smok' \(closest: smoke"):
        at_scale(study(), "smok")
    with pytest.raises(UsageError, match=r"no contender 'plane' \(closest: plain"):
        at_scale(study(), "full", only=["plane"])
    with pytest.raises(UsageError, match="leaves no contender"):
        at_scale(study(), "smoke", only=["fast"])


def test_the_packaged_studies_are_valid() -> None:
    studies = packaged_studies()
    assert {"quickstart", "small-cnn"} <= set(studies)
    for made in studies.values():
        assert f"bakeoff run {made.name}" in made.about, "the first comment lines name the command"
        for scale in made.scales:
            assert at_scale(made, scale).runs()


def test_small_cnn_holds_the_whole_report() -> None:
    """Nine sweeps, three improvements, the best model, five seeds, and the figures the report prints."""
    made = packaged_studies()["small-cnn"]
    assert made.seeds >= 5
    assert [sweep.name for sweep in made.sweeps] == [
        "learning-rate",
        "batch-size",
        "momentum",
        "l2",
        "optimizer",
        "loss",
        "conv-layers",
        "dense-layers",
        "width",
    ]
    assert made.contender("base").recipe.epochs == 1
    assert made.contender("base").reported.test_accuracy == 0.9722
    assert made.contender("best-as-reported").recipe.selects_on_test
    reported = {sweep.name: [p.reported.test_accuracy for p in sweep.points] for sweep in made.sweeps}
    assert reported["l2"] == [0.9667, 0.9538, 0.9057, 0.1135]
    assert reported["conv-layers"] == [0.9382, 0.9656, 0.9756]
    assert reported["width"] == [0.9517, 0.9628, 0.9687, 0.9743]


def test_recipe_and_datasets_for_a_whole_study() -> None:
    """A field given for the study wins over the contender's and the scale's own, is printed as a cut, and what is
    not the study's is refused."""
    both = study(
        STUDY.replace("[contenders.fast]", '[contenders.far]\nmodel = "conv"\ndataset = "mnist"\n[contenders.fast]')
    )
    assert both.datasets == ("digits", "mnist")
    assert {spec.contender: spec.dataset for spec in both.runs()}["far"] == "mnist"
    changed = at_scale(both, "smoke", recipe={"epochs": 7, "optimizer": "adam", "momentum": 0})
    assert {(c.recipe.epochs, c.recipe.optimizer) for c in changed.contenders} == {(7, "adam")}
    assert "epochs = 7 in every recipe" in changed.cuts
    assert not changed.comparable
    assert [c.name for c in at_scale(both, "full", datasets=["mnist"]).contenders] == ["far"]
    with pytest.raises(UsageError, match=r"not about dataset 'mnits' \(closest: mnist"):
        at_scale(both, "full", datasets=["mnits"])
    with pytest.raises(UsageError, match=r"study name, contender plain: epochs = 0: must be greater"):
        at_scale(both, "full", recipe={"epochs": 0})
    with pytest.raises(UsageError, match="leaves no contender"):
        at_scale(both, "full", only=["plain"], datasets=["mnist"])
