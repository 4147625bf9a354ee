"""Parts of a study: sweeps, scales, and runs without a result."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from bakeoff.spec import Reported
from bakeoff.spec.choices import Frozen, Shown
from bakeoff.spec.reference import Reference


class Point(Frozen):
    """One value of a sweep: the contender that has it, and what the report gave for it."""

    label: Shown
    contender: str
    reported: Reported = Reported()


class Sweep(Frozen):
    """Contenders that differ in one thing."""

    name: Shown = Field(min_length=1, max_length=80)
    question: Shown = ""
    points: tuple[Point, ...]
    reported: tuple[float, ...] = Field((), description="test accuracies for values that the report does not print")


class Scale(Frozen):
    """A size of a study: what it overrides. Every cut is printed in the report."""

    about: Shown = ""
    dataset: Reference | None = None
    images: int | None = Field(None, ge=1)
    seeds: int | None = Field(None, ge=1)
    only: tuple[str, ...] = Field((), description="the contenders it has; empty: all")
    without: tuple[str, ...] = Field((), description="contenders that it leaves out")
    recipe: dict[str, Any] = {}
    contenders: dict[str, dict[str, Any]] = Field({}, description="`parameters` and recipe fields of single contenders")


class Failed(Frozen):
    """A run of a study that has no result, and why."""

    contender: str
    seed: int
    run: str = Field(description="its directory's name")
    kind: Literal["diverged", "failed", "damaged", "unreadable"]
    reason: str
