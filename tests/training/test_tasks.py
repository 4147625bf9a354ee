"""Training images that are never the same twice: where they come from, and what their labels say."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view

from bakeoff.data import load_dataset
from bakeoff.data.batches import DeviceSplit, to_device
from bakeoff.data.composite.arranging import Arranger
from bakeoff.data.sources import find_composites
from bakeoff.errors import UsageError
from bakeoff.spec import Recipe, RunSpec
from bakeoff.spec.tasks import CROPS
from bakeoff.training.run import check_spec
from bakeoff.training.tasks import generated
from bakeoff.training.tasks.base import Task, find_task

DATA = "largest-digit:digits=digits,count=300,test_count=150"
CPU = torch.device("cpu")


def make_task(task: str, images: int = 0, data: str = DATA, preprocess: tuple[str, ...] = ()) -> Task:
    """The task, for a training split of so many black images, or for that of the data."""
    spec = RunSpec(contender="c", model="m", recipe=Recipe(task=task, preprocess=preprocess), dataset=data)
    black = DeviceSplit(torch.zeros(images, 1, 8, 8, dtype=torch.uint8), torch.zeros(images, dtype=torch.int64))
    return find_task(spec.recipe)(spec, black if images else to_device(load_dataset(data).train, CPU), 10)


@pytest.fixture(scope="module")
def composite():
    return find_composites(DATA)["train"]


def test_the_split_is_taken_whole_and_in_a_new_order_every_epoch() -> None:
    split = to_device(load_dataset("digits").train, CPU)
    task = make_task("images", data="digits")
    first, second = (task.order(5, epoch) for epoch in (0, 1))
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(len(split)))
    assert not torch.equal(first, second)
    images, labels = task.batch(first[:7])
    assert torch.equal(images, split.images[first[:7]])
    assert torch.equal(labels, split.labels[first[:7]])


def test_generated_images_are_new_in_every_epoch_and_for_every_seed() -> None:
    dataset = load_dataset(DATA)
    task = make_task("generated")
    assert len(task) == len(dataset.train)
    images_so_far = [image.tobytes() for split in dataset.splits.values() for image in split.images]
    for seed, epoch in ((0, 0), (0, 1), (2**31 - 1, 0), (1, 1)):
        images, labels = task.batch(task.order(seed, epoch)[:50])
        assert labels.max() <= 9
        images_so_far += [image.numpy().tobytes() for image in images]
    assert len(set(images_so_far)) == len(images_so_far)
    again, _ = task.batch(task.order(1, 1)[:50])
    assert torch.equal(again, images)


@pytest.mark.parametrize("seed", [0, 1, 2, 2**31 - 1])
def test_crops_are_cut_from_images_that_are_in_no_split_and_in_no_other_epoch(seed: int) -> None:
    """A dataset has at most ten million images, numbered from 0; each image gives all its crops within an epoch."""
    task = make_task("crops", 20 * CROPS)
    epochs = [np.unique(task.order(seed, epoch).numpy() // CROPS, return_counts=True) for epoch in (0, 1, 2)]
    images = np.concatenate([numbers for numbers, _ in epochs])
    assert images.min() >= 10_000_000
    assert len(np.unique(images)) == len(images) == 60
    assert all((counts == CROPS).all() for _, counts in epochs)


def test_generated_images_are_preprocessed() -> None:
    task = make_task("generated", 20, preprocess=("threshold:at=255", "downscale:times=2"))
    plain, _ = make_task("generated", 20).batch(task.order(0, 0))
    images, _ = task.batch(task.order(0, 0))
    white = (plain == 255).float() * 255
    expected = torch.nn.functional.avg_pool2d(white, 2)
    assert images.shape == (20, 1, 32, 32)
    assert (images - expected).abs().max() <= 0.5


def test_crops_show_what_their_labels_say(composite) -> None:
    """Each crop is looked for in its image, pixel by pixel: so its middle is known, and how far digits are from it."""
    task = make_task("crops:size=24,jitter=2,apart=8", 20 * CROPS)
    numbers = task.order(3, 1)
    images, labels = task.batch(numbers)
    assert images.shape == (20 * CROPS, 1, 24, 24)
    which = numbers.numpy() // CROPS
    pixels, _, parts = composite.render(which)
    padded = np.pad(pixels[:, 0], ((0, 0), (12, 12), (12, 12)))
    for i, (crop, label) in enumerate(zip(images.numpy()[:, 0], labels.tolist(), strict=True)):
        places = np.argwhere((sliding_window_view(padded[i], (24, 24)) == crop).all(axis=(2, 3)))
        assert len(places), "the crop is cut from its image"
        present = parts.values[i] >= 0
        middle = (parts.boxes[i, present, :2] + parts.boxes[i, present, 2:] - 1) / 2
        distance = np.abs(places[:, None] - middle).max(axis=2)  # (places, digits)
        if label == 10:
            assert (distance.min(axis=1) >= 7.5).any()
        else:
            near = distance <= 2.5
            assert any(label in parts.values[i, present][row] for row in near)
    counts = np.bincount(labels.numpy(), minlength=11)
    assert counts[10] > 20
    assert (counts[:10] > 0).sum() >= 8


@pytest.mark.parametrize(
    "data",
    [DATA, DATA.replace("largest", "highest") + ",size=64", DATA + ",rule=lowest"],
    ids=["largest", "highest", "lowest"],
)
def test_heatmap_targets_say_where_the_digit_is_that_counts(data: str) -> None:
    """The images are those of `generated`; their labels are worked out one by one from what each image is made of."""
    composite = find_composites(data)["train"]
    task, plain = make_task("heatmap:cells=7", 60, data), make_task("generated", 60, data)
    numbers = task.order(0, 1)
    (images, labels), (same, values) = task.batch(numbers), plain.batch(numbers)
    assert torch.equal(images, same)
    parts, size = composite.render(numbers.numpy())[2], composite.options.size
    for i, label in enumerate(labels.tolist()):
        value, place = divmod(label, 49)
        assert value == values[i]
        digits = [j for j in range(parts.values.shape[1]) if parts.values[i, j] == value]
        if composite.options.rule == "largest":
            digits = [max(range(3), key=lambda j: np.prod(parts.boxes[i, j, 2:] - parts.boxes[i, j, :2]))]
        top, left, bottom, right = parts.boxes[i, digits[0]].tolist()
        row, column = (math.floor((a + b - 1) / 2 / size * 7) for a, b in ((top, bottom), (left, right)))
        assert place == row * 7 + column


def test_generated_tasks_are_for_generated_datasets_and_train_on_nothing_else() -> None:
    dataset = load_dataset("digits")
    for data, teacher, sentence in (
        ("digits", "", "digits: is no dataset that is generated"),
        (DATA, "t", "a teacher adds to the training split: task = 'generated' does not train on it"),
    ):
        recipe = Recipe(task="generated", teacher=teacher)
        with pytest.raises(UsageError, match=sentence):
            check_spec(RunSpec(contender="c", model="logistic", recipe=recipe, dataset=data), dataset)


@pytest.mark.parametrize("rule", ["sum", "count"])
@pytest.mark.parametrize(("model", "task"), [("heatmap_classifier", "heatmap:cells=8"), ("patch_classifier", "crops")])
def test_crops_and_places_are_for_rules_under_which_one_digit_counts(model: str, task: str, rule: str) -> None:
    data = f"{DATA},rule={rule}"
    spec = RunSpec(contender="c", model=model, recipe=Recipe(task=task), dataset=data)
    with pytest.raises(UsageError, match=f"task = '{task}': largest.*: no single digit counts under rule = {rule}"):
        check_spec(spec, load_dataset(DATA))


def test_another_rule_answers_with_one_digit_only_where_its_table_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    parity = SimpleNamespace(options=SimpleNamespace(rule="parity"))
    monkeypatch.setattr(generated, "find_composites", lambda _: {"train": parity})
    spec = RunSpec(contender="c", model="patch_classifier", recipe=Recipe(task="crops"), dataset=DATA)
    with pytest.raises(UsageError, match="no single digit counts under rule = parity"):
        check_spec(spec, load_dataset(DATA))


def test_crops_have_their_own_frequency_of_classes() -> None:
    recipe = Recipe(task="crops", loss="balanced_cross_entropy")
    with pytest.raises(UsageError, match="task = 'crops': crops have their own frequency of classes"):
        check_spec(RunSpec(contender="c", model="patch_classifier", recipe=recipe, dataset=DATA), load_dataset(DATA))


@pytest.mark.parametrize("name", ["generated", "crops:size=24", "heatmap"])
def test_an_image_is_arranged_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arranging digits is half the cost of an image; what is made of it must not be asked for again."""
    arranged: list[int] = []
    arrange = Arranger.arrange
    monkeypatch.setattr(Arranger, "arrange", lambda self, n: arranged.extend(n.tolist()) or arrange(self, n))
    task = make_task(name, 600)
    numbers = task.order(0, 0)[:60]
    task.batch(numbers)
    per_image = CROPS if name.startswith("crops") else 1
    assert arranged == sorted({number // per_image for number in numbers.tolist()})
