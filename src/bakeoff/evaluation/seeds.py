"""How often one seed alone names the wrong winner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np


def chance_to_win(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Each contender's chance to come first when every contender is given one of its own seeds at random.

    Exact over all combinations; contenders that tie share the win. `values` holds one or more values of each.
    """
    known = {name: np.sort(np.asarray(found, dtype=float)) for name, found in values.items()}
    chances = {}
    for name, own in known.items():
        total = 0.0
        for value in own:
            # polynomial in the number of ties: coefficient k = chance that k others tie and the rest lie below
            ties = np.array([1.0])
            for other, found in known.items():
                if other != name:
                    below = np.searchsorted(found, value, "left") / len(found)
                    equal = np.searchsorted(found, value, "right") / len(found) - below
                    ties = np.convolve(ties, [below, equal])
            total += float(np.sum(ties / np.arange(1, len(ties) + 1))) / len(own)
        chances[name] = total
    return chances
