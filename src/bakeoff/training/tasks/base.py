"""What a network is taught: images, targets, and how its logits are compared with them. As it stands it is the task
`images`: whole images of the training split and their classes."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from bakeoff.data.batches import DeviceSplit, permutation
from bakeoff.data.dataset import Dataset
from bakeoff.errors import UsageError
from bakeoff.spec import Recipe, RunSpec
from bakeoff.spec.registry import parse_choice
from bakeoff.spec.tasks import TASKS


@dataclasses.dataclass(frozen=True)
class Task:
    """The training split, in a new order every epoch. Any model can be taught it, and any recipe allows it.

    Of every task: images and targets are pure functions of (seed, epoch) and the numbers of the images.

    The answer for a whole image is `model(images)` under every task: a finished model is evaluated, shipped and used
    without its task.
    """

    spec: RunSpec
    train: DeviceSplit
    """The training split, and after it the images that a teacher labelled."""
    classes: int
    method: ClassVar[str] = "__call__"
    """What is trained: the model's method that maps images (B, C, H, W) to logits (B, ...)."""

    @functools.cached_property
    def settings(self) -> Any:
        """The task's own settings."""
        return self.spec.recipe.task_choice

    @property
    def outputs(self) -> int:
        """How many logits the loss is over."""
        return int(self.settings.outputs(self.classes))

    def __len__(self) -> int:
        """Images an epoch."""
        return int(self.settings.epoch_size(len(self.train)))

    @classmethod
    def check(cls, spec: RunSpec, dataset: Dataset, model: nn.Module) -> None:  # noqa: ARG003
        """That the model, the data and the recipe fit the task.

        Args:
            model: built without weights, on the meta device.

        Raises:
            UsageError: one of them does not.
        """
        if not hasattr(model, cls.method):
            fit = ", ".join(name for name in TASKS if hasattr(model, _task_class(name).method))
            lacks = f"{spec.model} has no {cls.method}, which it trains"
            raise UsageError(f"task = {spec.recipe.task!r}: {lacks} ({spec.model} fits {fit})")

    def order(self, seed: int, epoch: int) -> Tensor:
        """(N,) int64: the numbers of an epoch's images, in the order in which they are trained on."""
        return permutation(seed, epoch, len(self)).to(self.train.labels.device)

    def batch(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """The images (B, C, H, W) uint8 with these numbers, and their targets (B,) of 0 ... outputs - 1."""
        return self.train.images[numbers], self.train.labels[numbers]

    def logits(self, model: nn.Module, images: Tensor) -> Tensor:
        """(B, outputs) the logits that are trained, for normalised images of a batch."""
        logits: Tensor = getattr(model, self.method)(images)
        return logits.flatten(1)

    def class_weights(self, labels: Tensor) -> Tensor:
        """(outputs,) weights N / (K x count of the class) for labels (N,) of the training split: inverse class
        frequency, 1 where all classes are equal."""
        counts = torch.bincount(labels, minlength=self.classes)
        return len(labels) / (self.classes * counts.float())

    def count_correct(self, logits: Tensor, targets: Tensor) -> Tensor:
        """() how many images of a batch are classified correctly: training accuracy is their part."""
        return (logits.argmax(1) == targets).sum()


def find_task(recipe: Recipe) -> type[Task]:
    """The class of the recipe's task."""
    return _task_class(parse_choice(recipe.task)[0])


def _task_class(name: str) -> type[Task]:
    task: Any = TASKS.find(name).function
    return task  # type: ignore[no-any-return]
