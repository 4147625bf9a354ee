"""What a finished run leaves in predictions.npz, against the evaluation that reports do."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from bakeoff.data import Dataset, Split
from bakeoff.evaluation.metrics import confusion, most_confused, softmax, worst_mistakes
from bakeoff.record import Run
from bakeoff.spec import Recipe, RunSpec
from bakeoff.training.measure import mistakes
from bakeoff.training.options import RunOptions
from bakeoff.training.run import train_run


@pytest.fixture
def poor(blocks: Dataset, tmp_path: Path) -> Run:
    """A run that has hardly begun to learn."""
    recipe = Recipe(epochs=1, batch_size=32, optimizer="sgd", lr=1e-3)
    spec = RunSpec(contender="c", model="baseline_cnn", recipe=recipe, dataset="blocks", seed=1)
    return train_run(spec, blocks, tmp_path, RunOptions(threads=1))


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_the_logits_give_the_metrics(poor: Run, blocks: Dataset, split: str) -> None:
    logits, labels = poor.logits(split), poor.labels(split)
    assert np.array_equal(labels, blocks.splits[split].labels)
    figures = poor.metrics | poor.test_metrics()
    assert (logits.argmax(1) == labels).mean() == figures[f"{split}_accuracy"]
    loss = -np.log(softmax(logits)[range(len(labels)), labels]).mean()
    assert loss == pytest.approx(figures[f"{split}_loss"], rel=1e-12)


@pytest.fixture(scope="module")
def sorted_by_class() -> Dataset:
    """A training split of 12,000 images, sorted: the first half is of one class and black, the others are noise."""
    labels = np.repeat(np.arange(3), [6000, 3000, 3000])
    pixels = np.random.default_rng(3).integers(0, 256, (12_000, 1, 9, 9), dtype=np.uint8)
    pixels[:6000] = 0
    others = [Split(pixels[start::100].copy(), labels[start::100].copy()) for start in (0, 1)]
    return Dataset("sorted", ("a", "b", "c"), Split(pixels, labels), *others)


def test_training_accuracy_is_measured_on_every_class_of_sorted_data(sorted_by_class: Dataset, tmp_path: Path) -> None:
    """A stratified sample of 5,000, in the order of the split: each class has its share of it."""
    spec = RunSpec(contender="c", model="logistic", recipe=Recipe(epochs=1, batch_size=3000), dataset="blocks")
    run = train_run(spec, sorted_by_class, tmp_path, RunOptions(threads=1))
    assert run.measured("train") == len(run.logits("train")) == 5000
    assert np.bincount(run.labels("train")).tolist() == [2500, 1250, 1250]
    assert run.metrics["train_accuracy"] == (run.logits("train").argmax(1) == run.labels("train")).mean()


def test_a_whitening_layer_is_set_from_every_class_of_sorted_data(sorted_by_class: Dataset, tmp_path: Path) -> None:
    """Over the whole training split the mean square of each whitened value is about 1."""
    recipe = Recipe(epochs=1, batch_size=6000, pixels="unit", precision="fp32")
    spec = RunSpec(contender="c", model="whitened_cnn", parameters={"width": 1}, recipe=recipe, dataset="blocks")
    run = train_run(spec, sorted_by_class, tmp_path, RunOptions(threads=1))
    filters = load_file(run.path / "weights.safetensors")["whitening.weight"][:4]
    outputs = torch.nn.functional.conv2d(torch.from_numpy(sorted_by_class.train.images / np.float32(255)), filters)
    assert outputs.square().mean((0, 2, 3)).tolist() == pytest.approx([1, 1, 1, 1], rel=0.05)


def test_the_worst_mistakes_and_examples_of_the_most_frequent_confusions(poor: Run, blocks: Dataset) -> None:
    logits, labels = poor.logits("test"), poor.labels("test")
    wrong = worst_mistakes(logits, labels, len(labels))
    assert len(wrong) > 24, "the run learnt too much for this test"
    assert np.array_equal(poor.arrays["mistake_index"], wrong[:24])
    expected = []
    for true, taken, _ in most_confused(confusion(logits, labels, 3), 8):
        expected += [i for i in wrong if labels[i] == true and logits[i].argmax() == taken][:4]
    assert poor.arrays["confused_index"].tolist() == expected
    for kind in ("mistake", "confused"):
        assert np.array_equal(poor.arrays[f"{kind}_images"], blocks.test.images[poor.arrays[f"{kind}_index"]])


def test_only_the_most_frequent_confusions_leave_images() -> None:
    """Of 90 pairs of 10 classes eight, of each four images at most; none where nothing is wrong."""
    random = np.random.default_rng(0)
    logits, labels = random.normal(size=(5000, 10)).astype(np.float32), random.integers(0, 10, 5000)
    confused = mistakes(logits, labels)["confused"]
    pairs = [(true, taken) for true, taken, _ in most_confused(confusion(logits, labels, 10), 8)]
    assert [(labels[i], logits[i].argmax()) for i in confused] == [pair for pair in pairs for _ in range(4)]
    right = np.eye(10, dtype=np.float32)[labels]
    assert mistakes(right, labels)["confused"].tolist() == []
