"""A run's directory: whole or not at all, checked when read."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bakeoff import record
from bakeoff.errors import BakeoffError, Damaged, UsageError
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
            "counts": {"train": [4, 5], "validation": [1, 2], "test": [1, 2]},
            "shape": [1, 2, 2],
            "mean": [0.5],
            "std": [0.25],
            "train_sample": 9,
        },
        "environment": {**record.environment(), "threads": 1},
        "decides": {"results": 4},
        "metrics": {"train_accuracy": 0.5, "validation_accuracy": 0.5, "validation_loss": 1.0, "test_accuracy": 0.25},
        "parameters": 3,
        "multiply_adds": 4,
        "seconds": 1.0,
        "images_per_second": 2.0,
    }
    logits, labels = np.arange(6, dtype=np.float32).reshape(3, 2), np.array([0, 1, 0])
    arrays = {}
    for split in ("train", "validation", "test"):
        arrays |= {f"{split}_logits": logits, f"{split}_labels": labels}
    record.write_finished(path, description, [{"epoch": 1, "train_loss": 0.1 + 0.2}], arrays, b"weights")
    return path


def sign_again(path: Path, table: str, edit: Callable[[dict], object]) -> None:
    """Edit one table of run.json, `a/b` for b in a, with the checksum that belongs to it."""
    description = json.loads((path / "run.json").read_text())
    inner = description
    for name in filter(None, table.split("/")):
        inner = inner[name]
    edit(inner)
    record.write_description(
        path, {name: description[name] for name in description if name not in ("checksum", "format")}
    )


def test_what_is_written_is_read_back_exactly(tmp_path: Path) -> None:
    run = record.read_run(write(tmp_path / "run"))
    assert run.spec == RunSpec(contender="c", model="conv", dataset="digits")
    assert run.history == ({"epoch": 1, "train_loss": 0.1 + 0.2},)
    assert "test_accuracy" not in run.metrics, "earlier records hold test figures, too"
    assert np.array_equal(run.logits("test"), np.arange(6).reshape(3, 2))
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
    with pytest.raises(BakeoffError, match="file: cannot be written: disk full"):
        record.write_atomic(file, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
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


def test_any_flipped_bit_is_noticed(tmp_path: Path) -> None:
    """In every eleventh byte of every file, checked by reading the record."""
    path = write(tmp_path / "run")
    for file in sorted(path.iterdir()):
        data = file.read_bytes()
        for place in range(0, len(data), 11):
            file.write_bytes(data[:place] + bytes([data[place] ^ (1 << place % 8)]) + data[place + 1 :])
            with pytest.raises(BakeoffError, match=r"^[^\n]*: (damaged|not a run|a later version)[^\n]*$"):
                record.read_run(path)
        file.write_bytes(data)
    assert record.read_run(path).status == "finished"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_is_strict_when_written_and_when_read(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        record.write_json(tmp_path / "file.json", {"loss": value})
    path = write(tmp_path / "run")
    text = (path / "run.json").read_text().replace('"validation_accuracy": 0.5', f'"validation_accuracy": {value}')
    (path / "run.json").write_text(text.replace("nan", "NaN").replace("inf", "Infinity"))
    with pytest.raises(Damaged, match="is not JSON"):
        record.read_run(path)


@pytest.mark.parametrize("file", ["run.json", *record.FILES])
@pytest.mark.parametrize("fault", ["EACCES", "EIO", "EMFILE"])
def test_what_cannot_be_read_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, fault: str
) -> None:
    path, number, read = write(tmp_path / "run"), getattr(errno, fault), Path.read_bytes

    def fail(self: Path) -> bytes:
        if self.name == file:
            raise OSError(number, os.strerror(number))
        return read(self)

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(BakeoffError, match=rf"^[^\n]*{file}: cannot be read: [a-z][^\n]*$") as error:
        record.read_run(path)
    assert not isinstance(error.value, Damaged)


def test_a_later_format_is_not_called_damaged(tmp_path: Path) -> None:
    path = write(tmp_path / "run")
    text = (path / "run.json").read_text().replace(f'"format": {record.FORMAT}', '"format": 99')
    (path / "run.json").write_text(text)
    with pytest.raises(BakeoffError, match="a later version of bakeoff wrote it") as error:
        record.read_run(path)
    assert not isinstance(error.value, Damaged)


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ({"wobble": 1}, "its 'wobble' is unknown to this version"),
        ({"recipe": {"wobble": 1}}, "its 'wobble' is unknown to this version"),
        ({"seed": -1}, "this version would refuse its settings (seed = -1"),
        ({"recipe": {"epochs": 0, "schedule": "gone:by=2"}}, "this version would refuse its settings (recipe.epochs"),
    ],
)
def test_a_spec_that_breaks_a_rule_of_this_version_opens_with_a_note(tmp_path: Path, change: dict, note: str) -> None:
    path = write(tmp_path / "run")
    description = json.loads((path / "run.json").read_text())
    recipe = {**description["spec"]["recipe"], **change.get("recipe", {})}
    description["spec"] |= {**change, "recipe": recipe}
    del description["spec"]["recipe"]["momentum"]  # as if it had been added since
    record.write_description(path, description)
    run = record.read_run(path)
    assert run.notes[0].startswith(f"run: {note}")
    assert run.spec.recipe.momentum == 0
    assert run.spec.model == "conv"


def test_files_that_a_kill_left_of_an_ended_run_are_removed(tmp_path: Path) -> None:
    path = write(tmp_path / "run")
    (path / "checkpoint").mkdir()
    (path / "checkpoint" / "0000000001-ab.safetensors").write_bytes(b"state")
    (path / ".run.json.0.tmp").write_bytes(b"{")
    (tmp_path / ".run.lock").touch()
    record.tidy(path)
    assert sorted(file.name for file in path.iterdir()) == sorted(["run.json", *record.FILES])
    assert list(tmp_path.iterdir()) == [path]


def test_a_record_without_class_names_is_damaged_whatever_its_checksum_says(tmp_path: Path) -> None:
    path = write(tmp_path / "run")
    for classes in (None, 3, [1, 2]):
        sign_again(path, "dataset", lambda data, classes=classes: data.update(classes=classes))
        with pytest.raises(BakeoffError, match=r"run\.json: damaged"):
            record.read_run(path)


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("", "environment", None),
        ("", "status", ["finished"]),
        ("", "parameters", "x"),
        ("environment", "threads", "x"),
        ("environment", "threads", 0),
        ("environment", "threads", "2"),
        ("dataset", "mean", ["0.5"]),
        ("dataset", "std", [0.25, 0.25]),
        ("dataset", "counts", {"train": [4, 5], "validation": [], "test": [1, 2]}),
        ("dataset", "counts", {"train": [4, 5], "validation": [0, 0], "test": [1, 2]}),
        ("metrics", "validation_accuracy", None),
        ("dataset", "counts", [1]),
        ("dataset", "counts", {"validation": 3}),
        ("dataset", "train_sample", "x"),
        ("dataset", "name", None),
        ("spec", "contender", None),
        ("spec", "model", [1]),
        ("spec", "parameters", "x"),
        ("spec", "seed", "x"),
        ("spec", "validation", [1]),
        ("spec/recipe", "keep", None),
        ("spec/recipe", "preprocess", 3),
    ],
)
def test_a_value_of_another_kind_is_damage_whatever_its_checksum_says(
    tmp_path: Path, table: str, key: str, value: object
) -> None:
    """Code that reads a record, such as a page's, would fail on it."""
    path = write(tmp_path / "run")
    sign_again(path, table, lambda inner: inner.update({key: value}))
    with pytest.raises(BakeoffError, match=rf"run\.json: damaged.*{key}"):
        record.read_run(path)


@pytest.mark.parametrize(
    "missing",
    [
        *("dataset/mean", "dataset/std", "dataset/counts/train", "dataset/counts/validation", "dataset/counts/test"),
        *("metrics/train_accuracy", "metrics/validation_accuracy", "metrics/validation_loss"),
        *("environment/threads", "decides/results"),
    ],
)
def test_what_every_version_writes_may_not_be_missing(tmp_path: Path, missing: str) -> None:
    """Evaluating, comparing or rendering would fail on it."""
    path, (table, _, key) = write(tmp_path / "run"), missing.rpartition("/")
    sign_again(path, table, lambda inner: inner.pop(key))
    with pytest.raises(Damaged, match=rf"^[^\n]*run\.json: damaged: [^\n]*{missing.replace('/', '[.]')}[^\n]*$"):
        record.read_run(path)
