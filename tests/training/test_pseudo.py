"""Pseudo-labels: the same bits as training on a dataset that holds them, whatever the pool's own labels are."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax

from bakeoff.data import Dataset, Split
from bakeoff.data.dataset import mean_and_std
from bakeoff.errors import BakeoffError, Interrupted, UsageError
from bakeoff.record import Run, read_run
from bakeoff.spec import Recipe, RunSpec
from bakeoff.training.digest import run_directory
from bakeoff.training.inference import logits_of
from bakeoff.training.options import RunOptions
from bakeoff.training.run import check_spec, train_run


def spec(seed: int = 0, **recipe) -> RunSpec:
    plain = {"epochs": 2, "batch_size": 32, "precision": "fp32"}
    return RunSpec(
        contender="c", model="baseline_cnn", recipe=Recipe(**{**plain, **recipe}), dataset="blocks", seed=seed
    )


@pytest.fixture(scope="module")
def data(blocks: Dataset) -> Dataset:
    """With 200 images of noise and blocks, mirrored, whose labels nobody tells."""
    random = np.random.default_rng(5)
    chosen = random.integers(0, len(blocks.train), 200)
    noise = random.integers(0, 60, (200, 1, 8, 8), dtype=np.uint8)
    return dataclasses.replace(blocks, unlabelled=blocks.train.images[chosen] // 2 + noise)


@pytest.fixture(scope="module")
def teacher(blocks: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train_run(
        spec(seed=9, epochs=6, lr=0.005), blocks, tmp_path_factory.mktemp("teacher"), RunOptions(threads=1)
    )


def sure_of(teacher: Run, images: np.ndarray, confidence: float) -> Split:
    probabilities = softmax(logits_of(teacher, images).astype(float), axis=1)
    sure = probabilities.max(1) >= confidence
    assert 10 < sure.sum() < len(images) - 10, "the teacher is too sure, or not sure enough, to tell anything apart"
    return Split(images[sure], probabilities.argmax(1)[sure])


def bits(run: Run) -> dict[str, object]:
    history = [{key: value for key, value in row.items() if key != "seconds"} for row in run.history]
    weights = (run.path / "weights.safetensors").read_bytes()
    return {"weights": weights, "history": history, "logits": run.logits("test").tobytes(), "pool": run.pool}


@pytest.mark.parametrize("pool", ["unlabelled", "test"])
def test_a_student_equals_training_on_what_its_teacher_is_sure_of(
    data: Dataset, teacher: Run, tmp_path: Path, pool: str
) -> None:
    images = data.unlabelled if pool == "unlabelled" else data.test.images
    assert images is not None
    confidence = float(np.quantile(softmax(logits_of(teacher, images), axis=1).max(1), 0.6))
    run_spec = spec(pixels="unit", teacher=str(teacher.path), pool=f"{pool}:confidence={confidence}")
    run = train_run(run_spec, data, tmp_path / "pool", RunOptions(threads=1))
    more = sure_of(teacher, images, confidence)
    train = Split(np.concatenate([data.train.images, more.images]), np.concatenate([data.train.labels, more.labels]))
    expected = train_run(
        spec(pixels="unit"), dataclasses.replace(data, train=train), tmp_path / "expected", RunOptions(threads=1)
    )
    assert {**bits(run), "pool": None} == bits(expected)
    assert run.pool == {"teacher": teacher.path.name, "images": len(images), "taken": len(more)}


def test_what_is_measured_on_the_training_split_stays_the_splits(data: Dataset, teacher: Run, tmp_path: Path) -> None:
    run_spec = spec(teacher=str(teacher.path), pool="unlabelled:confidence=0.4", loss="balanced_cross_entropy")
    run = train_run(run_spec, data, tmp_path, RunOptions(threads=1))
    assert run.dataset["mean"] == mean_and_std(data.train)[0].tolist()
    assert np.array_equal(run.labels("train"), data.train.labels)
    assert run.dataset["counts"]["train"] == [30, 30, 30]


def test_the_labels_of_the_pool_are_never_read(blocks: Dataset, teacher: Run, tmp_path: Path) -> None:
    run_spec = spec(teacher=str(teacher.path), pool="test:confidence=0.4")
    run = train_run(run_spec, blocks, tmp_path / "run", RunOptions(threads=1))
    scrambled = Split(blocks.test.images, np.random.default_rng(0).permutation(blocks.test.labels))
    renamed = run_spec.model_copy(update={"dataset": "scrambled"})  # the teacher's own data may not change
    other = train_run(
        renamed, dataclasses.replace(blocks, test=scrambled), tmp_path / "scrambled", RunOptions(threads=1)
    )
    assert bits(other) == bits(run)
    assert other.test_metrics() != run.test_metrics()


@pytest.mark.parametrize("kill_at", [0, 4, 7])
def test_an_interrupted_run_ends_in_the_same_bits(data: Dataset, teacher: Run, tmp_path: Path, kill_at: int) -> None:
    run_spec = spec(teacher=str(teacher.path), pool="unlabelled:confidence=0.4", augment=["shift:by=0.1"])
    whole = train_run(run_spec, data, tmp_path / "whole", RunOptions(threads=1))
    calls = iter(range(1000))
    with pytest.raises(Interrupted):
        train_run(run_spec, data, tmp_path / "cut", RunOptions(threads=1, stop=lambda: next(calls) == kill_at))
    assert json.loads((tmp_path / "cut" / "run.json").read_text())["pool"] == whole.pool
    assert bits(train_run(run_spec, data, tmp_path / "cut", RunOptions(threads=1))) == bits(whole)


def test_in_a_study_the_teacher_is_the_run_that_is_needed(blocks: Dataset, teacher: Run, tmp_path: Path) -> None:
    """By the contender's name in the recipe and the directory in `needs`."""
    by_path = train_run(
        spec(teacher=str(teacher.path), pool="test:confidence=0.4"), blocks, tmp_path / "path", RunOptions(threads=1)
    )
    named = spec(teacher="large", pool="test:confidence=0.4")
    run = train_run(named, blocks, tmp_path / "named", RunOptions(threads=1), [teacher.path])
    assert bits(run) == bits(by_path)
    with pytest.raises(BakeoffError, match="needs gone, which has no finished record"):
        train_run(named, blocks, tmp_path / "none", RunOptions(threads=1), [tmp_path / "gone"])
    assert not (tmp_path / "none").exists()


def test_the_teacher_names_the_run_not_its_place(blocks: Dataset, teacher: Run, tmp_path: Path) -> None:
    first = train_run(spec(seed=1), blocks, tmp_path / "first", RunOptions(threads=1))
    taught = spec(teacher=str(first.path), pool="test")
    name = run_directory(taught, blocks)
    moved = first.path.rename(tmp_path / "elsewhere")
    assert run_directory(spec(teacher=str(moved), pool="test"), blocks) == name
    assert run_directory(spec(teacher=str(teacher.path), pool="test"), blocks) != name
    needed = {run_directory(spec(teacher="large"), blocks, [Path(f"large-seed0-{x}")]) for x in ("aa", "bb")}
    assert len(needed | {name}) == 3


def test_a_teacher_that_is_sure_of_nothing(blocks: Dataset, teacher: Run, tmp_path: Path) -> None:
    highest = np.floor(1e4 * softmax(teacher.logits("test").astype(float), axis=1).max()) / 1e4
    sentence = rf"pool = 'test:confidence=1.0': teacher .* is at most {highest:.4f} sure of an image: choose a lower"
    with pytest.raises(UsageError, match=sentence):
        train_run(spec(teacher=str(teacher.path), pool="test:confidence=1.0"), blocks, tmp_path, RunOptions(threads=1))


def test_a_teacher_that_does_not_fit(blocks: Dataset, teacher: Run, tmp_path: Path) -> None:
    taught = spec(teacher=str(teacher.path), pool="test").model_copy(update={"dataset": "other"})
    other = dataclasses.replace(blocks, classes=("top", "middle", "ground"))
    with pytest.raises(
        UsageError, match="is trained on blocks, and blocks has other classes or images of another size"
    ):
        train_run(taught, other, tmp_path / "a", RunOptions(threads=1))
    wide = {name: Split(np.repeat(part.images, 2, axis=3), part.labels) for name, part in blocks.splits.items()}
    with pytest.raises(UsageError, match="is trained on blocks, and wide has other classes or images of another size"):
        train_run(taught, Dataset("wide", blocks.classes, **wide), tmp_path / "b", RunOptions(threads=1))
    sentence = "neither the directory of a finished run nor, in a study, a contender"
    with pytest.raises(UsageError, match=f"teacher 'hose': {sentence}"):
        train_run(spec(teacher="hose", pool="test"), blocks, tmp_path / "c", RunOptions(threads=1))
    wild = spec(epochs=9, optimizer="sgd", lr=1000, l2=100)
    diverged = train_run(wild, blocks, tmp_path / "diverged", RunOptions(threads=1))
    assert diverged.status == "diverged"
    with pytest.raises(UsageError, match=f"diverged': {sentence}"):
        train_run(spec(teacher=str(diverged.path), pool="test"), blocks, tmp_path / "d", RunOptions(threads=1))
    assert not any((tmp_path / name).exists() for name in "abcd")


def test_a_pool_that_is_not_there(blocks: Dataset, teacher: Run) -> None:
    sentence = r"pool = 'unlabelled:confidence=0.95': blocks brings no images without labels \(valid: test\)"
    with pytest.raises(UsageError, match=sentence):
        check_spec(spec(teacher=str(teacher.path)), blocks)


def test_a_run_without_a_teacher_has_no_pool(teacher: Run) -> None:
    assert read_run(teacher.path).pool is None
