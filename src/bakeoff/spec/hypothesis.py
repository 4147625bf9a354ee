"""A statement about two contenders, made before any run and held against the runs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from bakeoff.errors import UsageError
from bakeoff.spec.settings import Frozen, Shown

Relation = Literal["better", "not worse", "equivalent", "not worse and cheaper", "faster"]


class Hypothesis(Frozen):
    """A statement about two contenders, made before any run.

    The first four relations are about test accuracy, with the study's margin for equivalence; cheaper is about training
    seconds; faster is a higher validation accuracy after the same training time.
    """

    says: Shown = Field(min_length=1)
    source: Literal["report", "ours"] = Field(description="whose statement: what a report says, or our own")
    better: str
    worse: str
    relation: Relation = Field("better", description="of the contender `better` to `worse`")
    reported: tuple[float, ...] = Field((), description="accuracies that the report gives for the two, in this order")

    @model_validator(mode="after")
    def _two_figures(self) -> Hypothesis:
        if len(self.reported) not in (0, 2) or not all(0 <= value <= 1 for value in self.reported):
            raise UsageError(f"reported = {list(self.reported)}: two accuracies, from 0 to 1, or none")
        return self
