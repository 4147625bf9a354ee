"""Study files: contenders, sweeps, grids, scales, and their errors."""

import re
from pathlib import Path

import pytest

from bakeoff.errors import UsageError
from bakeoff.report.overrides import sentences
from bakeoff.spec import Recipe
from bakeoff.spec.plan import Plan, make_plan
from bakeoff.spec.study_file import StudyFile, parse_study
from bakeoff.studies.packaged import packaged_studies

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


def study(text: str = STUDY) -> StudyFile:
    return parse_study(text, "name", "name.toml")


def test_contenders_share_the_recipe_except_for_their_differences() -> None:
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


def test_a_scale_overrides_values_and_lists_them() -> None:
    small = make_plan(study(), "smoke")
    assert [c.name for c in small.contenders] == ["plain", "lr=0.01"]
    assert all(c.recipe.epochs == 1 for c in small.contenders)
    assert len(small.specs()) == 2
    assert [sweep.name for sweep in small.sweeps] == ["rate"]
    assert sentences(small) == [
        "images: 100 instead of all",
        "seeds: 1 instead of 3",
        "epochs = 1 in every recipe",
        "2 of 5 contenders",
    ]
    assert not small.comparable
    assert [(o.path, o.old, o.new, o.source) for o in small.overrides] == [
        (("images",), None, 100, "scale smoke"),
        (("seeds",), 3, 1, "scale smoke"),
        (("contenders", "plain", "recipe", "epochs"), 10, 1, "scale smoke"),
        (("contenders", "lr=0.01", "recipe", "epochs"), 10, 1, "scale smoke"),
        *((("contenders", name), "small_cnn", None, "scale smoke") for name in ("fast", "big-step", "width=20")),
    ]
    assert sentences(make_plan(study(), "full")) == []
    assert make_plan(study(), "full", seeds=2, only=["plain"]).comparable
    assert make_plan(study(), "full", seeds=7).specs()[-1].seed == 6


def test_a_scale_may_draw_another_part_for_validation() -> None:
    part = make_plan(study(f"{STUDY}[scales.part]\nvalidation = 0.05\n"), "part")
    assert {spec.validation for spec in part.specs()} == {0.05}
    assert sentences(part) == ["validation: 0.05 instead of 0.167"]
    assert not part.comparable


def test_a_scale_overrides_single_contenders() -> None:
    """A contender's own fields win over the scale's; the command line wins over both; every override is listed."""
    table = "[scales.smoke.contenders.plain]\nepochs = 2\nlr = 0.3\n[scales.smoke.contenders.fast]\nlr = 3.0\n"
    small = make_plan(study(STUDY + table), "smoke")
    assert {c.name: (c.recipe.epochs, c.recipe.lr) for c in small.contenders} == {
        "plain": (2, 0.3),
        "lr=0.01": (1, 0.01),
    }
    assert sentences(small)[2:] == [
        "epochs = 2 for plain",
        "epochs = 1 for lr=0.01",
        "lr = 0.3 for plain",
        "2 of 5 contenders",
    ]
    wide = study(
        STUDY
        + "[scales.most]\nrecipe = { epochs = 1 }\ncontenders.plain = { epochs = 2 }\ncontenders.fast = { epochs = 10 }"
    )
    assert sentences(make_plan(wide, "most")) == [
        "epochs = 2 for plain",
        "epochs = 1 for lr=0.01, big-step and width=20",
    ]
    changed = make_plan(study(STUDY + table), "smoke", recipe={"epochs": 7})
    assert {c.name: (c.recipe.epochs, c.recipe.lr) for c in changed.contenders} == {
        "plain": (7, 0.3),
        "lr=0.01": (7, 0.01),
    }
    assert sentences(changed)[2:] == ["epochs = 7 in every recipe", "lr = 0.3 for plain", "2 of 5 contenders"]
    same = study(STUDY + "[scales.some]\ncontenders = { plain = { epochs = 2 }, fast = { epochs = 2, lr = 3.0 } }\n")
    assert sentences(make_plan(same, "some")) == ["epochs = 2 for plain and fast", "lr = 3.0 for fast"]
    alone = study(STUDY + "[scales.some]\n[scales.some.contenders.fast]\nepochs = 4\n")
    assert not make_plan(alone, "some").comparable
    assert make_plan(alone, "some", only=["plain"]).comparable, "what it overrides is left out"


def test_a_scale_narrows_single_models() -> None:
    table = "[scales.narrow.contenders.plain]\nparameters = { width = 5 }\nepochs = 2\n"
    small = make_plan(study(STUDY + table), "narrow")
    whole, cut = study().contender("plain"), small.contender("plain")
    assert cut.parameters == {**whole.parameters, "width": 5}
    assert (cut.recipe.epochs, cut.recipe.lr) == (2, whole.recipe.lr)
    assert sentences(small) == ["epochs = 2 for plain", "width = 5 for plain"]
    assert not small.comparable
    assert make_plan(study(STUDY + table), "full").contender("plain") == whole


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("plain]\nparameters = 3", r"name\.toml: scales\.smoke\.contenders\.plain\.parameters = 3: must be a table"),
        ("plane]\nepochs = 2", r"name\.toml: no contender 'plane' \(closest: plain"),
        ("plain]\nepoch = 2", r"study name at scale smoke, contender plain: unknown key 'epoch' \(closest: epochs"),
        ('plain]\nepochs = "2"', r"study name at scale smoke, contender plain: epochs = '2': must be a valid integer"),
        ("plain]\nmodel = 'conv'", r"study name at scale smoke, contender plain: unknown key 'model'"),
    ],
)
def test_what_a_scale_cannot_override(table: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        make_plan(study(f"{STUDY}[scales.smoke.contenders.{table}\n"), "smoke")


def test_a_scale_without_some_contenders() -> None:
    names = [contender.name for contender in make_plan(study(), "full").contenders]
    made = make_plan(study(f'{STUDY}[scales.part]\nwithout = ["fast", "lr=0.01"]\n'), "part")
    assert [contender.name for contender in made.contenders] == [n for n in names if n not in ("fast", "lr=0.01")]
    assert {contender.name for contender in made.left_out} == {"fast", "lr=0.01"}
    with pytest.raises(UsageError, match=r"no contender 'fost'.*fast"):
        make_plan(study(f'{STUDY}[scales.part]\nwithout = ["fost"]\n'), "part")


def test_contenders_left_out_are_kept_apart() -> None:
    """With their reported figures, in the study's order, and on the dataset of the scale."""
    small = make_plan(study(), "smoke")
    assert [c.name for c in small.left_out] == ["fast", "big-step", "width=20"]
    assert small.left_out[0].reported.test_accuracy == 0.9
    assert make_plan(study(), "full").left_out == ()
    both = study(STUDY.replace("parameters = { width = 10, dropout = 0.0 }", 'dataset = "mnist"'))
    assert make_plan(both, "smoke", only=["lr=0.01"]).left_out[0].dataset == "mnist"
    moved = study(
        STUDY.replace("parameters = { width = 10, dropout = 0.0 }", 'dataset = "mnist"') + 'dataset = "digits"\n'
    )
    assert make_plan(moved, "smoke", only=["lr=0.01"]).left_out[0].dataset == ""
    on_mnist = make_plan(both, "full", only=["plain", "fast"]).on("mnist")
    assert ([c.name for c in on_mnist.contenders], on_mnist.left_out[0].name) == (["plain"], "lr=0.01")


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
        ("points = [{ lr = 0.01 },", "points = [0.01,", r"sweeps\.rate\.points\.0 = 0\.01: must be a table"),
        ("[sweeps.rate]", "[grid]\nlr = 0.1\n[sweeps.rate]", r"grid\.lr = 0\.1: must be a valid list"),
        ('title = "t"', "", r"name\.toml: title is missing"),
        ('title = "t"', "title = t", r"name\.toml: not valid TOML"),
        ('of = "plain"\npoints = [{ lr', "points = [{ lr", r"sweeps\.rate\.of is missing"),
        (
            'of = "plain"\npoints = [{ lr',
            'of = "plane"\npoints = [{ lr',
            r"of = 'plane': no contender that is trained \(closest: plain",
        ),
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
        make_plan(study(), "smok")
    with pytest.raises(UsageError, match=r"no contender 'plane' \(closest: plain"):
        make_plan(study(), "full", only=["plane"])
    with pytest.raises(UsageError, match="leaves no contender"):
        make_plan(study(), "smoke", only=["fast"])


def test_the_packaged_studies_are_valid() -> None:
    studies = packaged_studies()
    assert {"quickstart", "small-cnn"} <= set(studies)
    for made in studies.values():
        assert f"bakeoff run {made.name}" in made.about, "the first comment lines name the command"
        for scale in made.scales:
            assert make_plan(made, scale).specs()


def test_small_cnn_holds_the_whole_report() -> None:
    """Ten sweeps, three improvements, the best model, five seeds, and the figures the report prints."""
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
        "resnet-depth",
    ]
    assert made.contender("base").recipe.epochs == 1
    assert made.contender("base").reported.test_accuracy == 0.9722
    assert made.contender("best-as-reported").recipe.selects_on_test
    sweeps = {sweep.name: sweep for sweep in made.sweeps}
    assert [p.reported.test_accuracy for p in sweeps["conv-layers"].points] == [0.9382, 0.9656, 0.9756]
    assert sweeps["l2"].reported == (0.9667, 0.9538, 0.9057, 0.1135)
    assert sweeps["width"].reported == (0.9517, 0.9628, 0.9687, 0.9743)
    assert sweeps["resnet-depth"].reported == (0.9787, 0.9681, 0.9795, 0.9763)
    values = [made.contender(p.contender).recipe.l2 for p in sweeps["l2"].points]
    assert min(v for v in values if v) <= 0.01, "the report's smallest, at 96.67 %, is hardly worse than none"
    assert max(values) >= 1, "the report's largest learns nothing"


REPORTS = Path(__file__).parents[2] / "../shared/reports"
TEXTS = {
    "largest-digit": "000_*.txt",
    "deeper-networks": "001_*.txt",
    "small-cnn": "002_*.txt",
    "highest-digit": "003_*.txt",
    "augmented-resnet": "004_*.txt",
}
IN_OTHER_WORDS = {
    ("parameters", 93000): "93 thousand",
    ("roc_area", 1): "ROC-AUC score is consistently 1",
    ("top5", 1.0): "top-5 test accuracy of 100%",
}
"""Figures that a report prints in words or in another unit."""


def printed(key: str, value: float) -> str:
    """A pattern of how a report prints a figure: accuracies as percentages, zeros at the end or none."""
    if (key, value) in IN_OTHER_WORDS:
        return re.escape(IN_OTHER_WORDS[key, value])
    share = key.endswith(("accuracy", "error", "repeats"))
    number = f"{100 * value:.6g}" if share else f"{value:,}".removeprefix("0").removesuffix(".0")
    number = number.replace(",", "") if key == "seconds" else number
    return rf"(?<![\d.,]){re.escape(number)}{'0*' if '.' in number else '([.]0+)?'}(?!\d|[.,]\d)"


@pytest.mark.parametrize("name", TEXTS)
def test_every_reported_figure_stands_in_its_report(name: str) -> None:
    files = list(REPORTS.glob(TEXTS[name]))
    if not files:
        pytest.skip("the reports' texts are not at hand")
    text, made = files[0].read_text(), packaged_studies()[name]
    reported = [contender.reported for contender in made.contenders]
    reported += [point.reported for sweep in made.sweeps for point in sweep.points]
    figures = [(key, value) for entry in reported for key, value in entry.figures().items()]
    figures += [("repeats", value) for entry in reported for value in entry.repeats]
    figures += [("test_accuracy", value) for sweep in made.sweeps for value in sweep.reported]
    figures += [("test_accuracy", value) for hypothesis in made.hypotheses for value in hypothesis.reported]
    assert figures
    missing = [f for f in figures if not re.search(printed(*f), text)]
    assert not missing


def test_only_figures_that_a_report_prints_count_as_reported() -> None:
    """93.03 and 91.25 % are He et al.'s; "vanilla" is not said to have two linear layers; nobody ran RES56 on MNIST."""
    studies = packaged_studies()
    deeper, small, highest = (studies[name] for name in ("deeper-networks", "small-cnn", "highest-digit"))
    assert not any("test_accuracy" in c.reported.figures() for c in deeper.contenders)
    assert not any("fail" in c.note for c in deeper.contenders)
    assert deeper.contender("res56").variant == "ours"
    assert small.contender("two-dense").reported.figures() == {}
    assert small.contender("base").reported.repeats == (0.9696,)
    keras = highest.contender("keras-cnn")
    assert keras.validation == 0.04, "48,000 and 2,000 of 50,000"
    assert "2,000 validation images" in keras.note
    specs = {spec.contender: spec.validation for spec in make_plan(highest).specs()}
    assert (specs["keras-cnn"], specs["resnet18"]) == (0.04, 0.1)


def test_members_of_an_ensemble_share_their_validation_images() -> None:
    text = (
        STUDY
        + '[contenders.other]\nmodel = "conv"\nvalidation = 0.3\n[contenders.both]\nensemble = ["other", "fast"]\n'
    )
    with pytest.raises(UsageError, match="both needs other, which has another part drawn for validation"):
        study(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[claims]]\nsays = "x"\n', r"name\.toml: claims is now called hypotheses"),
        ('[[hypotheses]]\nsays = "x"\nbetter = "fast"\nworse = "plain"\n', r"hypotheses\.0\.source is missing"),
        ('[shown]\nroc = ["fst"]\n', r"name\.toml: no contender 'fst' \(closest: fast"),
        ('[sweeps.more]\nof = "plain"\nreported = 0.9\npoints = [{ lr = 2.0 }]\n', r"reported = 0\.9: must be"),
    ],
)
def test_hypotheses_and_what_is_shown_are_checked(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        study(STUDY + text)


def test_a_plan_whose_compared_contenders_turn_out_the_same_is_read_again() -> None:
    text = '[[hypotheses]]\nsays = "x"\nsource = "ours"\nbetter = "fast"\nworse = "plain"\n'
    plan = make_plan(study(STUDY + text))
    same = plan.hypotheses[0].model_copy(update={"better": "plain"})
    merged = plan.model_copy(update={"hypotheses": (same,)})
    assert Plan.model_validate_json(merged.model_dump_json()) == merged


def test_recipe_and_datasets_for_a_whole_study() -> None:
    """A field for the whole study wins over the contender's and the scale's, and is listed as an override; what is
    not the study's is refused."""
    both = study(
        STUDY.replace("[contenders.fast]", '[contenders.far]\nmodel = "conv"\ndataset = "mnist"\n[contenders.fast]')
    )
    assert both.datasets == ("digits", "mnist")
    assert {spec.contender: spec.dataset for spec in make_plan(both).specs()}["far"] == "mnist"
    changed = make_plan(both, "smoke", recipe={"epochs": 7, "optimizer": "adam", "momentum": 0})
    assert {(c.recipe.epochs, c.recipe.optimizer) for c in changed.contenders} == {(7, "adam")}
    assert "epochs = 7 in every recipe" in sentences(changed)
    assert not changed.comparable
    assert [c.name for c in make_plan(both, "full", datasets=["mnist"]).contenders] == ["far"]
    with pytest.raises(UsageError, match=r"not about dataset 'mnits' \(closest: mnist"):
        make_plan(both, "full", datasets=["mnits"])
    with pytest.raises(UsageError, match=r"study name at scale full, contender plain: epochs = 0: must be greater"):
        make_plan(both, "full", recipe={"epochs": 0})
    with pytest.raises(UsageError, match="leaves no contender"):
        make_plan(both, "full", only=["plain"], datasets=["mnist"])


TEAM = """
title = "t"
question = "q"
dataset = "digits"
seeds = 3
[recipe]
epochs = 2
[contenders.pair]
ensemble = ["one", "two"]
[contenders.one]
model = "logistic"
[contenders.two]
model = "conv"
[contenders.all]
ensemble = ["one", "pair"]
over_seeds = true
tta = "several:shift=1"
[scales.few]
recipe = { epochs = 1, tta = "several:shift=2" }
"""


def test_an_ensemble_needs_its_members_of_the_same_seed() -> None:
    made = make_plan(study(TEAM))
    assert made.depths() == {"pair": 1, "one": 0, "two": 0, "all": 2}
    assert made.contender("pair").recipe == Recipe(), "an ensemble takes nothing of the shared recipe"
    runs = {(spec.contender, spec.seed): spec for spec in made.specs()}
    assert [key for key in runs if key[0] in ("pair", "all")] == [("pair", 0), ("pair", 1), ("pair", 2), ("all", 0)]
    assert made.needed(runs["one", 2]) == []
    assert made.needed(runs["pair", 2]) == [("one", 2), ("two", 2)]
    assert made.needed(runs["all", 0]) == [(name, seed) for name in ("one", "pair") for seed in range(3)]
    above = make_plan(study(TEAM + '[contenders.top]\nensemble = ["all", "one"]\n'))
    spec = next(spec for spec in above.specs() if (spec.contender, spec.seed) == ("top", 2))
    assert above.needed(spec) == [("all", 0), ("one", 2)], "an ensemble over all seeds has one run"


def test_a_recipe_for_all_is_not_for_ensembles() -> None:
    """Their members carry it; only what a scale says of an ensemble itself counts."""
    small = make_plan(study(TEAM), "few", recipe={"lr": 0.5})
    assert {c.name: (c.recipe.tta, c.recipe.lr) for c in small.contenders if c.ensemble} == {
        "pair": ("one", Recipe().lr),
        "all": ("several:shift=1", Recipe().lr),
    }
    assert small.contender("one").recipe.tta == "several:shift=2"
    table = TEAM + '[scales.few.contenders.all]\ntta = "several:shift=3"\n'
    assert make_plan(study(table), "few").contender("all").recipe.tta == "several:shift=3"
    with pytest.raises(UsageError, match="contender all: epochs is for what is trained; of the recipe an ensemble"):
        make_plan(study(TEAM + "[scales.few.contenders.all]\nepochs = 3\n"), "few")


def test_sweeps_and_grids_leave_ensembles_alone() -> None:
    grid = TEAM.replace('["one", "two"]', '["one,lr=0.1", "two,lr=1"]').replace('["one", "pair"]', '["pair"]')
    made = study(grid + "[grid]\nlr = [0.1, 1]\n")
    assert [c.name for c in made.contenders] == ["pair", "one,lr=0.1", "one,lr=1", "two,lr=0.1", "two,lr=1", "all"]
    swept = study(TEAM.replace('["one", "two"]', '["one", "lr=1"]') + '[sweeps.s]\nof = "one"\npoints = [{ lr = 1 }]\n')
    assert swept.needs(swept.contender("pair")) == ("one", "lr=1")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('["one", "two"]', '["one", "twoo"]', r"name\.toml: no contender 'twoo' \(closest: two"),
        ('["one", "two"]', '["one", "one"]', r"\[contenders\.pair\]: ensemble names 'one' twice"),
        ('["one", "two"]', "[]", r"\[contenders\.pair\]: model is missing, or ensemble: names of contenders"),
        ('["one", "two"]', '"one"', r"\[contenders\.pair\]: ensemble = 'one': must be a valid list"),
        (
            '["one", "two"]',
            '["one", "two"]\nmodel = "conv"',
            r"\[contenders\.pair\]: an ensemble has no model and no parameters",
        ),
        (
            '["one", "two"]',
            '["one"]\nparameters = { a = 1 }',
            r"\[contenders\.pair\]: an ensemble has no model and no parameters",
        ),
        ('["one", "two"]', '["one", "two"]\nlr = 0.1', r"lr is for what is trained; .* takes tta only"),
        ('["one", "two"]', '["one", "two"]\nlrr = 0.1', r"\[contenders\.pair\]: unknown key 'lrr' \(closest: lr"),
        (
            '["one", "two"]',
            '["one", "all"]',
            r"name\.toml: pair needs all needs pair: none of them can be trained first",
        ),
        ('["one", "two"]', '["pair"]', r"name\.toml: pair needs pair: none"),
        ('model = "logistic"', 'model = "logistic"\nover_seeds = true', r"\[contenders\.one\]: over_seeds is for an"),
        (
            'model = "logistic"',
            'model = "logistic"\ndataset = "mnist"',
            r"pair is on digits and one on mnist",
        ),
        (
            "[scales.few]",
            '[sweeps.s]\nof = "pair"\npoints = [{ lr = 1 }]\n[scales.few]',
            r"of = 'pair': no contender that is trained",
        ),
    ],
)
def test_a_wrong_ensemble_gets_one_sentence(old: str, new: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as error:
        study(TEAM.replace(old, new, 1))
    assert "\n" not in str(error.value)


def test_what_needs_a_contender_that_is_left_out() -> None:
    """It is left out as well, or refused where it is named."""
    team = study(
        TEAM.replace('["one", "pair"]', '["one"]').replace(
            "[contenders.two]", '[contenders.far]\nmodel = "conv"\ndataset = "mnist"\n[contenders.two]'
        )
    )
    assert [c.name for c in make_plan(team, "full", only=["one", "all"]).contenders] == ["one", "all"]
    with pytest.raises(UsageError, match="study name: pair needs two, which is left out: name it as well"):
        make_plan(team, "full", only=["one", "pair"])
    student = study(
        TEAM
        + '[contenders.student]\nmodel = "conv"\nteacher = "far"\n[contenders.far]\nmodel = "conv"\ndataset = "mnist"\n'
    )
    assert student.needs(student.contender("student")) == ("far",)
    near = make_plan(student, "full", datasets=["digits"])
    assert [c.name for c in near.contenders] == ["pair", "one", "two", "all"]
    assert [c.name for c in near.left_out] == ["student", "far"]


def test_a_teacher_cannot_teach_itself() -> None:
    student = study(TEAM + '[contenders.student]\nmodel = "conv"\nteacher = "one"\n')
    assert student.depths()["student"] == 1
    with pytest.raises(UsageError, match="study name: one needs one: none of them can be trained first"):
        make_plan(student, "full", recipe={"teacher": "one"})
    with pytest.raises(UsageError, match=r"name\.toml: pair needs student needs pair: none"):
        study(
            TEAM.replace('["one", "two"]', '["one", "student"]')
            + '[contenders.student]\nmodel = "conv"\nteacher = "pair"\n'
        )
