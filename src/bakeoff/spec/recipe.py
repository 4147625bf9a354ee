"""What a run is: Recipe, Contender, RunSpec. Validated, frozen, and named by a digest."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from bakeoff.errors import UsageError
from bakeoff.spec.losses import LOSSES, Loss
from bakeoff.spec.optimizers import OPTIMIZERS
from bakeoff.spec.reference import Reference
from bakeoff.spec.registry import Entry, Registry, parse_choice
from bakeoff.spec.schedules import SCHEDULES
from bakeoff.spec.settings import Frozen, Shown
from bakeoff.spec.steps import AUGMENTATIONS, PREPROCESSING
from bakeoff.spec.stopping import FALLBACKS, KEEPS, STOPS, Fallback, Keep
from bakeoff.spec.tasks import POOLS, TASKS, Pool, TaskSettings
from bakeoff.spec.tta import TTAS, Tta

RESULTS = 4
"""The rules that a result follows. Raised whenever the same spec would give other bits; what decides a run, and so its
name, begins with it. A record of earlier rules is used, and pages tell its rules.

4: final splits in float32, ensembles of probabilities, stratified sample of the training split.
3: until version 0.1."""

CHOICES: dict[str, Registry[Entry[Any]]] = {
    table.key: table for table in (SCHEDULES, LOSSES, STOPS, KEEPS, FALLBACKS, TASKS, POOLS, TTAS)
}
"""Fields of a recipe that name an entry of a table, with its settings."""
STEPS: dict[str, Registry[Any]] = {"augment": AUGMENTATIONS, "preprocess": PREPROCESSING}
"""Fields of a recipe that list such entries."""


def _takers(field: str) -> list[str]:
    """The optimisers that take a field of the recipe."""
    return [name for name, entry in OPTIMIZERS.items() if field in entry.takes]


class Recipe(Frozen):
    """Everything but model, data and seed that decides a training run."""

    epochs: int = Field(10, ge=1, le=100_000, description="passes over the training split, in each round")
    batch_size: int = Field(128, ge=1, le=65_536, description="images a step")
    optimizer: str = Field("adam", description=f"PyTorch's, with its defaults for the rest: {OPTIMIZERS.menu()}")
    lr: float = Field(0.003, gt=0, le=1000, description="learning rate: the schedule's peak")
    momentum: float = Field(0.0, ge=0, lt=1, description=f"momentum of {' and '.join(_takers('momentum'))}")
    nesterov: bool = Field(False, description="Nesterov's form of sgd's momentum")
    l2: float = Field(0.0, ge=0, le=100, description="coupled weight decay: l2 x weight joins the gradient")
    l2_on: Literal["all", "hidden"] = Field(
        "all", description="hidden: weights of linear layers but the last, no biases"
    )
    weight_decay: float = Field(0.0, ge=0, le=1, description="decoupled: a step takes lr x weight_decay x weight away")
    schedule: str = Field("one-cycle", description=SCHEDULES.menu())
    loss: str = Field("cross_entropy", description=LOSSES.menu())
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="mass spread evenly over all classes")
    stop: str = Field("never", description=STOPS.menu())
    keep: str = Field("last", description=f"the weights that are evaluated: {KEEPS.menu()}")
    rounds: int = Field(1, ge=1, le=100, description="trainings in a row: each with a new optimiser and schedule")
    fallback: str = Field("never", description=f"where the training loss does not fall at all: {FALLBACKS.menu()}")
    gradient_clip: float = Field(0.0, ge=0, description="largest norm of the gradient; 0: no clipping")
    ema: float = Field(0.0, ge=0, lt=1, description="decay per step of the averaged weights that are evaluated; 0: off")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto: bf16 where the hardware multiplies it"
    )
    init: Literal["torch", "glorot"] = Field("torch", description="PyTorch's own, or Glorot-uniform with zero biases")
    task: str = Field("images", description=f"what the network is taught, on which images: {TASKS.menu()}")
    teacher: str = Field("", description="pseudo-labels: a run's directory, or a contender, that labels the pool")
    pool: str = Field(
        "unlabelled:confidence=0.95", description=f"images that a teacher labels if so sure: {POOLS.menu()}"
    )
    weights: str = Field("", description="to start from: imagenet, a .safetensors or .pth file, a run's directory")
    freeze: str = Field("", pattern=r"^(stages:[1-9][0-9]*)?$", description="stages not trained: stages:4, the first 4")
    pixels: Literal["unit", "standardise"] = Field(
        "standardise",
        description="pixels / 255, or that less the training split's mean, over its deviation, per channel",
    )
    preprocess: tuple[str, ...] = Field(
        (), description=f"for the images of every split, in order; repeated on the command line: {PREPROCESSING.menu()}"
    )
    augment: tuple[str, ...] = Field(
        (), description=f"for training images, in order; repeated on the command line: {AUGMENTATIONS.menu()}"
    )
    tta: str = Field("one", description=f"test-time augmentation, views whose mean logits count: {TTAS.menu()}")

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        for field, table in CHOICES.items():
            table.choose(getattr(self, field))  # may raise
        optimizer, loss = OPTIMIZERS.find(self.optimizer), self.loss_entry
        for field in dict.fromkeys(field for entry in OPTIMIZERS.values() for field in entry.takes):
            if getattr(self, field) and field not in optimizer.takes:
                takers = _takers(field)
                raise UsageError(f"{field} is for {', '.join(takers)}: {self.optimizer} does not take it, leave it out")
        if self.nesterov and self.momentum == 0:
            raise UsageError("nesterov needs momentum above 0")
        if self.label_smoothing and not loss.smoothing:
            losses = ", ".join(name for name, entry in LOSSES.items() if entry.smoothing)
            raise UsageError(f"label_smoothing is for {losses}: {self.loss} does not take it, leave it out")
        if self.pool != Recipe.model_fields["pool"].default and not self.teacher:
            raise UsageError("pool needs a teacher")
        try:
            restarts = self.fallback_recipe is not None
        except UsageError as error:
            raise UsageError(f"fallback: {error}") from None
        if restarts and not self.equal_is_log_classes:
            setting = f"loss = {self.loss!r} and label_smoothing = {self.label_smoothing}"
            raise UsageError(f"fallback does not know the loss of equal logits for {setting}: change one of the three")
        return self

    @property
    def loss_entry(self) -> Loss:
        return LOSSES.find(parse_choice(self.loss)[0])

    @property
    def equal_is_log_classes(self) -> bool:
        """True where the loss of equal logits for K classes is known: ln K."""
        loss = self.loss_entry
        return loss.equal_is_log_classes and not (self.label_smoothing and loss.balanced)

    @property
    def keep_choice(self) -> Keep:
        return KEEPS.choose(self.keep)[1]

    @property
    def task_choice(self) -> TaskSettings:
        return TASKS.choose(self.task)[1]

    @property
    def fallback_choice(self) -> Fallback:
        return FALLBACKS.choose(self.fallback)[1]

    @property
    def fallback_recipe(self) -> Recipe | None:
        """What training restarts with if its loss does not fall; None: it does not restart."""
        changes = self.fallback_choice.changes()
        return Recipe(**{**self.model_dump(), **changes, "fallback": "never"}) if changes else None

    @property
    def pool_choice(self) -> Pool:
        return POOLS.choose(self.pool)[1]

    @property
    def tta_choice(self) -> Tta:
        return TTAS.choose(self.tta)[1]

    @property
    def selects_on_test(self) -> bool:
        """True where the weights are chosen on the test split: a fault, kept only to be reproduced."""
        return self.keep_choice.criterion.startswith("test_")

    @property
    def trains_on_test(self) -> bool:
        """True where a teacher labels the test images and they are trained on."""
        return bool(self.teacher) and self.pool_choice.of_test


class Reported(Frozen):
    """Figures a published report gives. Accuracies and errors are fractions."""

    test_accuracy: float | None = Field(None, ge=0, le=1)
    best_test_accuracy: float | None = Field(None, ge=0, le=1)
    validation_accuracy: float | None = Field(None, ge=0, le=1)
    train_accuracy: float | None = Field(None, ge=0, le=1)
    train_error: float | None = Field(None, ge=0, le=1)
    weakest_class_accuracy: float | None = Field(None, ge=0, le=1)
    second_epoch_validation_accuracy: float | None = Field(None, ge=0, le=1)
    first_fit_validation_accuracy: float | None = Field(None, ge=0, le=1)
    first_fit_train_accuracy: float | None = Field(None, ge=0, le=1)
    top5: float | None = Field(None, ge=0, le=1)
    roc_area: float | None = Field(None, ge=0, le=1, description="the smallest of any class")
    loss: float | None = Field(None, ge=0)
    seconds: float | None = Field(None, ge=0)
    epoch_seconds: float | None = Field(None, ge=0)
    parameters: int | None = Field(None, ge=0, description="as printed: 93 thousand is 93000")
    repeats: tuple[float, ...] = Field((), description="test accuracies it also gives for what may be the same network")
    unprinted: str = Field("", description="what it does not print of these figures' setting: they are not judged")

    def figures(self) -> dict[str, float]:
        return self.model_dump(exclude_none=True, exclude={"repeats", "unprinted"})


Value = bool | int | float | str


class Contender(Frozen):
    """A named model + recipe in a study, or an ensemble of others, with the figures a report gave for it, if any."""

    name: str
    model: str = ""
    ensemble: tuple[str, ...] = Field((), description="instead of a model: contenders whose probabilities are averaged")
    over_seeds: bool = Field(False, description="an ensemble of all seeds of its members: one run, seed 0")
    parameters: dict[str, Value] = {}
    dataset: Reference = Field("", description="instead of the study's")
    recipe: Recipe = Recipe()
    reported: Reported = Reported()
    variant: Literal["", "as reported", "repaired", "ours", "floor"] = Field(
        "", description="repaired: a report's contender without a fault; ours: one that no report has"
    )
    validation: float | None = Field(None, gt=0, lt=1, description="part drawn for validation, instead of the study's")
    note: Shown = ""

    @field_validator("name")
    @classmethod
    def _directory(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._=+,-]*", name) or len(name) > 80:
            raise UsageError(
                f"contender name {name!r}: must begin with a letter or digit and have letters, digits and . _ = + "
                ", - only, at most 80"
            )
        return name

    @model_validator(mode="after")
    def _model_or_ensemble(self) -> Contender:
        if not self.model and not self.ensemble:
            raise UsageError("model is missing, or ensemble: names of contenders whose answers are averaged")
        if self.ensemble and (self.model or self.parameters):
            raise UsageError("an ensemble has no model and no parameters but its members'")
        if twice := next((name for name in self.ensemble if self.ensemble.count(name) > 1), None):
            raise UsageError(f"ensemble names {twice!r} twice")
        untrained = Recipe(tta=self.recipe.tta)
        if self.ensemble and self.recipe != untrained:
            field = next(key for key, value in untrained if value != getattr(self.recipe, key))
            raise UsageError(f"{field} is for what is trained; of the recipe an ensemble takes tta only")
        if self.over_seeds and not self.ensemble:
            raise UsageError("over_seeds is for an ensemble")
        return self

    @property
    def needs(self) -> tuple[str, ...]:
        """What must be there before: the members of an ensemble, the teacher whose pseudo-labels are trained on (a
        contender, or the directory of a run)."""
        return (*self.ensemble, *([self.recipe.teacher] if self.recipe.teacher else []))

    def same_run_as(self, other: Contender) -> bool:
        """True when both would train to the same bits, whatever they are called."""
        names = ("model", "parameters", "ensemble", "over_seeds", "dataset", "validation", "recipe")
        return all(getattr(self, name) == getattr(other, name) for name in names)


class RunSpec(Frozen):
    """One contender, one dataset, one seed: all that decides a run."""

    contender: str
    model: str = ""
    parameters: dict[str, Value] = {}
    members: tuple[str, ...] = Field((), description="of an ensemble, which has no model: the contenders it averages")
    over_seeds: bool = Field(False, description="the ensemble averages every seed of its members")
    recipe: Recipe = Recipe()
    dataset: Reference
    validation: float = Field(1 / 6, gt=0, lt=1)
    images: int | None = Field(None, ge=1)
    seed: int = Field(0, ge=0, lt=2**31)
