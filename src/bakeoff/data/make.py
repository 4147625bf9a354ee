"""Generated datasets as files: images, labels, and what every image is made of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bakeoff.data.composite.drawing import composite_splits
from bakeoff.data.sources import find_composites
from bakeoff.errors import UsageError
from bakeoff.record import atomic_file

PARTS = ("values", "sources", "boxes", "angles", "scales")
"""What is written about each digit of an image, see `Parts`."""


def make(reference: str, out: Path, more: Mapping[str, Any]) -> dict[str, int]:
    """Write a generated dataset as an .npz that is a dataset itself; returns the images of each split.

    The file has x_train, y_train, x_test, y_test and classes; and for each split and each of PARTS an array such as
    train_boxes, with a row an image.

    Args:
        reference: `largest-digit` or `highest-digit`, perhaps with options.
        out: a file that ends in .npz; written whole or not at all.
        more: further options, such as count.

    Raises:
        UsageError: no generated dataset, an option that is not valid, or another ending.
        BakeoffError: the file cannot be written.
    """
    sets = find_composites(reference, **more)
    if out.suffix != ".npz":
        raise UsageError(f"{out}: the file to write must end in .npz")
    with atomic_file(out) as stream:
        splits = composite_splits(sets)
        arrays: dict[str, Any] = {"classes": np.array(sets["train"].classes)}
        for name, (split, parts) in splits.items():
            arrays |= {f"x_{name}": split.images, f"y_{name}": split.labels}
            arrays |= {f"{name}_{part}": getattr(parts, part) for part in PARTS}
        np.savez(stream, **arrays)
    return {name: len(split) for name, (split, _) in splits.items()}
