"""Composites: pure in (seed, index), true to their parts, and labelled by what is in them."""

import hashlib
import itertools

import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import chi2_contingency, chisquare

from bakeoff.data import Dataset, Split
from bakeoff.data.composite.digit_shapes import SCALE, TURN, DigitShapes
from bakeoff.data.composite.drawing import Composite, composite_splits, composites
from bakeoff.data.composite.options import CompositeOptions, HighestDigit
from bakeoff.data.composite.textures import TEXTURES, texture
from bakeoff.data.dataset import split_validation
from bakeoff.errors import BakeoffError, UsageError
from bakeoff.spec.registry import parse_choice
from bakeoff.spec.settings import validate

DATASETS = {"largest-digit": CompositeOptions, "highest-digit": HighestDigit}
PUBLISHED = {
    "largest-digit": [3928, 4384, 3989, 4081, 3868, 3644, 3937, 4201, 4012, 3956],
    "highest-digit": [42, 421, 1029, 1991, 3171, 4223, 6184, 8866, 10621, 13452],
}
"""Class counts of the two competitions' training sets."""


def solids(count: int) -> Split:
    """Digits without holes or gaps, so that each is one connected component: label n is an L of its own."""
    images, labels = np.zeros((count, 1, 28, 28), np.uint8), np.arange(count, dtype=np.int64) % 10
    for index, (image, label) in enumerate(zip(images[:, 0], labels, strict=True)):
        tall, wide, thick = 12 + label % 5 * 2, 10 + label // 2 * 2, 3 + index // 10 % 3
        image[4 : 4 + tall, 4 : 4 + thick] = image[4 + tall - thick : 4 + tall, 4 : 4 + wide] = 255
    return Split(images, labels)


def options(text: str) -> CompositeOptions:
    name, values = parse_choice(text)
    return validate(DATASETS[name], values, name)


def composite(text: str, seed: int = 3) -> Composite:
    digits = solids(60)
    return Composite(options(text), digits.images[:, 0], digits.labels, seed)


RULES = [
    "largest-digit",
    "largest-digit:by=square",
    "largest-digit:by=ink,max_digits=4",
    "highest-digit:size=96",
    "highest-digit:rule=lowest,min_digits=1,size=96",
    "largest-digit:rule=sum,min_digits=1",
    "largest-digit:rule=count,max_digits=5,max_scale=1",
]


@pytest.mark.parametrize("text", RULES)
def test_an_image_depends_on_seed_and_index_only(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels, _ = composite(text).render(range(60))
    order = np.random.default_rng(0).permutation(60)
    shuffled, shuffled_labels, _ = composite(text).render(order)
    np.testing.assert_array_equal(shuffled, images[order])
    np.testing.assert_array_equal(shuffled_labels, labels[order])
    for index in (0, 17, 59):
        np.testing.assert_array_equal(composite(text).render([index])[0][0], images[index])
    monkeypatch.setattr("bakeoff.data.composite.drawing.CHUNK", 7 * 64 * 64)
    monkeypatch.setattr("bakeoff.data.composite.digit_shapes.BLOCK", 5)
    split, split_labels, _ = composite(text).render(range(60))
    np.testing.assert_array_equal(split, images)
    np.testing.assert_array_equal(split_labels, labels)
    assert (composite(text, seed=4).render(range(60))[0] != images).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize(
    ("task", "digest"), [("largest-digit", "a008411b04b2bb12"), ("highest-digit", "78eaec3e4d441889")]
)
def test_the_bytes_are_a_promise(task: str, digest: str) -> None:
    """The same in every process and on every machine; another digest is another dataset to every record made of it."""
    images, labels, _ = composite(task).render(range(300))
    assert hashlib.sha256(images.tobytes() + labels.astype("<i8").tobytes()).hexdigest()[:16] == digest


@pytest.mark.parametrize("text", RULES)
def test_pixels_are_the_parts_pasted_one_by_one(text: str) -> None:
    made, digits = composite(text), solids(60)
    images, _, parts = made.render(range(40))
    shapes, size = DigitShapes(digits.images[:, 0]), made.options.size
    for index, image in enumerate(images[:, 0]):
        top, left = parts.crops[index]
        expected = texture(made.options.backgrounds[parts.kinds[index]])[top : top + size, left : left + size].copy()
        for slot in np.flatnonzero(parts.values[index] >= 0):
            source, box = parts.sources[index, slot], parts.boxes[index, slot]
            angle, scale = parts.angles[index, slot] * TURN / 360, parts.scales[index, slot] * SCALE
            assert digits.labels[source] == parts.values[index, slot]
            drawn = shapes.draw(*(np.array([part], np.int64) for part in (source, round(angle), round(scale))))
            assert (box[2] - box[0], box[3] - box[1]) == (drawn.height[0], drawn.width[0])
            assert parts.ink[index, slot] == len(drawn.row)
            expected[box[0] + drawn.row, box[1] + drawn.column] = 255
        np.testing.assert_array_equal(image, expected)


def sizes(box: np.ndarray, ink: int, by: str) -> int:
    height, width = int(box[2] - box[0]), int(box[3] - box[1])
    return {"rectangle": height * width, "square": max(height, width) ** 2, "ink": int(ink)}[by]


@pytest.mark.parametrize("text", RULES)
def test_labels_follow_from_the_parts(text: str) -> None:
    made = composite(text)
    _, labels, parts = made.render(range(400))
    chosen = made.options
    for index, label in enumerate(labels):
        present = [slot for slot in range(chosen.max_digits) if parts.values[index, slot] >= 0]
        values = [int(parts.values[index, slot]) for slot in present]
        assert chosen.min_digits <= len(present) <= chosen.max_digits
        if chosen.rule == "largest":
            by = [sizes(parts.boxes[index, slot], parts.ink[index, slot], chosen.by) for slot in present]
            *others, largest = sorted(by)
            assert all(10 * other <= 9 * largest for other in others), "neither tied nor within 10 %"
            expected = str(values[by.index(largest)])
        else:
            expected = str({"highest": max, "lowest": min, "sum": sum, "count": len}[chosen.rule](values))
        assert made.classes[label] == expected


@pytest.mark.parametrize("text", ["largest-digit:overlap=0", "largest-digit:rule=count,max_digits=4,overlap=0"])
def test_labels_follow_from_the_pixels(text: str) -> None:
    made = composite(text)
    images, labels, parts = made.render(range(300))
    apart = 0
    for index, (image, label) in enumerate(zip(images[:, 0], labels, strict=True)):
        components, count = ndimage.label(image == 255, np.ones((3, 3)))
        boxes = [
            (rows.start, columns.start, rows.stop, columns.stop) for rows, columns in ndimage.find_objects(components)
        ]
        expected = [tuple(box.tolist()) for box in parts.boxes[index] if box.any()]
        if count < len(expected):
            continue  # two touch
        apart += 1
        assert sorted(boxes) == sorted(expected)
        if made.options.rule == "count":
            assert made.classes[label] == str(count)
        else:
            largest = max(boxes, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))
            assert label == parts.values[index, expected.index(largest)]
    assert apart > 200


@pytest.mark.parametrize("overlap", [0.0, 0.2, 0.5])
def test_digits_overlap_up_to_the_limit_and_meet_the_border(overlap: float) -> None:
    parts = composite(f"largest-digit:overlap={overlap}").render(range(1500))[2]
    boxes = parts.boxes
    assert boxes.min() == 0
    assert boxes.max() == 64
    shares = []
    for first, second in itertools.combinations(range(3), 2):
        a, b = boxes[:, first], boxes[:, second]
        shared = (np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])).clip(0).prod(axis=1)
        areas = [(box[:, 2:] - box[:, :2]).prod(axis=1) for box in (a, b)]
        present = (areas[0] > 0) & (areas[1] > 0)
        shares.append((shared / np.minimum(*areas).clip(1))[present])
    largest = np.concatenate(shares).max()
    assert 0.8 * overlap <= largest <= overlap


def test_choices_are_even() -> None:
    made = composite("largest-digit:rule=count,min_digits=1,max_scale=1,rotation=90")
    parts = made.render(range(6000))[2]
    present = parts.values >= 0
    assert chisquare(np.bincount(present.sum(axis=1))[1:]).pvalue > 1e-3
    assert chisquare(np.bincount(parts.kinds)).pvalue > 1e-3
    assert chisquare(np.bincount(parts.sources[present])).pvalue > 1e-3
    assert chisquare(np.histogram(parts.angles[present], 12, (-90, 90))[0]).pvalue > 1e-3
    assert chisquare(np.bincount((parts.scales[present] * SCALE).astype(int))[154:]).pvalue > 1e-3
    assert len(np.unique(parts.crops, axis=0)) > 5500
    assert chi2_contingency(np.histogram2d(parts.sources[:, 0] % 6, parts.kinds, (6, 7))[0]).pvalue > 1e-3


@pytest.mark.parametrize("kind", TEXTURES)
def test_a_threshold_isolates_the_digits(kind: str) -> None:
    made = composite(f"largest-digit:backgrounds={kind}")
    images = made.render(range(50))[0]
    digits = images == 255
    if kind == "stars":
        assert not ((images > 250) & ~digits).any()
        assert ((images > 230) & ~digits).any(), "near-white points are not digits"
    else:
        assert not ((images >= 200) & ~digits).any()


@pytest.mark.parametrize("task", sorted(DATASETS))
def test_class_counts_are_the_published_ones(task: str, mnist: Dataset) -> None:
    digits = [
        np.concatenate([getattr(split, part) for split in (mnist.train, mnist.validation)])
        for part in ("images", "labels")
    ]
    assert len(digits[1]) == 60_000
    made = Composite(options(task), digits[0][:, 0], digits[1])
    values = made.render(range(made.options.count))[2].values
    labels = values[:, 0] if task == "largest-digit" else values.max(axis=1)
    counts = np.bincount(labels, minlength=10)
    assert counts.sum() == sum(PUBLISHED[task])
    assert chi2_contingency([counts, PUBLISHED[task]]).pvalue > 0.01
    share = np.bincount(digits[1]) / len(digits[1])
    drawn = share if task == "largest-digit" else np.diff(share.cumsum() ** 3, prepend=0)
    assert chisquare(counts, drawn * counts.sum()).pvalue > 0.01


def test_splits_share_no_digit() -> None:
    digits = solids(60)
    sevens = digits.labels == 7
    made = composites(
        options("largest-digit:count=300,test_count=100,rule=sum,min_digits=1,max_digits=2"),
        Split(digits.images[~sevens], digits.labels[~sevens]),
        Split(digits.images[sevens], digits.labels[sevens]),
    )
    splits = {name: split for name, (split, _) in composite_splits(made).items()}
    assert made["train"].classes == tuple(str(value) for value in range(19))
    assert sorted(splits) == ["test", "train"]
    assert splits["train"].images.shape == (300, 1, 64, 64)
    assert splits["test"].labels.shape == (100,)
    assert set(splits["test"].labels.tolist()) == {7, 14}
    assert set(splits["train"].labels.tolist()) >= {0, 1, 17, 18}


def test_without_a_test_part_a_stratified_sixth_of_the_digits_is_set_aside() -> None:
    digits = solids(120)
    sets = composites(options("highest-digit:count=20,test_count=10,size=64,seed=5"), digits)
    splits = {name: split for name, (split, _) in composite_splits(sets).items()}
    rest, aside = split_validation(digits, 1 / 6, seed=1)
    assert np.bincount(aside.labels).tolist() == [2] * 10
    chosen = options("highest-digit:size=64")
    for name, part, seed in (("train", rest, 10), ("test", aside, 11)):
        images, labels, _ = Composite(chosen, part.images[:, 0], part.labels, seed).render(range(len(splits[name])))
        np.testing.assert_array_equal(splits[name].images, images)
        np.testing.assert_array_equal(splits[name].labels, labels)


def test_any_index_and_none() -> None:
    made = composite("largest-digit")
    far = made.render([2**62, 5])[0]
    assert (far[0] != far[1]).any()
    none, labels, parts = made.render([])
    assert none.shape == (0, 1, 64, 64)
    assert len(labels) == len(parts.values) == 0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("largest-digit:backgrounds=metal+peebles", r"largest-digit: .*unknown kind 'peebles' \(closest: pebbles\)"),
        ("largest-digit:min_digits=4", "min_digits = 4 is above max_digits = 3"),
        ("highest-digit:min_scale=2", r"min_scale = 2 is above max_scale = 1\.2"),
        ("highest-digit:rule=count", "rule = count needs min_digits below max_digits; both are 3"),
        ("highest-digit:by=ink", "by = ink is for rule = largest; the rule is highest"),
        ("largest-digit:rule=biggest", "rule = 'biggest': must be 'largest', 'highest'"),
        ("largest-digit:scale=2", r"unknown key 'scale' \(closest: .*max_scale"),
        ("largest-digit:size=16", "size = '16': must be greater than or equal to 32"),
        ("largest-digit:max_digits=10", "max_digits = '10': must be less than or equal to 9"),
        ("largest-digit:max_scale=4", "max_scale = 4 makes digits of 80 pixels where size is 64: at most 3.2 is valid"),
    ],
)
def test_a_wrong_option_gets_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        composite(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "highest-digit:size=64,max_digits=9,min_digits=9,min_scale=2,max_scale=2.5,overlap=0",
            "image 0: no place for 9 digits of 2 to 2.5 times",
        ),
        (
            "largest-digit:min_scale=1,max_scale=1,rotation=0",
            "for one digit to be clearly the largest, scales wider apart",
        ),
    ],
)
def test_the_impossible_ends_in_a_sentence(text: str, sentence: str) -> None:
    digits = solids(60)
    same = digits.images[:1].repeat(60, axis=0)
    with pytest.raises(UsageError, match=sentence):
        Composite(options(text), same[:, 0], digits.labels).render(range(3))


def test_a_digit_without_ink_gets_a_sentence() -> None:
    digits = solids(20)
    digits.images[7] = 0
    with pytest.raises(BakeoffError, match="digit image 7 has no ink"):
        Composite(options("largest-digit"), digits.images[:, 0], digits.labels)
