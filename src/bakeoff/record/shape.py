"""The kinds of values that a record of any version has, so that what reads one need not ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator

from bakeoff.spec import Recipe, RunSpec

Count = Annotated[int, Field(ge=0)]


class _Part(BaseModel, strict=True):
    """Values are as they stand: a number in quotes is none."""


class _Counts(_Part):
    train: list[Count]
    validation: list[Count]
    test: list[Count]


class _Data(_Part):
    name: str
    fingerprint: str
    classes: list[str]
    shape: Annotated[list[int], Field(min_length=3, max_length=3)]
    counts: _Counts
    mean: list[float]
    std: list[float]
    train_sample: Count
    test_fingerprint: str | None = None
    drawn: list[str] = []

    @model_validator(mode="after")
    def _sizes(self) -> _Data:
        if not len(self.mean) == len(self.std) == self.shape[0]:
            raise ValueError("mean and std must have a number for each channel")
        if any(len(found) != len(self.classes) or not any(found) for found in vars(self.counts).values()):
            raise ValueError("counts must have a number for each class, and not 0 for all")
        return self


class _Environment(_Part):
    threads: Annotated[int, Field(ge=1)]


class _Decides(_Part):
    results: int


class _Record(_Part):
    status: Literal["finished", "diverged"]
    dataset: _Data
    environment: _Environment
    metrics: dict[str, float]
    parameters: Count
    multiply_adds: Count
    seconds: float
    images_per_second: float
    ended: str | None = None
    needs: list[str] = []
    segments: list[dict[str, Any]] = []
    decides: _Decides | None = None


MEASURED = ("train_accuracy", "validation_accuracy", "validation_loss")
"""Metrics that every finished run has, and that are read."""
KINDS: dict[str, type | tuple[type, ...]] = {
    "contender": str,
    "model": str,
    "parameters": dict,
    "members": tuple,
    "dataset": str,
    "validation": (int, float),
    "images": (int, type(None)),
    "seed": int,
}
"""Of a spec, which may hold values that this version would refuse."""


def check_kinds(description: Mapping[str, Any], spec: RunSpec) -> None:
    """That all a page or a verb looks for is there, and of its kind.

    Raises:
        ValueError: the first that is not.
    """
    try:
        _Record.model_validate(description)
    except ValidationError as failure:
        first = failure.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    absent = [name for name in MEASURED if name not in description["metrics"]]
    if absent and description["status"] == "finished":
        raise ValueError(f"metrics.{absent[0]} is missing")
    recipe = {name: (int, float) if type(value) is float else type(value) for name, value in vars(Recipe()).items()}
    for part, kinds in ((spec, KINDS), (spec.recipe, recipe)):
        for name, kind in kinds.items():
            if not isinstance(vars(part).get(name, ...), kind):
                raise ValueError(f"spec: {name} is of another kind than any version writes")
