"""A flipped bit, an unreadable file, a read-only mount: what each verb does."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from bakeoff import record
from bakeoff.cli import bakeoff, exit_code
from bakeoff.studies.runner import run_study
from bakeoff.studies.train import train

BARS = str(Path(__file__).parent / "earlier" / "bars.npz")
STUDY = """
title = "Does a smaller rate do?"
question = "Does a smaller rate do?"
dataset = "{bars}"
seeds = 1
recipe = {{ epochs = 1, batch_size = 16 }}
contenders = {{ fast = {{ model = "logistic" }}, slow = {{ model = "logistic", lr = 0.001 }} }}
sections = [{{ kind = "leaderboard" }}]
"""
RECIPE = {"epochs": 1, "batch_size": 16, "threads": 1}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("harm")
    (folder / "s.toml").write_text(STUDY.format(bars=BARS))
    run_study(str(folder / "s.toml"), out=folder, jobs=1)
    return folder


@pytest.fixture
def study(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "out") / "s"


def call(*arguments: object, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit status and output."""
    code = exit_code(lambda: bakeoff.main([str(a) for a in arguments], standalone_mode=False))
    return code, "".join(capsys.readouterr())


VERBS = {
    "evaluate": ["evaluate", "RUN", "--split", "validation"],
    "predict": ["predict", "RUN", "--split", "validation"],
    "compare": ["compare", "STUDY"],
    "from": ["train", "--from", "RUN", "--out", "OUT", "--threads", 1],
    "weights": ["train", BARS, "logistic", "--weights", "RUN", "--out", "OUT", "--threads", 1],
    "verify": ["verify", "STUDY"],
    "pack": ["pack", "STUDY", "OUT"],
}
WITHOUT_THE_RUN = {"run", "report", "export", "list"}
"""Verbs that tell of a damaged run and go on: a test of their own."""
READ_NO_RUN = {"show", "data", "unpack"}


def test_every_verb_is_in_one_of_these_tables() -> None:
    assert sorted([*{words[0] for words in VERBS.values()}, *WITHOUT_THE_RUN, *READ_NO_RUN]) == sorted(bakeoff.commands)


@pytest.mark.parametrize("name", ["run.json", *record.FILES])
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_that_reads_a_run_notices_a_flipped_bit(
    study: Path, tmp_path: Path, verb: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = next(study.glob("fast-*"))
    data = bytearray((run / name).read_bytes())
    data[len(data) // 3] ^= 1
    (run / name).write_bytes(data)
    words = {"RUN": run, "STUDY": study, "OUT": tmp_path / "new"}
    code, output = call(*(words.get(str(word), word) for word in VERBS[verb]), capsys=capsys)
    assert code == 1
    assert f"{name}: damaged" in output
    assert "Traceback" not in output


def test_a_report_an_export_and_a_list_tell_of_a_damaged_record(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = next(study.glob("fast-*"))
    (run / "weights.safetensors").write_bytes(b"no")
    code, output = call("report", study, capsys=capsys)
    assert code == 1
    assert "weights.safetensors: damaged" in output
    assert "weights.safetensors: damaged" in call("export", study, "--to", "csv", capsys=capsys)[1]
    assert "damaged" in call("list", "runs", "--out", study, "--json", capsys=capsys)[1]


def test_a_record_that_cannot_be_read_is_neither_set_aside_nor_trained_again(
    study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before, read = {path.name for path in study.iterdir()}, Path.read_bytes

    def fail(self: Path) -> bytes:
        if self.parent.name.startswith("fast-") and self.name == "predictions.npz":
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return read(self)

    monkeypatch.setattr(Path, "read_bytes", fail)
    code, output = call("run", study.parent / "s.toml", "--out", study.parent, "--jobs", 1, capsys=capsys)
    assert code == 1
    assert "predictions.npz: cannot be read: permission denied" in output
    assert "damaged" not in output
    code, output = call("list", "runs", "--out", study.parent, "--json", capsys=capsys)
    assert (code, output.count('"unreadable"'), output.count('"finished"')) == (0, 1, 1)
    assert {path.name for path in study.iterdir()} == before


def test_a_finished_run_on_a_read_only_mount_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = train(BARS, "logistic", out=tmp_path, **RECIPE)
    (first.path / "checkpoint").mkdir()  # a kill left it
    opened = os.open

    def read_only(path: str, flags: int, *more: object, **named: object) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return opened(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", read_only)
    again = train(BARS, "logistic", out=tmp_path, **RECIPE)
    assert (again.path, again.metrics) == (first.path, first.metrics)
