"""A run's directory: whole or not at all, checked when read."""

import json
from pathlib import Path

import numpy as np
import pytest

from bakeoff import record
from bakeoff.errors import BakeoffError, UsageError
from bakeoff.spec import RunSpec


def write(path: Path) -> Path:
    path.mkdir()
    description = {
        "status": "finished",
        "spec": RunSpec(contender="c", model="conv", dataset="digits").model_dump(mode="json"),
        "dataset": {
            "name": "digits",
            "fingerprint": "0",
            "classes": ["a", "b"],
            "counts": {"test": [1, 2]},
            "shape": [1, 2, 2],
            "train_sample": 9,
        },
        "environment": record.environment(),
        "metrics": {"validation_accuracy": 0.5, "test_accuracy": 0.25},
        "parameters": 3,
        "multiply_adds": 4,
        "seconds": 1.0,
        "images_per_second": 2.0,
    }
    arrays = {f"{split}_{kind}": np.arange(6) for split in ("validation", "test") for kind in ("logits", "labels")}
    record.write_finished(path, description, [{"epoch": 1, "train_loss": 0.1 + 0.2}], arrays, b"weights")
    return path


def test_what_is_written_is_read_back_exactly(tmp_path: Path) -> None:
    run = record.read_run(write(tmp_path / "run"))
    assert run.spec == RunSpec(contender="c", model="conv", dataset="digits")
    assert run.history == ({"epoch": 1, "train_loss": 0.1 + 0.2},)
    assert run.metrics == {"validation_accuracy": 0.5}, "earlier records hold test figures, too"
    assert np.array_equal(run.logits("test"), np.arange(6))
    assert record.status(run.path) == "finished"
    assert record.find_runs(tmp_path) == [run.path]
    assert (run.measured("train"), run.measured("test")) == (9, 3)


@pytest.mark.parametrize("name", ["history.jsonl", "predictions.npz", "weights.safetensors"])
@pytest.mark.parametrize("harm", ["truncated", "changed", "empty", "gone"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str, harm: str) -> None:
    file = write(tmp_path / "run") / name
    data = file.read_bytes()
    if harm == "gone":
        file.unlink()
    else:
        changed = bytes([data[0] ^ 1]) + data[1:]
        file.write_bytes({"truncated": data[:-3], "changed": changed, "empty": b""}[harm])
    with pytest.raises(BakeoffError, match=rf"{name}: (damaged|cannot be read)") as error:
        record.read_run(tmp_path / "run")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"format": 1}', '{"format": 1, "status": "finished", "checksums": 3}']
)
def test_a_damaged_run_json_is_named(tmp_path: Path, text: str) -> None:
    file = write(tmp_path / "run") / "run.json"
    file.write_text(text)
    with pytest.raises(BakeoffError, match=r"run\.json: damaged"):
        record.read_run(tmp_path / "run")


@pytest.mark.parametrize(
    "change",
    [{"metrics": {"test_accuracy": 0.999}}, {"metrics": None}, {"dataset": {}}, {"checksums": {}}, {"spec": None}],
)
def test_an_edited_run_json_is_damaged(tmp_path: Path, change: dict) -> None:
    """A number in a report can be traced to what training wrote, not to what was typed in later."""
    file = write(tmp_path / "run") / "run.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(BakeoffError, match=r"run\.json: damaged: its content"):
        record.read_run(tmp_path / "run")


def test_no_run_and_an_unfinished_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a run"):
        record.read_run(tmp_path)
    record.write_json(tmp_path / "run.json", {"format": 1, "status": "running"})
    with pytest.raises(UsageError, match="has not ended"):
        record.read_run(tmp_path)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    record.write_atomic(file, b"old")

    def fail(_descriptor: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        record.write_atomic(file, b"new")
    assert file.read_bytes() == b"old"


def test_a_damaged_record_is_set_aside_not_deleted(tmp_path: Path) -> None:
    path = write(tmp_path / "run")
    aside = record.set_aside(path)
    assert not path.exists()
    assert (aside / "run.json").exists()
    assert record.find_runs(tmp_path) == []


def test_the_same_bits_from_the_same_content(tmp_path: Path) -> None:
    """No clock in the archive: two records of one result are equal files."""
    first, second = write(tmp_path / "a"), write(tmp_path / "b")
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in record.FILES)
