"""Training images that are never the same twice: where they come from, and what their labels say."""

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view

from bakeoff.data import load_dataset
from bakeoff.data.batches import load
from bakeoff.data.feeds import CROPS, Crops, Fresh, make_feed
from bakeoff.data.sources import find_composites
from bakeoff.errors import UsageError
from bakeoff.spec import CropFeed, FreshFeed, SplitFeed

DATA = "largest-digit:digits=digits,count=300,test_count=150"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def composite():
    return find_composites(DATA)["train"]


def test_the_split_is_taken_whole_and_in_a_new_order_every_epoch() -> None:
    split = load(load_dataset("digits").train, CPU)
    feed = make_feed(SplitFeed(), "digits", split, ())
    first, second = (feed.order(5, epoch) for epoch in (0, 1))
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(len(split)))
    assert not torch.equal(first, second)
    images, labels = feed.take(first[:7])
    assert torch.equal(images, split.images[first[:7]])
    assert torch.equal(labels, split.labels[first[:7]])


def test_fresh_images_are_new_in_every_epoch_and_for_every_seed() -> None:
    dataset = load_dataset(DATA)
    feed = make_feed(FreshFeed(), DATA, load(dataset.train, CPU), ())
    assert isinstance(feed, Fresh)
    assert len(feed) == len(dataset.train)
    seen = [image.tobytes() for split in dataset.splits.values() for image in split.images]
    for seed, epoch in ((0, 0), (0, 1), (2**31 - 1, 0), (1, 1)):
        images, labels = feed.take(feed.order(seed, epoch)[:50])
        assert labels.max() <= 9
        seen += [image.numpy().tobytes() for image in images]
    assert len(set(seen)) == len(seen)
    again, _ = feed.take(feed.order(1, 1)[:50])
    assert torch.equal(again, images)


def test_fresh_images_are_preprocessed(composite) -> None:
    feed = Fresh(composite, 20, CPU, ("threshold:at=255", "downscale:times=2"))
    plain, _ = Fresh(composite, 20, CPU, ()).take(feed.order(0, 0))
    images, _ = feed.take(feed.order(0, 0))
    white = (plain == 255).float() * 255
    expected = torch.nn.functional.avg_pool2d(white, 2)
    assert images.shape == (20, 1, 32, 32)
    assert (images - expected).abs().max() <= 0.5


def test_crops_show_what_their_labels_say(composite) -> None:
    """Each crop is looked for in its image, pixel by pixel: so its middle is known, and how far digits are from it."""
    crops = CropFeed(size=24, jitter=2, apart=8)
    feed = Crops(composite, 20 * CROPS, CPU, (), crops)
    numbers = feed.order(3, 1)
    images, labels = feed.take(numbers)
    assert images.shape == (20 * CROPS, 1, 24, 24)
    which = numbers.numpy() // CROPS
    pixels, _ = composite.render(which)
    parts = composite.parts(which)
    padded = np.pad(pixels[:, 0], ((0, 0), (12, 12), (12, 12)))
    for i, (crop, label) in enumerate(zip(images.numpy()[:, 0], labels.tolist(), strict=True)):
        places = np.argwhere((sliding_window_view(padded[i], (24, 24)) == crop).all(axis=(2, 3)))
        assert len(places), "the crop is cut from its image"
        there = parts.values[i] >= 0
        middle = (parts.boxes[i, there, :2] + parts.boxes[i, there, 2:] - 1) / 2
        distance = np.abs(places[:, None] - middle).max(axis=2)  # (places, digits)
        if label == 10:
            assert (distance.min(axis=1) >= 7.5).any()
        else:
            near = distance <= 2.5
            assert any(label in parts.values[i, there][row] for row in near)
    counts = np.bincount(labels.numpy(), minlength=11)
    assert counts[10] > 20
    assert (counts[:10] > 0).sum() >= 8


@pytest.mark.parametrize("by", ["rectangle", "square", "ink"])
def test_crops_tell_the_size_of_their_digit(by: str) -> None:
    """Steps of a tenth of the way from 25 to 2,500 pixels, on a logarithmic scale, of what the rule compares."""
    composite = find_composites(f"{DATA},by={by}")["train"]
    plain = Crops(composite, 20 * CROPS, CPU, (), CropFeed())
    sized = Crops(composite, 20 * CROPS, CPU, (), CropFeed(sizes=10))
    numbers = plain.order(0, 0)
    (images, values), (same, labels) = plain.take(numbers), sized.take(numbers)
    assert torch.equal(images, same)
    assert torch.equal(values == 10, labels == 100)
    parts = composite.parts(numbers.numpy() // CROPS)
    height, width = (parts.boxes[..., end + 2] - parts.boxes[..., end] for end in (0, 1))
    area = {"rectangle": height * width, "square": np.maximum(height, width) ** 2, "ink": parts.ink}[by]
    for i, (value, label) in enumerate(zip(values.tolist(), labels.tolist(), strict=True)):
        if value < 10:
            assert label // 10 == value
            low, high = (25 * 10 ** (0.2 * step) for step in (label % 10, label % 10 + 1))
            of_value = area[i][parts.values[i] == value]
            assert ((of_value >= low * 0.999) & (of_value <= high * 1.001)).any()


def test_generated_feeds_are_for_generated_datasets() -> None:
    split = load(load_dataset("digits").train, CPU)
    with pytest.raises(UsageError, match="digits: no dataset that is generated"):
        make_feed(FreshFeed(), "digits", split, ())
