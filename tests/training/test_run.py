"""What a finished run leaves in predictions.npz, against the evaluation that reports do."""

from pathlib import Path

import numpy as np
import pytest

from bakeoff.data import Dataset
from bakeoff.evaluation.errors import most_confused, worst_mistakes
from bakeoff.evaluation.metrics import confusion, softmax
from bakeoff.record import Run
from bakeoff.spec import Recipe, RunSpec
from bakeoff.training import run as training
from bakeoff.training.run import train_run


@pytest.fixture
def poor(blocks: Dataset, tmp_path: Path) -> Run:
    """A run that has hardly begun to learn."""
    recipe = Recipe(epochs=1, batch_size=32, optimizer="sgd", lr=1e-3)
    spec = RunSpec(contender="c", model="baseline_cnn", recipe=recipe, dataset="blocks", seed=1)
    return train_run(spec, blocks, tmp_path, threads=1)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_the_logits_give_the_metrics(poor: Run, blocks: Dataset, split: str) -> None:
    logits, labels = poor.logits(split), poor.labels(split)
    assert np.array_equal(labels, blocks.splits[split].labels)
    assert (logits.argmax(1) == labels).mean() == poor.metrics[f"{split}_accuracy"]
    loss = -np.log(softmax(logits)[range(len(labels)), labels]).mean()
    assert loss == pytest.approx(poor.metrics[f"{split}_loss"], rel=1e-5)


def test_training_logits_are_those_of_a_sample(
    blocks: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "TRAIN_SAMPLE", 20)
    spec = RunSpec(contender="c", model="logistic", recipe=Recipe(epochs=1), dataset="blocks")
    run = train_run(spec, blocks, tmp_path, threads=1)
    assert run.logits("train").shape == (20, 3)
    assert run.measured("train") == 20


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
    found = training.most_confused(logits, labels)
    pairs = [(true, taken) for true, taken, _ in most_confused(confusion(logits, labels, 10), 8)]
    assert [(labels[i], logits[i].argmax()) for i in found] == [pair for pair in pairs for _ in range(4)]
    right = np.eye(10, dtype=np.float32)[labels]
    assert training.most_confused(right, labels).tolist() == []
