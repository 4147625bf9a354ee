"""What a study file and its plan share: a question, contenders, sweeps, hypotheses and sections."""

from __future__ import annotations

from collections.abc import Collection
from graphlib import CycleError, TopologicalSorter

from pydantic import Field

from bakeoff.errors import UsageError, closest
from bakeoff.spec import Contender, Reported
from bakeoff.spec.hypothesis import Hypothesis
from bakeoff.spec.reference import Reference
from bakeoff.spec.settings import Frozen, Shown


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
        return next(c for c in self.contenders if c.name == name)

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
        needed = {name for each in names for name in self.needs(self.contender(each))}
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

    def check_needs(self, where: str) -> None:
        """That every ensemble's members are there, on its dataset, and that nothing needs itself.

        Raises:
            UsageError: the first that is not so.
        """
        datasets = {contender.name: self.dataset_of(contender) for contender in self.contenders}
        for contender in self.contenders:
            for name in contender.ensemble:
                if name not in datasets:
                    raise UsageError(f"{where}: {contender.name}: no contender {name!r}{closest(name, datasets)}")
                if datasets[name] != datasets[contender.name]:
                    raise UsageError(
                        f"{where}: {contender.name} is on {datasets[contender.name]} and its member {name} on "
                        f"{datasets[name]}: only answers to the same images can be averaged"
                    )
            for name in self.needs(contender):
                if self.contender(name).validation != contender.validation:
                    raise UsageError(
                        f"{where}: {contender.name} needs {name}, which has another part drawn for validation: "
                        "give both the same validation"
                    )
        try:
            self.depths()
        except CycleError as error:
            circle = list(reversed(error.args[1]))[:-1]  # each needs the next, the last the first
            first = min(range(len(circle)), key=lambda i: list(datasets).index(circle[i]))
            chain = " needs ".join((*circle[first:], *circle[:first], circle[first]))
            raise UsageError(f"{where}: {chain}: none of them can be trained first") from None
