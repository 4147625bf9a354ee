"""The rules that label composites: the classes, which of them an image shows, and what a rule asks of an image."""

from __future__ import annotations

from typing import Any, Literal, assert_never

import numpy as np
from numpy.typing import NDArray

from bakeoff.data.dataset import Labels

Rule = Literal["largest", "highest", "lowest", "sum", "count"]
Measure = Literal["rectangle", "square", "ink"]
"""What `largest` compares: bounding rectangles, their longer sides squared, or pixels of ink."""

OF_ONE_DIGIT: tuple[Rule, ...] = ("largest", "highest", "lowest")
"""The rules whose label is the value of one digit of the image."""

CLEAR = 0.9
"""Under the rule `largest`, no other digit is larger than this part of the largest."""


def classes_of(rule: Rule, fewest: int, most: int) -> range:
    """The labels of images with `fewest` to `most` digits."""
    match rule:
        case "largest" | "highest" | "lowest":
            return range(10)
        case "sum":
            return range(9 * most + 1)
        case "count":
            return range(fewest, most + 1)
    assert_never(rule)


def labels_of(rule: Rule, values: Labels, fewest: int) -> Labels:
    """The labels (N,), as places in `classes_of`, of images with these digits (N, K), -1 for an absent one."""
    match rule:
        case "largest":
            return values[:, 0]
        case "highest":
            labels: Labels = values.max(axis=1)
        case "lowest":
            labels = np.where(values < 0, 9, values).min(axis=1)
        case "sum":
            labels = np.maximum(values, 0).sum(axis=1)
        case "count":
            labels = (values >= 0).sum(axis=1) - fewest
        case _:
            assert_never(rule)
    return labels


def is_clear(
    rule: Rule, by: Measure, ink: NDArray[Any], height: NDArray[Any], width: NDArray[Any]
) -> NDArray[np.bool_]:
    """(...,): whether the first of K digits (..., K) is clearly the largest; true for other rules."""
    if rule != "largest":
        return np.ones(ink.shape[:-1], np.bool_)
    size = {"ink": ink, "rectangle": height * width, "square": np.maximum(height, width) ** 2}[by]
    clear: NDArray[np.bool_] = (size[..., 1:] <= CLEAR * size[..., :1]).all(axis=-1)
    return clear
