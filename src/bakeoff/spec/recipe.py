"""What a run is: Recipe, Contender, RunSpec. Validated, frozen, and named by a digest."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from bakeoff.errors import UsageError
from bakeoff.spec.choices import (
    FALLBACKS,
    FEEDS,
    KEEPS,
    POOLS,
    SCHEDULES,
    STOPS,
    VIEWS,
    Best,
    CropFeed,
    FeedChoice,
    Frozen,
    OptimizerName,
    Pool,
    PoolOfTest,
    Shown,
    SplitFeed,
    Switch,
    Views,
    choose,
    menu,
)
from bakeoff.spec.reference import Reference
from bakeoff.spec.steps import AUGMENTATIONS, PREPROCESSING

RESULTS = 4
"""The rules that a result follows. Raised whenever the same spec would give other bits; what decides a run, and so its
name, begins with it. A record of earlier rules is used, and said to be of them.

4: final splits in float32, ensembles of probabilities, stratified sample of the training split.
3: until version 0.1."""


class Recipe(Frozen):
    """Everything but model, data and seed that decides a training run."""

    epochs: int = Field(10, ge=1, le=100_000, description="passes over the training split, in each fit")
    batch_size: int = Field(128, ge=1, le=65_536, description="images a step")
    optimizer: OptimizerName = Field("adam", description="PyTorch's, with its defaults where no field says otherwise")
    lr: float = Field(0.003, gt=0, le=1000, description="learning rate: the schedule's peak")
    momentum: float = Field(0.0, ge=0, lt=1, description="momentum of sgd and rmsprop")
    nesterov: bool = Field(False, description="Nesterov's form of sgd's momentum")
    l2: float = Field(0.0, ge=0, le=100, description="coupled weight decay: l2 x weight joins the gradient")
    l2_on: Literal["all", "hidden"] = Field(
        "all", description="the weights that l2 is for; hidden: those of linear layers but the last, without biases"
    )
    weight_decay: float = Field(
        0.0, ge=0, le=1, description="decoupled weight decay: each step takes lr x weight_decay x weight away"
    )
    schedule: str = Field("one-cycle", description=menu(SCHEDULES))
    loss: Literal["cross_entropy", "balanced_cross_entropy", "softmax_output"] = Field(
        "cross_entropy",
        description="balanced: classes weighted by inverse frequency, mean weight 1; softmax_output: the "
        "fault of taking cross-entropy of probabilities, kept to reproduce reports",
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="mass spread evenly over all classes")
    stop: str = Field("never", description=menu(STOPS))
    keep: str = Field("last", description=f"the weights that are evaluated: {menu(KEEPS)}")
    fits: int = Field(1, ge=1, le=100, description="fits in a row: each begins optimiser and schedule anew")
    fallback: str = Field(
        "never", description=f"what is done if the training loss does not fall at all: {menu(FALLBACKS)}"
    )
    gradient_clip: float = Field(0.0, ge=0, description="largest norm of the gradient; 0: no clipping")
    ema: float = Field(0.0, ge=0, lt=1, description="decay per step of the averaged weights that are evaluated; 0: off")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="bf16 autocast; auto: where the hardware multiplies bf16"
    )
    init: Literal["torch", "glorot"] = Field("torch", description="PyTorch's own, or Glorot-uniform with zero biases")
    feed: str = Field("split", description=f"where training images come from: {menu(FEEDS)}")
    teacher: str = Field(
        "",
        description="pseudo-labels: the directory of a finished run, or a contender of the same study, that labels "
        "the images of pool",
    )
    pool: str = Field(
        "unlabelled:confidence=0.95",
        description=f"the images that a teacher labels, and how sure of one it must be: {menu(POOLS)}",
    )
    weights: str = Field(
        "",
        description="start from weights: imagenet, a .safetensors or .pth file, or the directory of a finished run; "
        "the last layer is new where the classes differ",
    )
    freeze: str = Field(
        "",
        pattern=r"^(stages:[1-9][0-9]*)?$",
        description="stages that are not trained: stages:4 keeps the first four as they are",
    )
    pixels: Literal["unit", "standardise"] = Field(
        "standardise",
        description="pixels / 255, or that less the training split's mean, over its deviation, per channel",
    )
    preprocess: tuple[str, ...] = Field(
        (),
        description=f"what is done to the images of every split, in order: {PREPROCESSING.menu()}; repeat and upscale "
        "only copy pixels, and come last; on the command line the option is repeated",
    )
    augment: tuple[str, ...] = Field(
        (),
        description=f"augmentations of the training images, in order: {AUGMENTATIONS.menu()}; on the command line the "
        "option is repeated",
    )
    views: str = Field(
        "one", description=f"how the trained model looks at an image, the mean of its logits counts: {menu(VIEWS)}"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        for choice in ("schedule", "stop", "keep", "feed", "fallback", "pool", "views"):
            getattr(self, f"{choice}_choice")  # may raise
        if self.nesterov and (self.optimizer != "sgd" or self.momentum == 0):
            raise UsageError("nesterov needs optimizer = 'sgd' and momentum above 0")
        if self.momentum and self.optimizer not in ("sgd", "rmsprop"):
            raise UsageError(f"momentum is for sgd and rmsprop; {self.optimizer} has its own: it must be 0 here")
        if self.l2 and self.optimizer == "adamw":
            raise UsageError("adamw decouples its decay: use weight_decay, or optimizer = 'adam' for l2")
        if self.loss == "balanced_cross_entropy" and isinstance(self.feed_choice, CropFeed):
            raise UsageError("feed = 'crops' has its own frequency of classes: use loss = 'cross_entropy'")
        if self.label_smoothing and self.loss == "softmax_output":
            raise UsageError("label_smoothing is for the cross-entropies, not softmax_output")
        if self.teacher and not isinstance(self.feed_choice, SplitFeed):
            raise UsageError(f"a teacher adds to the training split: feed = {self.feed!r} does not train on it")
        if self.pool != Recipe.model_fields["pool"].default and not self.teacher:
            raise UsageError("pool needs a teacher")
        if isinstance(self.fallback_choice, Switch):
            if self.label_smoothing and self.loss == "balanced_cross_entropy":
                raise UsageError(
                    "fallback cannot tell the loss of equal logits where label_smoothing and balanced_cross_entropy "
                    "meet: leave one of the three out"
                )
            try:
                self.fallen  # noqa: B018 - may raise
            except UsageError as error:
                raise UsageError(f"fallback: {error}") from None
        return self

    @property
    def schedule_choice(self) -> Frozen:
        return choose(self.schedule, SCHEDULES, "schedule")

    @property
    def stop_choice(self) -> Frozen:
        return choose(self.stop, STOPS, "stop")

    @property
    def keep_choice(self) -> Frozen:
        return choose(self.keep, KEEPS, "keep")

    @property
    def feed_choice(self) -> FeedChoice:
        return choose(self.feed, FEEDS, "feed")

    @property
    def fallback_choice(self) -> Frozen:
        return choose(self.fallback, FALLBACKS, "fallback")

    @property
    def fallen(self) -> Recipe:
        """What training goes on with once it has fallen back."""
        choice = self.fallback_choice
        assert isinstance(choice, Switch)
        changes = {"optimizer": choice.optimizer, "lr": choice.lr, "momentum": choice.momentum}
        return Recipe(**{**self.model_dump(), **changes, "nesterov": False, "fallback": "never"})

    @property
    def pool_choice(self) -> Pool:
        return choose(self.pool, POOLS, "pool")

    @property
    def views_choice(self) -> Views:
        return choose(self.views, VIEWS, "views")

    @property
    def selects_on_test(self) -> bool:
        """True where the weights are chosen by test accuracy: a fault, kept only to be reproduced."""
        keep = self.keep_choice
        return isinstance(keep, Best) and keep.monitor == "test_accuracy"

    @property
    def trains_on_test(self) -> bool:
        """True where a teacher labels the test images and they are trained on."""
        return bool(self.teacher) and isinstance(self.pool_choice, PoolOfTest)


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
            given = "model" if self.model else "parameters"
            raise UsageError(f"{given} and ensemble are both given: an ensemble has no model but its members'")
        if twice := next((name for name in self.ensemble if self.ensemble.count(name) > 1), None):
            raise UsageError(f"ensemble names {twice!r} twice")
        if self.over_seeds and not self.ensemble:
            raise UsageError("over_seeds is for an ensemble")
        return self

    @property
    def needs(self) -> tuple[str, ...]:
        """What must be there before: the members of an ensemble, the teacher of a pupil (a contender, or the
        directory of a run)."""
        return (*self.ensemble, *([self.recipe.teacher] if self.recipe.teacher else []))

    def same_run_as(self, other: Contender) -> bool:
        """True when both would train to the same bits, whatever they are called."""
        mine, others = (
            (c.model, c.parameters, c.ensemble, c.over_seeds, c.dataset, c.validation, c.recipe) for c in (self, other)
        )
        return mine == others


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
