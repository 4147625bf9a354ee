"""How a study's runs are executed: side by side, beside other processes, and after workers that were killed."""

from pathlib import Path

import pytest

import bakeoff
from bakeoff.record import find_runs, read_run
from bakeoff.studies import engines
from bakeoff.study import parse_study

STUDY = """
title = "Tiny"
question = "Which of two linear models?"
dataset = "digits"
images = 200
seeds = 2
[recipe]
epochs = 1
[contenders.slow]
model = "logistic"
lr = 0.0001
[contenders.quick]
model = "logistic"
lr = 0.01
"""


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (8, 1), (15, 1), (16, 2), (64, 8)])
def test_threads_depend_on_the_machine_alone(monkeypatch: pytest.MonkeyPatch, cores: int, threads: int) -> None:
    monkeypatch.setattr(engines, "cores", lambda: cores)
    assert engines.default_threads() == threads
    assert engines.default_jobs("cpu", 100, threads) == min(cores, 8)
    assert engines.default_jobs("cpu", 1, threads) == 1
    assert engines.default_jobs("cuda", 100, threads) == 1


def test_a_run_is_the_same_however_many_are_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One seed or two, one worker or two: the same name holds the same bits; --threads is recorded."""
    monkeypatch.setattr(engines, "cores", lambda: 2)
    study = parse_study(STUDY, "tiny", "tiny.toml")
    bakeoff.run_study(study, out=tmp_path / "one", seeds=1, only="quick")
    bakeoff.run_study(study, out=tmp_path / "jobs", jobs=2)
    bakeoff.run_study(study, out=tmp_path / "told", seeds=1, only="quick", threads=2)
    (one,), (told,) = find_runs(tmp_path / "one"), find_runs(tmp_path / "told")
    beside = tmp_path / "jobs" / "tiny" / one.name
    assert (one / "predictions.npz").read_bytes() == (beside / "predictions.npz").read_bytes()
    assert [read_run(path).environment["threads"] for path in (one, beside, told)] == [1, 1, 2]
