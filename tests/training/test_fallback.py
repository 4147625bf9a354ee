"""Training that begins anew where it gets nowhere: against a plain loop, and against itself when interrupted."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.nn.utils import clip_grad_norm_

from bakeoff.data import Dataset, Split
from bakeoff.data.batches import INIT, derived_seed, permutation
from bakeoff.data.dataset import mean_and_std
from bakeoff.errors import Interrupted, UsageError
from bakeoff.models import create_model
from bakeoff.record import Run, read_run
from bakeoff.spec import Recipe, RunSpec
from bakeoff.spec.registry import Entry
from bakeoff.spec.stopping import FALLBACKS, Fallback, Switch
from bakeoff.training.loss import make_loss
from bakeoff.training.options import RunOptions
from bakeoff.training.run import check_spec, train_run

NOWHERE = {"optimizer": "adam", "lr": 1e-30, "batch_size": 32, "precision": "fp32"}


def spec(model: str = "baseline_cnn", parameters: dict | None = None, **recipe) -> RunSpec:
    return RunSpec(
        contender="c", model=model, parameters=parameters or {}, recipe=Recipe(**recipe), dataset="blocks", seed=3
    )


def plain_model() -> torch.nn.Module:
    torch.set_num_threads(1)
    torch.manual_seed(derived_seed(3, INIT, 0))
    return create_model("baseline_cnn", channels=1, classes=3, size=8)


def tensors(split: Split, train: Split) -> tuple[torch.Tensor, torch.Tensor]:
    mean, std = mean_and_std(train)
    return torch.from_numpy((split.images / 255 - mean) / std).float(), torch.from_numpy(split.labels)


@pytest.mark.parametrize(
    ("losses", "after", "gain", "expected"),
    [
        ([2.30], 2, 0.01, False),
        ([2.30, 2.29], 2, 0.01, True),
        ([2.30, 2.27], 2, 0.01, False),
        ([2.27, 2.30], 2, 0.01, False),
        ([2.30, 2.27], 2, 0.1, True),
        ([2.31, 2.31, 2.31], 2, 0.01, False),
        ([2.29], 1, 0.0, False),
        ([2.31], 1, 0.0, True),
    ],
)
def test_training_gets_nowhere_where_no_epoch_gains(
    losses: list[float], after: int, gain: float, *, expected: bool
) -> None:
    """ln 10 is 2.3026, and 1 % less is 2.2796: decided once, by all epochs up to `after`."""
    rows = [{"train_loss": loss} for loss in losses]
    assert Switch(after=after, gain=gain).applies(rows, 10) is expected
    assert not Fallback().applies(rows, 10)


def test_a_fallen_run_equals_a_plain_loop(blocks: Dataset, tmp_path: Path) -> None:
    """SGD from the initial weights, its average from its beginning, in the order of the epochs that are left."""
    model = plain_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=0.01)
    images, labels = tensors(blocks.train, blocks.train)
    averages, step = {name: value.clone() for name, value in model.state_dict().items()}, 0
    for epoch in (2, 3, 4):
        for batch in permutation(3, epoch, len(labels)).split(32):
            optimizer.zero_grad()
            F.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()
            keep = min(0.9, (1 + step) / (10 + step))
            averages = {name: keep * averages[name] + (1 - keep) * w for name, w in model.state_dict().items()}
            step += 1
    fallback = "switch:lr=0.05,momentum=0.9,after=2"
    run_spec = spec(**NOWHERE, epochs=3, l2=0.01, ema=0.9, schedule="constant", fallback=fallback)
    run = train_run(run_spec, blocks, tmp_path, RunOptions(threads=1))
    assert run.fallback_epoch == 2
    assert [row["optimizer"] for row in run.history] == ["adam", "adam", "sgd", "sgd", "sgd"]
    assert [row["lr"] for row in run.history] == [1e-30, 1e-30, 0.05, 0.05, 0.05]
    assert [(row["epoch"], row["step"]) for row in run.history] == [(1, 3), (2, 6), (3, 9), (4, 12), (5, 15)]
    model.load_state_dict(averages)
    with torch.no_grad():
        expected = model(tensors(blocks.test, blocks.train)[0])
    np.testing.assert_allclose(run.logits("test"), expected.numpy(), rtol=1e-4, atol=1e-5)


def test_another_fallback_restarts_training(blocks: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slower(Fallback):
        """A tenth of the rate after the first epoch."""

        def applies(self, rows, outputs: int) -> bool:  # noqa: ARG002
            return len(rows) == 1

        def changes(self) -> dict:
            return {"lr": 0.0003}

    monkeypatch.setitem(FALLBACKS.builtin, "slower", Entry(Slower))
    run_spec = spec(epochs=2, batch_size=32, schedule="constant", fallback="slower")
    run = train_run(run_spec, blocks, tmp_path, RunOptions(threads=1))
    assert run.fallback_epoch == 1
    assert [row["lr"] for row in run.history] == [0.003, 0.0003, 0.0003]


def test_training_that_gets_somewhere_is_left_alone(blocks: Dataset, tmp_path: Path) -> None:
    """To the bit: a fallback that does not come costs nothing."""
    recipe = {**NOWHERE, "lr": 0.003, "epochs": 3}
    alone = train_run(spec(**recipe), blocks, tmp_path / "alone", RunOptions(threads=1))
    run = train_run(spec(**recipe, fallback="switch:after=2"), blocks, tmp_path / "run", RunOptions(threads=1))
    assert run.fallback_epoch is None
    assert len(run.history) == 3
    assert (run.path / "weights.safetensors").read_bytes() == (alone.path / "weights.safetensors").read_bytes()


def test_schedule_stop_and_best_weights_begin_anew(blocks: Dataset, tmp_path: Path) -> None:
    """The lost epochs were better, and early stopping was an epoch short of its patience: neither counts."""
    recipe = {"stop": "early:monitor=train_loss,patience=3,min_delta=1000", "schedule": "step:every=2,gamma=0.5"}
    fallback = "switch:lr=1e-30,momentum=0,after=3,gain=0.9"
    run_spec = spec(**{**NOWHERE, "lr": 0.003}, epochs=9, rounds=2, **recipe, keep="best", fallback=fallback)
    run = train_run(run_spec, blocks, tmp_path, RunOptions(threads=1))
    assert [row["round"] for row in run.history] == [0] * 3 + [0] * 4 + [1] * 4
    assert [row["lr"] for row in run.history[3:]] == 2 * [1e-30, 1e-30, 5e-31, 5e-31]
    losses = [row["validation_loss"] for row in run.history]
    assert min(losses[:3]) < 0.98 * min(losses[3:])
    assert run.metrics["validation_loss"] == losses[3]


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"loss": "balanced_cross_entropy"},
        {"loss": "softmax_output"},
        {"label_smoothing": 0.3},
        {"label_smoothing": 0.3, "augment": ["mixup"]},
    ],
)
def test_equal_logits_cost_ln_k(recipe: dict) -> None:
    """Under every loss, also where classes are of unequal number and labels are mixed."""
    labels = torch.tensor([0] * 6 + [1] * 3 + [2])
    balanced = recipe.get("loss") == "balanced_cross_entropy"
    weights = 10 / (5 * labels.bincount(minlength=5)) if balanced else None
    mix = (labels.flip(0), torch.linspace(0.5, 1, 10)) if "augment" in recipe else None
    loss = make_loss(Recipe(**recipe), weights)(torch.full((10, 5), 0.7), labels, mix)
    assert float(loss) == pytest.approx(math.log(5))


LONG = {
    "epochs": 2,
    "batch_size": 32,
    "optimizer": "nadam",
    "lr": 1e-12,
    "fallback": "switch:lr=0.05,momentum=0.9,after=2",
    "schedule": "plateau:monitor=train_loss,patience=0,min_delta=10",
    "keep": "best:monitor=validation_loss",
    "rounds": 2,
    "l2": 0.01,
    "l2_on": "hidden",
    "ema": 0.9,
    "augment": ["rotate:degrees=10", "shift:by=0.1"],
}


def bits(run: Run) -> dict[str, object]:
    history = [{key: value for key, value in row.items() if key != "seconds"} for row in run.history]
    weights = (run.path / "weights.safetensors").read_bytes()
    return {"weights": weights, "history": history, "logits": run.logits("test").tobytes(), "fell": run.fallback_epoch}


@pytest.fixture(scope="module")
def whole(blocks: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train_run(long(), blocks, tmp_path_factory.mktemp("whole"), RunOptions(threads=1))


def long() -> RunSpec:
    return spec("small_cnn", {"width": 4, "dense_layers": 2, "hidden": 8, "dropout": 0.3}, **LONG)


@pytest.mark.parametrize("kill_at", range(3, 14))
def test_interrupted_around_its_fall_it_ends_in_the_same_bits(
    blocks: Dataset, tmp_path: Path, whole: Run, kill_at: int
) -> None:
    """Three steps an epoch: the fall is between the steps 5 and 6, a new fit between 11 and 12."""
    assert whole.fallback_epoch == 2
    assert [row["step"] for row in whole.history] == list(range(3, 19, 3))
    calls = iter(range(1000))
    with pytest.raises(Interrupted):
        train_run(long(), blocks, tmp_path, RunOptions(threads=1, stop=lambda: next(calls) == kill_at))
    train_run(long(), blocks, tmp_path, RunOptions(threads=1))
    assert bits(read_run(tmp_path)) == bits(whole)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_l2_on_hidden_layers_is_a_parameter_group_of_its_own(blocks: Dataset, tmp_path: Path, optimizer: str) -> None:
    """Against PyTorch's groups, gradients clipped before: the weights of one of two linear layers decay."""
    model = plain_model()
    layers = [layer for layer in model.modules() if isinstance(layer, torch.nn.Linear)]
    assert [layer.weight.shape for layer in layers] == [(128, 40), (3, 128)]
    hidden = layers[0].weight
    groups = [
        {"params": [hidden], "weight_decay": 0.5},
        {"params": [parameter for parameter in model.parameters() if parameter is not hidden]},
    ]
    make = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer]
    against = make(groups, lr=0.01)
    images, labels = tensors(blocks.train, blocks.train)
    for epoch in range(2):
        for batch in permutation(3, epoch, len(labels)).split(32):
            against.zero_grad()
            F.cross_entropy(model(images[batch]), labels[batch]).backward()
            clip_grad_norm_(model.parameters(), 0.5)
            against.step()
    recipe = {"optimizer": optimizer, "lr": 0.01, "schedule": "constant", "precision": "fp32", "gradient_clip": 0.5}
    run_spec = spec(epochs=2, batch_size=32, l2=0.5, l2_on="hidden", **recipe)
    run = train_run(run_spec, blocks, tmp_path / "hidden", RunOptions(threads=1))
    with torch.no_grad():
        expected = model(tensors(blocks.test, blocks.train)[0])
    np.testing.assert_allclose(run.logits("test"), expected.numpy(), rtol=1e-4, atol=1e-5)
    everywhere = train_run(
        spec(epochs=2, batch_size=32, l2=0.5, **recipe), blocks, tmp_path / "all", RunOptions(threads=1)
    )
    assert not np.allclose(everywhere.logits("test"), expected.numpy(), rtol=1e-2, atol=1e-3)


def test_l2_on_hidden_layers_needs_one(blocks: Dataset) -> None:
    with pytest.raises(UsageError, match="l2_on = 'hidden': logistic has no linear layer but its last: use l2_on = 'a"):
        check_spec(spec("logistic", l2=0.1, l2_on="hidden"), blocks)
