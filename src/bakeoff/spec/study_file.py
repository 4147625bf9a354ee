"""A study file: what its author wrote, read from TOML."""

from __future__ import annotations

import itertools
import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from bakeoff.characters import displayable
from bakeoff.errors import BakeoffError, UsageError, closest
from bakeoff.files import check_regular
from bakeoff.spec import Contender, Recipe, Reported
from bakeoff.spec.reference import Reference
from bakeoff.spec.settings import Frozen, Shown, unknown_key, validate
from bakeoff.spec.study import Point, Study, Sweep

LARGEST_GRID = 1000
"""Contenders at the most: a grid of six values of six keys would have 46,656."""


def _as_directory(name: str) -> str:
    if not re.fullmatch(r"\w([\w .=+,()-]*[\w=+)-])?", name) or len(name.encode()) > 100:
        valid = "must begin with a letter or digit and have letters, digits, spaces and . _ = + , - ( ) only"
        raise UsageError(f"{name!r} cannot name a directory: {valid}, at most 100 bytes: rename it")
    return name


Directory = Annotated[str, AfterValidator(_as_directory)]
"""A name that a directory can have."""


class Changes(Frozen, extra="allow"):
    """Where a contender differs from another, or at a scale; the extra keys are those of [contenders.NAME]."""

    parameters: dict[str, Any] = {}

    @property
    def fields(self) -> dict[str, Any]:
        """All but the parameters."""
        return self.model_extra or {}

    @property
    def assignments(self) -> str:
        """The recipe fields and parameters, such as `lr=0.1,width=20`."""
        values = {**self.fields, **self.parameters}
        return ",".join(f"{key}={value}" for key, value in values.items() if key not in CONTENDER_KEYS)


class PointTable(Changes):
    """A point of [sweeps.NAME]."""

    label: str = ""
    reported: Reported = Reported()


class SweepTable(Frozen):
    """[sweeps.NAME]"""

    of: str
    points: list[PointTable] = Field(min_length=1)
    question: Shown = ""
    reported: tuple[float, ...] = ()


class Tables(Frozen, extra="ignore"):
    """The tables of a file that contenders are made of."""

    recipe: dict[str, Any] = {}
    contenders: dict[str, dict[str, Any]] = Field(min_length=1)
    grid: dict[str, Annotated[list[Any], Field(min_length=1)]] = {}
    sweeps: dict[str, SweepTable] = {}


class Scale(Frozen):
    """A size of a study: what it overrides. Every override is printed in the report."""

    about: Shown = ""
    dataset: Reference | None = None
    images: int | None = Field(None, ge=1)
    seeds: int | None = Field(None, ge=1)
    validation: float | None = Field(None, gt=0, lt=1)
    only: tuple[str, ...] = Field((), description="the contenders it has; empty: all")
    without: tuple[str, ...] = Field((), description="contenders that it leaves out")
    recipe: dict[str, Any] = {}
    contenders: dict[str, Changes] = Field({}, description="`parameters` and recipe fields of single contenders")


class StudyFile(Study):
    """What the author of a study wrote."""

    name: Directory = Field(description="its file's")
    recipe: dict[str, Any] = Field({}, description="what its contenders share")
    grid: dict[str, list[Any]] = Field({}, description="values of which each contender takes every combination")
    scales: dict[Directory, Scale] = {}
    confirm: bool | None = Field(
        None, description="train the selected contender again on fresh seeds; null: at the full scale"
    )

    @model_validator(mode="after")
    def _names_contenders(self) -> StudyFile:
        """Whatever names contenders names some of this study."""
        named = [*self.shown.values(), *((*s.only, *s.without, *s.contenders) for s in self.scales.values())]
        for name in itertools.chain(*named):
            self.contender(name)
        for hypothesis in self.hypotheses:
            if hypothesis.better == hypothesis.worse:  # a plan may find that two contenders are the same
                raise UsageError(
                    f"better and worse are both {hypothesis.better!r}: a hypothesis compares two contenders"
                )
            self.check_comparable(hypothesis.better, hypothesis.worse)
        return self


CONTENDER_KEYS = tuple(key for key in Contender.model_fields if key not in ("name", "recipe"))


def _contender(name: str, table: Mapping[str, Any], recipe: Recipe, where: str) -> Contender:
    """A contender from its table: its own keys, and recipe fields that differ from `recipe`."""
    values = {key: value for key, value in table.items() if key in CONTENDER_KEYS}
    fields = {key: value for key, value in table.items() if key not in CONTENDER_KEYS}
    if unknown := next((key for key in fields if key not in Recipe.model_fields), None):
        raise UsageError(f"{where}: {unknown_key(unknown, [*CONTENDER_KEYS, *Recipe.model_fields])}")
    shared = {} if "ensemble" in values else recipe.model_dump()
    values["recipe"] = validate(Recipe, {**shared, **fields}, where, strict=True)
    return validate(Contender, {"name": name, **values}, where, strict=True)


def _changed(base: Contender, changes: Changes, name: str, where: str) -> Contender:
    """A contender that differs from `base` in `changes`; the parameters of another model are all its own."""
    model = changes.fields.get("model", base.model)
    parameters = {**base.parameters, **changes.parameters} if model == base.model else changes.parameters
    table = {"model": model, "dataset": base.dataset, "validation": base.validation, "parameters": parameters}
    plain = re.sub(r"[^A-Za-z0-9._=+,-]+", "-", name)
    return _contender(plain, {**table, **changes.fields}, base.recipe, where)


def _sweep(name: str, table: SweepTable, contenders: list[Contender], where: str) -> Sweep:
    """A sweep and, added to `contenders`, those of its points that no contender has yet."""
    trained = {c.name: c for c in contenders if not c.ensemble}
    if table.of not in trained:
        raise UsageError(f"{where}: of = {table.of!r}: no contender that is trained{closest(table.of, trained)}")
    points = []
    for point in table.points:
        label = point.label or point.assignments
        contender = _changed(trained[table.of], point, label, f"{where} {label}")
        same = next((c for c in contenders if c.same_run_as(contender)), None)
        if same is None:
            contenders.append(contender)
        points.append(Point(label=label, contender=(same or contender).name, reported=point.reported))
    values = {"name": name, "question": table.question, "points": points, "reported": table.reported}
    return validate(Sweep, values, where, strict=True)


def _grid(contenders: list[Contender], grid: Mapping[str, list[Any]], where: str) -> list[Contender]:
    """Each contender with each combination of the grid's values; ensembles as they are."""
    if (count := math.prod(map(len, grid.values())) * len(contenders)) > LARGEST_GRID:
        raise UsageError(f"{where}: makes {count:,} contenders: must be at most {LARGEST_GRID:,}")
    combinations = [
        validate(Changes, dict(zip(grid, values, strict=True)), where, strict=True)
        for values in itertools.product(*grid.values())
    ]
    return [
        made
        for contender in contenders
        for made in (
            [contender]
            if contender.ensemble
            else [
                _changed(contender, changes, f"{contender.name},{changes.assignments}", where)
                for changes in combinations
            ]
        )
    ]


def parse_study(text: str, name: str, where: str) -> StudyFile:
    """A study from TOML. `where` is the file's name, for error sentences.

    Raises:
        UsageError: the first thing that is not valid, in one sentence with the closest valid names.
    """
    try:
        return _study(text, name, where)
    except RecursionError:
        raise UsageError(f"{where}: lists or tables in one another, too deep for a study") from None


def _study(text: str, name: str, where: str) -> StudyFile:
    try:
        table = tomllib.loads(text)
    except ValueError as error:  # numbers of thousands of digits among them
        raise UsageError(f"{where}: not valid TOML: {error}") from None
    if derived := next((key for key in ("name", "about") if key in table), None):
        raise UsageError(f"{where}: unknown key {derived!r}: it is the file's name, or its first comment lines")
    about = "\n".join(map(displayable, itertools.takewhile(lambda line: line.startswith("#"), text.splitlines())))
    tables = validate(Tables, table, where, strict=True)
    recipe = validate(Recipe, tables.recipe, f"{where} [recipe]", strict=True)
    contenders = [
        _contender(key, value, recipe, f"{where} [contenders.{key}]") for key, value in tables.contenders.items()
    ]
    if tables.grid:
        contenders = _grid(contenders, tables.grid, f"{where} [grid]")
    sweeps = [_sweep(key, value, contenders, f"{where} [sweeps.{key}]") for key, value in tables.sweeps.items()]
    made = {"name": name, "about": about.replace("# ", "").replace("#", ""), "contenders": contenders, "sweeps": sweeps}
    return validate(StudyFile, {**table, **made}, where, strict=True)


def load_study(path: Path) -> StudyFile:
    """The study in a TOML file; its name is the file's stem."""
    try:
        check_regular(path)
        text = path.read_text(encoding="utf-8")
    except (BakeoffError, OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as a study: {error}") from None
    return parse_study(text, path.stem, str(path))
