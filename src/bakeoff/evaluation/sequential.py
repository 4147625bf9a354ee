"""Adding seeds until a study is decided: when to look, what a look may spend of the level, and who needs more seeds.

A study of at most 10 seeds looks after 3, 5 and 10. Every look has its own part of the level, and the parts sum to the
level, so the chance of a false verdict at any look is at most the level, whatever decides when to stop. Looks are taken
on the validation split; the study then reads the test split once, with `decide` at the level of the last look taken.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from bakeoff.evaluation.variances import Correct
from bakeoff.evaluation.verdicts import LEVEL, MARGIN, Pair, decide

EARLY = ((3, 0.2), (5, 0.3))
"""Seeds at a look, and its part of the level; the last look, with all seeds, has the rest."""
FUTILE = 0.5
"""Part of the images in a difference's variance above which more seeds are not worth their time."""


@dataclass(frozen=True)
class Next:
    """Contenders that need more seeds, and why each of the others has enough.

    "decided": against every contender that can still be best; "images": what is undecided rests on the test images.
    """

    names: tuple[str, ...]
    stopped: Mapping[str, Literal["decided", "images"]]


def looks(most: int, level: float = LEVEL) -> list[tuple[int, float]]:
    """(seeds, level) of each look of a study with at most `most` seeds, 2 or more."""
    early = [(seeds, part * level) for seeds, part in EARLY if seeds < most]
    return [*early, (most, level - sum(spent for _, spent in early))]


def continue_with(
    correct: Mapping[str, Correct],
    level: float,
    *,
    declared: Collection[tuple[str, str]] = (),
    margin: float = MARGIN,
    test_images: int | None = None,
) -> Next:
    """Who needs more seeds after a look at the answers (S, M) on the validation split, at the look's `level`.

    A contender goes on while a verdict is missing between it and a contender that can still be best (itself or the
    other one), unless the images are more than half of that doubt. `test_images` is the number of images the verdicts
    will rest on, if it is not M.
    """
    verdicts = decide(correct, declared=declared, margin=margin, level=level)
    best = set(verdicts.can_be_best)
    waiting = [pair for pair in verdicts.pairs if pair.verdict == "undecided" and best & {pair.a, pair.b}]
    going = {name for pair in waiting if not _futile(pair, test_images or pair.images) for name in (pair.a, pair.b)}
    held = {name for pair in waiting for name in (pair.a, pair.b)}
    return Next(
        tuple(name for name in correct if name in going),
        {name: "images" if name in held else "decided" for name in correct if name not in going},
    )


def _futile(pair: Pair, images: int) -> bool:
    """Whether the images' part, over so many images, is more than `FUTILE` of the variance; never after one run."""
    part = pair.images_share * pair.images / images
    return not pair.single_run and part > FUTILE * (part + 1 - pair.images_share)
