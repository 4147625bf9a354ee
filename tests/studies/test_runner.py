"""Studies end to end through the Python surface, on the embedded digits."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import bakeoff
from bakeoff.record import find_runs, read_run
from bakeoff.reports.sections import SECTIONS
from bakeoff.studies import runner
from bakeoff.studies.engines import default_jobs
from bakeoff.studies.runner import find_study, published_studies
from bakeoff.study import parse_study

STUDY = """
# bakeoff run tiny.toml
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


def test_only_what_changed_is_trained_again(tmp_path: Path) -> None:
    trained: list[str] = []
    before = parse_study(STUDY, "tiny", "tiny.toml")
    bakeoff.run_study(before, out=tmp_path, jobs=1, done=trained.append)
    assert len(trained) == 4
    trained.clear()
    after = parse_study(STUDY.replace("lr = 0.01", "lr = 0.02").replace('"Tiny"', '"Renamed"'), "tiny", "tiny.toml")
    summary = bakeoff.run_study(after, out=tmp_path, jobs=1, done=trained.append)
    assert [name.rsplit("-", 1)[0] for name in trained] == ["quick-seed0", "quick-seed1"]
    assert {c["name"]: c["n"] for c in summary["contenders"]} == {"slow": 2, "quick": 2}
    assert len(find_runs(tmp_path)) == 6, "the old runs are kept"


def test_more_seeds_keep_the_first_ones(tmp_path: Path) -> None:
    study = parse_study(STUDY, "tiny", "tiny.toml")
    bakeoff.run_study(study, out=tmp_path, jobs=1)
    trained: list[str] = []
    with pytest.warns(UserWarning, match="the report of `bakeoff run tiny` is replaced; its runs are kept"):
        summary = bakeoff.run_study(study, out=tmp_path, jobs=1, seeds=3, done=trained.append)
    assert sorted(name.rsplit("-", 1)[0] for name in trained) == ["quick-seed2", "slow-seed2"]
    assert all(c["n"] == 3 for c in summary["contenders"])


def test_a_report_says_what_is_missing(tmp_path: Path) -> None:
    bakeoff.run_study(parse_study(STUDY, "tiny", "tiny.toml"), out=tmp_path, jobs=1)
    gone = next(path for path in find_runs(tmp_path) if path.name.startswith("slow-seed1"))
    for file in gone.iterdir():
        file.unlink()
    gone.rmdir()
    with pytest.warns(UserWarning, match="slow, seed 1: no finished record"):
        summary = runner.report(tmp_path / "tiny")
    assert {c["name"]: c["n"] for c in summary["contenders"]} == {"slow": 1, "quick": 2}
    assert "slow, seed 1: no finished record" in (tmp_path / "tiny" / "report.md").read_text()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (('model = "logistic"\nlr = 0.01', 'model = "logistc"'), r"study tiny, contender quick: no model 'logistc'"),
        (('model = "logistic"\nlr = 0.01', 'model = "conv"\nparameters = { width = 3 }'), "takes no parameters"),
        (("epochs = 1", 'epochs = 1\naugment = ["spin"]'), "contender slow: augment: unknown choice 'spin'"),
        (("lr = 0.01\n", 'lr = 0.01\n[[sections]]\nkind = "leage"\n'), r"no section 'leage' \(closest: league"),
        (('"digits"', '"digist"'), r"unknown dataset 'digist' \(closest: digits"),
    ],
)
def test_a_study_is_checked_before_anything_is_trained(tmp_path: Path, change: tuple[str, str], sentence: str) -> None:
    study = parse_study(STUDY.replace(*change), "tiny", "tiny.toml")
    with pytest.raises(bakeoff.UsageError, match=sentence):
        bakeoff.run_study(study, out=tmp_path, jobs=1)
    assert find_runs(tmp_path) == []


def test_a_script_without_a_main_guard(tmp_path: Path) -> None:
    """Workers do not import the caller's script: it runs once, and the study ends."""
    (tmp_path / "tiny.toml").write_text(STUDY)
    (tmp_path / "script.py").write_text("import bakeoff\nprint('once')\nbakeoff.run_study('tiny.toml', jobs=2)\n")
    command = [sys.executable, "script.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "once\n"
    assert len(find_runs(tmp_path / "runs")) == 4


def test_train_returns_a_run(tmp_path: Path) -> None:
    run = bakeoff.train("digits", "small_cnn:width=4", epochs=1, images=200, out=tmp_path, threads=1)
    assert isinstance(run, bakeoff.Run)
    assert run.spec.parameters["width"] == 4
    assert read_run(run.path).metrics == run.metrics


def test_the_public_surface_is_what_it_says() -> None:
    for name in bakeoff.__all__:
        assert getattr(bakeoff, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        bakeoff.trian  # noqa: B018


def test_default_jobs_do_not_depend_on_what_is_missing() -> None:
    assert default_jobs("cuda", 100) == 1
    assert 1 <= default_jobs("cpu", 1) == 1
    assert default_jobs("cpu", 100) == default_jobs("cpu", 200)


@pytest.mark.parametrize("name", published_studies())
def test_published_studies_at_smoke_scale(name: str, tmp_path: Path) -> None:
    """On embedded data: every contender of the scale trains, and every section that has something to show is there."""
    summary = bakeoff.run_study(name, scale="smoke", out=tmp_path, jobs=1)
    study = find_study(name)
    assert [c["name"] for c in summary["contenders"]] == list(
        study.scales["smoke"].only or [c.name for c in study.contenders]
    )
    assert all(c["n"] + c["failed"] == 2 for c in summary["contenders"])
    assert len(summary["sweeps"]) == len(study.sweeps)
    assert json.loads((tmp_path / name / "summary.json").read_text()) == summary
    page = (tmp_path / name / "report.html").read_text()
    shown = [kind for kind in SECTIONS if kind not in ("sweeps", "curves", "reported") or name == "small-cnn"]
    assert [kind for kind in shown if f'id="{kind.replace("_", "-")}"' not in page] == []
    assert f"instead of {study.dataset}" in page
