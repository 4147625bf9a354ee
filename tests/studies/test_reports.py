"""A study's report beside a user's files, written by several processes, and of runs that failed."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bakeoff
from bakeoff.cli import bakeoff as bakeoff_cli, exit_code
from bakeoff.errors import MissingData, RunsFailed
from bakeoff.record import find_runs
from bakeoff.spec import RunSpec
from bakeoff.spec.study_file import parse_study
from bakeoff.studies import reports
from bakeoff.training import run as training

RunText = Callable[..., dict[str, Any]]
STUDY = (Path(__file__).parents[1] / "tiny.toml").read_text()


def test_rendering_again_keeps_a_users_files(tmp_path: Path) -> None:
    """And removes what bakeoff itself wrote of contenders that are no more."""
    study, folder = parse_study(STUDY, "tiny", "tiny.toml"), tmp_path / "tiny" / "full"
    bakeoff.run_study(study, out=tmp_path, jobs=1)
    users = ["figures/mine.svg", "figures/slides/one.png", "tables/notes.csv", "notes.md", "figures/.hidden.tmp"]
    for name in users:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("mine")
    before = set(json.loads((folder / "files.json").read_text()))
    with pytest.warns(UserWarning, match="is replaced; its runs are kept"):
        bakeoff.run_study(study, out=tmp_path, jobs=1, only="slow")
    assert {name: (folder / name).read_text() for name in users} == dict.fromkeys(users, "mine")
    written = set(json.loads((folder / "files.json").read_text()))
    assert before - written
    kept = {"manifest.json", "summary.json", "files.json"}
    beside = {
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*")
        if file.is_file() and not (file.parent / "run.json").exists()
    }
    assert beside == written | kept | set(users)


def test_reports_written_at_once_are_one_report(tmp_path: Path) -> None:
    study, folder = parse_study(STUDY, "tiny", "tiny.toml"), tmp_path / "tiny" / "full"
    bakeoff.run_study(study, out=tmp_path, jobs=1)
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    command = [sys.executable, "-m", "bakeoff.cli", "report", str(folder)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def test_a_file_where_a_folder_should_be_is_one_sentence(run_text: RunText, tmp_path: Path) -> None:
    run_text(STUDY)
    (tmp_path / "tiny" / "full" / "figures").rename(tmp_path / "away")
    (tmp_path / "tiny" / "full" / "figures").write_text("mine")
    with pytest.raises(bakeoff.BakeoffError, match="figures: cannot be a folder"):
        reports.report(tmp_path / "tiny")


# runs that fail


ERRORS = [RuntimeError("CUDA out of memory.\nTried to allocate 9 GiB"), OSError(28, "No space left"), MemoryError()]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_run_that_raises_anything_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """It is told with its reason, in the report that has the others; the same call tries it again."""

    def fail(spec: RunSpec, *arguments: Any) -> Any:
        if spec.contender == "slow" and spec.seed == 1:
            raise error
        return train_run(spec, *arguments)

    train_run = training.train_run
    study, folder = parse_study(STUDY, "tiny", "tiny.toml"), tmp_path / "tiny" / "full"
    monkeypatch.setattr(training, "train_run", fail)
    reason = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
    with (
        pytest.warns(UserWarning, match=f"slow, seed 1: failed: {re.escape(reason)}"),
        pytest.raises(RunsFailed, match=rf"^slow-seed1-\w+: {re.escape(reason)}; the other runs are in") as raised,
    ):
        bakeoff.run_study(study, out=tmp_path, jobs=1)
    summary = raised.value.summary
    assert json.loads((folder / "summary.json").read_text()) == summary
    assert {c["name"]: (c["n"], c["failed"]) for c in summary["contenders"]} == {"slow": (0, 2), "quick": (2, 0)}
    (failure,) = summary["failures"]
    name = failure["run"]
    assert failure == {"run": name, "contender": "slow", "seed": 1, "kind": "failed", "reason": reason}
    assert "fail(" not in (folder / "report.md").read_text()
    assert "Traceback" in (folder.parent / name / "checkpoint" / "traceback.txt").read_text()
    with pytest.warns(UserWarning, match="slow, seed 1: failed"):
        assert reports.report(folder)[folder]["failures"] == summary["failures"], "rendered again, it is still told"
    monkeypatch.undo()
    again = bakeoff.run_study(study, out=tmp_path, jobs=1)
    assert again["failures"] == []
    assert not (folder.parent / name / "checkpoint").exists()


def test_the_command_line_prints_the_others_and_exits_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny.toml").write_text(STUDY + "[contenders.lost]\nmodel = 'logistic'\nlr = 0.02\n")
    train_run = training.train_run

    def fail(spec: RunSpec, *arguments: Any) -> Any:
        return 1 / 0 if spec.contender == "lost" else train_run(spec, *arguments)

    monkeypatch.setattr(training, "train_run", fail)
    command = ["run", str(tmp_path / "tiny.toml"), "--out", str(tmp_path), "--jobs", "1", "--json"]
    assert exit_code(lambda: bakeoff_cli.main(command, "bakeoff", standalone_mode=False)) == 1
    captured = capsys.readouterr()
    contenders = json.loads(captured.out)["contenders"]
    assert {c["name"]: (c["n"], c["failed"]) for c in contenders} == {"slow": (0, 2), "quick": (2, 0), "lost": (0, 2)}
    assert re.search(r"lost-seed0-\w+: ZeroDivisionError: division by zero \(and 1 more\)", captured.err)
    assert "Traceback" not in captured.err


def test_diverged_and_damaged_runs_are_listed_with_their_reasons(
    run_text: RunText, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And a report without damaged records is written, but is no success."""
    wild = 'lr = 1000\noptimizer = "sgd"\nbatch_size = 8\nl2 = 100\nprecision = "fp32"'
    summary = run_text(STUDY.replace("lr = 0.0001", wild))
    assert [(f["contender"], f["seed"], f["kind"]) for f in summary["failures"]] == [
        ("slow", 0, "diverged"),
        ("slow", 1, "diverged"),
    ]
    assert all("non-finite in epoch 1" in failure["reason"] for failure in summary["failures"])
    victim = next(path for path in find_runs(tmp_path) if path.name.startswith("quick-seed1"))
    (victim / "predictions.npz").write_bytes(b"rubbish")
    for words in (["report", str(tmp_path / "tiny"), "--json"], ["report", str(tmp_path), "--all", "--json"]):
        assert exit_code(lambda words=words: bakeoff_cli.main(words, "bakeoff", standalone_mode=False)) == 1
        captured = capsys.readouterr()
        assert "written without 1 of the records" in captured.err
        assert json.loads(captured.out)
    summary = json.loads((tmp_path / "tiny" / "full" / "summary.json").read_text())
    damaged = [f for f in summary["failures"] if f["kind"] == "damaged"]
    assert [(f["run"], f["seed"]) for f in damaged] == [(victim.name, 1)]
    assert next(c for c in summary["contenders"] if c["name"] == "quick")["n"] == 1


PRETRAINED = """
title = "t"
question = "q"
dataset = "digits"
images = 200
seeds = 1
recipe = { epochs = 1 }
contenders.near = { model = "logistic" }
contenders.far = { model = "resnet18", weights = "imagenet" }
contenders.both = { ensemble = ["near", "far"] }
"""


def test_a_contender_whose_published_weights_are_not_at_hand_is_left_out(
    run_text: RunText, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what needs it, a warning and a line on the page; asked for by name, or alone, it is an error."""
    for name in ("BAKEOFF_DATA", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "nothing"))
    with pytest.warns(UserWarning, match="two goes on without far: weights 'imagenet': there is no"):
        summary = run_text(PRETRAINED, "two")
    assert [c["name"] for c in summary["contenders"]] == ["near"]
    assert "far: its weights are not at hand, `bakeoff data fetch weights/resnet18` gets them" in summary["overrides"]
    assert "bakeoff data fetch weights/resnet18" in (tmp_path / "two" / "full" / "report.md").read_text()
    alone = parse_study(
        PRETRAINED.replace('contenders.near = { model = "logistic" }\n', "").split("contenders.both")[0],
        "one",
        "one.toml",
    )
    with pytest.raises(MissingData, match="bakeoff data fetch weights/resnet18"):
        run_text(PRETRAINED, "two", only=["near", "far"])
    with pytest.raises(MissingData, match="bakeoff data fetch weights/resnet18"):
        bakeoff.run_study(alone, out=tmp_path, jobs=1)


def test_what_was_trained_on_test_images_is_never_selected(run_text: RunText, tmp_path: Path) -> None:
    """Nor is an ensemble of it; although its validation accuracy is the highest."""
    text = STUDY.replace("epochs = 1", "epochs = 3").replace("seeds = 2", "seeds = 1") + (
        '[contenders.student]\nmodel = "logistic"\nlr = 0.03\nepochs = 60\nteacher = "quick"\n'
        'pool = "test:confidence=0"\n'
        '[contenders.team]\nensemble = ["student"]\n[contenders.above]\nensemble = ["team", "student"]\n'
    )
    summary = run_text(text)
    by_name = {c["name"]: c for c in summary["contenders"]}
    assert {name for name, c in by_name.items() if c["trains_on_test"]} == {"student", "team", "above"}
    assert by_name["student"]["validation_accuracy"]["mean"] > by_name["quick"]["validation_accuracy"]["mean"]
    assert summary["answer"].startswith("quick is selected")
    page = (tmp_path / "tiny" / "full" / "report.md").read_text()
    assert "student ‡" in page
    assert "it is never selected" in page
