"""Labels of published test sets that are known to be wrong."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Erratum(NamedTuple):
    """The published label, and the one that most raters chose."""

    published: int
    corrected: int


WRONG_LABELS: dict[str, Mapping[int, Erratum]] = {
    name: {int(place): Erratum(*labels) for place, labels in errata.items()}
    for name, errata in tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")).items()
}
TEST_IMAGES = {"mnist": 10_000}
"""How many images the published test split has."""


def published_errata(name: str, labels: NDArray[np.int64]) -> Mapping[int, Erratum]:
    """The errata of the test split of dataset `name`, by image, from 0, where `labels` (M,) are those of the published
    test split in its order; none where they are not, or nobody has looked.

    By the majority of five raters each (Northcutt, Athalye & Mueller, Pervasive label errors in test sets
    destabilize machine learning benchmarks, NeurIPS 2021 Datasets and Benchmarks).
    """
    errata = WRONG_LABELS.get(name, {})
    as_published = len(labels) == TEST_IMAGES.get(name) and all(
        labels[place] == erratum.published for place, erratum in errata.items()
    )
    return errata if as_published else {}
