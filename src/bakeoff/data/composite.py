"""Modified MNIST: composites of several white digits on a grey texture, any image of an endless set on demand.

Two course competitions used such images: the largest of 2 or 3 digits at 64x64, the highest of 3 at 128x128. An
image is a pure function of (options, digits, seed, index): every random number is a hash of seed, index and what it
is for, and all arithmetic that decides a pixel is exact, so that the bytes are the same on any machine, in any
order and for any batch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray
from pydantic import BeforeValidator, Field, model_validator

from bakeoff.data.dataset import Images, Labels, Split, split_validation
from bakeoff.data.digit_shapes import SCALE, TURN, Glyphs, Ints
from bakeoff.data.textures import TEXTURES, textures
from bakeoff.errors import BakeoffError, UsageError, closest
from bakeoff.spec.choices import Frozen, validate

CLEAR = 0.9
"""Under the rule `largest`, no other digit is larger than this part of the largest."""

TEST_FRACTION = 1 / 6
"""Of the digits, drawn stratified for the test composites where the source brings no test part."""

CHUNK = 2**22
"""Pixels made at a time, so that the arrays stay in the processor's cache."""

TRIES = 16
"""Places tried for a digit before the image is attempted anew."""

REDRAW, ATTEMPTS, DRAWINGS = 64, 1024, 32
"""Attempts at an image with the same digits, attempts in all, and those of them that get as far as drawing."""

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
HALF = np.uint64(32)

COUNT, KIND, CROP, DIGIT, SHAPE, PLACE = range(6)
"""What a random number is for."""

Words = NDArray[np.uint64]


Count = Annotated[int, Field(ge=1, le=10_000_000, description="images of the training part")]
Size = Annotated[int, Field(ge=32, le=256, description="height and width of an image in pixels")]
Fewest = Annotated[int, Field(ge=1, le=9, description="fewest digits in an image")]
Smallest = Annotated[float, Field(ge=0.5, le=8, description="smallest size of a digit, in multiples of its own")]
Largest = Annotated[float, Field(ge=0.5, le=8, description="largest size of a digit, in multiples of its own")]
Overlap = Annotated[
    float, Field(ge=0, le=1, description="largest part of a digit's bounding rectangle that another's may cover")
]
Kinds = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda given: given.split("+") if isinstance(given, str) else given),
    Field(min_length=1, description="kinds of texture, equally frequent"),
]
Rule = Annotated[
    Literal["largest", "highest", "lowest", "sum", "count"],
    Field(
        description="the label: the largest digit's value, the highest value, the lowest, their sum, or their number"
    ),
]


class CompositeOptions(Frozen):
    """What the composites of a task are like."""

    count: Count = 40_000
    test_count: int = Field(10_000, ge=1, le=10_000_000, description="images of the test part")
    seed: int = Field(0, ge=0, lt=2**31, description="another seed gives other images of the same kind")
    size: Size = 64
    min_digits: Fewest = 2
    max_digits: int = Field(3, ge=1, le=9, description="most digits in an image; all numbers are equally frequent")
    min_scale: Smallest = 0.6
    max_scale: Largest = 1.5
    rotation: float = Field(30.0, ge=0, le=180, description="digits are turned by -rotation ... rotation degrees")
    overlap: Overlap = 0.2
    backgrounds: Kinds = tuple(TEXTURES)
    rule: Rule = "largest"
    by: Literal["rectangle", "square", "ink"] = Field(
        "rectangle",
        description="what `largest` compares: bounding rectangle, its longer side squared, or pixels of ink",
    )

    @model_validator(mode="after")
    def _consistent(self) -> CompositeOptions:
        for kind in self.backgrounds:
            if kind not in TEXTURES:
                raise UsageError(f"backgrounds: unknown kind {kind!r}{closest(kind, TEXTURES)}")
        if len(set(self.backgrounds)) < len(self.backgrounds):
            raise UsageError(f"backgrounds: a kind is named twice in {'+'.join(self.backgrounds)}")
        for low, high in (("min_digits", "max_digits"), ("min_scale", "max_scale")):
            if getattr(self, low) > getattr(self, high):
                raise UsageError(f"{low} = {getattr(self, low):g} is above {high} = {getattr(self, high):g}")
        if self.rule == "count" and self.min_digits == self.max_digits:
            raise UsageError(f"rule = count needs min_digits below max_digits; both are {self.max_digits}")
        if self.rule != "largest" and "by" in self.model_fields_set:
            raise UsageError(f"by = {self.by} is for rule = largest; the rule is {self.rule}: leave it out")
        return self

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the labels: digits, or the possible sums or numbers."""
        first, last = {"sum": (0, 9 * self.max_digits), "count": (self.min_digits, self.max_digits)}.get(
            self.rule, (0, 9)
        )
        return tuple(str(value) for value in range(first, last + 1))


class LargestDigit(CompositeOptions):
    """64x64, 2 or 3 digits of clearly different size: which is the largest? (Winter 2019.)"""


class HighestDigit(CompositeOptions):
    """128x128, 3 digits near their own size, mostly apart: which is the highest? (Autumn 2019.)"""

    count: Count = 50_000
    size: Size = 128
    min_digits: Fewest = 3
    min_scale: Smallest = 0.8
    max_scale: Largest = 1.2
    overlap: Overlap = 0.1
    rule: Rule = "highest"


TASKS: dict[str, type[CompositeOptions]] = {"largest-digit": LargestDigit, "highest-digit": HighestDigit}


@dataclass(frozen=True, eq=False)
class Parts:
    """What N composites with up to K digits are made of. An absent digit has value and source -1, else zeros.

    Every digit lies wholly inside its image and may touch the border.
    """

    values: Labels
    """(N, K) what each digit shows. Under the rule `largest`, the first is the largest."""
    sources: Ints
    """(N, K) the place of each digit among the source's."""
    boxes: Ints
    """(N, K, 4) top, left, bottom, right of all its ink, as if it were alone; bottom and right are excluded."""
    ink: Ints
    """(N, K) pixels of ink, as if it were alone."""
    angles: NDArray[np.float64]
    """(N, K) degrees, counter-clockwise."""
    scales: NDArray[np.float64]
    """(N, K) multiples of the source's size."""
    kinds: Ints
    """(N,) the background, as its place in `options.backgrounds`."""
    crops: Ints
    """(N, 2) top and left of the crop in its texture."""


class Composite:
    """An endless set of composites.

    Args:
        options: what they are like.
        digits: images (N, H, W) uint8, white on black, each with ink, and labels (N,) int64 of 0 ... 9.
        seed: 0 ... 2**63 - 1.

    Raises:
        UsageError: the options ask for digits that do not fit into an image.
        BakeoffError: the digits are of the wrong type or shape, or without ink.
    """

    def __init__(self, options: CompositeOptions, digits: Images, labels: Labels, seed: int = 0) -> None:
        if digits.dtype != np.uint8 or digits.ndim != 3 or 0 in digits.shape:
            raise BakeoffError(f"digits are {digits.dtype} {digits.shape} where uint8 (N, H, W) is valid")
        if labels.dtype != np.int64 or labels.shape != digits.shape[:1]:
            raise BakeoffError(f"labels are {labels.dtype} {labels.shape} where int64 ({len(digits)},) is valid")
        outside = labels[(labels < 0) | (labels > 9)]
        if len(outside):
            raise BakeoffError(f"digits: label {outside[0]} is outside 0..9")
        self.options, self.classes = options, options.classes
        self._glyphs, self._labels = Glyphs(digits), labels
        self._textures = textures(options.backgrounds)
        self._key = _mix(np.array([seed], np.uint64) + GOLDEN)
        longest = self._glyphs.longest
        if options.max_scale * longest > options.size:
            raise UsageError(
                f"max_scale = {options.max_scale:g} makes digits of {options.max_scale * longest:.0f} pixels where "
                f"size is {options.size}: at most {math.floor(100 * options.size / longest) / 100:g} is valid"
            )

    def render(self, indices: ArrayLike, *, out: Images | None = None) -> tuple[Images, Labels]:
        """The composites with the numbers `indices` (N,), 0 or more: images (N, 1, S, S) uint8, labels (N,) int64.

        The images are written into `out` where it is given. Raises UsageError where no arrangement of the digits is
        found.
        """
        images, labels, _ = self.compose(indices, out=out)
        return images, labels

    def compose(self, indices: ArrayLike, *, out: Images | None = None) -> tuple[Images, Labels, Parts]:
        """The images and labels of `render`, and what the images are made of, arranged once."""
        numbers, size = _numbers(indices), self.options.size
        images = np.empty((len(numbers), 1, size, size), np.uint8) if out is None else out
        assert images.shape == (len(numbers), 1, size, size)
        assert images.flags.c_contiguous
        labels = np.empty(len(numbers), np.int64)
        windows = sliding_window_view(self._textures, (size, size), axis=(1, 2))
        made = []
        for here in self._chunks(len(numbers)):
            parts, ink = self._arrange(numbers[here])
            made.append(parts)
            images[here, 0] = windows[parts.kinds, parts.crops[:, 0], parts.crops[:, 1]]
            images[here].reshape(-1)[ink] = 255
            labels[here] = self._label(parts.values)
        return images, labels, _joined(made)

    def parts(self, indices: ArrayLike) -> Parts:
        """What the composites with the numbers `indices` (N,) are made of."""
        numbers = _numbers(indices)
        return _joined([self._arrange(numbers[here])[0] for here in self._chunks(len(numbers))])

    def _chunks(self, count: int) -> list[slice]:
        """`count` images in parts of CHUNK pixels; at least one part."""
        step = max(CHUNK // self.options.size**2, 1)
        return [slice(start, start + step) for start in range(0, max(count, 1), step)]

    def _label(self, values: Labels) -> Labels:
        """The labels (N,) of images with these digits (N, K)."""
        absent = values < 0
        labels: Labels
        match self.options.rule:
            case "largest":
                labels = values[:, 0]
            case "highest":
                labels = values.max(axis=1)
            case "lowest":
                labels = np.where(absent, 9, values).min(axis=1)
            case "sum":
                labels = np.where(absent, 0, values).sum(axis=1)
            case "count":
                labels = (~absent).sum(axis=1) - self.options.min_digits
        return labels

    def _arrange(self, numbers: Words) -> tuple[Parts, Ints]:
        """The parts of N images, and where their ink is, as places in the flat images (N, 1, S, S)."""
        options, n, k = self.options, len(numbers), self.options.max_digits
        keys = _mix(self._key + _mix(numbers))
        counts = options.min_digits + _below(_random(keys, COUNT), k - options.min_digits + 1)
        sources, angles, scales, ink, top, left, height, width = final = np.zeros((8, n, k), np.int64)
        painted = [np.zeros(0, np.int64)]
        pending, attempts, drawings = np.arange(n), np.zeros(n, np.int64), 0
        while len(pending):
            attempt = self._propose(keys[pending], counts[pending], attempts[pending])
            if attempt.max() >= ATTEMPTS or drawings == DRAWINGS:
                first = attempt.argmax()
                raise self._hopeless(int(numbers[pending[first]]), int(counts[pending[first]]))
            drawings += 1
            shape = self._shape(keys[pending], counts[pending], attempt)
            present = shape[2] > 0
            drawn = self._glyphs.draw(*shape[:, present])
            box = np.zeros((3, *present.shape), np.int64)
            box[:, present] = drawn.ink, drawn.height, drawn.width
            place, fits = self._place(keys[pending], attempt, *box[1:])
            good = fits & ((box[0] > 0) == present).all(axis=1) & self._clear(*box)
            final[:, pending[good]] = np.concatenate((shape, box[:1], place, box[1:]))[:, good]

            corner = ((pending[:, None] * options.size + place[0]) * options.size + place[1])[present]
            pixels = corner[drawn.owner] + drawn.row * options.size + drawn.column
            painted.append(pixels[good[np.nonzero(present)[0]][drawn.owner]])
            attempts[pending] = attempt + 1
            pending = pending[~good]

        spare = self._textures.shape[1] - options.size + 1
        word = _random(keys, CROP)
        absent = scales == 0
        parts = Parts(
            values=np.where(absent, -1, self._labels[sources]),
            sources=np.where(absent, -1, sources),
            boxes=np.stack((top, left, top + height, left + width), axis=2),
            ink=ink,
            angles=angles * np.float64(360 / TURN),
            scales=scales / np.float64(SCALE),
            kinds=_below(_random(keys, KIND), len(options.backgrounds)),
            crops=np.stack((_below(word, spare), _below(word << HALF, spare)), axis=1),
        )
        return parts, np.concatenate(painted)

    def _shape(self, keys: Words, counts: Ints, attempts: Ints) -> Ints:
        """Sources, angles and scales (3, ..., K) of the digits in attempts (...,), scale 0 for an absent one."""
        options, slots = self.options, np.arange(self.options.max_digits)
        keys, counts, attempts = keys[..., None], counts[..., None], attempts[..., None]
        sources = _below(_random(keys, DIGIT, attempts // REDRAW, slots), len(self._glyphs))
        word = _random(keys, SHAPE, attempts, slots)
        low, high = round(options.min_scale * SCALE), round(options.max_scale * SCALE)
        scales = low + _below(word, high - low + 1)
        reach = round(options.rotation * TURN / 360)
        angles = _below(word << HALF, 2 * reach + 1) - reach
        shape = np.stack(np.broadcast_arrays(sources, angles, scales)) * (slots < counts)
        if options.rule == "largest":
            shape[2] = -np.sort(-shape[2], axis=-1)
        return shape

    def _propose(self, keys: Words, counts: Ints, attempts: Ints) -> Ints:
        """The first attempts (N,), from `attempts` on, whose first digit looks clearly the largest by its outline.

        That is much cheaper than drawing all digits. ATTEMPTS or more: there is none.
        """
        proposed = attempts.copy()
        pending, width = np.arange(len(keys) if self.options.rule == "largest" else 0), 1
        while len(pending):
            tried = proposed[pending, None] + np.arange(width)
            sources, angles, scales = self._shape(keys[pending, None], counts[pending, None], tried)
            top, left, bottom, right = self._glyphs.extent(sources, angles)
            clear = self._clear(
                self._glyphs.ink[sources] * scales**2, (bottom - top + 1) * scales, (right - left + 1) * scales
            )
            found = clear.any(axis=1)
            proposed[pending] += np.where(found, clear.argmax(axis=1), width)
            pending = pending[~found & (proposed[pending] < ATTEMPTS)]
            width = min(4 * width, 32)
        return proposed

    def _clear(self, ink: NDArray[Any], height: NDArray[Any], width: NDArray[Any]) -> NDArray[np.bool_]:
        """(...,): is the first of K digits (..., K) clearly the largest, or does the rule not ask for that?"""
        if self.options.rule != "largest":
            return np.ones(ink.shape[:-1], np.bool_)
        by = {"ink": ink, "rectangle": height * width, "square": np.maximum(height, width) ** 2}[self.options.by]
        clear: NDArray[np.bool_] = (by[..., 1:] <= CLEAR * by[..., :1]).all(axis=-1)
        return clear

    def _place(self, keys: Words, attempts: Ints, height: Ints, width: Ints) -> tuple[Ints, NDArray[np.bool_]]:
        """Tops and lefts (2, N, K) of rectangles (N, K), one after the other, and whether all found a place (N,)."""
        size, trials = self.options.size, np.arange(TRIES)
        places, areas = np.zeros((2, *height.shape), np.int64), height * width
        fits: NDArray[np.bool_] = np.logical_and.reduce(np.maximum(height, width) <= size, axis=1)
        for slot in range(height.shape[1]):
            tall, wide, area = height[:, slot, None], width[:, slot, None], areas[:, slot, None]
            word = _random(keys[:, None], PLACE, attempts[:, None], slot, trials)
            top, left = (
                _below(word, np.maximum(size - tall, 0) + 1),
                _below(word << HALF, np.maximum(size - wide, 0) + 1),
            )
            free = np.ones(top.shape, np.bool_)
            for other in range(slot):
                above, before = (place[:, other, None] for place in places)
                rows = np.minimum(top + tall, above + height[:, other, None]) - np.maximum(top, above)
                columns = np.minimum(left + wide, before + width[:, other, None]) - np.maximum(left, before)
                shared = np.maximum(rows, 0) * np.maximum(columns, 0)
                free &= shared <= self.options.overlap * np.minimum(area, areas[:, other, None])
            chosen = free.argmax(axis=1)[:, None]
            fits &= free.any(axis=1)
            places[0, :, slot] = np.take_along_axis(top, chosen, axis=1)[:, 0]
            places[1, :, slot] = np.take_along_axis(left, chosen, axis=1)[:, 0]
        return places * (areas > 0), fits

    def _hopeless(self, number: int, count: int) -> UsageError:
        options = self.options
        wider = ", or scales wider apart for one digit to be clearly the largest" if options.rule == "largest" else ""
        return UsageError(
            f"image {number}: {count} digits of {options.min_scale:g} to {options.max_scale:g} times their size with "
            f"overlap = {options.overlap:g} found no place in {options.size} pixels: use fewer digits, smaller scales, "
            f"a larger size or more overlap{wider}"
        )


def composites(
    task: str, options: Mapping[str, Any], digits: Split, test_digits: Split | None = None
) -> dict[str, Composite]:
    """The endless sets `train` and `test` of a task of TASKS; no digit image is in both.

    Args:
        task: `largest-digit` or `highest-digit`.
        options: fields of CompositeOptions, perhaps as strings; the task's defaults stand for the others.
        digits: images (N, 1, H, W) that training composites are made of.
        test_digits: those that test composites are made of; where None, a sixth of `digits` is set aside, stratified.

    Raises:
        UsageError: an unknown task or option, a value out of range, options that leave digits no place.
        BakeoffError: the digits are not single digits with ink on one channel.
    """
    if task not in TASKS:
        raise UsageError(f"unknown task {task!r}{closest(task, TASKS)}")
    chosen = validate(TASKS[task], options, task)
    if test_digits is None:
        digits, test_digits = split_validation(digits, TEST_FRACTION, seed=1)
    made = {}
    for number, (name, source) in enumerate((("train", digits), ("test", test_digits))):
        if source.images.shape[1] != 1:
            raise BakeoffError(f"{task}: digits with {source.images.shape[1]} channels where 1 is valid")
        made[name] = Composite(chosen, source.images[:, 0], source.labels, seed=2 * chosen.seed + number)
    return made


def composite_splits(made: Mapping[str, Composite]) -> dict[str, Split]:
    """The first `count` images of the set `train` and the first `test_count` of `test`."""
    counts = {name: {"train": one.options.count, "test": one.options.test_count}[name] for name, one in made.items()}
    return {name: Split(*one.render(range(counts[name]))) for name, one in made.items()}


def _joined(made: Sequence[Parts]) -> Parts:
    return Parts(*(np.concatenate([getattr(part, field.name) for part in made]) for field in fields(Parts)))


def _numbers(indices: ArrayLike) -> Words:
    numbers = np.asarray(indices)
    assert numbers.ndim == 1, "indices are (N,)"
    assert numbers.dtype.kind in "iu" or not len(numbers), "indices are whole numbers"
    if len(numbers) and numbers.min() < 0:
        raise UsageError(f"image {numbers.min()} is asked for where 0 or more is valid")
    return numbers.astype(np.uint64)


def _mix(words: Words) -> Words:
    """The finaliser of SplitMix64 (Steele, Lea & Flood 2014): every bit of a word acts on every other."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def _random(keys: Words, purpose: int, attempt: Ints | int = 0, slot: Ints | int = 0, trial: Ints | int = 0) -> Words:
    """Random words: SplitMix64 started at `keys`, at a place of the sequence that tells what each word is for."""
    place = ((np.atleast_1d(attempt) * 16 + slot) * TRIES + trial) * 8 + purpose
    return _mix(keys + place.astype(np.uint64) * GOLDEN)


def _below(words: Words, limit: Ints | int) -> Ints:
    """Whole numbers 0 ... `limit` - 1 from the upper half of the words; `limit` up to 2**31."""
    return ((words >> HALF) * np.asarray(limit).astype(np.uint64) >> HALF).astype(np.int64)
