"""Random numbers that are counted, not drawn: each is a hash of an image's key and of what the number is for."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Ints = NDArray[np.int64]

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
HALF = np.uint64(32)
Purpose = IntEnum("Purpose", "COUNT KIND CROP DIGIT SHAPE PLACE", start=0)
"""What a random number is for."""
TRIALS = 16
"""Numbers for one digit in one attempt, for the same use."""


def image_keys(seed: int, numbers: Words) -> Words:
    """The keys (N,) of the images with these numbers (N,) in the set that `seed` makes."""
    return mix(mix(np.array([seed], np.uint64) + GOLDEN) + mix(numbers))


def mix(words: Words) -> Words:
    """The finaliser of SplitMix64 (Steele, Lea & Flood 2014): every bit of a word acts on every other."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def random_words(
    keys: Words, purpose: Purpose, attempt: Ints | int = 0, slot: Ints | int = 0, trial: Ints | int = 0
) -> Words:
    """Random words: SplitMix64 started at `keys`, at a place of the sequence that tells what each word is for."""
    place = ((np.atleast_1d(attempt) * 16 + slot) * TRIALS + trial) * 8 + purpose
    return mix(keys + place.astype(np.uint64) * GOLDEN)


def below(words: Words, limit: Ints | int) -> Ints:
    """Whole numbers 0 ... `limit` - 1 from the upper half of the words; `limit` up to 2**31."""
    return ((words >> HALF) * np.asarray(limit).astype(np.uint64) >> HALF).astype(np.int64)


def two_below(words: Words, limit: Ints | int, other: Ints | int) -> tuple[Ints, Ints]:
    """Whole numbers below `limit` from the upper half of each word, and below `other` from its lower half."""
    return below(words, limit), below(words << HALF, other)
