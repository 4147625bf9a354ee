"""Checkpoints: a flipped bit is noticed and costs time, never a bit of the result."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_loop import bits, small

from bakeoff.data import Dataset
from bakeoff.errors import BakeoffError, Interrupted
from bakeoff.report.summary import environment
from bakeoff.training.checkpoint import checkpoint_files
from bakeoff.training.options import RunOptions
from bakeoff.training.run import train_run

RECIPE = {"epochs": 3, "batch_size": 32, "ema": 0.9, "keep": "best:monitor=validation_loss", "augment": ["shift"]}


def stop_after(steps: int) -> Iterator[bool]:
    yield from (step == steps for step in range(1000))


@pytest.fixture(scope="module")
def cut(blocks: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was interrupted at step 5, with a checkpoint of each step."""
    path = tmp_path_factory.mktemp("cut")
    calls = stop_after(5)
    with pytest.raises(Interrupted):
        train_run(small(**RECIPE), blocks, path, RunOptions(threads=1, checkpoint_seconds=0, stop=lambda: next(calls)))
    return path


@pytest.fixture(scope="module")
def whole(blocks: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    path = tmp_path_factory.mktemp("whole")
    train_run(small(**RECIPE), blocks, path, RunOptions(threads=1))
    return bits(path)


def flip(file: Path, place: float, bit: int = 0) -> None:
    data = bytearray(file.read_bytes())
    data[int(place * (len(data) - 1))] ^= 1 << bit
    file.write_bytes(data)


def test_the_last_two_are_kept(cut: Path) -> None:
    assert [int(file.name.split("-")[0]) for file in checkpoint_files(cut / "checkpoint")] == [5, 4]


@pytest.mark.parametrize("bit", [0, 6])
@pytest.mark.parametrize("place", [0, 0.002, 0.01, 0.5, 1])
def test_a_flipped_bit_is_noticed_and_the_one_before_used(
    blocks: Dataset, cut: Path, whole: dict[str, object], tmp_path: Path, place: float, bit: int
) -> None:
    path = shutil.copytree(cut, tmp_path / "run")
    flip(checkpoint_files(path / "checkpoint")[0], place, bit)
    with pytest.warns(
        UserWarning, match=r"^[^\n]*safetensors: damaged: [^\n]*; training goes on from the checkpoint before it, or"
    ):
        run = train_run(small(**RECIPE), blocks, path, RunOptions(threads=1))
    assert [part["step"] for part in run.segments] == [0, 4]
    assert bits(path) == whole


@pytest.mark.parametrize("harm", ["flipped", "short", "empty"])
def test_where_both_are_damaged_the_run_is_trained_from_its_start(
    blocks: Dataset, cut: Path, whole: dict[str, object], tmp_path: Path, harm: str
) -> None:
    path = shutil.copytree(cut, tmp_path / "run")
    for file in checkpoint_files(path / "checkpoint"):
        if harm == "flipped":
            flip(file, 0.3)
        else:
            file.write_bytes(file.read_bytes()[:100] if harm == "short" else b"")
    with pytest.warns(UserWarning, match="or else begins anew"):
        run = train_run(small(**RECIPE), blocks, path, RunOptions(threads=1))
    assert [part["step"] for part in run.segments] == [0]
    assert bits(path) == whole


def test_one_that_cannot_be_read_is_not_damaged(blocks: Dataset, cut: Path, tmp_path: Path) -> None:
    path = shutil.copytree(cut, tmp_path / "run")
    file = checkpoint_files(path / "checkpoint")[0]
    kept = file.rename(tmp_path / "kept")
    file.mkdir()  # reading fails, for root too
    with pytest.raises(BakeoffError, match="cannot be read"):  # and no warning: that is an error here
        train_run(small(**RECIPE), blocks, path, RunOptions(threads=1))
    file.rmdir()
    kept.rename(file)
    assert train_run(small(**RECIPE), blocks, path, RunOptions(threads=1)).segments[-1]["step"] == 5


def test_a_record_tells_of_every_process_that_trained_it(
    blocks: Dataset, cut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shutil.copytree(cut, tmp_path / "run")
    monkeypatch.setattr("bakeoff.record.environment", lambda: {"source": "later code"})
    run = train_run(small(**RECIPE), blocks, path, RunOptions(threads=1))
    first, second = run.segments
    assert first["environment"]["source"] != second["environment"]["source"] == "later code"
    assert first["started"] <= second["started"]
    assert environment([run])["source"] == [first["environment"]["source"], "later code"]
