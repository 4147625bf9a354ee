"""`--minutes`: what fits is trained, what does not is skipped and named, and the same command goes on."""

import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bakeoff
from bakeoff.engines.work import Work
from bakeoff.record import find_runs, read_run, status
from bakeoff.spec.plan import make_plan
from bakeoff.spec.study_file import parse_study
from bakeoff.studies import cost, runner

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
    for module in (runner, cost):
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
    ended, uncut = find_runs(tmp_path / "tiny"), find_runs(tmp_path / "at once")
    assert [path.name for path in ended] == [path.name for path in uncut]
    for resumed, uninterrupted in zip(map(read_run, ended), map(read_run, uncut), strict=True):
        assert np.array_equal(resumed.logits("test"), uninterrupted.logits("test")), resumed.path.name


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


def time_limit(monkeypatch: pytest.MonkeyPatch, until: float, seconds: dict[str, float]) -> tuple[Any, dict[str, Work]]:
    """A limit and the works of the second seed by contender; `seconds` are what the first seeds took, at time 0."""
    monkeypatch.setattr(cost, "time", types.SimpleNamespace(monotonic=lambda: 0.0))
    monkeypatch.setattr(cost, "_seconds", lambda path, _on_cpu: seconds.get(path.name.removesuffix("0")))
    plan = make_plan(parse_study(STUDY, "tiny", "tiny.toml"))
    works = [Work(spec, Path(f"{spec.contender}{spec.seed}")) for spec in plan.specs()]
    costs = {"long": cost.Cost(5_000_000, 100), "both": cost.Cost(0, 0), "short": cost.Cost(1_000_000, 300)}
    limit = cost.TimeLimit(until, [work for work in works if work.spec.seed], costs, "cpu")
    for work in works:
        if not work.spec.seed:
            limit.end(work)
    return limit, {work.spec.contender: work for work in works if work.spec.seed}


def test_a_run_begins_if_it_would_end_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    limit, works = time_limit(monkeypatch, 40.0, {"long": 60.0, "short": 30.0})
    assert {name for name, work in works.items() if limit.fits(work)} == {"both", "short"}


def test_while_nothing_is_known_the_cheapest_run_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    limit, works = time_limit(monkeypatch, 40.0, {})
    del limit.waiting[works["both"].path]
    assert {name for name, work in works.items() if limit.fits(work)} == {"both", "short"}
    limit.end(works["short"])  # without a result
    assert {name for name, work in works.items() if limit.fits(work)} == {"both", "long"}


def test_seconds_are_fitted_to_what_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: 0.1 s a step and 2 s a million multiply-adds; a contender's own seeds win over the fit."""
    limit, works = time_limit(monkeypatch, 40.0, {"long": 20.0, "short": 32.0})
    assert limit.seconds(works["long"]) == 20.0
    limit.costs["third"] = cost.Cost(10_000_000, 50)
    third = Work(works["long"].spec.model_copy(update={"contender": "third"}), Path("third"))
    assert limit.seconds(third) == pytest.approx(25.0)
    assert time_limit(monkeypatch, 40.0, {})[0].seconds(third) is None


def test_minutes_and_seeds_added_until_decided_exclude_each_other(run_text: RunText) -> None:
    with pytest.raises(bakeoff.UsageError, match="minutes and until_decided cannot go together"):
        run_text(STUDY, minutes=5, until_decided=True)
