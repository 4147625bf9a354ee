from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from bakeoff.data.dataset import Contents, Dataset, Split, mean_and_std, split_validation, subset
from bakeoff.errors import BakeoffError, UsageError


def random_split(labels, shape=(1, 4, 5), seed=0) -> Split:
    images = np.random.default_rng(seed).integers(0, 256, (len(labels), *shape), np.uint8)
    return Split(images, np.asarray(labels, np.int64))


def make(train=None, validation=None, test=None, classes=("cat", "dog")) -> Dataset:
    splits = (split if split is not None else random_split([0, 1, 1]) for split in (train, validation, test))
    return Dataset("pets", classes, *splits)


def numbered(labels) -> tuple[np.ndarray, np.ndarray]:
    """Images whose pixel is their index, to see which were drawn and in what order."""
    labels = np.asarray(labels, np.int64)
    return np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1, 1), labels


def largest_remainder(counts, fraction) -> list[int]:
    """The slow twin: exact fractions, one seat at a time."""
    exact = [Fraction(fraction) * count for count in counts]
    shares = [int(value) for value in exact]
    while sum(shares) < round(fraction * sum(counts)):
        shares[max(range(len(counts)), key=lambda k: exact[k] - shares[k])] += 1
    return shares


def test_a_dataset_says_its_shape_and_counts():
    dataset = make(test=random_split([1, 0, 1, 1]))
    assert (dataset.shape, dataset.channels, dataset.size) == ((1, 4, 5), 1, (4, 5))
    assert {name: counts.tolist() for name, counts in dataset.counts().items()} == {
        "train": [1, 2],
        "validation": [1, 2],
        "test": [1, 3],
    }
    assert list(dataset.splits) == ["train", "validation", "test"]
    assert len(dataset.test) == 4


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"test": random_split([0, 0])}, "pets, test split: class 'dog' has no image"),
        ({"validation": random_split([0, 1, 2])}, "pets, validation split: label 2 is outside 0..1"),
        ({"train": random_split([0, 1, -1])}, "pets, train split: label -1 is outside 0..1"),
        ({"test": random_split([0, 1], (1, 5, 4))}, "test split: images are 1x5x4, .* train split 1x4x5"),
        ({"test": random_split([0, 1], (3, 4, 5))}, "test split: images are 3x4x5, .* train split 1x4x5"),
        ({"train": Split(np.zeros((2, 1, 4, 5)), np.arange(2))}, "train split: images are float64"),
        ({"train": Split(np.zeros((2, 4, 5), np.uint8), np.arange(2))}, r"uint8 \(2, 4, 5\) where"),
        ({"test": Split(np.zeros((3, 1, 4, 5), np.uint8), np.arange(2))}, r"3 images, labels int64 \(2,\)"),
        ({"test": random_split([])}, "test split: class 'cat' has no image"),
        ({"classes": ("cat", "cat")}, "two classes with different names"),
        ({"classes": ("cat",)}, "at least two classes"),
    ],
)
def test_a_faulty_dataset_is_refused_by_name(change, sentence):
    with pytest.raises(BakeoffError, match=sentence):
        make(**change)


def test_unlabelled_images_are_checked_too():
    with pytest.raises(BakeoffError, match="pets, unlabelled images: images are 1x5x4, those of the train split 1x4x5"):
        replace(make(), unlabelled=random_split([0], (1, 5, 4)).images)


def test_all_labelled_images_count_into_the_classes_that_are_asked_for():
    few, more = random_split([1, 0]), random_split([0], seed=1)
    contents = Contents("pets", ("cat", "dog"), {"train": few, "test": more})
    whole = contents.labelled(["ape", "dog", "cat"])
    images, labels = whole.images, whole.labels
    assert (images == np.concatenate([few.images, more.images])).all()
    assert labels.tolist() == [1, 2, 2]
    with pytest.raises(UsageError, match=r"pets: class 'cat' is not one of the model's \(closest: cap"):
        contents.labelled(["cap", "dog"])


@pytest.mark.parametrize(
    ("test", "sentence"),
    [
        (random_split([0], (1, 5, 4)), "pets, test split: images are 1x5x4, those of the train split 1x4x5"),
        (random_split([0, 2]), r"pets, test split: label 2 is outside 0\.\.1"),
        (Split(np.zeros((1, 4, 5), np.uint8), np.zeros(1, np.int64)), r"uint8 \(1, 4, 5\) where"),
    ],
)
def test_faulty_contents_are_refused_before_anything_is_drawn(test, sentence):
    with pytest.raises(BakeoffError, match=sentence):
        Contents("pets", ("cat", "dog"), {"train": random_split([0, 1]), "test": test})


def test_the_fingerprint_is_of_the_content():
    plain = Split(np.arange(8, dtype=np.uint8).reshape(2, 1, 2, 2), np.arange(2))
    assert make(plain, plain, plain).fingerprint == "c9d30b2f9b0a0dac"  # as on any machine
    dataset = make()
    assert make().fingerprint == dataset.fingerprint
    pixels = dataset.test.images.copy()
    pixels[0, 0, 0, 0] ^= 1
    changed = {
        "pixel": replace(dataset, test=Split(pixels, dataset.test.labels)),
        "label": replace(dataset, train=Split(dataset.train.images, np.array([0, 0, 1]))),
        "class": replace(dataset, classes=("cat", "hound")),
        "shape": make(*[random_split([0, 1, 1], (1, 5, 4))] * 3),
    }
    assert len({dataset.fingerprint, *(other.fingerprint for other in changed.values())}) == 5
    more = {"unlabelled": random_split([0]).images, "header": ("Id", "Label"), "mirror": True}
    for change in ({"name": "beasts"}, more):  # what decides no result
        assert replace(dataset, **change).fingerprint == dataset.fingerprint
    assert len(dataset.fingerprint) == 16


@pytest.mark.parametrize("fraction", [1 / 6, 0.1, 0.5, 0.77])
def test_a_split_is_stratified_to_the_image(fraction):
    counts = [37, 101, 12, 50]
    images, labels = numbered(np.random.default_rng(1).permutation(np.repeat(np.arange(4), counts)))
    rest, drawn = split_validation(Split(images, labels), fraction)
    assert np.bincount(drawn.labels).tolist() == largest_remainder(counts, fraction)
    drawn_by_sklearn = train_test_split(
        labels, test_size=round(fraction * len(labels)), stratify=labels, random_state=0
    )[1]
    assert len(drawn) == len(drawn_by_sklearn)
    assert np.abs(np.bincount(drawn.labels) - np.bincount(drawn_by_sklearn)).max() <= 1
    order = np.concatenate([rest.images, drawn.images]).ravel()
    assert sorted(order) == list(range(200))
    for part in (rest, drawn):
        assert (np.diff(part.images.ravel().astype(int)) > 0).all()
        assert (part.labels == labels[part.images.ravel()]).all()


def test_a_draw_depends_on_its_arguments_alone():
    images, labels = numbered(np.arange(40) % 4)
    np.random.seed(3)  # noqa: NPY002 - the global generator must play no part
    drawn = split_validation(Split(images, labels), 0.3)[1].images.ravel().tolist()
    assert drawn == [0, 3, 8, 9, 14, 18, 19, 20, 21, 26, 31, 37]  # as with any version of NumPy
    assert split_validation(Split(images, labels), 0.3)[1].images.ravel().tolist() == drawn
    assert split_validation(Split(images, labels), 0.3, seed=1)[1].images.ravel().tolist() != drawn


def test_rare_classes_are_in_both_parts():
    _, labels = numbered([0] * 60 + [1] * 2)
    rest, drawn = split_validation(Split(*numbered(labels)), 1 / 6)
    assert (np.bincount(rest.labels).tolist(), np.bincount(drawn.labels).tolist()) == ([51, 1], [9, 1])
    rest, drawn = split_validation(Split(*numbered(labels)), 0.98)
    assert np.bincount(rest.labels).tolist()[1] == 1


@pytest.mark.parametrize("fraction", [0, 1, -0.1, float("nan")])
def test_a_fraction_outside_zero_to_one_is_refused(fraction):
    with pytest.raises(UsageError, match="between 0 and 1"):
        split_validation(Split(*numbered([0, 0, 1, 1])), fraction)


def test_a_subset_is_stratified_and_grows():
    whole = Split(*numbered(np.repeat(np.arange(4), [20, 40, 60, 80])))
    small, large = subset(whole, 20), subset(whole, 50)
    assert np.bincount(small.labels).tolist() == [2, 4, 6, 8]
    assert np.bincount(large.labels).tolist() == [5, 10, 15, 20]
    assert set(small.images.ravel()) < set(large.images.ravel())
    assert (np.diff(large.images.ravel().astype(int)) > 0).all()
    assert (subset(whole, 200).images == whole.images).all()
    assert np.bincount(subset(whole, 4).labels).tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("count", [3, 201])
def test_an_impossible_subset_is_refused(count):
    with pytest.raises(UsageError, match=f"{count} images is asked for where 4 to 200 are valid"):
        subset(Split(*numbered(np.repeat(np.arange(4), 50))), count)


def test_mean_and_std_are_those_of_the_pixels():
    split = random_split(np.arange(5000) % 2, (3, 6, 5))
    split.images[:, 2] = 51
    mean, std = mean_and_std(split)
    pixels = split.images / 255
    np.testing.assert_allclose(mean, pixels.mean(axis=(0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(std[:2], pixels.std(axis=(0, 2, 3))[:2], rtol=1e-12)
    assert std[2] == 1
    assert mean.dtype == std.dtype == np.float64
