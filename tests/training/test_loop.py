"""The loop against a plain one, and against itself when it is interrupted at any step."""

import dataclasses
import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from bakeoff.data import Dataset, Split, load_dataset
from bakeoff.data.augment import AUGMENTATIONS, Batch, augmenter
from bakeoff.data.batches import INIT, count_batches, derived_seed, permutation
from bakeoff.data.dataset import mean_and_std
from bakeoff.errors import BakeoffError, Interrupted, UsageError
from bakeoff.models import create_model
from bakeoff.record import read_run, status
from bakeoff.spec import Recipe, RunSpec
from bakeoff.spec.settings import Frozen
from bakeoff.spec.steps import Augmentation
from bakeoff.training.digest import run_directory
from bakeoff.training.loop import new_state, train
from bakeoff.training.options import RunOptions
from bakeoff.training.run import check_spec, train_run
from bakeoff.training.setup import build_model, make_setup

EVERYTHING = {
    "epochs": 2,
    "batch_size": 32,
    "optimizer": "adam",
    "schedule": "plateau:monitor=train_loss,patience=0,min_delta=10",
    "label_smoothing": 0.1,
    "keep": "best:monitor=validation_loss",
    "rounds": 2,
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
    run_spec = spec("baseline_cnn", schedule="constant", precision="fp32", **recipe)
    run = train_run(run_spec, blocks, tmp_path, RunOptions(threads=1))
    with torch.no_grad():
        expected = model(torch.from_numpy((blocks.test.images / 255 - mean) / std).float())
    np.testing.assert_allclose(run.logits("test"), expected.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kill_at", [0, 1, 2, 3, 5, 6, 7, 11])
def test_interrupted_anywhere_ends_in_the_same_bits(blocks: Dataset, tmp_path: Path, kill_at: int) -> None:
    """EMA, best weights, two rounds, plateau, augmentation and dropout all go on as if nothing had happened."""
    run_spec = small(**EVERYTHING)
    train_run(run_spec, blocks, tmp_path / "whole", RunOptions(threads=1))
    calls = iter(range(1000))
    with pytest.raises(Interrupted):
        train_run(run_spec, blocks, tmp_path / "cut", RunOptions(threads=1, stop=lambda: next(calls) == kill_at))
    assert status(tmp_path / "cut") == "running"
    train_run(run_spec, blocks, tmp_path / "cut", RunOptions(threads=1))
    assert bits(tmp_path / "cut") == bits(tmp_path / "whole")


SMALLER = {"crop": "crop:padding=2", "cutout": "cutout:size=2", "flip": "flip:mode=alternating"}
"""Settings that fit images of 4x4 pixels, or carry more from epoch to epoch, where the defaults do not."""


def mixes(name: str) -> bool:
    pair = Batch(torch.zeros(2, 1, 16, 16, dtype=torch.uint8), torch.arange(2), torch.zeros(2, dtype=torch.int64))
    return augmenter([name])(pair, torch.Generator()).mix is not None


MIXING = [name for name in AUGMENTATIONS.builtin if mixes(name)]


@pytest.mark.parametrize("kill_at", [1, 4, 7])
@pytest.mark.parametrize("mixing", MIXING)
def test_every_augmentation_resumes(blocks: Dataset, tmp_path: Path, mixing: str, kill_at: int) -> None:
    """One that mixes labels at a time, after all that do not."""
    augment = ["flip", *(SMALLER.get(name, name) for name in AUGMENTATIONS.builtin if name not in MIXING), mixing]
    preprocess = ["threshold:at=100", "downscale", "repeat", "upscale:times=4"]
    run_spec = small(epochs=3, batch_size=32, augment=augment, preprocess=preprocess, label_smoothing=0.1)
    whole = train_run(run_spec, blocks, tmp_path / "whole", RunOptions(threads=1))
    calls = iter(range(1000))
    with pytest.raises(Interrupted):
        train_run(run_spec, blocks, tmp_path / "cut", RunOptions(threads=1, stop=lambda: next(calls) == kill_at))
    train_run(run_spec, blocks, tmp_path / "cut", RunOptions(threads=1))
    assert bits(tmp_path / "cut") == bits(tmp_path / "whole")
    assert whole.dataset["shape"] == [1, 8, 8], "the record speaks of the data as they are"


def test_alternating_flips_show_each_image_both_ways_within_two_epochs(blocks: Dataset) -> None:
    """About half of them mirrored in each: what the model is given, image by image, however the epoch is ordered."""
    run_spec = small(epochs=3, batch_size=32, augment=["flip:mode=alternating"], pixels="unit")
    setup = make_setup(run_spec, blocks, torch.device("cpu"))
    inputs: list[bytes] = []

    def watched(images: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled():
            inputs.extend(image.numpy().tobytes() for image in images)
        return setup.normalise(images)

    for _ in train(
        dataclasses.replace(setup, normalise=watched), new_state(build_model(run_spec, blocks), run_spec.recipe)
    ):
        pass
    assert len(inputs) == 3 * 90
    epochs = [set(inputs[start : start + 90]) for start in (0, 90, 180)]
    upright, mirrored = ([image[..., ::step].tobytes() for image in blocks.train.images] for step in (1, -1))
    for image, mirror_image in zip(upright, mirrored, strict=True):
        assert [image in epoch for epoch in epochs] in ([True, False, True], [False, True, False])
        assert [mirror_image in epoch for epoch in epochs] == [image not in epoch for epoch in epochs]
    assert 30 < sum(image in epochs[0] for image in mirrored) < 60


@pytest.mark.parametrize("pixels", ["unit", "standardise"])
def test_preprocessing_is_training_on_preprocessed_data(blocks: Dataset, tmp_path: Path, pixels: str) -> None:
    """The same bits as from a data set that numpy made of it."""

    def preprocessed(split: Split) -> Split:
        sharp = np.where(split.images >= 100, 255, 0).astype(np.uint8)
        return Split(np.repeat(np.kron(sharp, np.ones((3, 3), np.uint8)), 3, axis=1), split.labels)

    run_spec = small(epochs=2, batch_size=32, pixels=pixels, precision="fp32")
    steps = ["threshold:at=100", "upscale:times=3", "repeat"]
    stepwise = run_spec.model_copy(update={"recipe": run_spec.recipe.model_copy(update={"preprocess": tuple(steps)})})
    data = Dataset("made", blocks.classes, *map(preprocessed, blocks.splits.values()))
    run, expected = (
        train_run(stepwise, blocks, tmp_path / "stepwise", RunOptions(threads=1)),
        train_run(run_spec, data, tmp_path / "made", RunOptions(threads=1)),
    )
    assert bits(tmp_path / "stepwise")["weights"] == bits(tmp_path / "made")["weights"]
    assert run.metrics == expected.metrics
    assert run.multiply_adds == expected.multiply_adds
    assert run.parameters == expected.parameters


def test_the_curve_within_an_epoch(blocks: Dataset) -> None:
    """Every point is the mean loss since the one before: against the running sum of the loss, read at every step."""
    run_spec = small(epochs=1, batch_size=4)
    setup = make_setup(run_spec, blocks, torch.device("cpu"))
    state = new_state(build_model(run_spec, blocks), run_spec.recipe)
    sums = [(float(state.loss_sum), int(state.correct)) for _ in train(setup, state)]
    (row,) = state.history
    steps = [step for step, _, _ in row["curve"]]
    assert steps == [*range(2, 23, 2), 23], "23 steps, of which the last has two images"
    sums.append((row["train_loss"] * 90, round(row["train_accuracy"] * 90)))
    for (step, loss, accuracy), before in zip(row["curve"], [0, *steps], strict=False):
        images = min(step * 4, 90) - before * 4
        assert loss == pytest.approx((sums[step][0] - sums[before][0]) / images, abs=1e-6)
        assert accuracy == pytest.approx((sums[step][1] - sums[before][1]) / images, abs=1e-6)


@pytest.mark.parametrize(("epochs", "rounds", "points"), [(1, 1, 20), (5, 1, 20), (10, 1, 10), (10, 5, 2), (101, 2, 1)])
def test_the_curve_has_about_a_hundred_points(blocks: Dataset, epochs: int, rounds: int, points: int) -> None:
    run_spec = small(epochs=epochs, rounds=rounds, batch_size=3)
    setup = make_setup(run_spec, blocks, torch.device("cpu"))
    state = new_state(build_model(run_spec, blocks), run_spec.recipe)
    for _ in train(setup, state):
        if state.history:
            break
    assert len(state.history[0]["curve"]) == pytest.approx(points, abs=points / 4)


def test_a_checkpoint_at_every_step_changes_nothing(blocks: Dataset, tmp_path: Path) -> None:
    run_spec = small(epochs=1, batch_size=16, optimizer="nadam")
    train_run(run_spec, blocks, tmp_path / "a", RunOptions(threads=1))
    train_run(run_spec, blocks, tmp_path / "b", RunOptions(threads=1, checkpoint_seconds=0))
    assert bits(tmp_path / "a") == bits(tmp_path / "b")
    assert not (tmp_path / "b" / "checkpoint").exists()


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "nadam", "adagrad", "adadelta", "rmsprop"])
def test_every_optimizer_resumes(blocks: Dataset, tmp_path: Path, optimizer: str) -> None:
    run_spec = small(epochs=1, batch_size=16, optimizer=optimizer, lr=0.01)
    train_run(run_spec, blocks, tmp_path / "whole", RunOptions(threads=1))
    calls = iter(range(1000))
    with pytest.raises(Interrupted):
        train_run(run_spec, blocks, tmp_path / "cut", RunOptions(threads=1, stop=lambda: next(calls) == 3))
    train_run(run_spec, blocks, tmp_path / "cut", RunOptions(threads=1))
    assert bits(tmp_path / "cut") == bits(tmp_path / "whole")


def test_another_seed_gives_other_bits(blocks: Dataset, tmp_path: Path) -> None:
    run_spec = small(epochs=1)
    train_run(run_spec, blocks, tmp_path / "a", RunOptions(threads=1))
    train_run(run_spec.model_copy(update={"seed": 4}), blocks, tmp_path / "b", RunOptions(threads=1))
    assert bits(tmp_path / "a")["weights"] != bits(tmp_path / "b")["weights"]


def test_a_diverged_run_is_recorded_as_such(blocks: Dataset, tmp_path: Path) -> None:
    run = train_run(
        small(epochs=9, optimizer="sgd", lr=1000, l2=100, precision="fp32"), blocks, tmp_path, RunOptions(threads=1)
    )
    assert run.status == "diverged"
    assert run.metrics == {}
    assert status(tmp_path) == "diverged"


@pytest.mark.parametrize(
    ("l2", "first"),
    [(100.0, "the weights"), (76.7, "the logits of bright test images alone")],
    ids=["weights", "logits"],
)
def test_a_run_that_diverges_in_its_last_step_is_recorded_as_such(tmp_path: Path, l2: float, first: str) -> None:
    """Each of eight steps multiplies the weights by 1 - 1000 x l2: float32 overflows in the last, whose loss is finite.
    `first` is what becomes infinite first."""
    generator, labels = np.random.default_rng(0), np.arange(90) % 3
    dark = Split(np.zeros((3, 1, 28, 28), np.uint8), labels[:3])
    train = Split(generator.integers(0, 4, (90, 1, 28, 28), dtype=np.uint8), labels)
    data = Dataset("dark", ("a", "b", "c"), train, dark, Split(dark.images + np.uint8(255), dark.labels))
    recipe = {"epochs": 1, "batch_size": 12, "optimizer": "sgd", "lr": 1000.0, "schedule": "constant", "l2": l2}
    run = train_run(spec("logistic", **recipe, pixels="unit", precision="fp32"), data, tmp_path, RunOptions(threads=1))
    assert (run.status, run.metrics) == ("diverged", {}), first
    assert len(run.history) == (first != "the weights"), "bright test images are met after the last epoch"
    assert not (tmp_path / "weights.safetensors").exists()


def test_keep_best_evaluates_the_best_epoch(blocks: Dataset, tmp_path: Path) -> None:
    """With a rate that ruins late epochs, the kept weights are those of the best epoch in the history."""
    recipe = {"epochs": 4, "batch_size": 32, "optimizer": "sgd", "lr": 2.0, "momentum": 0.9, "schedule": "constant"}
    run = train_run(
        small(**recipe, precision="fp32", keep="best:monitor=validation_loss"), blocks, tmp_path, RunOptions(threads=1)
    )
    losses = [row["validation_loss"] for row in run.history]
    assert min(losses) < losses[-1], "the recipe no longer spoils its last epoch: choose another"
    assert run.metrics["validation_loss"] == min(losses)


def test_selection_on_test_follows_the_test_split(blocks: Dataset, tmp_path: Path) -> None:
    run_spec = small(epochs=3, batch_size=32, precision="fp32", keep="best:monitor=test_accuracy")
    run = train_run(run_spec, blocks, tmp_path, RunOptions(threads=1))
    assert run.test_metrics()["test_accuracy"] == max(row["test_accuracy"] for row in run.history)


def test_early_stopping_ends_each_round(blocks: Dataset, tmp_path: Path) -> None:
    """No epoch improves by 1000, so each round has its first epoch and `patience` more."""
    recipe = {"epochs": 9, "rounds": 2, "stop": "early:monitor=train_loss,patience=2,min_delta=1000"}
    run = train_run(small(**recipe), blocks, tmp_path, RunOptions(threads=1))
    assert [(row["round"], row["epoch"]) for row in run.history] == [(0, 1), (0, 2), (0, 3), (1, 4), (1, 5), (1, 6)]


def test_the_thread_count_of_a_checkpoint_is_kept(blocks: Dataset, tmp_path: Path) -> None:
    calls = iter(range(1000))
    with pytest.raises(Interrupted):
        train_run(small(), blocks, tmp_path, RunOptions(threads=2, stop=lambda: next(calls) == 2))
    run = train_run(small(), blocks, tmp_path, RunOptions(threads=1))
    assert run.environment["threads"] == 2
    assert [(part["step"], part["environment"]["threads"]) for part in run.segments] == [(0, 2), (2, 2)]


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [
        ({"augment": ["flip:mode=alternating"]}, "augment: flip would change what images of blocks mean"),
        ({"augment": ["crop:padding=8"]}, "crop:padding=8 is too much for images of 8x8 pixels"),
        ({"augment": ["crop:padding=4"], "preprocess": ["downscale", "upscale"]}, "for images of 4x4 pixels"),
        ({"augment": ["mixup", "mixup"]}, "two steps mix labels"),
        ({"augment": ["spin"]}, "augment: unknown choice 'spin'"),
        ({"preprocess": ["downscale:times=3"]}, "downscale:times=3 does not divide images of 8x8 pixels"),
        ({"preprocess": ["downscale"]}, "model small_cnn: images of 4x4 are too small"),
    ],
)
def test_what_does_not_fit_the_data_is_refused_before_training(blocks: Dataset, recipe: dict, sentence: str) -> None:
    not_mirrored = dataclasses.replace(blocks, mirror=False)
    with pytest.raises(UsageError, match=sentence):
        check_spec(small(**recipe), not_mirrored)


def test_whatever_mirrors_is_refused_as_flips_are(blocks: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    turn = Augmentation(
        lambda batch, _generator: dataclasses.replace(batch, images=batch.images.flip(3)), Frozen, mirrors=True
    )
    monkeypatch.setitem(AUGMENTATIONS.builtin, "turn", turn)
    with pytest.raises(UsageError, match="augment: turn would change what images of blocks mean"):
        check_spec(small(augment=["turn"]), dataclasses.replace(blocks, mirror=False))
    check_spec(small(augment=["turn"]), blocks)


@pytest.mark.parametrize("mirror", [None, True])
def test_flips_are_allowed_where_they_are_not_known_to_harm(blocks: Dataset, mirror: bool | None) -> None:
    check_spec(small(augment=["flip"]), dataclasses.replace(blocks, mirror=mirror))


def test_frozen_stages_keep_their_bits(blocks: Dataset, tmp_path: Path) -> None:
    """Decay, averaging and batch statistics included; everything behind them is trained."""
    chosen = spec("resnet8", freeze="stages:2", epochs=1, weight_decay=0.1, l2=0.01, batch_size=16)
    run = train_run(chosen, blocks, tmp_path / "run", RunOptions(threads=1))
    torch.manual_seed(derived_seed(chosen.seed, INIT, 0))
    before = build_model(chosen, blocks).state_dict()
    after = load_file(run.path / "weights.safetensors")
    same = {name for name in before if torch.equal(before[name], after[name])}
    frozen = {name for name in before if name.startswith(("conv1", "bn1", "layer1"))}
    assert frozen <= same
    assert all("num_batches" in name for name in same - frozen)


def test_training_goes_on_from_the_weights_of_a_run(blocks: Dataset, tmp_path: Path) -> None:
    """With steps that round to nothing the parent's answers come back; its weights, not its place, name the run."""
    parent = train_run(small(epochs=2, batch_size=32), blocks, tmp_path / "parent", RunOptions(threads=1))
    still = small(epochs=1, batch_size=32, optimizer="sgd", lr=1e-30, weights=str(parent.path))
    child = train_run(still, blocks, tmp_path / "child", RunOptions(threads=1))
    assert np.array_equal(child.logits("test"), parent.logits("test"))
    origin = json.loads((child.path / "run.json").read_text())["weights"]
    assert origin["file"] == str(parent.path / "weights.safetensors")
    assert origin["sha256"] == hashlib.sha256((parent.path / "weights.safetensors").read_bytes()).hexdigest()
    name = run_directory(still, blocks)
    moved = parent.path.rename(tmp_path / "elsewhere")
    assert run_directory(small(**{**still.recipe.model_dump(), "weights": str(moved)}), blocks) == name
    other = train_run(small(epochs=1, batch_size=32), blocks, tmp_path / "other", RunOptions(threads=1))
    assert run_directory(small(**{**still.recipe.model_dump(), "weights": str(other.path)}), blocks) != name
    with pytest.raises(BakeoffError, match="of the same network"):
        train_run(spec("logistic", weights=str(moved)), blocks, tmp_path / "unlike", RunOptions(threads=1))


def test_a_whitened_network_sees_white_patches(blocks: Dataset, tmp_path: Path) -> None:
    """The first layer's outputs on training images are uncorrelated, as far as its variance floor lets them be."""
    chosen = spec("whitened_cnn", {"width": 4}, epochs=1, batch_size=32, preprocess=("upscale:times=2",))
    run = train_run(chosen, blocks, tmp_path / "run", RunOptions(threads=1))
    filters = load_file(run.path / "weights.safetensors")["whitening.weight"][:4].double()
    setup = make_setup(chosen, blocks, torch.device("cpu"))
    outputs = F.conv2d(setup.normalise(setup.train.images).double(), filters).transpose(0, 1).flatten(1)
    moments = outputs @ outputs.T / outputs.shape[1]
    assert torch.allclose(moments, torch.diag(torch.diag(moments)), atol=1e-4)
    assert 0.9 < float(moments.max()) <= 1


@pytest.mark.parametrize(("count", "size", "sizes"), [(9, 4, [4, 5]), (8, 4, [4, 4]), (10, 4, [4, 4, 2]), (1, 4, [1])])
def test_no_batch_of_one(count: int, size: int, sizes: list[int]) -> None:
    assert count_batches(count, size) == len(sizes)


def test_batch_normalisation_takes_a_remainder_of_one(blocks: Dataset, tmp_path: Path) -> None:
    """Maps of 1x1 and a last image alone would have no deviation to divide by; every image is still seen once."""
    size = len(blocks.train) - 1
    run = train_run(spec("resnet18", epochs=1, batch_size=size), blocks, tmp_path / "run", RunOptions(threads=1))
    (row,) = run.history
    assert row["step"] == 1
    assert row["curve"][-1][1] == pytest.approx(row["train_loss"], abs=1e-5)


@pytest.mark.parametrize(
    ("model", "task"),
    [("patch_classifier", "generated"), ("patch_classifier", "crops"), ("heatmap_classifier", "heatmap")],
)
def test_generated_images_go_on_where_they_stopped(model: str, task: str, tmp_path: Path) -> None:
    """Images that exist only while they are trained on are the same after an interruption."""
    data = "largest-digit:digits=digits,count=120,test_count=100"
    run_spec = spec(model, {"width": 2}, task=task, epochs=2, batch_size=24, preprocess=("threshold:at=255",))
    run_spec = run_spec.model_copy(update={"dataset": data})
    dataset = load_dataset(data)
    train_run(run_spec, dataset, tmp_path / "whole", RunOptions(threads=1))
    calls = iter(range(1000))
    with pytest.raises(Interrupted):
        train_run(run_spec, dataset, tmp_path / "cut", RunOptions(threads=1, stop=lambda: next(calls) == 6))
    train_run(run_spec, dataset, tmp_path / "cut", RunOptions(threads=1))
    assert bits(tmp_path / "cut") == bits(tmp_path / "whole")


def test_heatmaps_are_trained_with_balanced_classes(tmp_path: Path) -> None:
    """Of the highest of digits most are 8 and 9; images of the same epoch cost otherwise once each class counts
    alike, and as much where all logits are equal."""
    data = "largest-digit:digits=digits,count=300,test_count=150,min_digits=1,rule=highest"
    recipe = {"task": "heatmap", "epochs": 1, "batch_size": 100, "optimizer": "sgd", "lr": 1e-30, "precision": "fp32"}
    losses = []
    for loss in ("cross_entropy", "balanced_cross_entropy"):
        run_spec = spec("heatmap_classifier", {"width": 1, "blocks": 1}, loss=loss, **recipe).model_copy(
            update={"dataset": data}
        )
        run = train_run(run_spec, load_dataset(data), tmp_path / loss, RunOptions(threads=1))
        losses.append(run.history[0]["train_loss"])
    assert losses[0] != losses[1]
    assert losses == pytest.approx([math.log(640)] * 2, rel=0.1)


def test_training_accuracy_of_a_heatmap_is_that_of_its_classes(tmp_path: Path) -> None:
    """With steps that round to nothing and one batch, the model that is trained answers as it does for `generated`."""
    data = "largest-digit:digits=digits,count=300,test_count=150"
    recipe = {"epochs": 1, "batch_size": 300, "optimizer": "sgd", "lr": 1e-30, "precision": "fp32"}
    accuracies = []
    for task in ("generated", "heatmap"):
        run_spec = spec("heatmap_classifier", {"width": 2, "blocks": 1}, task=task, **recipe).model_copy(
            update={"dataset": data}
        )
        run = train_run(run_spec, load_dataset(data), tmp_path / task, RunOptions(threads=1))
        accuracies.append(run.history[0]["train_accuracy"])
    assert accuracies[0] == accuracies[1] > 0.03


def test_heatmaps_are_for_models_that_have_them() -> None:
    data = "largest-digit:digits=digits,count=300,test_count=100"
    dataset, placed = load_dataset(data), {"task": "heatmap"}
    for model, fields, sentence in (
        ("conv", placed, r"conv has no heatmap_logits, which it trains \(conv fits images, generated\)"),
        (
            "heatmap_classifier",
            placed | {"augment": ("rotate:degrees=10",)},
            "augment would move what the places are of",
        ),
        (
            "heatmap_classifier",
            placed | {"preprocess": ("downscale:times=2",)},
            "tells 4 x 4 places of such images apart: cells=4",
        ),
    ):
        with pytest.raises(UsageError, match=sentence):
            check_spec(spec(model, **fields).model_copy(update={"dataset": data}), dataset)


def test_crops_are_for_models_that_classify_patches(blocks: Dataset) -> None:
    run_spec = spec("conv", task="crops").model_copy(update={"dataset": "largest-digit:digits=digits"})
    dataset = load_dataset("digits")
    with pytest.raises(UsageError, match=r"conv has no patch_logits, which it trains \(conv fits images, generated\)"):
        check_spec(run_spec, dataset)
    with pytest.raises(UsageError, match="patch_classifier sees 41 pixels where a crop has 40"):
        check_spec(
            spec("patch_classifier", task="crops:size=40").model_copy(update={"dataset": run_spec.dataset}), dataset
        )
    with pytest.raises(UsageError, match="blocks: is no dataset that is generated"):
        check_spec(spec("patch_classifier", task="generated"), blocks)
