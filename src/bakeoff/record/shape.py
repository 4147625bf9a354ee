"""The kinds of values that a record of any version has, so that what reads one need not ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from bakeoff.spec import Recipe, RunSpec

Count = Annotated[int, Field(ge=0)]


class _Data(BaseModel):
    name: str
    fingerprint: str
    classes: list[str]
    shape: tuple[int, int, int]
    counts: dict[str, list[Count]]
    mean: list[float] = []
    std: list[float] = []
    train_sample: Count
    test_fingerprint: str | None = None
    drawn: list[str] = []


class _Environment(BaseModel):
    threads: Annotated[int, Field(ge=1)] = 1


class _Record(BaseModel):
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
    decides: dict[str, Any] | None = None


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
    if description["status"] == "finished" and "validation_accuracy" not in description["metrics"]:
        raise ValueError("metrics.validation_accuracy is missing")
    recipe = {name: (int, float) if kind is float else kind for name, kind in _kinds(Recipe()).items()}
    for part, kinds in ((spec, KINDS), (spec.recipe, recipe)):
        for name, kind in kinds.items():
            if not isinstance(vars(part).get(name, ...), kind):
                raise ValueError(f"spec: {name} is of another kind than any version writes")


def _kinds(recipe: Recipe) -> dict[str, type]:
    return {name: type(value) for name, value in vars(recipe).items()}
