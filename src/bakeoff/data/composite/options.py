"""What modified MNIST is like: options with their ranges, and the two competitions' values."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from bakeoff.data.composite.rules import Measure, Rule, classes_of
from bakeoff.data.composite.textures import TEXTURES
from bakeoff.errors import UsageError, closest
from bakeoff.spec.settings import Frozen

Count = Annotated[int, Field(ge=1, le=10_000_000)]
Side = Annotated[int, Field(ge=32, le=256)]
Digits = Annotated[int, Field(ge=1, le=9)]
Scale = Annotated[float, Field(ge=0.5, le=8)]
Share = Annotated[float, Field(ge=0, le=1)]


def _split(kinds: object) -> object:
    return kinds.split("+") if isinstance(kinds, str) else kinds


class CompositeOptions(Frozen):
    """What modified MNIST is made of, and what its composites are like.

    The defaults are those of `largest-digit`: 64x64, 2 or 3 digits of clearly different size: which is the largest?
    (Winter 2019.)
    """

    origin: Literal["generated", "kaggle"] = "generated"
    """Made here, or the competition's own files."""
    digits: Literal["auto", "mnist", "digits"] = "auto"
    """What images are made of; auto: MNIST where it is at hand, else the embedded digits."""
    count: Count = 40_000
    """Images of the training part."""
    test_count: Count = 10_000
    """Images of the test part."""
    seed: int = Field(0, ge=0, lt=2**31)
    """Another seed gives other images of the same kind."""
    size: Side = 64
    """Height and width of an image in pixels."""
    min_digits: Digits = 2
    max_digits: Digits = 3
    """Fewest and most digits in an image; all numbers are equally frequent."""
    min_scale: Scale = 0.6
    max_scale: Scale = 1.5
    """Smallest and largest size of a digit, in multiples of its size in the source."""
    rotation: float = Field(30.0, ge=0, le=180)
    """Digits are turned by -rotation ... rotation degrees."""
    overlap: Share = 0.2
    """The largest part of a digit's bounding rectangle that another's may cover."""
    backgrounds: Annotated[tuple[str, ...], BeforeValidator(_split)] = Field(
        ("metal", "gravel", "stars", "pebbles", "water", "contours", "rings"), min_length=1, max_length=20
    )
    """Kinds of texture, equally frequent; one that is named twice is twice as frequent."""
    rule: Rule = "largest"
    """The label: the largest digit's value, the highest value, the lowest, their sum, or their number."""
    by: Measure = "rectangle"
    """What `largest` compares: bounding rectangle, its longer side squared, or pixels of ink."""

    @model_validator(mode="after")
    def _consistent(self) -> CompositeOptions:
        for kind in self.backgrounds:
            if kind not in TEXTURES:
                raise UsageError(f"backgrounds: unknown kind {kind!r}{closest(kind, TEXTURES)}")
        for low, high in (("min_digits", "max_digits"), ("min_scale", "max_scale")):
            if getattr(self, low) > getattr(self, high):
                raise UsageError(f"{low} = {getattr(self, low):g} is above {high} = {getattr(self, high):g}")
        if self.rule == "count" and self.min_digits == self.max_digits:
            raise UsageError(f"rule = count needs min_digits below max_digits; both are {self.max_digits}")
        if self.rule != "largest" and "by" in self.model_fields_set:
            raise UsageError(f"by = {self.by} is for rule = largest; the rule is {self.rule}: leave it out")
        return self

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the labels: digits, or the possible sums or numbers."""
        return tuple(map(str, classes_of(self.rule, self.min_digits, self.max_digits)))


class HighestDigit(CompositeOptions):
    """Those of `highest-digit`: 128x128, 3 digits near their source's size, mostly apart: which is the highest? (Autumn
    2019.)"""

    count: Count = 50_000
    size: Side = 128
    min_digits: Digits = 3
    min_scale: Scale = 0.8
    max_scale: Scale = 1.2
    overlap: Share = 0.1
    rule: Rule = "highest"
