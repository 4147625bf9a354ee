"""Packed studies: small files without weights, whose pages say the same and from which a study goes on."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import bakeoff as package
from bakeoff.record import read_run, write_finished
from bakeoff.record.packed import pack, unpack

Call = Callable[..., tuple[int, str, str]]
STUDY = """
title = "Packed"
question = "Which of three?"
dataset = "digits"
images = 300
seeds = 2
[recipe]
epochs = 2
[contenders.slow]
model = "logistic"
lr = 0.001
[contenders.quick]
model = "logistic"
lr = 0.02
[contenders.wild]
model = "logistic"
optimizer = "sgd"
batch_size = 8
lr = 1000
l2 = 100
precision = "fp32"
[contenders.both]
ensemble = ["slow", "quick"]
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study's folder: OUT/three."""
    folder = tmp_path_factory.mktemp("packing")
    (folder / "three.toml").write_text(STUDY)
    summary = package.run_study(str(folder / "three.toml"), out=folder / "out", jobs=1)
    assert [(each["contender"], each["kind"]) for each in summary["failures"]] == [("wild", "diverged")] * 2
    return folder / "out" / "three"


@pytest.fixture
def moved(call: Call, trained: Path, tmp_path: Path) -> Path:
    """The same study, packed and unpacked elsewhere."""
    assert call("pack", trained, tmp_path / "packed")[0] == 0
    assert call("unpack", tmp_path / "packed", "--out", tmp_path / "out")[0] == 0
    return tmp_path / "out" / "three"


def without_losses(summary: Path) -> dict:
    """All of a summary.json but what rests on probabilities."""
    value = json.loads(summary.read_text())
    for contender in value["contenders"]:
        for key in ("negative_log_likelihood", "test_loss", "calibration_error", "top5"):
            del contender[key]
    return value


def test_an_unpacked_study_has_the_same_accuracies_and_verdicts(call: Call, trained: Path, moved: Path) -> None:
    code, _, err = call("report", moved)
    assert (code, "packed" in err) == (0, False)
    assert without_losses(moved / "full" / "summary.json") == without_losses(trained / "full" / "summary.json")
    assert "8 records were packed" in (moved / "full" / "report.md").read_text()


def test_a_study_goes_on_from_unpacked_records(trained: Path, moved: Path) -> None:
    study, names = trained.parent.parent / "three.toml", list[str]()
    with pytest.warns(UserWarning, match="its runs are kept"):
        package.run_study(str(study), out=moved.parent, jobs=1, seeds=3, done=names.append)
    assert {name.rsplit("-", 1)[0] for name in names} - {"wild-seed2"} == {"slow-seed2", "quick-seed2", "both-seed2"}


def test_records_that_are_there_stay(call: Call, trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "out" / "three")
    before = {file: file.read_bytes() for file in (tmp_path / "out").rglob("*.*") if file.is_file()}
    assert call("pack", tmp_path / "out" / "three" / "full", tmp_path / "packed")[0] == 0
    assert call("unpack", tmp_path / "packed", "--out", tmp_path / "out")[0] == 0
    assert {file: file.read_bytes() for file in before} == before


def test_what_was_unpacked_is_packed_as_it_was(call: Call, moved: Path, tmp_path: Path) -> None:
    before = {file.name: file.read_bytes() for file in (tmp_path / "packed").iterdir()}
    assert call("pack", moved, tmp_path / "packed")[0] == 0
    assert {file.name: file.read_bytes() for file in (tmp_path / "packed").iterdir()} == before
    assert not any(b"weights" in path.name.encode() for path in moved.rglob("*"))


def test_what_needs_weights_says_that_there_are_none(call: Call, moved: Path) -> None:
    run = next(moved.glob("quick-seed0-*"))
    for words in (
        ("evaluate", run, "--split", "test"),
        ("predict", run, "--split", "test"),
        ("verify", run, "--rerun"),
    ):
        code, _, err = call(*words)
        assert code != 0
        assert "was packed" in err, words
    assert call("verify", run)[0] == 0
    both = next(moved.glob("both-seed0-*"))
    assert "was packed" in call("evaluate", both, "--split", "test")[2]
    with pytest.raises(package.UsageError, match="was packed, which leaves weights out"):
        package.train("digits", "logistic", weights=str(run), out=moved.parent)


def test_rounding_keeps_answers_and_hardly_moves_the_rest(trained: Path, tmp_path: Path) -> None:
    """Also where a network is wrong and very sure of it, and where it knows nothing."""
    source = next(trained.glob("quick-seed0-*"))
    run = read_run(source)
    labels = run.labels("test")
    rng = np.random.default_rng(0)
    skilled = rng.normal(0, 1, (len(labels), 10))
    skilled[np.arange(len(labels)), labels] += 2
    for scale in (0.0, 0.01, 1.0, 3.0, 30.0, 3000.0):
        shutil.rmtree(tmp_path, ignore_errors=True)
        for name in ("made", "packed", "out"):
            (tmp_path / name).mkdir(parents=True)
        logits = (scale * skilled).astype(np.float32)
        path = write_again(source, tmp_path / "made" / "a-seed0-00000000", {"test_logits": logits})
        packed = read_run(unpack(pack(path, tmp_path / "packed"), tmp_path / "out"))
        np.testing.assert_array_equal(packed.logits("test").argmax(axis=1), logits.argmax(axis=1))
        exact, rounded = read_run(path).test_metrics(), packed.test_metrics()
        assert rounded["test_accuracy"] == exact["test_accuracy"]
        assert rounded["test_loss"] == pytest.approx(exact["test_loss"], rel=0.02)
        sure = [
            np.exp(values - values.max(1, keepdims=True)) for values in (logits.astype(float), packed.logits("test"))
        ]
        confidence = [1 / each.sum(axis=1) for each in sure]
        np.testing.assert_allclose(confidence[1], confidence[0], atol=0.011)


def write_again(source: Path, path: Path, arrays: dict[str, np.ndarray]) -> Path:
    """A copy of a run with other predictions."""
    path.mkdir()
    description = json.loads((source / "run.json").read_text())
    history = [json.loads(line) for line in (source / "history.jsonl").read_text().splitlines()]
    plain = {key: value for key, value in description.items() if key not in ("format", "checksum", "checksums")}
    write_finished(path, plain, history, {**read_run(source).arrays, **arrays}, b"weights")
    return path


@pytest.mark.parametrize("place", [0, 20, 0.5, -1])
def test_a_damaged_file_is_one_sentence(call: Call, trained: Path, tmp_path: Path, place: float) -> None:
    assert call("pack", trained, tmp_path / "packed")[0] == 0
    for suffix in (".run.xz", ".arrays.xz", "manifest.json.xz"):
        file = next((tmp_path / "packed").glob(f"*{suffix}"))
        whole = file.read_bytes()
        position = place if isinstance(place, int) else int(len(whole) * place)
        changed = bytearray(whole)
        changed[position] ^= 0xFF
        for damaged in (bytes(changed), whole[: len(whole) // 2], whole + b"more", b"", b"text"):
            file.write_bytes(damaged)
            code, _, err = call("unpack", tmp_path / "packed", "--out", tmp_path / f"out{suffix}")
            assert (code, err.count("\n")) == (1, 1), err
            assert file.name in err
            shutil.rmtree(tmp_path / f"out{suffix}", ignore_errors=True)
        file.write_bytes(whole)


def test_what_is_no_packed_study_is_one_sentence(call: Call, trained: Path, tmp_path: Path) -> None:
    code, _, err = call("unpack", tmp_path)
    assert (code, "nothing is packed there" in err) == (2, True)
    code, _, err = call("pack", tmp_path, tmp_path / "packed")
    assert (code, "not a study's directory" in err) == (2, True)
    shutil.copytree(trained / "full", tmp_path / "two" / "full")
    shutil.copytree(trained / "full", tmp_path / "two" / "other")
    code, _, err = call("pack", tmp_path / "two", tmp_path / "packed")
    assert (code, "has several reports" in err) == (2, True)
