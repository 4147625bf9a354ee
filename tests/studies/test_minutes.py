"""`--minutes`: what fits is trained, what does not is skipped and named, and the same command goes on."""

import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bakeoff
from bakeoff.engines.execute import Work
from bakeoff.record import find_runs, read_run, status
from bakeoff.spec.plan import make_plan
from bakeoff.spec.study_file import parse_study
from bakeoff.studies import cost, runner, trainer

RunText = Callable[..., dict[str, Any]]
STUDY = """
title = "Tiny"
question = "Which of three?"
dataset = "digits"
images = 200
seeds = 2
[recipe]
epochs = 1
batch_size = 20
[contenders.long]
model = "logistic"
epochs = 3
[contenders.both]
ensemble = ["long", "short"]
[contenders.short]
model = "logistic"
"""
GOES_ON = "no finished record within the time given; the same command goes on"


def test_what_cannot_end_in_time_is_skipped_and_named(
    run_text: RunText, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cost, "_seconds", lambda _path, _on_cpu: 1000.0)
    with pytest.warns(UserWarning, match=f"^long, seeds 0, 1; both, seeds 0, 1; short, seed 1: {GOES_ON}"):
        summary = run_text(STUDY, minutes=5)
    assert {c["name"]: c["n"] for c in summary["contenders"]} == {"long": 0, "both": 0, "short": 1}, (
        "the cheapest tells"
    )
    assert summary["overrides"] == ["1 of 6 runs"]
    assert "This is a part of the study: 1 of 6 runs." in summary["answer"]
    monkeypatch.undo()
    whole = run_text(STUDY, minutes=30)
    assert [c["n"] for c in whole["contenders"]] == [2, 2, 2]
    assert whole["overrides"] == []
    assert GOES_ON not in (tmp_path / "tiny" / "full" / "report.md").read_text()


class Clock:
    """A second passes whenever someone looks at it: training stops after a number of steps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 1
        return self.now


def test_a_run_that_the_time_cuts_off_ends_in_the_same_bits(
    run_text: RunText, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = types.SimpleNamespace(monotonic=Clock().monotonic)
    for module in (runner, trainer):
        monkeypatch.setattr(module, "time", clock)
    with pytest.warns(UserWarning, match=GOES_ON):
        run_text(STUDY, minutes=0.5)  # 25 looks at the clock
    assert {path.name.rsplit("-", 1)[0]: status(path) for path in find_runs(tmp_path)} == {
        "long-seed0": "running",
        "short-seed0": "finished",
    }
    monkeypatch.undo()
    run_text(STUDY, minutes=30)
    run_text(STUDY, out=tmp_path / "at once")
    ended, at_once = find_runs(tmp_path / "tiny"), find_runs(tmp_path / "at once")
    assert [path.name for path in ended] == [path.name for path in at_once]
    for one, other in zip(map(read_run, ended), map(read_run, at_once), strict=True):
        assert np.array_equal(one.logits("test"), other.logits("test")), one.path.name


def test_what_hypotheses_name_comes_first_seed_after_seed() -> None:
    text = STUDY.replace("[contenders.short]", '[contenders.other]\nmodel = "logistic"\nlr = 0.1\n[contenders.short]')
    text += '[[hypotheses]]\nsays = "x"\nsource = "ours"\nbetter = "both"\nworse = "short"\n'
    plan = make_plan(parse_study(text, "tiny", "tiny.toml"))
    works = [Work(spec, Path(f"{spec.contender}{spec.seed}")) for spec in plan.specs()]
    costs = {c.name: cost.Cost(100 if c.name == "long" else 10, 1) for c in plan.contenders}
    order = [work.path.name for work in cost.in_order(works, plan, costs, by_seed=True)]
    assert order == ["long0", "short0", "both0", "long1", "short1", "both1", "other0", "other1"]
    order = [work.path.name for work in cost.in_order(works, plan, costs)]
    assert order == ["long0", "long1", "other0", "other1", "short0", "short1", "both0", "both1"]


def test_what_is_chosen_fits_with_all_that_it_needs() -> None:
    plan = make_plan(parse_study(STUDY, "tiny", "tiny.toml"))
    works = [Work(spec, Path(f"{spec.contender}{spec.seed}")) for spec in plan.specs() if not spec.seed]
    long, both, short = works
    both = Work(both.spec, both.path, (long.path, short.path))
    seconds = {long.path: 60.0, both.path: 0.0, short.path: 30.0}
    for left, jobs, names in (
        (100, 1, {"long0", "both0", "short0"}),
        (70, 1, {"long0"}),
        (40, 2, {"short0"}),
        (10, 9, set()),
    ):
        assert {work.path.name for work in cost.fitting([long, both, short], seconds, left, jobs)} == names


def test_seconds_are_fitted_to_what_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: 0.1 s a step and 2 s a million multiply-adds; a contender's own seeds win over the fit."""
    plan = make_plan(parse_study(STUDY, "tiny", "tiny.toml"))
    works = {spec.contender: Work(spec, Path(spec.contender)) for spec in plan.specs() if spec.seed == 1}
    costs = {"long": cost.Cost(5_000_000, 100), "both": cost.Cost(0, 0), "short": cost.Cost(1_000_000, 300)}
    measured = {Path("long"): 20.0, Path("short"): 32.0}
    monkeypatch.setattr(cost, "_seconds", lambda path, _on_cpu: measured.get(path))
    assert cost.estimates([works["long"]], costs, works.values(), "cpu") == {Path("long"): 20.0}
    costs["other"] = cost.Cost(10_000_000, 50)
    other = Work(works["long"].spec.model_copy(update={"contender": "other"}), Path("other"))
    assert cost.estimates([other], costs, works.values(), "cpu")[Path("other")] == pytest.approx(25.0)
    assert cost.estimates([other], costs, [], "cpu") == {}


def test_minutes_and_seeds_added_until_decided_exclude_each_other(run_text: RunText) -> None:
    with pytest.raises(bakeoff.UsageError, match="minutes and until_decided cannot go together"):
        run_text(STUDY, minutes=5, until_decided=True)
