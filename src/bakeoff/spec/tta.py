"""Test-time augmentation: the views of an image whose mean logits are the answer."""

from __future__ import annotations

import itertools

from pydantic import Field

from bakeoff.spec.registry import Entry, Registry
from bakeoff.spec.settings import Frozen

View = tuple[bool, int, int]
"""Whether left and right are exchanged, and how many pixels it is then moved down and to the right."""


class Tta(Frozen):
    """Each image as it is."""

    def views(self) -> list[View]:
        """The views of an image that a trained model answers, first the image as it is."""
        return [(False, 0, 0)]


class SeveralViews(Tta):
    """Each image as it is, moved by `shift` pixels along rows, columns and both, and all of these mirrored."""

    shift: int = Field(1, ge=0, le=64, description="pixels; what moves in repeats the edge; 0: not moved")
    mirror: bool = Field(False, description="left and right exchanged as well")

    def views(self) -> list[View]:
        moves = (0, -self.shift, self.shift) if self.shift else (0,)
        return [*itertools.product((False, True) if self.mirror else (False,), moves, moves)]


TTAS: Registry[Entry[Tta]] = Registry("tta", {"one": Entry(Tta), "several": Entry(SeveralViews)})
