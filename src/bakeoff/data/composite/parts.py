"""What composites are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from bakeoff.data.composite.random_words import Ints
from bakeoff.data.dataset import Labels


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

    @classmethod
    def joined(cls, several: Sequence[Parts]) -> Parts:
        """The parts of all these composites, in order."""
        return cls(*(np.concatenate([getattr(parts, field.name) for parts in several]) for field in fields(cls)))
