"""What a study is: a question, contenders, sweeps, seeds, scales and sections, read from one TOML file."""

from __future__ import annotations

import itertools
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from bakeoff.characters import displayable
from bakeoff.errors import BakeoffError, UsageError, closest
from bakeoff.files import check_regular
from bakeoff.spec import Contender, Recipe, Reported, RunSpec, renamed
from bakeoff.spec.choices import Frozen, Shown, validate
from bakeoff.spec.hypothesis import Hypothesis
from bakeoff.spec.reference import Reference
from bakeoff.spec.study_parts import Failed, Point, Scale, Sweep


class Section(Frozen):
    """One part of a report."""

    kind: str
    title: Shown = ""
    of: tuple[str, ...] = Field((), description="the contenders it shows; empty: as many as fit")


Enough = Literal["decided", "images", "untrained", "seeds"]
"""It is decided against all that can be best; more seeds would not help, the images are the doubt; no run trained; it
has as many seeds as were allowed."""


class Study(Frozen):
    """A question, a dataset, contenders, seeds, scales, and the sections of its report."""

    name: Shown = Field(description="of its directory, too")
    title: Shown
    question: Shown
    dataset: Reference
    validation: float = Field(1 / 6, gt=0, lt=1)
    images: int | None = Field(None, ge=1)
    seeds: int = Field(3, ge=1, le=1000)
    contenders: tuple[Contender, ...]
    left_out: tuple[Contender, ...] = Field((), description="contenders that the scale, or what was asked for, drops")
    left_out_points: tuple[Sweep, ...] = Field((), description="the points that its sweeps lose with them")
    sweeps: tuple[Sweep, ...] = ()
    scales: dict[str, Scale] = {}
    scale: str = "full"
    cuts: tuple[str, ...] = ()
    cuts_in_words: Shown = Field("", description="what its scale says of itself, where nothing else cuts it")
    comparable: bool = Field(True, description="False where a scale cuts data or recipes")
    sections: tuple[Section, ...] = ()
    hypotheses: tuple[Hypothesis, ...] = ()
    shown: dict[str, list[str]] = Field({}, description="section -> contenders it shows beside the choice")
    unprinted: Shown = Field("", description="what the report does not print of any figure's setting")
    margin: float = Field(0.005, gt=0, lt=1, description="accuracies closer than this, a fraction, are as good")
    confirm: bool | None = Field(None, description="train the choice again on fresh seeds; null: at the full scale")
    level: float = Field(0.05, gt=0, lt=1, description="chance of any false verdict on one dataset")
    first_seed: int = Field(0, ge=0)
    seeds_each: dict[str, int] = Field({}, description="seeds of contenders where they are not the study's")
    enough: dict[str, Enough] = Field({}, description="why contenders got no more seeds, of a study that adds them")
    fresh: tuple[str, ...] = Field((), description="directory names of the choice's runs on fresh seeds")
    about: str = ""
    command: str = ""
    """What regenerates the report."""
    records: tuple[str, ...] = Field((), description="directory names of its runs, known once its data are")
    failed: tuple[Failed, ...] = Field((), description="runs that could not be trained, or whose records are damaged")

    @field_validator("name")
    @classmethod
    def _directory(cls, name: str) -> str:
        if not re.fullmatch(r"\w([\w .=+,()-]*[\w=+)-])?", name) or len(name.encode()) > 120:
            raise UsageError(
                f"study name {name!r}, which is its file's: must begin with a letter or digit and "
                "have letters, digits, spaces and . _ = + , - ( ) only, at most 120 bytes: rename it"
            )
        return name

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

    def needs(self, contender: Contender) -> tuple[str, ...]:
        """The contenders whose runs its runs need: the members of an ensemble, the teacher of a pupil."""
        names = {c.name for c in self.contenders}
        return tuple(name for name in contender.needs if name in names)

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

    def seeds_of(self, contender: Contender) -> range:
        count = 1 if contender.over_seeds else self.seeds_each.get(contender.name, self.seeds)
        return range(self.first_seed, self.first_seed + count)

    @property
    def confirms(self) -> bool:
        """Whether the choice is trained again on fresh seeds: as said, or else at the full, uncut one of its scales."""
        return bool(self.scales) and self.scale == "full" and not self.cuts if self.confirm is None else self.confirm

    def needed(self, spec: RunSpec) -> list[tuple[str, int]]:
        """The contender and seed of each run that a run needs: those of its own seed, or all that it averages."""
        needed = []
        for contender in map(self.contender, self.needs(self.contender(spec.contender))):
            every = self.seeds_of(contender)
            seeds = every if spec.over_seeds else every[-1:] if contender.over_seeds else (spec.seed,)
            needed += [(contender.name, seed) for seed in seeds]
        return needed

    def runs(self) -> list[RunSpec]:
        """Every run of the study: contender by contender, seed by seed; one run of what is over all seeds."""
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
    own = {key: value for key, value in table.items() if key in CONTENDER_KEYS}
    changes = {key: value for key, value in table.items() if key not in CONTENDER_KEYS}
    unknown = next((key for key in changes if key not in Recipe.model_fields and key not in renamed.RECIPE), None)
    if unknown is not None:
        near = closest(unknown, [*CONTENDER_KEYS, *Recipe.model_fields])
        raise UsageError(f"{where}: unknown key {unknown!r}{near}")
    start = base.recipe if base else recipe
    if "ensemble" in own:
        start = Recipe()
        check_ensemble_fields(changes, where)
    own["recipe"] = validate(Recipe, {**start.model_dump(), **changes}, where, strict=True)
    if base:
        own = {"model": base.model, "dataset": base.dataset, "validation": base.validation, **own}
        kept = base.parameters if own["model"] == base.model else {}
        own["parameters"] = {**kept, **_parameters(own, where)}
    return validate(Contender, {"name": name, **own}, where, strict=True)


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


def parse_study(text: str, name: str, where: str) -> Study:
    """A study from TOML. `where` is the file's name, for error sentences.

    Raises:
        UsageError: the first thing that is not valid, in one sentence with the closest valid names.
    """
    try:
        table = tomllib.loads(text)
    except ValueError as error:  # numbers of thousands of digits among them
        raise UsageError(f"{where}: not valid TOML: {error}") from None
    except RecursionError:
        raise UsageError(f"{where}: lists or tables in one another, too deep for a study") from None
    try:
        return _study(table, text, name, where)
    except RecursionError:
        raise UsageError(f"{where}: lists or tables in one another, too deep for a study") from None


def _study(table: dict[str, Any], text: str, name: str, where: str) -> Study:
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
    known = {"title", "question", "dataset", "validation", "images", "seeds", "scales", "sections", "hypotheses"}
    known |= {"shown", "unprinted", "margin", "confirm"}
    if unknown := next((key for key in table if key not in known), None):
        tables = ("recipe", "contenders", "grid", "sweeps")
        raise UsageError(f"{where}: unknown key {unknown!r}{closest(unknown, known.union(tables))}")
    written = {"about": about.replace("# ", "").replace("#", ""), "name": name, **table}
    study = validate(Study, {**written, "contenders": contenders, "sweeps": sweeps}, where, strict=True)
    check_needs(study, where)
    datasets = {contender.name: study.dataset_of(contender) for contender in study.contenders}
    for hypothesis in study.hypotheses:
        hypothesis.check(datasets, f"{where} [[hypotheses]] {hypothesis.says!r}")
    for kind, shown in study.shown.items():
        if other := next((n for n in shown if n not in names), None):
            raise UsageError(f"{where} [shown]: {kind}: no such contender: {other!r}{closest(other, names)}")
    return study


def load_study(path: Path) -> Study:
    """The study in a TOML file; its name is the file's stem."""
    try:
        check_regular(path)
        text = path.read_text(encoding="utf-8")
    except (BakeoffError, OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as a study: {error}") from None
    return parse_study(text, path.stem, str(path))


def check_needs(study: Study, where: str) -> None:
    """That every ensemble's members are there, on its dataset, and that nothing needs itself.

    Raises:
        UsageError: the first that is not so.
    """
    datasets = {contender.name: study.dataset_of(contender) for contender in study.contenders}
    for contender in study.contenders:
        for name in contender.ensemble:
            if name not in datasets:
                raise UsageError(f"{where}: {contender.name}: no contender {name!r}{closest(name, datasets)}")
            if datasets[name] != datasets[contender.name]:
                raise UsageError(
                    f"{where}: {contender.name} is on {datasets[contender.name]} and its member {name} on "
                    f"{datasets[name]}: only answers to the same images can be averaged"
                )
        for name in study.needs(contender):
            if study.contender(name).validation != contender.validation:
                raise UsageError(
                    f"{where}: {contender.name} needs {name}, which has another part drawn for validation: "
                    "give both the same validation"
                )
    try:
        study.depths()
    except CycleError as error:
        circle = list(reversed(error.args[1]))[:-1]  # each needs the next, the last the first
        first = min(range(len(circle)), key=lambda i: list(datasets).index(circle[i]))
        said = " needs ".join((*circle[first:], *circle[:first], circle[first]))
        raise UsageError(f"{where}: {said}: none of them can be trained first") from None
