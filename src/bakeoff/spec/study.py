"""What a study file and its plan share: a question, contenders, sweeps, hypotheses and sections."""

from __future__ import annotations

from collections.abc import Collection
from graphlib import CycleError, TopologicalSorter
from typing import Literal, Self

from pydantic import Field, model_validator

from bakeoff.errors import UsageError, closest
from bakeoff.spec import Contender, Reported
from bakeoff.spec.reference import Reference
from bakeoff.spec.settings import Frozen, Shown

Relation = Literal["better", "not worse", "equivalent", "not worse and cheaper", "faster"]


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


class Section(Frozen):
    """One part of a report."""

    kind: str
    title: Shown = ""
    of: tuple[str, ...] = Field((), description="the contenders it shows; empty: as many as fit")


class Study(Frozen):
    """A question, a dataset, contenders, seeds, and the sections of its report."""

    name: Shown = Field(description="of its directory, too")
    title: Shown
    question: Shown
    dataset: Reference
    validation: float = Field(1 / 6, gt=0, lt=1)
    images: int | None = Field(None, ge=1)
    seeds: int = Field(3, ge=1, le=1000)
    contenders: tuple[Contender, ...]
    sweeps: tuple[Sweep, ...] = ()
    sections: tuple[Section, ...] = ()
    hypotheses: tuple[Hypothesis, ...] = ()
    shown: dict[str, list[str]] = Field({}, description="section -> contenders it shows beside the selected one")
    unprinted: Shown = Field("", description="what the report does not print of any figure's setting")
    margin: float = Field(0.005, gt=0, lt=1, description="accuracies closer than this, a fraction, are as good")
    about: str = Field("", description="the first comment lines of its file")
    level: float = Field(0.05, gt=0, lt=1, description="chance of any false verdict on one dataset")

    def contender(self, name: str) -> Contender:
        """The contender of that name.

        Raises:
            UsageError: there is none; with the closest names.
        """
        if contender := next((c for c in self.contenders if c.name == name), None):
            return contender
        raise UsageError(f"no contender {name!r}{closest(name, (c.name for c in self.contenders))}")

    @property
    def datasets(self) -> tuple[str, ...]:
        """Every dataset that a contender is trained on, the study's own first."""
        used = {self.dataset_of(contender) for contender in self.contenders}
        return tuple(sorted(used, key=lambda name: (name != self.dataset, name)))

    def dataset_of(self, contender: Contender) -> str:
        return contender.dataset or self.dataset

    def needs(self, contender: Contender) -> tuple[str, ...]:
        """The contenders whose runs its runs need: the members of an ensemble, the teacher of a student."""
        names = {c.name for c in self.contenders}
        return tuple(name for name in contender.needs if name in names)

    def with_needs(self, names: Collection[str]) -> set[str]:
        """The contenders of these names, those that they need, and so on."""
        needed = {need for name in names for need in self.needs(self.contender(name))}
        return {*names} if needed <= {*names} else self.with_needs({*names, *needed})

    def depths(self) -> dict[str, int]:
        """How many contenders must have been trained before each, one after another.

        Raises:
            CycleError: one needs itself, directly or through others.
        """
        needs = {contender.name: self.needs(contender) for contender in self.contenders}
        depths: dict[str, int] = {}
        for name in TopologicalSorter(needs).static_order():
            depths[name] = max((1 + depths[needed] for needed in needs[name]), default=0)
        return depths

    def check_comparable(self, first: str, second: str) -> None:
        """That two contenders answer to the same images.

        Raises:
            UsageError: they do not, or there is no such contender.
        """
        datasets = [self.dataset_of(self.contender(name)) for name in (first, second)]
        if datasets[0] != datasets[1]:
            raise UsageError(
                f"{first} is on {datasets[0]} and {second} on {datasets[1]}: only answers to the same images can be "
                "compared, or averaged"
            )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """Every name is there once, every ensemble's members are there, on its dataset, and nothing needs itself."""
        names = [contender.name for contender in self.contenders]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise UsageError(f"two contenders are called {twice!r}; give one of them another name or label")
        for contender in self.contenders:
            for name in contender.ensemble:
                self.check_comparable(contender.name, name)
            for name in self.needs(contender):
                if self.contender(name).validation != contender.validation:
                    raise UsageError(
                        f"{contender.name} needs {name}, which has another part drawn for validation: give both the "
                        "same validation"
                    )
        try:
            self.depths()
        except CycleError as error:
            chain = " needs ".join(reversed(error.args[1]))
            raise UsageError(f"{chain}: none of them can be trained first") from None
        return self
