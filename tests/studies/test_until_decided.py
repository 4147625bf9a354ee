"""Studies that go beyond their own seeds: the selected contender on fresh ones, and seeds added until decided."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import bakeoff
from bakeoff.cli import bakeoff as command
from bakeoff.record import find_runs, read_run
from bakeoff.spec.plan import make_plan
from bakeoff.spec.study_file import load_study, parse_study
from bakeoff.studies import reports
from bakeoff.studies.sequential import on_fresh_seeds, until_decided

STUDY = """
title = "Tiny"
question = "Which of two linear models?"
dataset = "digits"
images = 300
seeds = 2
confirm = true
[recipe]
epochs = 2
batch_size = 16
[contenders.slow]
model = "logistic"
lr = 0.001
[contenders.quick]
model = "logistic"
lr = 0.02
"""
BOTH = '[contenders.both]\nensemble = ["slow", "quick"]\n'


@pytest.fixture(scope="module")
def confirmed(tmp_path_factory):
    """(folder, summary) of a study whose selected contender is trained again on fresh seeds."""
    out = tmp_path_factory.mktemp("confirmed")
    return out, bakeoff.run_study(parse_study(STUDY, "tiny", "tiny.toml"), out=out, jobs=1)


def runs_of(folder: Path, contender: str) -> dict[int, bakeoff.Run]:
    runs = [read_run(path) for path in find_runs(folder)]
    return {run.spec.seed: run for run in runs if run.spec.contender == contender}


def test_the_selected_contender_is_trained_again_on_the_seeds_after_the_studys(confirmed):
    out, summary = confirmed
    (confirmation,) = summary["confirmation"]
    runs = runs_of(out, confirmation["contender"])
    assert confirmation["contender"] == "quick"
    assert sorted(runs) == [0, 1, 2, 3]
    assert confirmation["seeds"] == [2, 3]
    right = [runs[seed].logits("test").argmax(1) == runs[seed].labels("test") for seed in (2, 3)]
    assert confirmation["test_accuracy"]["mean"] == pytest.approx(np.mean(right))
    assert sorted(runs_of(out, "slow")) == [0, 1], "nobody else is trained again"
    assert {c["n"] for c in summary["contenders"]} == {2}, "verdicts and leaderboard are of the study's own seeds"


def test_a_report_rendered_again_and_the_same_command_keep_the_fresh_runs(confirmed):
    out, summary = confirmed
    assert reports.report(out / "tiny")[out / "tiny" / "full"]["confirmation"] == summary["confirmation"]
    trained: list[str] = []
    again = bakeoff.run_study(parse_study(STUDY, "tiny", "tiny.toml"), out=out, jobs=1, done=trained.append)
    assert trained == []
    assert again["confirmation"] == summary["confirmation"]
    assert "(2 of 2 fresh runs trained;" in (out / "tiny" / "full" / "report.md").read_text()


def test_without_confirm_nothing_more_is_trained_and_the_page_says_of_which_runs_it_speaks(tmp_path):
    text = STUDY.replace("confirm = true\n", "")
    summary = bakeoff.run_study(parse_study(text, "tiny", "tiny.toml"), out=tmp_path, jobs=1)
    assert summary["confirmation"] == []
    assert len(find_runs(tmp_path)) == 4
    assert "These runs selected it, which may flatter it" in summary["answer"]


@pytest.mark.parametrize(
    ("confirm", "scale", "seeds", "confirms"),
    [
        (None, "full", None, True),
        (None, "small", None, False),
        (False, "full", None, False),
        (True, "small", None, True),
        (None, "full", 1, False),
    ],
)
def test_the_full_scale_confirms_unless_it_is_overridden_or_says_otherwise(confirm, scale, seeds, confirms):
    study = parse_study(STUDY.replace("confirm = true\n", "") + "[scales.small]\nseeds = 2\n", "tiny", "tiny.toml")
    assert make_plan(study.model_copy(update={"confirm": confirm}), scale, seeds=seeds).confirms is confirms
    alone = parse_study(STUDY.replace("confirm = true\n", ""), "tiny", "tiny.toml")
    assert not make_plan(alone).confirms, "a study without scales has no full one"


def test_a_selected_ensemble_on_fresh_seeds_brings_its_members():
    study = make_plan(parse_study(STUDY + BOTH, "tiny", "tiny.toml"))
    mean = {"slow": 0.1, "quick": 0.2, "both": 0.3}
    contenders = [
        {"name": name, "dataset": "digits", "selects_on_test": False, "trains_on_test": False, "parameters": 1}
        | {"test_accuracy": {"mean": 0.5}, "validation_accuracy": {"mean": value}}
        for name, value in mean.items()
    ]
    fresh = on_fresh_seeds(study, {"contenders": contenders})
    assert [(spec.contender, spec.seed) for spec in fresh.specs()] == [
        (name, seed) for name in ("slow", "quick", "both") for seed in (2, 3)
    ]
    assert on_fresh_seeds(study, {"contenders": contenders[:1]}) is None, "nobody to choose from"


@pytest.fixture(scope="module")
def adding(tmp_path_factory):
    """(folder, summary) of a study that adds seeds until it is decided."""
    out = tmp_path_factory.mktemp("adding")
    text = (
        STUDY.replace("confirm = true\n", "")
        .replace("images = 300", "images = 1000")
        .replace("epochs = 2", "epochs = 4")
    )
    text += (
        BOTH + '[contenders.twin]\nmodel = "logistic"\nlr = 0.019\n[contenders.lost]\nmodel = "logistic"\nlr = 1e-9\n'
    )
    (out / "tiny.toml").write_text(text)
    arguments = ["run", str(out / "tiny.toml"), "--out", str(out), "--until-decided", "--max-seeds", "4", "--json"]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    return out, json.loads(done.stdout)


def test_seeds_are_added_where_they_can_decide_and_nowhere_else(adding):
    out, summary = adding
    seeds = {name: len(runs_of(out, name)) for name in ("slow", "quick", "both", "twin", "lost")}
    enough = summary["enough"]
    assert enough["lost"] == "untrained"
    assert set(seeds.values()) <= {3, 4}
    assert seeds["lost"] == 3
    for name, reason in enough.items():
        assert (seeds[name] == 4) == (reason == "seeds") or name in ("slow", "quick"), "members go with their ensemble"
    assert {c["name"]: c["n"] + c["failed"] for c in summary["contenders"]} == seeds
    assert "Seeds were added until decided" in summary["answer"]
    assert "none of their runs trained (lost)" in summary["answer"]
    manifest = json.loads((out / "tiny" / "full" / "manifest.json").read_text())
    assert "--until-decided --max-seeds 4" in manifest["command"]


def test_the_verdicts_spend_what_is_left_of_the_level(adding):
    _, summary = adding
    looks = {3: 0.01, 4: 0.04}
    assert summary["level"] == pytest.approx(looks[max(c["n"] for c in summary["contenders"])])
    for pair in summary["comparisons"]:
        significant = pair["p_adjusted"] is not None and pair["p_adjusted"] < summary["level"]
        assert significant == (pair["verdict"] in ("better", "worse"))


def test_looks_do_not_see_the_test_split(adding):
    """Whatever the test labels are, the same seeds are trained."""
    out, _ = adding
    plan = json.loads((out / "tiny" / "full" / "manifest.json").read_text())["plan"]
    seeds_trained = []

    def train(part):
        seeds_trained.append(dict(part.seeds_each))
        return part

    def read(part):
        runs = [run for path in find_runs(out) for run in [read_run(path)]]
        kept = [run for run in runs if run.spec.seed < part.seeds_each[run.spec.contender]]
        for run in kept:
            run.arrays["test_labels"] = (run.labels("test") + 1) % 10
        return kept

    after, _ = until_decided(make_plan(load_study(out / "tiny.toml")), 4, train, read)
    assert after.seeds_each == plan["seeds_each"]
    assert seeds_trained[0] == dict.fromkeys(plan["seeds_each"], 3)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--max-seeds", "4"], "--max-seeds goes with --until-decided"),
        (["--until-decided", "--seeds", "3"], "until_decided adds seeds by itself"),
        (["--until-decided", "--max-seeds", "1"], "2"),
    ],
)
def test_what_cannot_be_asked_for_together(tmp_path, options, sentence):
    (tmp_path / "tiny.toml").write_text(STUDY)
    done = CliRunner().invoke(command, ["run", str(tmp_path / "tiny.toml"), "--out", str(tmp_path), *options])
    assert done.exit_code != 0
    assert sentence in str(done.exception) + done.output
    assert find_runs(tmp_path) == []
