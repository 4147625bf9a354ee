"""The task `generated`: whole images that are generated and never the same twice, and their classes."""

from __future__ import annotations

import functools
from typing import ClassVar

import torch
from torch import Tensor, nn

from bakeoff.data.composite.drawing import Composite
from bakeoff.data.composite.rules import OF_ONE_DIGIT
from bakeoff.data.dataset import Dataset, Images, Labels
from bakeoff.data.preprocess import change
from bakeoff.data.sources import find_composites
from bakeoff.errors import UsageError
from bakeoff.spec import RunSpec
from bakeoff.spec.tasks import CROPS
from bakeoff.training.tasks.base import Task


class GeneratedTask(Task):
    """New images in every epoch and for each of 4 million seeds; none of them is in a split."""

    of_one_digit: ClassVar[bool] = False
    """Whether its targets depend on the one digit that decides an image's label."""

    @classmethod
    def check(cls, spec: RunSpec, dataset: Dataset, model: nn.Module) -> None:
        super().check(spec, dataset, model)
        task, rule = spec.recipe.task, find_composites(spec.dataset)["train"].options.rule
        if spec.recipe.teacher:
            raise UsageError(f"a teacher adds to the training split: task = {task!r} does not train on it")
        if cls.of_one_digit and rule not in OF_ONE_DIGIT:
            raise UsageError(f"task = {task!r}: {spec.dataset}: no single digit counts under rule = {rule}")

    @functools.cached_property
    def composite(self) -> Composite:
        return find_composites(self.spec.dataset)["train"]

    def order(self, seed: int, epoch: int) -> Tensor:
        # Splits begin at 0 and have at most 10 million images, of which no crop is cut either; an epoch's crops are of
        # whole images. The sum stays below 2**63.
        first = CROPS * (10_000_000 + seed % 2**22 * 2**37) + epoch * len(self)
        return torch.arange(first, first + len(self))

    def batch(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        images, labels, _ = self.composite.render(numbers.numpy())
        return self.on_device(images, labels)

    def on_device(self, images: Images, targets: Labels) -> tuple[Tensor, Tensor]:
        """Generated images (B, 1, H, W) uint8, preprocessed, and their targets (B,) on the device."""
        device = self.train.labels.device
        changed = torch.from_numpy(change(self.spec.recipe.preprocess, images))
        return changed.to(device), torch.from_numpy(targets).to(device)
