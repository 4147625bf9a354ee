"""Every section has something to show of a full study, and says so where it has nothing."""

import dataclasses

import numpy as np
import pytest

from bakeoff.errors import UsageError
from bakeoff.reports import tables
from bakeoff.reports.blocks import Figures, Gallery, Table, Words
from bakeoff.reports.contenders import judge
from bakeoff.reports.context import Context
from bakeoff.reports.sections import SECTIONS, check_sections, compose
from bakeoff.study import Section


@pytest.fixture(scope="module")
def context(study, runs):
    return Context.of(study, runs, tables.summarise(study, runs), "bakeoff run small-digits")


def with_sections(context: Context, *sections: Section) -> Context:
    return dataclasses.replace(context, study=context.study.model_copy(update={"sections": sections}))


def rows(part, column: str) -> list[str]:
    """A column of the part's first table."""
    table = next(block for block in part.blocks if isinstance(block, Table))
    place = [head.label for head in table.heads].index(column)
    return [row[place].text for row in table.rows]


@pytest.mark.parametrize("kind", SECTIONS)
def test_every_section_shows_something(context, kind):
    (part,) = compose(with_sections(context, Section(kind=kind)))
    assert part.title == SECTIONS[kind][0]
    assert any(isinstance(block, Table | Figures | Gallery) for block in part.blocks)
    for block in part.blocks:
        if isinstance(block, Table):
            assert {len(row) for row in block.rows} == {len(block.heads)}


@pytest.mark.parametrize("kind", sorted(SECTIONS.keys() - {"environment"}))
def test_a_section_that_is_asked_for_and_empty_says_so(study, kind):
    context = Context.of(study, [], tables.summarise(study, []), "command")
    assert [part.kind for part in compose(context)] == ["environment"]
    (part,) = compose(with_sections(context, Section(kind=kind)))
    assert part.blocks == [Words("There is nothing to show here yet.")]


def test_by_default_sections_stand_in_the_tables_order(context):
    assert [part.kind for part in compose(context)] == list(SECTIONS)


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


@pytest.mark.parametrize("kind", ["league", "train_test", "cost", "runs"])
def test_a_section_is_of_the_contenders_it_names(context, kind):
    (part,) = compose(with_sections(context, Section(kind=kind, of=("conv", "logistic"))))
    assert {name.split(" ")[0] for name in rows(part, "contender")} == {"conv", "logistic"}


def test_unknown_sections_and_contenders_name_the_closest(study):
    for section, message in [
        (Section(kind="leage"), "study small-digits: no section 'leage' (closest: league)"),
        (Section(kind="roc", of=("resnet2",)), "no contender 'resnet2' (closest: resnet20)"),
    ]:
        with pytest.raises(UsageError) as caught:
            check_sections(study.model_copy(update={"sections": (section,)}))
        assert message in str(caught.value)


def test_reported_figures_are_judged(context):
    part = next(part for part in compose(context) if part.kind == "reported")
    found = dict(
        zip(zip(rows(part, "contender"), rows(part, "figure"), strict=True), rows(part, "verdict"), strict=True)
    )
    assert found["baseline", "test accuracy"] == "exceeded"
    assert found["conv", "test accuracy"] == "not reproduced"
    assert found["conv", "parameters"] == "not reproduced"
    assert found["conv", "seconds"] == "not comparable: another machine"
    assert found["learning-rate: lr=0.01", "test accuracy"] == "not reproduced"
    assert len(found) == len(rows(part, "verdict")) == 6


def fake(run, accuracy: float, **metrics: float):
    return dataclasses.replace(run, metrics={"test_accuracy": accuracy, **metrics})


def test_one_more_run_is_reproduced_nineteen_times_in_twenty(runs):
    rng = np.random.default_rng(0)
    verdicts = []
    for values in rng.normal(0.97, 0.002, (2000, 4)):
        ours = [fake(run, float(v)) for run, v in zip(runs[:3], values[:3], strict=True)]
        verdicts.append(judge("test_accuracy", float(values[3]), ours, comparable=True)[1])
    assert verdicts.count("reproduced") / 2000 == pytest.approx(0.95, abs=0.015)
    assert verdicts.count("exceeded") / 2000 == pytest.approx(0.025, abs=0.01)


def test_less_error_and_less_loss_exceed(runs):
    ours = [
        fake(run, 0.9, train_accuracy=0.99 + i / 1e4, validation_loss=0.1 + i / 1e4) for i, run in enumerate(runs[:3])
    ]
    assert judge("train_error", 0.05, ours, comparable=True)[1] == "exceeded"
    assert judge("train_error", 0.001, ours, comparable=True)[1] == "not reproduced"
    assert judge("loss", 0.2, ours, comparable=True)[1] == "exceeded"


def test_seeds_that_spread_widely_reproduce_nothing(runs):
    """A prediction interval of two far seeds would call any figure reproduced."""
    ours = [fake(run, accuracy) for run, accuracy in zip(runs[:2], (0.2, 0.6), strict=True)]
    assert judge("test_accuracy", 0.97, ours, comparable=True)[1].startswith("not decidable")


def test_what_cannot_be_compared_is_not(runs):
    ours = [run for run in runs if run.spec.contender == "conv"]
    cut = judge("test_accuracy", 0.5, ours, comparable=False)
    assert cut[1] == "not comparable: this scale is cut"
    assert judge("test_accuracy", 0.5, ours, comparable=True)[1] == "exceeded"
    assert judge("best_test_accuracy", 0.9, ours, comparable=True)[1] == "not comparable: it was chosen on the test set"
    theirs = [run for run in runs if run.spec.contender == "baseline" and run.status == "finished"]
    assert judge("best_test_accuracy", 0.5, theirs, comparable=True)[1] == "exceeded"


def test_the_worst_mistakes_are_wrong_in_the_seeds_they_say(context, runs):
    gallery = next(b for p in compose(context) if p.kind == "mistakes" for b in p.blocks if isinstance(b, Gallery))
    assert len(gallery.items) == 24
    assert all(item.png.startswith(b"\x89PNG") for item in gallery.items)
    chosen = [run for run in runs if run.spec.contender == "resnet20"]
    right = np.array([run.logits("test").argmax(axis=1) == run.labels("test") for run in chosen])
    kept = sorted({int(i) for run in chosen for i in run.arrays["mistake_index"]}, key=lambda i: right[:, i].sum())
    counts = [3 - int(right[:, i].sum()) for i in kept[:24]]
    assert [item.lines[2] for item in gallery.items] == [f"wrong: {count} of 3 seeds" for count in counts]


def test_a_contender_that_selects_on_test_is_marked_and_explained(context):
    part = next(part for part in compose(context) if part.kind == "league")
    marked = [name for name in rows(part, "contender") if "†" in name]
    assert marked == ["baseline (as reported) †"]
    assert "† picks its epoch by test accuracy" in next(b.caption for b in part.blocks if isinstance(b, Table))


def test_the_last_epoch_of_a_contender_that_chooses_on_test(runs):
    """The report's last-epoch figure is not held against the epoch that was picked on the test set."""
    ours = [run for run in runs if run.spec.contender == "baseline" and run.status == "finished"]
    said, _ = judge("test_accuracy", 0.5, ours, comparable=True)
    mean = np.mean([run.history[-1]["test_accuracy"] for run in ours])
    assert said.startswith(f"{100 * mean:.2f} %")


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
    runs = [write_run(spec, tmp_path, skill=5.0) for spec in one.runs()]
    context = Context.of(one, runs, tables.summarise(one, runs), "command")
    (part,) = compose(with_sections(context, Section(kind="curves")))
    figures = [figure for block in part.blocks if isinstance(block, Figures) for figure in block.figures]
    assert [figure.name for figure in figures] == ["curves-train-loss-step", "curves-train-accuracy-step"]
    assert all({f"line s{i}" in figure.svg for i in (1, 2)} == {True} for figure in figures)
