"""Every section has something to show of a full study, and says so where it has nothing."""

import dataclasses
import re

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.metrics import roc_auc_score

from bakeoff.errors import UsageError
from bakeoff.evaluation.verdicts import decide
from bakeoff.findings import reported
from bakeoff.findings.runs import correct
from bakeoff.report.context import Context
from bakeoff.report.format import interval
from bakeoff.report.render.blocks import Figures, Gallery, Paragraph, Table
from bakeoff.report.sections import SECTIONS, check_sections, compose
from bakeoff.report.sections.reported import REASONS, ours_text, verdict_text
from bakeoff.spec import Reported, plugins
from bakeoff.spec.plan import make_plan
from bakeoff.spec.study import Section
from bakeoff.spec.study_file import parse_study


@pytest.fixture(scope="module")
def context(study, runs):
    return Context.of(study, runs, "bakeoff run small-digits")


def with_sections(context: Context, *sections: Section) -> Context:
    return dataclasses.replace(context, study=context.study.model_copy(update={"sections": sections}))


def rows(part, column: str) -> list[str]:
    """A column of the part's first table."""
    table = next(block for block in part.blocks if isinstance(block, Table))
    place = [head.label for head in table.columns].index(column)
    return [row[place].text for row in table.rows]


NOT_OF_THIS_STUDY = {"label_noise"}
"""What has nothing to show of these runs, and tests elsewhere."""
SHOWN = [kind for kind in SECTIONS if kind not in NOT_OF_THIS_STUDY]


@pytest.mark.parametrize("kind", SHOWN)
def test_every_section_shows_something(context, kind):
    (part,) = compose(with_sections(context, Section(kind=kind)))
    assert part.title == SECTIONS[kind].title
    assert any(isinstance(block, Table | Figures | Gallery) for block in part.blocks)
    for block in part.blocks:
        if isinstance(block, Table):
            assert {len(row) for row in block.rows} == {len(block.columns)}


@pytest.fixture(scope="module")
def without_results(study, runs):
    """Nothing has finished: one contender diverged, the others were never run."""
    return Context.of(study, [run for run in runs if run.spec.contender == "lr=100.0"], "command")


NOTHING = Paragraph("There is nothing to show here: no contender that it is about has a result.")


def test_where_nothing_has_finished_the_sections_of_all_contenders_are_left(without_results):
    parts = compose(without_results)
    assert [part.kind for part in parts] == ["leaderboard", "hypotheses", "reported", "runs", "environment"]
    assert set(rows(parts[0], "runs trained")) == {"0 of 3", "0 of 0"}
    assert set(rows(parts[2], "verdict")) == {"no result"}


@pytest.mark.parametrize("kind", ["sweeps", "significance", "seeds", "cost", "confusion", "roc", "mistakes", "curves"])
def test_a_section_of_those_who_failed_says_that_it_has_nothing(context, kind):
    (part,) = compose(with_sections(context, Section(kind=kind, of=("lr=100.0",))))
    assert part.blocks == [NOTHING] or kind == "sweeps"


def test_a_section_that_does_not_apply_is_left_out_unless_asked_for(context, without_results):
    alone = {"contenders": context.study.contenders[:1], "sweeps": (), "hypotheses": (), "seeds": 1}
    for material in (context, without_results):
        study = context.study.model_copy(update=alone)
        single = Context.of(study, material.runs, "command")
        absent = {"reported", "sweeps", "significance", "seeds", "cost", "label_noise", "hypotheses"}
        assert {part.kind for part in compose(single)} & absent == set()
        (part,) = compose(with_sections(single, Section(kind="sweeps")))
        assert part.blocks == [NOTHING]


def test_by_default_sections_stand_in_the_tables_order(context):
    assert [part.kind for part in compose(context)] == SHOWN


def test_a_study_picks_orders_and_titles_its_sections(context):
    sections = (
        Section(kind="cost"),
        Section(kind="roc", of=("conv",), title="One"),
        Section(kind="roc", of=("logistic",)),
    )
    parts = compose(with_sections(context, *sections))
    assert [part.title for part in parts] == ["Accuracy and its cost", "One", "ROC curves"]
    assert len({part.anchor for part in parts}) == 3
    names = [
        figure.name for part in parts for block in part.blocks if isinstance(block, Figures) for figure in block.figures
    ]
    assert len(set(names)) == len(names)
    assert any(name.startswith("roc-conv") for name in names)


@pytest.mark.parametrize("kind", ["leaderboard", "train_test", "cost", "runs"])
def test_a_section_is_of_the_contenders_it_names(context, kind):
    (part,) = compose(with_sections(context, Section(kind=kind, of=("conv", "logistic"))))
    assert {name.split(" ")[0] for name in rows(part, "contender")} == {"conv", "logistic"}


def test_unknown_sections_and_contenders_name_the_closest(study):
    for section, message in [
        (Section(kind="leaderbord"), "study small-digits: no section 'leaderbord' (closest: leaderboard)"),
        (Section(kind="roc", of=("resnet2",)), "no contender 'resnet2' (closest: resnet20)"),
    ]:
        with pytest.raises(UsageError) as caught:
            check_sections(study.model_copy(update={"sections": (section,)}))
        assert message in str(caught.value)


def test_reported_figures_are_judged(context):
    part = next(part for part in compose(context) if part.kind == "reported")
    verdicts = dict(
        zip(zip(rows(part, "contender"), rows(part, "figure"), strict=True), rows(part, "verdict"), strict=True)
    )
    assert verdicts["baseline", "test accuracy"] == "exceeded"
    assert verdicts["conv", "test accuracy"] == "not reproduced"
    assert verdicts["conv", "parameters"] == "not reproduced"
    assert verdicts["conv", "seconds"] == "not comparable: another machine"
    assert verdicts["learning-rate: lr=0.01", "test accuracy"] == "not reproduced"
    assert len(verdicts) == len(rows(part, "verdict")) == 6


def judge(key, published, runs, reason=None, unprinted=""):
    """(ours, the verdict) on a published figure, in words."""
    judgement = reported.judge(key, published, runs, reason)
    return ours_text(key, judgement.ours), verdict_text(judgement, unprinted)


def fake(run, **metrics: float):
    return dataclasses.replace(run, metrics=metrics)


def test_one_more_run_is_reproduced_nineteen_times_in_twenty(runs):
    """Of the same recipe, on the same images: a report's run is drawn as ours are."""
    rng = np.random.default_rng(0)
    verdicts = []
    for values in rng.normal(0.5, 0.002, (2000, 4)):
        ours = [fake(run, validation_loss=float(v)) for run, v in zip(runs[:3], values[:3], strict=True)]
        verdicts.append(judge("loss", float(values[3]), ours)[1])
    assert verdicts.count("reproduced") / 2000 == pytest.approx(0.95, abs=0.015)
    assert verdicts.count("exceeded") / 2000 == pytest.approx(0.025, abs=0.01)


def test_other_validation_images_are_no_reason_to_call_it_not_reproduced(runs):
    """Even seeds that agree by chance say nothing of a report's own validation images: at 97 % of so few images their
    noise is larger than that of the seeds."""
    rng = np.random.default_rng(1)
    spread = np.sqrt(0.97 * 0.03 / runs[0].measured("validation"))
    verdicts = []
    for _ in range(1000):
        mine, theirs = 0.97 + rng.normal(0, spread, 2)
        values = mine + rng.normal(0, spread / 4, 3)
        ours = [fake(run, validation_accuracy=float(v)) for run, v in zip(runs[:3], values, strict=True)]
        verdicts.append(judge("validation_accuracy", theirs + rng.normal(0, spread / 4), ours)[1])
    assert verdicts.count("reproduced") / 1000 >= 0.94


def test_seeds_that_agree_exactly_reproduce_or_refute_nothing(runs):
    ours = [fake(run, validation_loss=0.5) for run in runs[:3]]
    assert judge("loss", 0.5, ours)[1] == "reproduced"
    assert judge("loss", 0.501, ours) == ("0.5", "not decidable: our seeds agree exactly"), (
        "an interval of no width is none"
    )


def test_one_run_is_not_judged(runs):
    """Nothing says how far seeds are apart; an interval over the images would reject a twin in every second case."""
    run = next(run for run in runs if run.spec.contender == "conv")
    for key in ("test_accuracy", "validation_accuracy", "loss", "weakest_class_accuracy"):
        ours, verdict = judge(key, 0.1, [run])
        assert verdict == "not decidable: one run"
        assert "[" not in ours
    assert judge("test_accuracy", 0.1, [run], NEW)[1] == f"not comparable: {REASONS[NEW]}"


def test_a_count_is_held_against_the_digits_that_are_printed(runs):
    for printed, parameters, verdict in [
        (93000, 93322, "reproduced"),
        (93000, 93600, "not reproduced"),
        (1912010, 1912010, "reproduced"),
        (92498, 92499, "not reproduced"),
        (133_000_000, 132_863_336, "reproduced"),
    ]:
        assert judge("parameters", printed, [dataclasses.replace(runs[0], parameters=parameters)])[1] == verdict


def test_a_figure_whose_setting_is_not_printed_is_not_compared(runs):
    ours = [run for run in runs if run.spec.contender == "conv"]
    assert judge("test_accuracy", 0.5, ours, "unprinted")[1] == "not comparable: setting not printed"
    words = "not comparable: setting not printed (dropout)"
    assert judge("test_accuracy", 0.999, ours, "unprinted", "dropout")[1] == words


OPEN = """
title = "t"
question = "q"
dataset = "digits"
seeds = 2
unprinted = "batch size"
[recipe]
epochs = 1
[contenders.base]
model = "small_cnn"
parameters = { conv_layers = 2 }
reported = { test_accuracy = 0.9722, repeats = [0.9696], parameters = 12 }
[contenders.wide]
model = "small_cnn"
parameters = { width = 60 }
reported = { test_accuracy = 0.99, unprinted = "the width" }
[sweeps.layers]
of = "base"
points = [
  { parameters = { conv_layers = 2 }, reported = { test_accuracy = 0.9656 } },
  { parameters = { conv_layers = 1 }, reported = { test_accuracy = 0.9382 } },
]
[sweeps.l2]
of = "base"
reported = [0.9667, 0.1135]
points = [{ l2 = 0.01 }, { l2 = 0.1 }]
"""


def test_what_a_report_leaves_open_is_said_on_the_page(tmp_path, write_run):
    """One network with three figures has its noise; no value is invented for a figure whose value is not printed."""
    study = make_plan(parse_study(OPEN, "open", "open.toml"))
    runs = [write_run(spec, tmp_path, skill=5.0) for spec in study.specs()]
    context = Context.of(study, runs, "command")
    (part,) = compose(with_sections(context, Section(kind="reported")))
    verdicts = dict(
        zip(zip(rows(part, "contender"), rows(part, "reported"), strict=True), rows(part, "verdict"), strict=True)
    )
    assert {verdict for (_, value), verdict in verdicts.items() if value != "12"} == {
        "not comparable: setting not printed",
        "not comparable: setting not printed (the width)",
    }
    assert verdicts["base", "12"] == "not reproduced"
    assert {value for name, value in verdicts if name == "base"} == {"97.22 %", "96.96 %", "12"}
    text = " ".join(block.text for block in part.blocks if isinstance(block, Paragraph))
    assert "Reported for values that are not printed (test accuracy): l2: 96.67 % and 11.35 %." in text
    assert "3 test accuracies that may all be of base: 96.56 %, 96.96 % and 97.22 %. They lie 0.66 points apart" in text


def test_less_error_and_less_loss_exceed(runs):
    ours = [fake(run, train_accuracy=0.99 + i / 1e4, validation_loss=0.1 + i / 1e4) for i, run in enumerate(runs[:3])]
    assert judge("train_error", 0.05, ours)[1] == "exceeded"
    assert judge("train_error", 0.001, ours)[1] == "not reproduced"
    assert judge("loss", 0.2, ours)[1] == "exceeded"


def test_the_weakest_class_is_the_one_with_most_errors_for_its_images(runs):
    run = next(run for run in runs if run.spec.contender == "conv")
    right = run.logits("test").argmax(1) == run.labels("test")
    shares = {c: float(right[run.labels("test") == c].mean()) for c in set(run.labels("test").tolist())}
    ours, _ = judge("weakest_class_accuracy", 0.978, [run])
    assert ours == f"{100 * min(shares.values()):.2f} %"


def test_figures_of_the_course_of_training_are_those_of_its_history(runs):
    """By two runs that stop their first fit at different epochs."""
    recipe = runs[0].spec.recipe.model_copy(update={"rounds": 2})
    spec = runs[0].spec.model_copy(update={"recipe": recipe})
    ours = []
    for shift, first in ((0.0, 2), (0.01, 3)):
        epochs = [
            {
                "round": 0 if i < first else 1,
                "validation_accuracy": 0.9 + i / 100 + shift,
                "train_accuracy": 0.5 + i / 100,
            }
            for i in range(4)
        ]
        ours.append(dataclasses.replace(runs[0], spec=spec, history=epochs, seconds=20.0))
    assert judge("second_epoch_validation_accuracy", 0.9164, ours)[0].startswith("91.50 %")
    assert judge("first_fit_validation_accuracy", 0.92, ours)[0].startswith("92.00 %")
    assert judge("first_fit_train_accuracy", 0.931, ours)[0].startswith("51.50 %")
    assert judge("epoch_seconds", 108.0, ours) == ("5", "not comparable: another machine")
    short = [dataclasses.replace(run, history=run.history[:1]) for run in ours]
    assert judge("second_epoch_validation_accuracy", 0.9164, short, CUT) == ("–", "not comparable: this scale is cut")
    once = [dataclasses.replace(run, spec=runs[0].spec) for run in ours]
    assert judge("first_fit_train_accuracy", 0.9, once) == ("–", "not comparable: our runs have no such figure")


def test_the_area_under_the_roc_curve_is_that_of_the_worst_class(runs):
    ours = [run for run in runs if run.spec.contender == "conv"]
    worst = [
        min(roc_auc_score(run.labels("test") == c, softmax(run.logits("test"), axis=1)[:, c]) for c in range(10))
        for run in ours
    ]
    assert judge("roc_area", 1.0, ours)[0].split()[0] == f"{np.mean(worst):.4g}"


def test_a_loss_of_probabilities_is_held_against_the_same(runs):
    """Where softmax comes before the cross-entropy, the figure is that of probabilities taken for logits."""
    run = next(run for run in runs if run.spec.contender == "conv")
    recipe = run.spec.recipe.model_copy(update={"loss": "softmax_output"})
    faulty = dataclasses.replace(run, spec=run.spec.model_copy(update={"recipe": recipe}))
    logits, labels = torch.from_numpy(run.logits("validation")).double(), torch.from_numpy(run.labels("validation"))
    expected = float(torch.nn.functional.cross_entropy(logits.softmax(1), labels))
    assert judge("loss", 9.0, [faulty])[0] == f"{expected:.4g}"
    assert expected > 1.46


def test_seeds_that_spread_widely_reproduce_nothing(runs):
    """A prediction interval of two far seeds would call any figure reproduced."""
    ours = [fake(run, validation_accuracy=accuracy) for run, accuracy in zip(runs[:2], (0.2, 0.6), strict=True)]
    assert judge("validation_accuracy", 0.97, ours)[1].startswith("not decidable")


CUT, NEW = "cut", "generated"


def test_what_cannot_be_compared_is_not(runs):
    ours = [run for run in runs if run.spec.contender == "conv"]
    assert judge("test_accuracy", 0.5, ours)[1] == "exceeded"
    assert judge("test_accuracy", 0.5, ours, CUT)[1] == "not comparable: this scale is cut"
    assert judge("best_test_accuracy", 0.9, ours)[1] == "not comparable: it was chosen on the test set"
    assert judge("seconds", 1.0, ours, NEW)[1] == "not comparable: another machine"
    assert judge("parameters", 1, ours)[1] == "not reproduced"
    assert judge("parameters", 1, ours, CUT)[1] == "not comparable: this scale is cut"
    assert judge("parameters", ours[0].parameters, ours, CUT)[1] == "reproduced"
    theirs = [run for run in runs if run.spec.contender == "baseline" and run.status == "finished"]
    assert judge("best_test_accuracy", 0.5, theirs)[1] == "exceeded"


def test_images_generated_anew_are_not_compared(runs):
    ours = [run for run in runs if run.spec.contender == "conv"]
    for published in (0.999, 0.5):
        judgement = judge("test_accuracy", published, ours, NEW)[1]
        assert judgement == "not comparable: the images are generated anew"
    assert judge("parameters", 1, ours, NEW)[1] == "not reproduced", "they do not depend on the images"


@pytest.mark.parametrize(
    ("dataset", "verdict"),
    [
        ("digits", "not reproduced"),
        ("largest-digit", "not comparable: the images are generated anew"),
        ("highest-digit:count=2000,digits=digits", "not comparable: the images are generated anew"),
        ("highest-digit:origin=kaggle", "not reproduced"),
        ("competition/files", "not reproduced"),
    ],
)
def test_which_images_are_generated_anew(tmp_path, write_run, study, dataset, verdict):
    contender = study.contender("conv").model_copy(update={"reported": Reported(test_accuracy=0.999)})
    alone = study.model_copy(update={"dataset": dataset, "contenders": (contender,), "sweeps": (), "hypotheses": ()})
    runs = [write_run(spec, tmp_path, skill=5.0) for spec in alone.specs()]
    context = Context.of(alone, runs, "command")
    (part,) = compose(with_sections(context, Section(kind="reported")))
    assert rows(part, "verdict") == [verdict]


def test_figures_of_contenders_that_a_scale_leaves_out_are_there_too(study_file, runs):
    small = make_plan(study_file, "full", only=["logistic", "conv"])
    some = [run for run in runs if run.spec.contender in ("logistic", "conv")]
    context = Context.of(small, some, "command")
    (part,) = compose(with_sections(context, Section(kind="reported")))
    assert set(rows(part, "contender")) == {"conv"}
    words = next(block.text for block in part.blocks if isinstance(block, Paragraph) and "not run" in block.text)
    for left_out in ("baseline (test accuracy, 50.00 %)", "learning-rate: lr=0.01 (test accuracy, 92.00 %)"):
        assert left_out in words


def test_images_of_a_confusion_are_of_it_and_the_surest_come_first(study, tmp_path, write_run):
    """Against a slow twin: every stored image whose true and predicted class are those of the title."""
    runs = [write_run(spec, tmp_path, skill=4.0) for spec in study.specs() if spec.contender == "conv"]
    context = Context.of(study, runs, "command")
    (part,) = compose(with_sections(context, Section(kind="confusion")))
    galleries = [block for block in part.blocks if isinstance(block, Gallery)]
    assert galleries
    for group in galleries:
        true, taken, times = re.fullmatch(r"(\d) taken for (\d) \((\d+) times?\)", group.title).groups()
        surest, count = {}, 0
        for run in runs:
            odds = np.exp(run.logits("test").astype(float))
            odds /= odds.sum(axis=1, keepdims=True)
            for place, (label, chances) in enumerate(zip(run.labels("test"), odds, strict=True)):
                if (label, chances.argmax()) == (int(true), int(taken)):
                    count += 1
                    if place in run.arrays["confused_index"]:
                        surest[place] = max(surest.get(place, 0), chances.max())
        assert count == int(times)
        assert [item.lines[0] for item in group.items] == [
            f"{100 * s:.2f} %" for s in sorted(surest.values())[::-1][:6]
        ]


def test_records_without_images_of_confusions_have_the_matrix_alone(study, tmp_path, write_run):
    runs = [write_run(spec, tmp_path, skill=4.0) for spec in study.specs() if spec.contender == "conv"]
    for run in runs:
        del run.arrays["confused_index"], run.arrays["confused_images"]
    context = Context.of(study, runs, "command")
    (part,) = compose(with_sections(context, Section(kind="confusion")))
    assert [type(block) for block in part.blocks] == [Table]


def test_the_part_of_the_errors_that_are_unsure(context, runs):
    (part,) = compose(with_sections(context, Section(kind="calibration")))
    sure = []
    for run in (run for run in runs if run.spec.contender == "resnet20"):
        odds = np.exp(run.logits("test").astype(float))
        most = odds.max(axis=1) / odds.sum(axis=1)
        sure += zip(most, run.logits("test").argmax(axis=1) == run.labels("test"), strict=True)
    wrong = sum(not right for _, right in sure)
    least = sum(not right for _, right in sorted(sure, key=lambda pair: pair[0])[: len(sure) // 20])
    of = dict(zip(rows(part, "contender"), rows(part, "errors among the 5 % least sure"), strict=True))
    assert of["resnet20"] == f"{100 * least / wrong:.2f} %"


TOGETHER = """
[contenders.together]
ensemble = ["conv", "resnet20"]
[contenders.pupil]
model = "conv"
teacher = "resnet20"
pool = "test:confidence=0.9"
"""


def test_ensembles_which_have_no_history_and_pupils_of_test_images(text, tmp_path, write_runs):
    study = make_plan(
        parse_study(text.replace("[sweeps.", f"{TOGETHER}[sweeps.", 1), "small-digits", "small-digits.toml")
    )
    runs = write_runs(study, tmp_path)
    context = Context.of(study, runs, "command")
    parts = {part.kind: part for part in compose(context)}
    assert list(parts) == SHOWN
    table = next(block for block in parts["cost"].blocks if isinstance(block, Table))
    assert "Of together: sums over the members of the ensemble." in table.note
    epochs = dict(zip(rows(parts["runs"], "contender"), rows(parts["runs"], "epochs"), strict=True))
    assert (epochs["together"], epochs["conv"]) == ("–", "8")
    drawn = next(block for block in parts["curves"].blocks if isinstance(block, Figures)).figures
    assert all(">together<" not in figure.svg for figure in drawn)
    names = rows(parts["leaderboard"], "contender")
    assert "together (ensemble)" in names
    assert [name for name in names if "‡" in name] == ["pupil ‡"]
    assert "‡ was trained on test images" in next(b.note for b in parts["leaderboard"].blocks if isinstance(b, Table))


def test_the_worst_mistakes_are_wrong_in_the_seeds_they_say(context, runs):
    gallery = next(b for p in compose(context) if p.kind == "mistakes" for b in p.blocks if isinstance(b, Gallery))
    assert len(gallery.items) == 24
    assert all(item.image.shape == (1, 12, 12) for item in gallery.items)
    chosen = [run for run in runs if run.spec.contender == "resnet20"]
    right = np.array([run.logits("test").argmax(axis=1) == run.labels("test") for run in chosen])
    kept = sorted({int(i) for run in chosen for i in run.arrays["mistake_index"]}, key=lambda i: right[:, i].sum())
    counts = [3 - int(right[:, i].sum()) for i in kept[:24]]
    assert [item.lines[2] for item in gallery.items] == [f"wrong: {count} of 3 seeds" for count in counts]


def test_a_contender_that_selects_on_test_is_marked_and_explained(context):
    part = next(part for part in compose(context) if part.kind == "leaderboard")
    marked = [name for name in rows(part, "contender") if "†" in name]
    assert marked == ["baseline (as reported) †"]
    assert "† picks its epoch by test accuracy" in next(b.note for b in part.blocks if isinstance(b, Table))


def test_a_sweep_names_figures_whose_value_is_not_printed(tmp_path, write_run):
    """In words: a mark on the axis would put our value into the report's mouth."""
    study = make_plan(parse_study(OPEN, "open", "open.toml"))
    runs = [write_run(spec, tmp_path, skill=5.0) for spec in study.specs()]
    context = Context.of(study, runs, "command")
    (part,) = compose(with_sections(context, Section(kind="sweeps")))
    figures = {f.name: f for block in part.blocks if isinstance(block, Figures) for f in block.figures}
    assert "The report gives 96.67 % and 11.35 % for values that it does not print." in figures["sweeps-l2"].caption
    assert "reported" not in figures["sweeps-l2"].svg
    assert "reported" in figures["sweeps-layers"].svg


def test_an_overridden_study_has_no_marks_of_the_report_in_its_sweeps(study, study_file, runs):
    small = make_plan(study_file, recipe={"batch_size": 64})
    for each, marked in ((study, True), (small, False)):
        context = Context.of(each, runs, "command")
        (part,) = compose(with_sections(context, Section(kind="sweeps")))
        figure = next(f for block in part.blocks if isinstance(block, Figures) for f in block.figures)
        assert ("reported" in figure.svg) == marked


def test_the_last_epoch_of_a_contender_that_chooses_on_test(runs):
    """The report's last-epoch figure is not held against the epoch that was picked on the test set."""
    ours = [run for run in runs if run.spec.contender == "baseline" and run.status == "finished"]
    text, _ = judge("test_accuracy", 0.5, ours)
    mean = np.mean([run.history[-1]["test_accuracy"] for run in ours])
    assert text.startswith(f"{100 * mean:.2f} %")


def test_training_is_drawn_by_step_also_of_a_single_epoch(tmp_path, study, write_run):
    """A line for each contender, though no epoch has another to be joined to."""
    one = study.model_copy(
        update={
            "contenders": tuple(
                c.model_copy(update={"recipe": c.recipe.model_copy(update={"epochs": 1})})
                for c in study.contenders
                if c.name in ("conv", "logistic")
            ),
            "sweeps": (),
        }
    )
    runs = [write_run(spec, tmp_path, skill=5.0) for spec in one.specs()]
    context = Context.of(one, runs, "command")
    (part,) = compose(with_sections(context, Section(kind="curves")))
    figures = [figure for block in part.blocks if isinstance(block, Figures) for figure in block.figures]
    assert [figure.name for figure in figures] == ["curves-train-loss-step", "curves-train-accuracy-step"]
    assert all({f"line s{i}" in figure.svg for i in (1, 2)} == {True} for figure in figures)


def test_a_study_names_who_is_drawn_beside_the_choice(study, runs):
    """ROC curves, classes and train against validation, of those that the report drew them of."""
    named = {"roc": ["logistic"], "per_class": ["logistic", "conv"], "curves": ["logistic"]}
    shown = study.model_copy(update={"shown": named})
    context = Context.of(shown, runs, "command")
    best = context.findings.selected.name
    parts = {part.kind: part for part in compose(context)}
    figures = {
        kind: [figure.name for block in parts[kind].blocks if isinstance(block, Figures) for figure in block.figures]
        for kind in ("roc", "curves", "sweeps")
    }
    assert figures["roc"] == [f"roc-{best}", "roc-logistic"]
    assert figures["curves"][-4:] == [f"curves-{n}-{v}" for n in (best, "logistic") for v in ("accuracy", "loss")]
    assert figures["sweeps"] == ["sweeps-learning-rate", "sweeps-learning-rate-by-step"]
    table = next(block for block in parts["per_class"].blocks if isinstance(block, Table))
    assert [head.label.split()[0] for head in table.columns[2:5]] == [best, "logistic", "conv"]
    assert table.note.endswith("Shown: 4 of 5 contenders.")


def test_a_class_has_an_interval_for_new_seeds_and_new_images_of_it(study, runs):
    """As every other accuracy: of the class's images alone, each of which three seeds have answered."""
    context = Context.of(study, runs, "command")
    (table,) = compose(with_sections(context, Section(kind="per_class", of=("conv",))))[0].blocks
    group = context.finished["conv"]
    for k, row in enumerate(table.rows):
        right = np.stack([correct(run)[run.labels("test") == k] for run in group])
        estimated = decide({"conv": right}).estimates["conv"]
        assert interval(estimated) in row[-1].dots[0].title
    assert "new seeds and new images of the class" in table.note


def test_a_class_of_one_test_image_leaves_its_accuracy_open(study, tmp_path, write_run):
    labels = np.repeat([0, 1, 2], [1, 499, 500])
    some = [
        write_run(spec, tmp_path, skill=5.0, test_labels=labels) for spec in study.specs() if spec.contender == "conv"
    ]
    context = Context.of(study, some, "command")
    (table,) = compose(with_sections(context, Section(kind="per_class", of=("conv",))))[0].blocks
    assert "[0.00, 100.00]" in table.rows[0][-1].dots[0].title


def test_intervals_of_single_runs_are_told_apart_from_those_of_contenders(study, runs, context):
    alone = [run for run in runs if run.spec.seed == 0]
    single = Context.of(study, alone, "command")
    for kind, place in (("significance", 1), ("hypotheses", -1)):
        for each, is_single in ((single, True), (context, False)):
            block = compose(with_sections(each, Section(kind=kind)))[0].blocks[place]
            caption = block.note if isinstance(block, Table) else block.text
            assert ("for new images alone, of these runs" in caption) == is_single


def test_who_is_shown_in_no_section_is_refused(study):
    with pytest.raises(UsageError, match=r"\[shown\]: no section 'rok' \(closest: roc"):
        check_sections(study.model_copy(update={"shown": {"rok": ["conv"]}}))


def test_train_and_validation_are_two_lines_of_one_figure(context):
    (part,) = compose(with_sections(context, Section(kind="curves", of=("conv",))))
    figures = {
        figure.name: figure.svg for block in part.blocks if isinstance(block, Figures) for figure in block.figures
    }
    drawn = figures["curves-conv-accuracy"]
    assert "<title>train</title>" in drawn
    assert "<title>validation</title>" in drawn


def test_a_sweep_is_drawn_by_step_a_line_a_point(context):
    (part,) = compose(with_sections(context, Section(kind="sweeps")))
    figures = {
        figure.name: figure.svg for block in part.blocks if isinstance(block, Figures) for figure in block.figures
    }
    drawn = figures["sweeps-learning-rate-by-step"]
    assert {label for label in ("0.001", "0.01", "100.0") if f"<title>{label}</title>" in drawn} == {"0.001", "0.01"}


PLUGIN = """
from bakeoff.report.render.blocks import Paragraph

def largest_model(context):
    "Who has most parameters."
    most = max(context.contenders, key=lambda contender: contender.parameters)
    return [Paragraph(f"{most.name} is the largest.")]

SECTIONS = {"largest": largest_model}
"""


def test_a_plug_ins_section_stands_on_the_page(context, tmp_path, monkeypatch):
    monkeypatch.setattr(plugins, "FILES", {})
    (tmp_path / "extra.py").write_text(PLUGIN)
    plugins.load_plugin(tmp_path / "extra.py")
    part = compose(context)[-1]
    assert (part.anchor, part.title) == ("extra-largest", "Largest model")
    assert part.blocks == [Paragraph("resnet20 is the largest.")]
    (part,) = compose(with_sections(context, Section(kind="extra:largest", of=("conv", "logistic"), title="Size")))
    assert (part.title, part.blocks) == ("Size", [Paragraph("conv is the largest.")])


def test_a_study_of_an_earlier_version_has_its_leaderboard(context, study):
    (part,) = compose(with_sections(context, Section(kind="league")))
    assert part.kind == "leaderboard"
    with pytest.raises(UsageError, match="section 'league' is now called 'leaderboard'"):
        check_sections(study.model_copy(update={"sections": (Section(kind="league"),)}))
