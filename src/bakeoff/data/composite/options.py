"""What the composites of a task are like: options with their ranges, and the two competitions' tasks."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from bakeoff.data.composite.rules import Measure, Rule, classes_of
from bakeoff.data.composite.textures import TEXTURES
from bakeoff.errors import UsageError, closest
from bakeoff.spec.settings import Frozen

Count = Annotated[int, Field(ge=1, le=10_000_000, description="images of the training part")]
Size = Annotated[int, Field(ge=32, le=256, description="height and width of an image in pixels")]
Fewest = Annotated[int, Field(ge=1, le=9, description="fewest digits in an image")]
Smallest = Annotated[float, Field(ge=0.5, le=8, description="smallest size of a digit, in multiples of its own")]
Largest = Annotated[float, Field(ge=0.5, le=8, description="largest size of a digit, in multiples of its own")]
Overlap = Annotated[
    float, Field(ge=0, le=1, description="largest part of a digit's bounding rectangle that another's may cover")
]
Kinds = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda given: given.split("+") if isinstance(given, str) else given),
    Field(min_length=1, description="kinds of texture, equally frequent"),
]
Label = Annotated[
    Rule,
    Field(
        description="the label: the largest digit's value, the highest value, the lowest, their sum, or their number"
    ),
]


class CompositeOptions(Frozen):
    """What the composites of a task are like."""

    count: Count = 40_000
    test_count: int = Field(10_000, ge=1, le=10_000_000, description="images of the test part")
    seed: int = Field(0, ge=0, lt=2**31, description="another seed gives other images of the same kind")
    size: Size = 64
    min_digits: Fewest = 2
    max_digits: int = Field(3, ge=1, le=9, description="most digits in an image; all numbers are equally frequent")
    min_scale: Smallest = 0.6
    max_scale: Largest = 1.5
    rotation: float = Field(30.0, ge=0, le=180, description="digits are turned by -rotation ... rotation degrees")
    overlap: Overlap = 0.2
    backgrounds: Kinds = tuple(TEXTURES)
    rule: Label = "largest"
    by: Measure = Field(
        "rectangle",
        description="what `largest` compares: bounding rectangle, its longer side squared, or pixels of ink",
    )

    @model_validator(mode="after")
    def _consistent(self) -> CompositeOptions:
        for kind in self.backgrounds:
            if kind not in TEXTURES:
                raise UsageError(f"backgrounds: unknown kind {kind!r}{closest(kind, TEXTURES)}")
        if len(set(self.backgrounds)) < len(self.backgrounds):
            raise UsageError(f"backgrounds: a kind is named twice in {'+'.join(self.backgrounds)}")
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


class LargestDigit(CompositeOptions):
    """64x64, 2 or 3 digits of clearly different size: which is the largest? (Winter 2019.)"""


class HighestDigit(CompositeOptions):
    """128x128, 3 digits near their own size, mostly apart: which is the highest? (Autumn 2019.)"""

    count: Count = 50_000
    size: Size = 128
    min_digits: Fewest = 3
    min_scale: Smallest = 0.8
    max_scale: Largest = 1.2
    overlap: Overlap = 0.1
    rule: Label = "highest"


TASKS: dict[str, type[CompositeOptions]] = {"largest-digit": LargestDigit, "highest-digit": HighestDigit}
