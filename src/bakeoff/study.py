"""What a study is: a question, contenders, sweeps, seeds, scales and sections, read from one TOML file."""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from bakeoff.errors import UsageError, closest
from bakeoff.spec import Contender, Frozen, Recipe, Reported, RunSpec, validate


class Point(Frozen):
    """One value of a sweep: the contender that has it, and what the report gave for it."""

    label: str
    contender: str
    reported: Reported = Reported()


class Sweep(Frozen):
    """Contenders that differ in one thing."""

    name: str
    question: str = ""
    points: tuple[Point, ...]


class Scale(Frozen):
    """A size of a study: what it overrides. Every cut is printed in the report."""

    about: str = ""
    dataset: str | None = None
    images: int | None = Field(None, ge=1)
    seeds: int | None = Field(None, ge=1)
    only: tuple[str, ...] = ()
    recipe: dict[str, Any] = {}


class Section(Frozen):
    """One part of a report."""

    kind: str
    title: str = ""
    of: tuple[str, ...] = Field((), description="the contenders it shows; empty: as many as fit")


class Study(Frozen):
    """A question, a dataset, contenders, seeds, scales, and the sections of its report."""

    name: str
    title: str
    question: str
    dataset: str
    validation: float = Field(1 / 6, gt=0, lt=1)
    images: int | None = Field(None, ge=1)
    seeds: int = Field(3, ge=1, le=1000)
    contenders: tuple[Contender, ...]
    sweeps: tuple[Sweep, ...] = ()
    scales: dict[str, Scale] = {}
    scale: str = "full"
    cuts: tuple[str, ...] = ()
    comparable: bool = Field(True, description="False where a scale cuts data or recipes")
    sections: tuple[Section, ...] = ()
    about: str = ""
    command: str = ""
    """What regenerates the report."""

    def contender(self, name: str) -> Contender:
        return next(c for c in self.contenders if c.name == name)

    @property
    def datasets(self) -> tuple[str, ...]:
        """Every dataset that a contender is trained on, the study's own first."""
        used = {self.dataset_of(contender) for contender in self.contenders}
        return tuple(sorted(used, key=lambda name: (name != self.dataset, name)))

    def dataset_of(self, contender: Contender) -> str:
        return contender.dataset or self.dataset

    def on(self, dataset: str) -> Study:
        """The part of the study that is about one dataset."""
        contenders = tuple(c for c in self.contenders if self.dataset_of(c) == dataset)
        names = [contender.name for contender in contenders]
        sweeps = tuple(s for s in self.sweeps if all(point.contender in names for point in s.points))
        return self.model_copy(update={"dataset": dataset, "contenders": contenders, "sweeps": sweeps})

    def runs(self) -> list[RunSpec]:
        """Every run of the study: contender by contender, seeds 0 ... seeds - 1."""
        return [
            RunSpec(
                contender=contender.name,
                dataset=self.dataset_of(contender),
                validation=self.validation,
                images=self.images,
                seed=seed,
                **{key: getattr(contender, key) for key in ("model", "parameters", "recipe")},
            )
            for contender in self.contenders
            for seed in range(self.seeds)
        ]


CONTENDER_KEYS = ("model", "parameters", "dataset", "reported", "variant", "note")


def _contender(name: str, table: Mapping[str, Any], base: Contender | None, recipe: Recipe, where: str) -> Contender:
    """A contender from its table: its own keys, and recipe fields that differ from `recipe` (or `base`'s)."""
    own = {key: value for key, value in table.items() if key in CONTENDER_KEYS}
    changes = {key: value for key, value in table.items() if key not in CONTENDER_KEYS}
    unknown = next((key for key in changes if key not in Recipe.model_fields), None)
    if unknown is not None:
        near = closest(unknown, [*CONTENDER_KEYS, *Recipe.model_fields])
        raise UsageError(f"{where}: unknown key {unknown!r}{near}")
    start = base.recipe if base else recipe
    own["recipe"] = validate(Recipe, {**start.model_dump(), **changes}, where, strict=True)
    if base:
        own = {
            "model": base.model,
            "dataset": base.dataset,
            **own,
            "parameters": {**base.parameters, **own.get("parameters", {})},
        }
    return validate(Contender, {"name": name, **own}, where, strict=True)


def _label(point: Mapping[str, Any]) -> str:
    plain = {**point, **point.get("parameters", {})}
    skip = (*CONTENDER_KEYS, "label")
    return ",".join(f"{key}={value}" for key, value in plain.items() if key not in skip)


def _sweep(name: str, table: Mapping[str, Any], contenders: list[Contender], recipe: Recipe, where: str) -> Sweep:
    """A sweep and, added to `contenders`, those of its points that no contender has yet."""
    known = {"of", "points", "question"}
    unknown = next((key for key in table if key not in known), None)
    if unknown is not None:
        raise UsageError(f"{where}: unknown key {unknown!r}{closest(unknown, known)}")
    names = [c.name for c in contenders]
    if "of" not in table:
        raise UsageError(f"{where}: of is missing: the contender whose values are varied{closest('', names)}")
    base = next((c for c in contenders if c.name == table["of"]), None)
    if base is None:
        raise UsageError(f"{where}: of = {table['of']!r}: no such contender{closest(str(table['of']), names)}")
    points = []
    for point in table.get("points", []):
        if not isinstance(point, dict):
            raise UsageError(f"{where}: points = [{point!r}, ...]: each point is a table, such as {{ lr = 0.1 }}")
        label = str(point.get("label") or _label(point))
        changes = {key: value for key, value in point.items() if key not in ("label", "reported")}
        made = _contender(re.sub(r"[^A-Za-z0-9._=+,-]+", "-", label), changes, base, recipe, f"{where} {label}")
        same = next((c for c in contenders if c.same_run_as(made)), None)
        if same is None:
            contenders.append(made)
        reported = validate(Reported, point.get("reported", {}), f"{where} {label}", strict=True)
        points.append(Point(label=label, contender=(same or made).name, reported=reported))
    if not points:
        raise UsageError(f"{where}: points is missing or empty")
    return Sweep(name=name, question=table.get("question", ""), points=tuple(points))


def _grid(contenders: list[Contender], grid: Mapping[str, list[Any]], where: str) -> list[Contender]:
    """Each contender with each combination of the grid's values."""
    for key, listed in grid.items():
        if not isinstance(listed, list) or not listed:
            raise UsageError(f"{where} [grid]: {key} = {listed!r}: must be a list of values, such as [0.01, 0.1]")
    made = []
    for contender in contenders:
        for values in itertools.product(*grid.values()):
            changes = dict(zip(grid, values, strict=True))
            name = f"{contender.name},{_label(changes)}"
            made.append(_contender(name, changes, contender, contender.recipe, f"{where} [grid]"))
    return made


def parse_study(text: str, name: str, where: str) -> Study:
    """A study from TOML. `where` is the file's name, for error sentences.

    Raises:
        UsageError: the first thing that is not valid, in one sentence with the closest valid names.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where}: not valid TOML: {error}") from None
    about = "\n".join(itertools.takewhile(lambda line: line.startswith("#"), text.splitlines()))
    recipe = validate(Recipe, table.pop("recipe", {}), f"{where} [recipe]", strict=True)
    contenders = [
        _contender(key, value, None, recipe, f"{where} [contenders.{key}]")
        for key, value in table.pop("contenders", {}).items()
    ]
    if grid := table.pop("grid", {}):
        contenders = _grid(contenders, grid, where)
    if not contenders:
        raise UsageError(f"{where}: a study needs at least one [contenders.NAME]")
    sweeps = [
        _sweep(key, value, contenders, recipe, f"{where} [sweeps.{key}]")
        for key, value in table.pop("sweeps", {}).items()
    ]
    names = [contender.name for contender in contenders]
    if twice := next((n for n in names if names.count(n) > 1), None):
        raise UsageError(f"{where}: two contenders are called {twice!r}; give one of them another name or label")
    known = ("title", "question", "dataset", "validation", "images", "seeds", "scales", "sections")
    if unknown := next((key for key in table if key not in known), None):
        tables = ("recipe", "contenders", "grid", "sweeps")
        raise UsageError(f"{where}: unknown key {unknown!r}{closest(unknown, (*known, *tables))}")
    written = {"about": about.replace("# ", "").replace("#", ""), "name": name, **table}
    return validate(Study, {**written, "contenders": contenders, "sweeps": sweeps}, where, strict=True)


def load_study(path: Path) -> Study:
    """The study in a TOML file; its name is the file's stem."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as a study: {error}") from None
    return parse_study(text, path.stem, str(path))


def _kept(study: Study, cut: Scale, scale: str, only: tuple[str, ...], datasets: tuple[str, ...]) -> list[str]:
    """The names of the contenders that the scale has, and that are asked for."""
    names = [contender.name for contender in study.contenders]
    for name in (*cut.only, *only):
        if name not in names:
            raise UsageError(f"study {study.name}: no contender {name!r}{closest(name, names)}")
    for name in datasets:
        if name not in study.datasets:
            raise UsageError(f"study {study.name}: not about dataset {name!r}{closest(name, study.datasets)}")
    kept = [
        c.name
        for c in study.contenders
        if all(not chosen or c.name in chosen for chosen in (cut.only, only))
        and (not datasets or study.dataset_of(c) in datasets)
    ]
    if not kept:
        asked = ", ".join((*only, *datasets))
        raise UsageError(f"study {study.name}: scale {scale} with only {asked} leaves no contender")
    return kept


def at_scale(
    study: Study,
    scale: str,
    *,
    seeds: int | None = None,
    only: Iterable[str] = (),
    datasets: Iterable[str] = (),
    recipe: Mapping[str, Any] | None = None,
) -> Study:
    """The study cut to one of its scales, and further by what is asked for.

    Args:
        seeds: per contender, instead of the scale's.
        only: names of contenders; the others are left out.
        datasets: of those that the study is about; the others are left out.
        recipe: recipe fields that every contender takes.

    Raises:
        UsageError: no such scale, contender or dataset, or a recipe field that is not valid.
    """
    if scale not in study.scales and scale != "full":
        raise UsageError(f"study {study.name}: no scale {scale!r}{closest(scale, {*study.scales, 'full'})}")
    cut, given = study.scales.get(scale, Scale()), dict(recipe or {})
    kept = _kept(study, cut, scale, tuple(only), tuple(datasets))
    contenders = []
    for c in study.contenders:
        if c.name in kept:
            where = f"study {study.name} [scales.{scale}]"
            cut_recipe = validate(Recipe, {**c.recipe.model_dump(), **cut.recipe}, where, strict=True)
            changed = validate(Recipe, {**cut_recipe.model_dump(), **given}, f"study {study.name}, contender {c.name}")
            contenders.append(c.model_copy(update={"recipe": changed, **({"dataset": ""} if cut.dataset else {})}))
    sweeps = []
    for sweep in study.sweeps:
        points = tuple(point for point in sweep.points if point.contender in kept)
        if len(points) > 1:
            sweeps.append(sweep.model_copy(update={"points": points}))
    changes: dict[str, Any] = {
        "dataset": cut.dataset or study.dataset,
        "images": cut.images or study.images,
        "seeds": seeds or cut.seeds or study.seeds,
    }
    said = [
        f"{key}: {value} instead of {getattr(study, key) or 'all'}"
        for key, value in changes.items()
        if value != getattr(study, key)
    ]
    said += [f"{key} = {value} in every recipe" for key, value in {**cut.recipe, **given}.items()]
    if len(kept) < len(study.contenders):
        said.append(f"{len(kept)} of {len(study.contenders)} contenders")
    return study.model_copy(
        update={
            **changes,
            "contenders": tuple(contenders),
            "sweeps": tuple(sweeps),
            "scale": scale,
            "cuts": tuple(said),
            "comparable": not (cut.recipe or cut.dataset or cut.images or given),
        }
    )
