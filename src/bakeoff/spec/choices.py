"""The small language of choices, `NAME:key=value,key=value`, and the tables of what can be chosen.

Choices with settings are written so in study files, on the command line and in Python alike:
`schedule = "step:every=3,gamma=0.6"`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from bakeoff.errors import UsageError, closest
from bakeoff.spec.registry import menu as menu
from bakeoff.spec.registry import parse_choice as parse_choice
from bakeoff.spec.settings import F
from bakeoff.spec.settings import Frozen as Frozen
from bakeoff.spec.settings import Shown as Shown
from bakeoff.spec.settings import schema_of as schema_of
from bakeoff.spec.settings import validate as validate


def choose(text: str, table: Mapping[str, type[F]], what: str) -> F:
    """The entry of `table` that `text` names, with its options validated."""
    name, options = parse_choice(text)
    if name not in table:
        raise UsageError(f"{what}: unknown choice {name!r}{closest(name, table)}")
    return validate(table[name], options, f"{what} {name}")


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
    """rate x `factor` after every `patience` epochs in a row in which `monitor` has not improved by more than
    `min_delta`, as Keras's ReduceLROnPlateau (PyTorch's acts an epoch later, after patience + 1)."""

    monitor: Monitor = "validation_loss"
    factor: float = Field(0.5, gt=0, lt=1)
    patience: int = Field(3, ge=0, description="epochs; 0 means 1")
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
    """A fit ends after `patience` epochs in a row in which `monitor` has not improved by more than `min_delta`, as
    with Keras's EarlyStopping, whose default is 0: at the first such epoch."""

    monitor: Monitor = "validation_loss"
    patience: int = Field(5, ge=0, description="epochs; 0 means 1")
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


class FeedChoice(Frozen):
    """Where training images come from."""

    def outputs(self, classes: int) -> int:
        """How many logits the training loss is over, for a model of so many classes."""
        return classes


class SplitFeed(FeedChoice):
    """The images of the training split."""


Times = Annotated[int, Field(ge=1, le=10_000, description="images an epoch, as a multiple of the training split's")]


class FreshFeed(FeedChoice):
    """Generated images that are never the same twice."""

    times: Times = 1


class CropFeed(FeedChoice):
    """Crops of generated images: one digit in the middle of each, or none, for a model that is taught digit by
    digit."""

    times: Times = 1
    size: int = Field(41, ge=8, le=256, description="height and width of a crop in pixels")
    jitter: float = Field(3.0, ge=0, le=64, description="how far the digit's middle may be off, in pixels")
    apart: float = Field(6.0, gt=0, le=64, description="from every digit, of a crop that shows none")

    def outputs(self, classes: int) -> int:
        return classes + 1


class PlacedFeed(FeedChoice):
    """Generated images whose labels also say where the digit is that counts, for a model that is taught where."""

    times: Times = 1
    cells: int = Field(8, ge=1, le=64, description="places that are told apart, in height and in width")

    def outputs(self, classes: int) -> int:
        return classes * self.cells**2


FEEDS: dict[str, type[FeedChoice]] = {"split": SplitFeed, "fresh": FreshFeed, "crops": CropFeed, "placed": PlacedFeed}


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
