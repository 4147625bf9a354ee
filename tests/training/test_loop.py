"""The loop against a plain one, and against itself when it is interrupted at any step."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from bakeoff.data import Dataset
from bakeoff.data.batches import INIT, derived_seed, permutation
from bakeoff.data.dataset import mean_and_std
from bakeoff.errors import Interrupted
from bakeoff.models import create_model
from bakeoff.record import read_run, status
from bakeoff.spec import Recipe, RunSpec
from bakeoff.training.run import train_run

EVERYTHING = {
    "epochs": 2,
    "batch_size": 32,
    "optimizer": "adam",
    "schedule": "plateau:monitor=train_loss,patience=0,min_delta=10",
    "label_smoothing": 0.1,
    "keep": "best:monitor=validation_loss",
    "fits": 2,
    "gradient_clip": 1.0,
    "weight_decay": 0.01,
    "ema": 0.9,
    "augment": ["rotate:degrees=10", "shift:by=0.1"],
}


def spec(model: str = "small_cnn", parameters: dict | None = None, **recipe) -> RunSpec:
    return RunSpec(
        contender="c", model=model, parameters=parameters or {}, recipe=Recipe(**recipe), dataset="blocks", seed=3
    )


def small(**recipe) -> RunSpec:
    return spec("small_cnn", {"width": 4, "dense_layers": 2, "hidden": 8, "dropout": 0.3}, **recipe)


def bits(path: Path) -> dict[str, object]:
    """What must not change by a bit: weights, predictions, and the history but for its clock."""
    run = read_run(path)
    history = [{key: value for key, value in row.items() if key != "seconds"} for row in run.history]
    arrays = {key: value.tobytes() for key, value in run.arrays.items()}
    return {
        "weights": (path / "weights.safetensors").read_bytes(),
        "history": history,
        "metrics": run.metrics,
        **arrays,
    }


def test_equals_a_plain_loop(blocks: Dataset, tmp_path: Path) -> None:
    """The same weights as fifteen lines of textbook PyTorch, in float32 with momentum and coupled L2."""
    recipe = {"epochs": 2, "batch_size": 32, "optimizer": "sgd", "lr": 0.05, "momentum": 0.9, "l2": 0.01}
    torch.set_num_threads(1)
    torch.manual_seed(derived_seed(3, INIT, 0))
    model = create_model("baseline_cnn", channels=1, classes=3, size=8)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=0.01)
    mean, std = mean_and_std(blocks.train)
    images = torch.from_numpy((blocks.train.images / 255 - mean) / std).float()
    labels = torch.from_numpy(blocks.train.labels)
    for epoch in range(2):
        for batch in permutation(3, epoch, len(labels)).split(32):
            optimizer.zero_grad()
            F.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()
    made = spec("baseline_cnn", schedule="constant", precision="fp32", **recipe)
    run = train_run(made, blocks, tmp_path, threads=1)
    with torch.no_grad():
        expected = model(torch.from_numpy((blocks.test.images / 255 - mean) / std).float())
    np.testing.assert_allclose(run.logits("test"), expected.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kill_at", [0, 1, 2, 3, 5, 6, 7, 11])
def test_interrupted_anywhere_ends_in_the_same_bits(blocks: Dataset, tmp_path: Path, kill_at: int) -> None:
    """EMA, best weights, two fits, plateau, augmentation and dropout all go on as if nothing had happened."""
    made = small(**EVERYTHING)
    train_run(made, blocks, tmp_path / "whole", threads=1)
    calls = iter(range(1000))
    with pytest.raises(Interrupted):
        train_run(made, blocks, tmp_path / "cut", threads=1, stop=lambda: next(calls) == kill_at)
    assert status(tmp_path / "cut") == "running"
    train_run(made, blocks, tmp_path / "cut", threads=1)
    assert bits(tmp_path / "cut") == bits(tmp_path / "whole")


def test_a_checkpoint_at_every_step_changes_nothing(blocks: Dataset, tmp_path: Path) -> None:
    made = small(epochs=1, batch_size=16, optimizer="nadam")
    train_run(made, blocks, tmp_path / "a", threads=1)
    train_run(made, blocks, tmp_path / "b", threads=1, checkpoint_seconds=0)
    assert bits(tmp_path / "a") == bits(tmp_path / "b")
    assert not (tmp_path / "b" / "checkpoint").exists()


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "nadam", "adagrad", "adadelta", "rmsprop"])
def test_every_optimizer_resumes(blocks: Dataset, tmp_path: Path, optimizer: str) -> None:
    made = small(epochs=1, batch_size=16, optimizer=optimizer, lr=0.01)
    train_run(made, blocks, tmp_path / "whole", threads=1)
    calls = iter(range(1000))
    with pytest.raises(Interrupted):
        train_run(made, blocks, tmp_path / "cut", threads=1, stop=lambda: next(calls) == 3)
    train_run(made, blocks, tmp_path / "cut", threads=1)
    assert bits(tmp_path / "cut") == bits(tmp_path / "whole")


def test_another_seed_gives_other_bits(blocks: Dataset, tmp_path: Path) -> None:
    made = small(epochs=1)
    train_run(made, blocks, tmp_path / "a", threads=1)
    train_run(made.model_copy(update={"seed": 4}), blocks, tmp_path / "b", threads=1)
    assert bits(tmp_path / "a")["weights"] != bits(tmp_path / "b")["weights"]


def test_a_diverged_run_is_recorded_as_such(blocks: Dataset, tmp_path: Path) -> None:
    run = train_run(small(epochs=9, optimizer="sgd", lr=1000, l2=100, precision="fp32"), blocks, tmp_path, threads=1)
    assert run.status == "diverged"
    assert run.metrics == {}
    assert status(tmp_path) == "diverged"


def test_keep_best_evaluates_the_best_epoch(blocks: Dataset, tmp_path: Path) -> None:
    """With a rate that ruins late epochs, the kept weights are those of the best epoch in the history."""
    recipe = {"epochs": 4, "batch_size": 32, "optimizer": "sgd", "lr": 2.0, "momentum": 0.9, "schedule": "constant"}
    run = train_run(small(**recipe, keep="best:monitor=validation_loss"), blocks, tmp_path, threads=1)
    losses = [row["validation_loss"] for row in run.history]
    assert min(losses) < losses[-1], "the recipe no longer spoils its last epoch: choose another"
    assert run.metrics["validation_loss"] == min(losses)


def test_selection_on_test_follows_the_test_split(blocks: Dataset, tmp_path: Path) -> None:
    made = small(epochs=3, batch_size=32, keep="best:monitor=test_accuracy")
    run = train_run(made, blocks, tmp_path, threads=1)
    assert run.metrics["test_accuracy"] == max(row["test_accuracy"] for row in run.history)


def test_early_stopping_ends_each_fit(blocks: Dataset, tmp_path: Path) -> None:
    """No epoch improves by 1000, so each fit has its first epoch and `patience` more."""
    recipe = {"epochs": 9, "fits": 2, "stop": "early:monitor=train_loss,patience=2,min_delta=1000"}
    run = train_run(small(**recipe), blocks, tmp_path, threads=1)
    assert [(row["fit"], row["epoch"]) for row in run.history] == [(0, 1), (0, 2), (0, 3), (1, 4), (1, 5), (1, 6)]


def test_a_damaged_checkpoint_is_named_and_set_aside(blocks: Dataset, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        train_run(small(), blocks, tmp_path, threads=1, stop=lambda: True)
    file = tmp_path / "checkpoint" / "state.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.warns(UserWarning, match=r"state\.safetensors: damaged checkpoint.*trained from the start"):
        assert train_run(small(), blocks, tmp_path, threads=1).status == "finished"


def test_the_thread_count_of_a_checkpoint_is_kept(blocks: Dataset, tmp_path: Path) -> None:
    calls = iter(range(1000))
    with pytest.raises(Interrupted):
        train_run(small(), blocks, tmp_path, threads=2, stop=lambda: next(calls) == 2)
    assert train_run(small(), blocks, tmp_path, threads=1).environment["threads"] == 2
