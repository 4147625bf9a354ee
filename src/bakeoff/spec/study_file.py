"""A study file: what its author wrote, read from TOML."""

from __future__ import annotations

import itertools
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from bakeoff.characters import displayable
from bakeoff.errors import BakeoffError, UsageError, closest
from bakeoff.files import check_regular
from bakeoff.spec import Contender, Recipe, Reported, renamed
from bakeoff.spec.reference import Reference
from bakeoff.spec.settings import Frozen, Shown, validate
from bakeoff.spec.study import Point, Study, Sweep

DIRECTORY = re.compile(r"\w([\w .=+,()-]*[\w=+)-])?")


class Scale(Frozen):
    """A size of a study: what it overrides. Every override is printed in the report."""

    about: Shown = ""
    dataset: Reference | None = None
    images: int | None = Field(None, ge=1)
    seeds: int | None = Field(None, ge=1)
    only: tuple[str, ...] = Field((), description="the contenders it has; empty: all")
    without: tuple[str, ...] = Field((), description="contenders that it leaves out")
    recipe: dict[str, Any] = {}
    contenders: dict[str, dict[str, Any]] = Field({}, description="`parameters` and recipe fields of single contenders")


def _as_directory(name: str, what: str, longest: int, mend: str = "") -> str:
    """`name`, where a directory can be called that."""
    if not DIRECTORY.fullmatch(name) or len(name.encode()) > longest:
        valid = "must begin with a letter or digit and have letters, digits, spaces and . _ = + , - ( ) only"
        raise UsageError(f"{what}: {valid}, at most {longest} bytes{mend}")
    return name


class StudyFile(Study):
    """What the author of a study wrote."""

    scales: dict[str, Scale] = {}
    confirm: bool | None = Field(
        None, description="train the selected contender again on fresh seeds; null: at the full scale"
    )

    @field_validator("name")
    @classmethod
    def _directory(cls, name: str) -> str:
        return _as_directory(name, f"study name {name!r}, which is its file's", 120, ": rename it")

    @field_validator("scales")
    @classmethod
    def _directories(cls, scales: dict[str, Scale]) -> dict[str, Scale]:
        return {_as_directory(name, f"scale name {name!r}", 80): scale for name, scale in scales.items()}


CONTENDER_KEYS = tuple(key for key in Contender.model_fields if key not in ("name", "recipe"))
ENSEMBLE_FIELDS = ("tta",)
"""Of the recipe's fields those that are said of an ensemble, which trains nothing."""


Tables = dict[str, dict[str, Any]]
CONTENDERS = 'each is one, such as [contenders.plain] with model = "conv"'
SWEEPS = 'each is one, such as [sweeps.rate] with of = "plain" and points = [{ lr = 0.1 }, { lr = 1 }]'
LARGEST_STUDY = 1000
"""Contenders at the most: a grid of six values of six keys would have 46,656."""


def _tables(value: object, where: str, valid: str) -> Tables:
    """`value` as a table of tables.

    Raises:
        UsageError: it is none.
    """
    if not isinstance(value, dict):
        raise UsageError(f"{where} = {value!r}: must be a table; {valid}")
    for key, inner in value.items():
        if not isinstance(inner, dict):
            raise UsageError(f"{where}.{key} = {inner!r}: must be a table; {valid}")
    return value


def _parameters(table: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """The model's parameters that a contender's or a point's table gives."""
    given = table.get("parameters", {})
    if not isinstance(given, Mapping):
        raise UsageError(f"{where}: parameters = {given!r}: must be a table, such as {{ width = 10 }}")
    return given


def _contender(name: str, table: Mapping[str, Any], base: Contender | None, recipe: Recipe, where: str) -> Contender:
    """A contender from its table: its own keys, and recipe fields that differ from `recipe` (or `base`'s)."""
    values = {key: value for key, value in table.items() if key in CONTENDER_KEYS}
    changes = {key: value for key, value in table.items() if key not in CONTENDER_KEYS}
    unknown = next((key for key in changes if key not in Recipe.model_fields and key not in renamed.RECIPE), None)
    if unknown is not None:
        near = closest(unknown, [*CONTENDER_KEYS, *Recipe.model_fields])
        raise UsageError(f"{where}: unknown key {unknown!r}{near}")
    start = base.recipe if base else recipe
    if "ensemble" in values:
        start = Recipe()
        check_ensemble_fields(changes, where)
    values["recipe"] = validate(Recipe, {**start.model_dump(), **changes}, where, strict=True)
    if base:
        values = {"model": base.model, "dataset": base.dataset, "validation": base.validation, **values}
        kept = base.parameters if values["model"] == base.model else {}
        values["parameters"] = {**kept, **_parameters(values, where)}
    return validate(Contender, {"name": name, **values}, where, strict=True)


def check_ensemble_fields(fields: Iterable[str], where: str) -> None:
    """That these recipe fields can be said of an ensemble.

    Raises:
        UsageError: the first that is for what is trained.
    """
    if other := next((key for key in fields if key not in ENSEMBLE_FIELDS), None):
        known = ", ".join(ENSEMBLE_FIELDS)
        raise UsageError(f"{where}: {other} is for what is trained; of the recipe an ensemble takes {known} only")


def _label(point: Mapping[str, Any], where: str) -> str:
    plain = {**point, **_parameters(point, where)}
    skip = (*CONTENDER_KEYS, "label")
    return ",".join(f"{key}={value}" for key, value in plain.items() if key not in skip)


def _sweep(name: str, table: Mapping[str, Any], contenders: list[Contender], recipe: Recipe, where: str) -> Sweep:
    """A sweep and, added to `contenders`, those of its points that no contender has yet."""
    known = {"of", "points", "question", "reported"}
    unknown = next((key for key in table if key not in known), None)
    if unknown is not None:
        raise UsageError(f"{where}: unknown key {unknown!r}{closest(unknown, known)}")
    names = [c.name for c in contenders]
    if "of" not in table:
        raise UsageError(f"{where}: of is missing: the contender whose values are varied{closest('', names)}")
    base = next((c for c in contenders if c.name == table["of"]), None)
    if base is None:
        raise UsageError(f"{where}: of = {table['of']!r}: no such contender{closest(str(table['of']), names)}")
    if base.ensemble:
        raise UsageError(f"{where}: of = {base.name!r}: an ensemble; a sweep varies what is trained")
    points = []
    if not isinstance(given := table.get("points", []), list):
        raise UsageError(f"{where}: points = {given!r}: must be a list of tables, such as [{{ lr = 0.1 }}]")
    for point in given:
        if not isinstance(point, dict):
            raise UsageError(f"{where}: points = [{point!r}, ...]: each point is a table, such as {{ lr = 0.1 }}")
        label = str(point.get("label") or _label(point, where))
        changes = {key: value for key, value in point.items() if key not in ("label", "reported")}
        made = _contender(_plain(label), changes, base, recipe, f"{where} {label}")
        same = next((c for c in contenders if c.same_run_as(made)), None)
        if same is None:
            contenders.append(made)
        reported = validate(Reported, point.get("reported", {}), f"{where} {label}", strict=True)
        points.append(Point(label=label, contender=(same or made).name, reported=reported))
    if not points:
        raise UsageError(f"{where}: points is missing or empty")
    rest = {key: table[key] for key in ("question", "reported") if key in table}
    return validate(Sweep, {"name": name, "points": points, **rest}, where, strict=True)


def _plain(label: str) -> str:
    """A label as a contender's name."""
    return re.sub(r"[^A-Za-z0-9._=+,-]+", "-", label)


def _grid(contenders: list[Contender], grid: Any, where: str) -> list[Contender]:
    """Each contender with each combination of the grid's values; ensembles as they are."""
    if not isinstance(grid, dict):
        raise UsageError(f"{where}: grid = {grid!r}: must be a table of lists, such as [grid] with lr = [0.01, 0.1]")
    for key, listed in grid.items():
        if not isinstance(listed, list) or not listed:
            raise UsageError(f"{where} [grid]: {key} = {listed!r}: must be a list of values, such as [0.01, 0.1]")
    if (count := math.prod(map(len, grid.values())) * len(contenders)) > LARGEST_STUDY:
        raise UsageError(f"{where} [grid]: makes {count:,} contenders: must be at most {LARGEST_STUDY:,}")
    made = []
    for contender in contenders:
        if contender.ensemble:
            made.append(contender)
            continue
        for values in itertools.product(*grid.values()):
            changes = dict(zip(grid, values, strict=True))
            name = f"{contender.name},{_label(changes, f'{where} [grid]')}"
            made.append(_contender(_plain(name), changes, contender, contender.recipe, f"{where} [grid]"))
    return made


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
    about = "\n".join(map(displayable, itertools.takewhile(lambda line: line.startswith("#"), text.splitlines())))
    if not isinstance(shared := table.pop("recipe", {}), dict):
        raise UsageError(f"{where}: recipe = {shared!r}: must be a table, such as [recipe] with epochs = 2")
    recipe = validate(Recipe, shared, f"{where} [recipe]", strict=True)
    contenders = [
        _contender(key, value, None, recipe, f"{where} [contenders.{key}]")
        for key, value in _tables(table.pop("contenders", {}), f"{where}: contenders", CONTENDERS).items()
    ]
    if grid := table.pop("grid", {}):
        contenders = _grid(contenders, grid, where)
    if not contenders:
        raise UsageError(f"{where}: a study needs at least one [contenders.NAME]")
    sweeps = [
        _sweep(key, value, contenders, recipe, f"{where} [sweeps.{key}]")
        for key, value in _tables(table.pop("sweeps", {}), f"{where}: sweeps", SWEEPS).items()
    ]
    if len(contenders) > LARGEST_STUDY:
        raise UsageError(f"{where}: {len(contenders):,} contenders: must be at most {LARGEST_STUDY:,}")
    names = [contender.name for contender in contenders]
    if twice := next((n for n in names if names.count(n) > 1), None):
        raise UsageError(f"{where}: two contenders are called {twice!r}; give one of them another name or label")
    if "claims" in table:
        raise UsageError(f"{where}: [[claims]] is now [[hypotheses]], each with a source: 'report' or 'ours'")
    known = {*StudyFile.model_fields} - {"name", "about", "contenders", "sweeps"}
    if unknown := next((key for key in table if key not in known), None):
        tables = ("recipe", "contenders", "grid", "sweeps")
        raise UsageError(f"{where}: unknown key {unknown!r}{closest(unknown, known.union(tables))}")
    written = {"about": about.replace("# ", "").replace("#", ""), "name": name, **table}
    study = validate(StudyFile, {**written, "contenders": contenders, "sweeps": sweeps}, where, strict=True)
    study.check_needs(where)
    datasets = {contender.name: study.dataset_of(contender) for contender in study.contenders}
    for hypothesis in study.hypotheses:
        hypothesis.check(datasets, f"{where} [[hypotheses]] {hypothesis.says!r}")
    for kind, shown in study.shown.items():
        if other := next((n for n in shown if n not in names), None):
            raise UsageError(f"{where} [shown]: {kind}: no such contender: {other!r}{closest(other, names)}")
    return study


def load_study(path: Path) -> StudyFile:
    """The study in a TOML file; its name is the file's stem."""
    try:
        check_regular(path)
        text = path.read_text(encoding="utf-8")
    except (BakeoffError, OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as a study: {error}") from None
    return parse_study(text, path.stem, str(path))
