"""What a run is: Recipe, Contender, RunSpec. Validated, frozen, and named by a digest.

Choices with settings share one small language, `NAME:key=value,key=value`, in study files, on the command
line and in Python alike: `schedule = "step:every=3,gamma=0.6"`.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import re
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic import create_model as make_schema

from bakeoff.errors import UsageError, closest

RESULTS = 3
"""Raised whenever the same spec would give other bits, so that old records are trained again: also when a default
changes, since a run's name does not spell defaults out."""


class Frozen(BaseModel):
    """Strict: an unknown key is an error, a value cannot change."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _listed(cls, value: Any, info: ValidationInfo) -> Any:
        """A list for a tuple: TOML and JSON have no tuples."""
        wanted = typing.get_origin(cls.model_fields[str(info.field_name)].annotation)
        return tuple(value) if wanted is tuple and isinstance(value, list) else value


F = TypeVar("F", bound=Frozen)


def validate(model: type[F], values: Mapping[str, Any], where: str, *, strict: bool = False) -> F:
    """`values` as a `model`, or one sentence that names `where`, the key and what is valid.

    Args:
        strict: take no text for a number and no truth value for one: for files, whose values have types. A command
            line has text only, and is read leniently.
    """
    try:
        return model.model_validate(values, strict=strict)
    except UsageError as failure:
        raise UsageError(f"{where}: {failure}") from None
    except ValidationError as failure:
        errors = failure.errors()
        error = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
        key = ".".join(str(part) for part in error["loc"])
        if error["type"] == "extra_forbidden":
            *place, last = (str(part) for part in error["loc"])
            raise UsageError(f"{where}: unknown key {key!r}{closest(last, _keys_at(model, place))}") from None
        if error["type"] == "missing":
            raise UsageError(f"{where}: {key} is missing") from None
        said = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be").replace("tuple", "list")
        said = said[0].lower() + said[1:]
        if not key:
            raise UsageError(f"{where}: {said}") from None
        raise UsageError(f"{where}: {key} = {error['input']!r}: {said}") from None


def _keys_at(model: type[Frozen], place: Sequence[str]) -> Iterable[str]:
    """The valid keys of the table at `place` below `model`."""
    for part in place:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        kinds = (annotation, *typing.get_args(annotation))
        model = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Frozen)), model)
    return model.model_fields


def parse_choice(text: str) -> tuple[str, dict[str, str]]:
    """`step:every=3,gamma=0.6` -> ("step", {"every": "3", "gamma": "0.6"}).

    The name may itself hold colons (a path): only a tail of key=value pairs is taken for options.
    """
    match = re.fullmatch(r"(?P<name>.*?)(?::(?P<options>\w+=[^,]*(?:,\w+=[^,]*)*))?", text.strip(), re.DOTALL)
    assert match is not None
    pairs = (match["options"] or "").split(",") if match["options"] else []
    return match["name"], dict(pair.split("=", 1) for pair in pairs)


def choose(text: str, table: Mapping[str, type[F]], what: str) -> F:
    """The entry of `table` that `text` names, with its options validated."""
    name, options = parse_choice(text)
    if name not in table:
        raise UsageError(f"{what}: unknown choice {name!r}{closest(name, table)}")
    return validate(table[name], options, f"{what} {name}")


@functools.cache
def schema_of(function: Callable[..., Any]) -> type[Frozen]:
    """The keyword-only parameters of a function as a model: their types, ranges and defaults."""
    parameters = inspect.signature(function, eval_str=True).parameters.values()
    fields: dict[str, Any] = {
        parameter.name: (parameter.annotation, parameter.default)
        for parameter in parameters
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    return make_schema(function.__name__, __base__=Frozen, **fields)


# Schedules: what multiplies the learning rate. The arithmetic is in training/schedule.py.


class Constant(Frozen):
    """The same rate throughout."""


class Step(Frozen):
    """rate x gamma^floor(epoch / every)."""

    every: int = Field(3, ge=1, description="epochs between two drops")
    gamma: float = Field(0.1, gt=0, le=1, description="factor of each drop")


class Cosine(Frozen):
    """Half a cosine from the rate to `floor` x the rate (Loshchilov & Hutter 2017, one period)."""

    floor: float = Field(0.0, ge=0, le=1, description="last rate as a part of the first")
    warmup: float = Field(0.0, ge=0, lt=1, description="part of all steps spent rising linearly from 0")


class OneCycle(Frozen):
    """Up from rate / `start` to the rate and down to rate / (`start` x `end`), both on half cosines (Smith
    2018)."""

    warmup: float = Field(0.3, gt=0, lt=1, description="part of all steps spent rising")
    start: float = Field(25.0, ge=1, description="the rate starts at rate / start")
    end: float = Field(1e4, ge=1, description="it ends at rate / (start x end)")


Monitor = Literal["train_loss", "train_accuracy", "validation_loss", "validation_accuracy"]


class Plateau(Frozen):
    """rate x `factor` whenever `monitor` has not improved by `min_delta` for more than `patience` epochs."""

    monitor: Monitor = "validation_loss"
    factor: float = Field(0.5, gt=0, lt=1)
    patience: int = Field(3, ge=0)
    min_delta: float = Field(1e-4, ge=0)


SCHEDULES: dict[str, type[Frozen]] = {
    "constant": Constant,
    "step": Step,
    "cosine": Cosine,
    "one-cycle": OneCycle,
    "plateau": Plateau,
}


class Never(Frozen):
    """Every fit runs all its epochs."""


class Early(Frozen):
    """A fit ends when `monitor` has not improved by `min_delta` for `patience` epochs."""

    monitor: Monitor = "validation_loss"
    patience: int = Field(5, ge=1)
    min_delta: float = Field(0.0, ge=0)


STOPS: dict[str, type[Frozen]] = {"never": Never, "early": Early}


class Last(Frozen):
    """The weights after the last epoch."""


class Best(Frozen):
    """The weights after the epoch with the best `monitor`. `test_accuracy` is a fault some reports have:
    it is there to be reproduced, and every page marks the contender that uses it."""

    monitor: Literal["train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "test_accuracy"] = (
        "validation_loss"
    )


KEEPS: dict[str, type[Frozen]] = {"last": Last, "best": Best}


class SplitFeed(Frozen):
    """The images of the training split."""


Times = Annotated[int, Field(ge=1, le=10_000, description="images an epoch, as a multiple of the training split's")]


class FreshFeed(Frozen):
    """Generated images that are never the same twice."""

    times: Times = 1


class CropFeed(Frozen):
    """Crops of generated images: one digit in the middle of each, or none, for a model that is taught digit by
    digit."""

    times: Times = 1
    size: int = Field(41, ge=8, le=256, description="height and width of a crop in pixels")
    jitter: float = Field(3.0, ge=0, le=64, description="how far the digit's middle may be off, in pixels")
    apart: float = Field(6.0, gt=0, le=64, description="from every digit, of a crop that shows none")


class PlacedFeed(Frozen):
    """Generated images whose labels also say where the digit is that counts, for a model that is taught where."""

    times: Times = 1
    cells: int = Field(8, ge=1, le=64, description="places that are told apart, in height and in width")


FEEDS: dict[str, type[Frozen]] = {"split": SplitFeed, "fresh": FreshFeed, "crops": CropFeed, "placed": PlacedFeed}


class OneView(Frozen):
    """Each image as it is."""

    @property
    def count(self) -> int:
        return 1


class SeveralViews(Frozen):
    """Each image as it is, moved by `shift` pixels along rows, columns and both, and all of these mirrored:
    test-time augmentation."""

    shift: int = Field(1, ge=0, le=64, description="pixels; what moves in repeats the edge; 0: not moved")
    mirror: bool = Field(False, description="left and right exchanged as well")

    @property
    def count(self) -> int:
        return (9 if self.shift else 1) * (2 if self.mirror else 1)


Views = OneView | SeveralViews
VIEWS: dict[str, type[OneView | SeveralViews]] = {"one": OneView, "several": SeveralViews}


OptimizerName = Literal["sgd", "adam", "adamw", "nadam", "adagrad", "adadelta", "rmsprop"]


class NoFallback(Frozen):
    """Training goes on as it began, whether or not it gets anywhere."""


class Switch(Frozen):
    """Training that gets nowhere begins anew, once, with another optimiser: from the initial weights, with schedule
    and stop from their beginning.

    It gets nowhere where after `after` epochs none had a mean training loss below (1 - gain) x that of equal logits.
    """

    optimizer: OptimizerName = "sgd"
    lr: float = Field(0.01, gt=0, le=1000)
    momentum: float = Field(0.1, ge=0, lt=1)
    after: int = Field(3, ge=1, description="epochs")
    gain: float = Field(0.01, ge=0, lt=1, description="a part of the loss of equal logits")


FALLBACKS: dict[str, type[Frozen]] = {"never": NoFallback, "switch": Switch}


class Pool(Frozen):
    """Images whose labels are not read: a teacher labels them, and those it is sure of join the training split."""

    confidence: float = Field(0.95, ge=0, le=1, description="lowest probability that the teacher gives its label")


class UnlabelledPool(Pool):
    """The images without labels that the data bring, such as a competition's."""


class PoolOfTest(Pool):
    """The images of the test split."""


POOLS: dict[str, type[Pool]] = {"unlabelled": UnlabelledPool, "test": PoolOfTest}


def menu(table: Mapping[str, type[Frozen]]) -> str:
    """The choices of a table with their options and defaults: `constant | step:every=3,gamma=0.1`."""
    said = []
    for name, choice in table.items():
        options = ",".join(f"{key}={_said(field.default)}" for key, field in choice.model_fields.items())
        said.append(f"{name}:{options}" if options else name)
    return " | ".join(said)


def _said(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


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
        description="what is done to the images of every split, in order: first threshold:at=230 | downscale:times=2, "
        "then copies: repeat:channels=3 | upscale:times=2; on the command line the option is repeated",
    )
    augment: tuple[str, ...] = Field(
        (),
        description="augmentations of the training images, in order: rotate:degrees=10 | zoom:by=0.1 | shift:by=0.1 | "
        "shear:degrees=10 | flip:mode=random | elastic:alpha=34,sigma=4 | crop:padding=4 | cutout:size=8,fill=0 | "
        "brightness:by=0.2 | contrast:by=0.2 | noise:deviation=0.05 | mixup:alpha=0.2 | cutmix:alpha=1; on the command "
        "line the option is repeated",
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
    def feed_choice(self) -> Frozen:
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


class Reported(Frozen):
    """Figures a published report gives. Accuracies and errors are fractions."""

    test_accuracy: float | None = Field(None, ge=0, le=1)
    best_test_accuracy: float | None = Field(None, ge=0, le=1)
    validation_accuracy: float | None = Field(None, ge=0, le=1)
    train_accuracy: float | None = Field(None, ge=0, le=1)
    train_error: float | None = Field(None, ge=0, le=1)
    top5: float | None = Field(None, ge=0, le=1)
    loss: float | None = Field(None, ge=0)
    seconds: float | None = Field(None, ge=0)
    parameters: int | None = Field(None, ge=0)

    def figures(self) -> dict[str, float]:
        return self.model_dump(exclude_none=True)


Value = bool | int | float | str


class Contender(Frozen):
    """A named model + recipe in a study, or an ensemble of others, with the figures a report gave for it, if any."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._=+,-]*$", max_length=80)
    model: str = ""
    ensemble: tuple[str, ...] = Field((), description="instead of a model: contenders whose logits are averaged")
    over_seeds: bool = Field(False, description="an ensemble of all seeds of its members: one run, seed 0")
    parameters: dict[str, Value] = {}
    dataset: str = Field("", description="instead of the study's")
    recipe: Recipe = Recipe()
    reported: Reported = Reported()
    variant: Literal["", "as reported", "repaired", "floor"] = ""
    note: str = ""

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
        mine, others = ((c.model, c.parameters, c.ensemble, c.over_seeds, c.dataset, c.recipe) for c in (self, other))
        return mine == others


class RunSpec(Frozen):
    """One contender, one dataset, one seed: all that decides a run."""

    contender: str
    model: str = ""
    parameters: dict[str, Value] = {}
    members: tuple[str, ...] = Field((), description="of an ensemble, which has no model: the contenders it averages")
    over_seeds: bool = Field(False, description="the ensemble averages every seed of its members")
    recipe: Recipe = Recipe()
    dataset: str
    validation: float = Field(1 / 6, gt=0, lt=1)
    images: int | None = Field(None, ge=1)
    seed: int = Field(0, ge=0, lt=2**31)

    def directory(self, fingerprint: str) -> str:
        """The run's directory name: contender, seed, and a digest of all that decides the result.

        `fingerprint` names the bytes of the data, of the weights where training starts from a file, and the runs
        that this one needs.

        The digest covers the fields that differ from their defaults, so that a field added later, whose default does
        nothing, leaves every name as it is. A default that changes its meaning or value raises `RESULTS`.
        """
        apart: Any = {"contender": True, "dataset": True, "recipe": {"weights", "teacher"}}
        decides = self.model_dump(mode="json", exclude=apart, exclude_defaults=True)
        text = json.dumps([RESULTS, fingerprint, decides], sort_keys=True)
        return f"{self.contender}-seed{self.seed}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
