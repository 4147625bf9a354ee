"""A plan: a study file with a scale and the options of a command applied. Every run, and every override as data."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pydantic import Field

from bakeoff.errors import UsageError, closest
from bakeoff.spec import Contender, Recipe, RunSpec
from bakeoff.spec.override import ABSENT_DATA, COMMAND, Override
from bakeoff.spec.reference import plain_reference
from bakeoff.spec.settings import Frozen, Shown, validate
from bakeoff.spec.study import Hypothesis, Study, Sweep
from bakeoff.spec.study_file import Changes, Scale, StudyFile


class PlannedRun(Frozen):
    """One run of a plan, and where its record is."""

    contender: str
    seed: int
    dataset: str
    directory: str = Field(description="its name, beside those of the plan's other runs")
    needs: tuple[str, ...] = Field((), description="directories of the runs that it needs")


class Plan(Study):
    """A study with everything resolved: what is trained, what its report is about, and what was overridden."""

    scale: str = "full"
    scale_about: Shown = Field("", description="what the scale says of itself")
    overrides: tuple[Override, ...] = ()
    left_out: tuple[Contender, ...] = Field((), description="contenders of the study file that are left out")
    left_out_points: tuple[Sweep, ...] = Field((), description="the points that its sweeps lose with them")
    confirms: bool = Field(False, description="the selected contender is trained again on fresh seeds")
    first_seed: int = Field(0, ge=0)
    seeds_each: dict[str, int] = Field({}, description="seeds of contenders where they are not the study's")
    runs: tuple[PlannedRun, ...] = Field((), description="known once the data are")

    @property
    def comparable(self) -> bool:
        """Whether data and recipes are those of the study file."""
        return not any(override.alters_runs for override in self.overrides)

    def on(self, dataset: str) -> Plan:
        """The part of the plan that is about one dataset."""
        contenders = tuple(c for c in self.contenders if self.dataset_of(c) == dataset)
        left_out = tuple(c for c in self.left_out if self.dataset_of(c) == dataset)
        names = [contender.name for contender in contenders]
        sweeps = tuple(s for s in self.sweeps if all(point.contender in names for point in s.points))
        part = {"dataset": dataset, "contenders": contenders, "left_out": left_out, "sweeps": sweeps}
        hypotheses = tuple(h for h in self.hypotheses if self._dataset_of_hypothesis(h) == dataset)
        return self.model_copy(update={**part, "hypotheses": hypotheses})

    def _dataset_of_hypothesis(self, hypothesis: Hypothesis) -> str:
        """The dataset of its contenders; of those that are left out with their whole dataset, the study's first."""
        of = {c.name: self.dataset_of(c) for c in (*self.contenders, *self.left_out)}.get(hypothesis.better)
        return of if of in self.datasets else self.datasets[0]

    def seeds_of(self, contender: Contender) -> range:
        count = 1 if contender.over_seeds else self.seeds_each.get(contender.name, self.seeds)
        return range(self.first_seed, self.first_seed + count)

    def specs(self) -> list[RunSpec]:
        """What every run trains: contender by contender, seed by seed; one run of what is over all seeds."""
        return [
            RunSpec(
                contender=contender.name,
                dataset=self.dataset_of(contender),
                validation=contender.validation or self.validation,
                images=self.images,
                seed=seed,
                members=contender.ensemble,
                **{key: getattr(contender, key) for key in ("model", "parameters", "over_seeds", "recipe")},
            )
            for contender in self.contenders
            for seed in self.seeds_of(contender)
        ]

    def needed(self, spec: RunSpec) -> list[tuple[str, int]]:
        """The contender and seed of each run that a run needs: those of its own seed, or all that it averages."""
        needed = []
        for contender in map(self.contender, self.needs(self.contender(spec.contender))):
            all_seeds = spec.over_seeds or contender.over_seeds
            needed += [(contender.name, seed) for seed in (self.seeds_of(contender) if all_seeds else (spec.seed,))]
        return needed


def make_plan(
    study: StudyFile,
    scale: str = "full",
    *,
    seeds: int | None = None,
    only: Iterable[str] = (),
    datasets: Iterable[str] = (),
    recipe: Mapping[str, Any] | None = None,
    absent: Mapping[str, str] | None = None,
) -> Plan:
    """The study at one of its scales, with the options of a command.

    Args:
        seeds: per contender, instead of the scale's.
        only: names of contenders; the others are left out.
        datasets: of those that the study is about; the others are left out.
        recipe: recipe fields that every contender takes.
        absent: contenders whose data or weights are missing -> `override.ABSENT_DATA` or `ABSENT_WEIGHTS`; they are
            left out, and with them those that need them.

    Raises:
        UsageError: no such scale, contender or dataset, or a recipe field that is not valid.
    """
    where = f"study {study.name}"
    if scale not in study.scales and scale != "full":
        raise UsageError(f"{where}: no scale {scale!r}{closest(scale, {*study.scales, 'full'})}")
    size, only, datasets = study.scales.get(scale, Scale()), tuple(only), tuple(map(plain_reference, datasets))
    for name in datasets:
        if name not in study.datasets:
            raise UsageError(f"{where}: not about dataset {name!r}{closest(name, study.datasets)}")
    reasons = _left_out(study, size, f"scale {scale}", only, datasets, absent or {})
    moved: dict[str, Any] = {"dataset": ""} if size.dataset else {}
    all_contenders = [contender.model_copy(update=moved) for contender in study.contenders]
    contenders = [
        _at_scale(contender, size, recipe or {}, f"{where} at scale {scale}, contender {contender.name}")
        for contender in all_contenders
        if contender.name not in reasons
    ]
    if not contenders:
        raise UsageError(f"{where}: scale {scale} with only {', '.join((*only, *datasets))} leaves no contender")
    sizes = {
        "dataset": size.dataset or study.dataset,
        "images": size.images or study.images,
        "seeds": seeds or size.seeds or study.seeds,
        "validation": size.validation or study.validation,
    }
    of_command = {("recipe", key) for key in recipe or {}} | ({("seeds",)} if seeds else set())
    overrides = [*_overrides(study, sizes, contenders, scale, of_command), *_overrides_of_left_out(study, reasons)]
    sweeps, left_out_points = _split_sweeps(study, reasons)
    full = bool(study.scales) and scale == "full" and not overrides
    values = {key: getattr(study, key) for key in Study.model_fields} | sizes
    values |= {"contenders": contenders, "sweeps": sweeps, "scale": scale, "scale_about": size.about}
    values |= {"overrides": overrides, "left_out_points": left_out_points}
    values["left_out"] = [contender for contender in all_contenders if contender.name in reasons]
    values["confirms"] = full if study.confirm is None else study.confirm
    return validate(Plan, values, where)


def split_names(study: Study, groups: Iterable[str]) -> tuple[str, ...]:
    """The names in `groups`, each a name or several with commas between them. The study's own names may hold commas:
    of the pieces between commas as many as make up one are taken for it."""
    known, names = {contender.name for contender in study.contenders}, []
    for group in groups:
        pieces = group.split(",")
        while pieces:
            count = next((n for n in range(len(pieces), 0, -1) if ",".join(pieces[:n]) in known), 1)
            names.append(",".join(pieces[:count]))
            pieces = pieces[count:]
    return tuple(name for name in names if name)


def _left_out(
    study: StudyFile,
    size: Scale,
    scale: str,
    only: Collection[str],
    datasets: Collection[str],
    absent: Mapping[str, str],
) -> dict[str, str]:
    """The contenders that are left out, each with what leaves it out: `scale NAME`, the command, or absent files.

    Raises:
        UsageError: a contender that is named needs one of them, or is none of the study's.
    """
    named = {name for name in (*size.only, *only) if study.contender(name)}
    reasons = {}
    for contender in study.contenders:
        name = contender.name
        if (size.only and name not in size.only) or name in size.without:
            reasons[name] = scale
        elif (only and name not in only) or (datasets and study.dataset_of(contender) not in datasets):
            reasons[name] = COMMAND
        elif name in absent:
            reasons[name] = absent[name]
    kept = [contender for contender in study.contenders if contender.name not in reasons]
    while lacking := {c.name: name for c in kept if c.name not in reasons for name in c.needs if name in reasons}:
        if refused := sorted(named & lacking.keys()):
            name = refused[0]
            raise UsageError(f"study {study.name}: {name} needs {lacking[name]}, which is left out: name it as well")
        reasons |= {name: f"needs {needed}" for name, needed in lacking.items()}
    return reasons


def _at_scale(contender: Contender, size: Scale, fields: Mapping[str, Any], where: str) -> Contender:
    """The contender with the parameters and the recipe that it has at a scale, and the recipe fields that a command
    gives; fields for all contenders are not for ensembles."""
    changes = size.contenders.get(contender.name, Changes())
    shared, fields = ({}, {}) if contender.ensemble else (size.recipe, fields)
    scaled = validate(Recipe, {**contender.recipe.model_dump(), **shared, **changes.fields}, where, strict=True)
    recipe = validate(Recipe, {**scaled.model_dump(), **fields}, where)
    parameters = {**contender.parameters, **changes.parameters}
    values = {**contender.model_dump(), "parameters": parameters, "recipe": recipe}
    return validate(Contender, values, where, strict=True)


def _overrides(
    study: StudyFile, sizes: Mapping[str, Any], contenders: Iterable[Contender], scale: str, of_command: set[Any]
) -> list[Override]:
    """Where the plan differs from the study file, apart from contenders that are left out.

    Args:
        of_command: the last parts of the paths of what a command gives.
    """
    changes: list[tuple[tuple[str, ...], Any, Any]] = [((key,), getattr(study, key), sizes[key]) for key in sizes]
    for contender in contenders:
        written, path = study.contender(contender.name), ("contenders", contender.name)
        for (key, old), (_, new) in zip(written.recipe, contender.recipe, strict=True):
            changes.append(((*path, "recipe", key), old, new))
        for key, new in contender.parameters.items():
            changes.append(((*path, "parameters", key), written.parameters.get(key), new))
    return [
        Override(path=path, old=old, new=new, source=COMMAND if path[-2:] in of_command else f"scale {scale}")
        for path, old, new in changes
        if old != new
    ]


def _overrides_of_left_out(study: StudyFile, reasons: Mapping[str, str]) -> list[Override]:
    """Each contender that is left out, and each dataset that is missing."""
    absent = [study.dataset_of(c) for c in study.contenders if reasons.get(c.name) == ABSENT_DATA]
    places = [(("datasets", name), name, ABSENT_DATA) for name in dict.fromkeys(absent)]
    places += [(("contenders", name), study.contender(name).model, reason) for name, reason in reasons.items()]
    return [Override(path=path, old=old, new=None, source=source) for path, old, source in places]


def _split_sweeps(study: StudyFile, left_out: Collection[str]) -> tuple[list[Sweep], list[Sweep]]:
    """The study's sweeps with the points that are left, where these are two or more, and with those that are not."""
    kept: list[Sweep] = []
    left_out_points: list[Sweep] = []
    for sweep in study.sweeps:
        points = [point for point in sweep.points if point.contender not in left_out]
        points = points if len(points) > 1 else []
        missing = [point for point in sweep.points if point not in points]
        for sweeps, part in ((kept, points), (left_out_points, missing)):
            sweeps += [sweep.model_copy(update={"points": tuple(part)})] if part else []
    return kept, left_out_points
