"""The bench that trains the studies piece by piece: it stops in time, says what is missing, and goes on."""

import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

import bakeoff
from bakeoff.record import find_runs, read_run, status

BENCH = Path(__file__).parent.parent / "bench"
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
[[sections]]
kind = "leaderboard"
"""


class Clock:
    """A second passes whenever someone looks at it: training stops after a number of steps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCH))
    import gpu_studies

    monkeypatch.setattr(gpu_studies, "time", types.SimpleNamespace(monotonic=Clock().monotonic))
    return gpu_studies


def call(bench: Any, monkeypatch: pytest.MonkeyPatch, folder: Path, minutes: float) -> int:
    words = ["--studies", str(folder / "tiny.toml"), "--work", str(folder / "runs"), "--out", str(folder / "results")]
    options = ["--device", "cpu", "--jobs", "1", "--minutes", str(minutes)]
    monkeypatch.setattr(sys, "argv", ["gpu_studies.py", *words, *options])
    return int(bench.main())


def test_it_stops_says_what_is_missing_and_goes_on(
    bench: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny.toml").write_text(STUDY)
    kept = tmp_path / "results" / "tiny" / "full"

    assert call(bench, monkeypatch, tmp_path, minutes=0.5) == 0  # 20 looks at the clock for training
    ended = [line.split("/")[1].rsplit("-", 1)[0] for line in capsys.readouterr().out.splitlines() if " s  " in line]
    assert ended == ["short-seed0"]
    assert [status(path) for path in find_runs(tmp_path / "runs") if "long-seed0" in path.name] == ["running"]
    summary = json.loads((kept / "summary.json").read_text())
    assert {c["name"]: c["n"] for c in summary["contenders"]} == {"long": 0, "both": 0, "short": 1}
    assert summary["cuts"] == ["1 of 6 runs"]
    assert "long, seeds 0, 1: no finished record" in (kept / "report.md").read_text()

    assert call(bench, monkeypatch, tmp_path, minutes=1000) == 0
    ended = [line.split("/")[1].rsplit("-", 1)[0] for line in capsys.readouterr().out.splitlines() if " s  " in line]
    assert ended == ["long-seed0", "both-seed0", "short-seed1", "long-seed1", "both-seed1"]
    assert json.loads((kept / "summary.json").read_text())["cuts"] == []
    assert "no finished record" not in (kept / "report.md").read_text()

    bakeoff.run_study(str(tmp_path / "tiny.toml"), out=tmp_path / "whole", jobs=1, device="cpu")
    found, whole = find_runs(tmp_path / "runs"), find_runs(tmp_path / "whole")
    assert [path.name for path in found] == [path.name for path in whole]
    for one, other in zip(map(read_run, found), map(read_run, whole), strict=True):
        assert np.array_equal(one.logits("test"), other.logits("test")), one.path.name


def test_the_kept_logits_say_what_the_records_say(bench: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(STUDY)
    call(bench, monkeypatch, tmp_path, minutes=1000)
    file = tmp_path / "results" / "tiny" / "full" / "logits.npz"
    runs = [read_run(path) for path in find_runs(tmp_path / "runs")]
    with np.load(file) as kept:
        assert len(kept) == 2 * len(runs) + 2
        for run in runs:
            for split in ("validation", "test"):
                logits = kept[f"{run.spec.contender}/{run.spec.seed}/{split}"].astype(np.float32)
                assert np.array_equal(logits.argmax(1), run.logits(split).argmax(1))
                assert np.allclose(softmax(logits, 1), softmax(run.logits(split), 1), atol=0.002)
                assert np.array_equal(kept[f"digits/{split}"], run.labels(split))
    of_a_run = sum(run.logits(split).size * 2 for split in ("validation", "test") for run in runs[:1])
    assert bench.write_logits(runs, file, 4 * of_a_run) == 3, "labels count too"
    with np.load(file) as kept:
        assert {name.split("/")[1] for name in kept if not name.startswith("digits/")} == {"0"}


def test_what_has_no_data_is_left_out_and_named(
    bench: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BAKEOFF_DATA", str(tmp_path / "nothing"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "nothing"))
    extra = '[contenders.far]\nmodel = "logistic"\ndataset = "cifar10"\n[contenders.far-too]\nensemble = ["far"]\n'
    extra += 'dataset = "cifar10"\n[contenders.heavy]\nmodel = "resnet34"\nweights = "imagenet"\n'
    (tmp_path / "tiny.toml").write_text(STUDY + extra)
    assert call(bench, monkeypatch, tmp_path, minutes=1000) == 0
    said = capsys.readouterr().out
    assert "tiny: left out: cifar10: there is no" in said
    assert "tiny, heavy: left out: weights 'imagenet'" in said
    summary = json.loads((tmp_path / "results" / "tiny" / "full" / "summary.json").read_text())
    assert [c["name"] for c in summary["contenders"]] == ["long", "both", "short"]
    assert summary["cuts"] == ["3 of 6 contenders"]
