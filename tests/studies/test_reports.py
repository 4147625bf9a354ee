"""A study's report beside a user's files, written by several processes, and of runs that failed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import bakeoff
from bakeoff.studies import runner
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


def test_rendering_again_keeps_a_users_files(tmp_path: Path) -> None:
    """And removes what bakeoff itself wrote of contenders that are no more."""
    study, folder = parse_study(STUDY, "tiny", "tiny.toml"), tmp_path / "tiny"
    bakeoff.run_study(study, out=tmp_path, jobs=1)
    users = ["figures/mine.svg", "figures/slides/one.png", "tables/notes.csv", "notes.md", "figures/.hidden.tmp"]
    for name in users:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("mine")
    before = set(json.loads((folder / "files.json").read_text()))
    with pytest.warns(UserWarning, match="is replaced; its runs are kept"):
        bakeoff.run_study(study, out=tmp_path, jobs=1, only="quick")
    assert {name: (folder / name).read_text() for name in users} == dict.fromkeys(users, "mine")
    written = set(json.loads((folder / "files.json").read_text()))
    assert before - written
    kept = {"study.json", "summary.json", "files.json"}
    beside = {
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*")
        if file.is_file() and not (file.parent / "run.json").exists()
    }
    assert beside == written | kept | set(users)


def test_reports_written_at_once_are_one_report(tmp_path: Path) -> None:
    study, folder = parse_study(STUDY, "tiny", "tiny.toml"), tmp_path / "tiny"
    bakeoff.run_study(study, out=tmp_path, jobs=1)
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    command = [sys.executable, "-m", "bakeoff.cli", "report", str(folder)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def test_a_file_where_a_folder_should_be_is_one_sentence(tmp_path: Path) -> None:
    bakeoff.run_study(parse_study(STUDY, "tiny", "tiny.toml"), out=tmp_path, jobs=1)
    (tmp_path / "tiny" / "tables").rename(tmp_path / "away")
    (tmp_path / "tiny" / "tables").write_text("mine")
    with pytest.raises(bakeoff.BakeoffError, match="tables: cannot be a folder"):
        runner.report(tmp_path / "tiny")
