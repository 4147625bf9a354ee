"""Labels of published test sets that are known to be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Erratum(NamedTuple):
    """The label that is given, and the one that most people see."""

    given: int
    seen: int


WRONG_LABELS: dict[str, Mapping[int, Erratum]] = {
    "mnist": {
        947: Erratum(8, 9),
        1621: Erratum(0, 6),
        1901: Erratum(9, 4),
        2130: Erratum(4, 9),
        2462: Erratum(2, 0),
        2597: Erratum(5, 3),
        2654: Erratum(6, 1),
        3520: Erratum(6, 4),
        3558: Erratum(5, 0),
        5937: Erratum(5, 3),
        6651: Erratum(0, 6),
        6783: Erratum(1, 6),
        8527: Erratum(4, 9),
        9679: Erratum(6, 3),
        9729: Erratum(5, 6),
    }
}


TEST_IMAGES = {"mnist": 10_000}
"""How many images the published test split has."""


def known_wrong_labels(name: str) -> Mapping[int, Erratum]:
    """The errata of the test split of dataset `name`, by image, from 0; none where nobody has looked.

    By the majority of five raters each (Northcutt, Athalye & Mueller, Pervasive label errors in test sets
    destabilize machine learning benchmarks, NeurIPS 2021 Datasets and Benchmarks).
    """
    return WRONG_LABELS.get(name, {})


def published_errata(name: str, labels: NDArray[np.int64]) -> Mapping[int, Erratum]:
    """`known_wrong_labels` where `labels` (M,) are those of the published test split in its order; else none."""
    errata = known_wrong_labels(name)
    if len(labels) != TEST_IMAGES.get(name) or any(labels[place] != wrong.given for place, wrong in errata.items()):
        return {}
    return errata
