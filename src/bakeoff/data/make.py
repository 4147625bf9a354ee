"""Generated datasets as files: images, labels, and what every image is made of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bakeoff.data.composite import composite_splits
from bakeoff.data.sources import find_composites, parse_reference
from bakeoff.errors import UsageError
from bakeoff.record import atomic_file

PARTS = ("values", "sources", "boxes", "angles", "scales")
"""What is told of every digit in an image, see `composite.Parts`."""


def make(reference: str, out: Path, given: Mapping[str, Any]) -> dict[str, int]:
    """Write a generated dataset as an .npz that is a dataset itself; returns the images of each split.

    The file has x_train, y_train, x_test, y_test and classes; and for each split and each of PARTS an array such as
    train_boxes, with a row an image.

    Args:
        reference: `largest-digit` or `highest-digit`, perhaps with options.
        out: a file that ends in .npz; written whole or not at all.
        given: further options, such as count.

    Raises:
        UsageError: no generated dataset, an option that is not valid, or a place that cannot be written.
    """
    name, options = parse_reference(reference)
    options |= {key: str(value) for key, value in given.items()}
    text = ",".join(f"{key}={value}" for key, value in options.items())
    sets = find_composites(f"{name}:{text}" if text else name)
    if out.suffix != ".npz":
        raise UsageError(f"{out}: the file to write must end in .npz")
    if not out.parent.is_dir():
        raise UsageError(f"{out} cannot be written: name a file in a folder that is there")
    if out.exists() and not out.is_file():
        raise UsageError(f"{out}: is no regular file; name another")
    with atomic_file(out) as stream:
        splits = composite_splits(sets)
        arrays: dict[str, Any] = {"classes": np.array(sets["train"].classes)}
        for split, images in splits.items():
            parts = sets[split].parts(range(len(images)))
            arrays |= {f"x_{split}": images.images, f"y_{split}": images.labels}
            arrays |= {f"{split}_{what}": getattr(parts, what) for what in PARTS}
        np.savez(stream, **arrays)
    return {split: len(images) for split, images in splits.items()}
