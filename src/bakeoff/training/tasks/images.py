"""The task `images`: whole images of the training split and their classes."""

from __future__ import annotations

from torch import Tensor, nn

from bakeoff.data.batches import permutation
from bakeoff.data.dataset import Dataset
from bakeoff.spec import RunSpec
from bakeoff.training.tasks.base import Task


class ImagesTask(Task):
    """The training split, in a new order every epoch. Any model can be taught it, and any recipe allows it."""

    @classmethod
    def check(cls, spec: RunSpec, dataset: Dataset, model: nn.Module) -> None:
        pass

    def order(self, seed: int, epoch: int) -> Tensor:
        return permutation(seed, epoch, len(self)).to(self.train.labels.device)

    def batch(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        return self.train.images[numbers], self.train.labels[numbers]
