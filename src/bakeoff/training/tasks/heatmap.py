"""The task `heatmap`: the class of a generated image and the place of the digit that it comes from."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from bakeoff.data.dataset import Dataset
from bakeoff.data.preprocess import model_shape
from bakeoff.errors import UsageError
from bakeoff.spec import RunSpec
from bakeoff.training.tasks.generated import GeneratedTask


class HeatmapTask(GeneratedTask):
    """Images are divided into `cells` x `cells` places; a target is class x cells^2 + row x cells + column of the
    place that the middle of the digit's bounding rectangle is in. Of several such digits the first is taken."""

    method = "heatmap_logits"
    """(N, C, H, W) -> logits (N, K, H/stride, W/stride), rounded up: of each class at each place. The model's `stride`
    is the distance of places in pixels."""
    of_one_digit = True

    @classmethod
    def check(cls, spec: RunSpec, dataset: Dataset, model: Any) -> None:
        super().check(spec, dataset, model)
        task, cells = spec.recipe.task, spec.recipe.task_choice.outputs(1)
        if spec.recipe.augment:
            raise UsageError(f"task = {task!r}: augment would move what the places are of: leave it out")
        side = -(-model_shape(spec.recipe.preprocess, dataset.shape)[-1] // model.stride)
        if side**2 != cells:
            places = f"{side} x {side} places of such images"
            raise UsageError(f"task = {task!r}: {spec.model} tells {places} apart: cells={side} is valid")

    def batch(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        cells, side = self.settings.cells, 2 * self.composite.options.size
        images, labels, parts = self.composite.render(numbers.numpy())
        digit = (parts.values == labels[:, None]).argmax(1)  # under `largest` the first is the largest
        top, left, bottom, right = parts.boxes[np.arange(len(digit)), digit].T
        row, column = ((a + b - 1) * cells // side for a, b in ((top, bottom), (left, right)))
        return self.on_device(images, labels * cells**2 + row * cells + column)

    def class_weights(self, labels: Tensor) -> Tensor:
        return super().class_weights(labels).repeat_interleave(self.settings.cells**2)

    def count_correct(self, logits: Tensor, targets: Tensor) -> Tensor:
        """By the class alone: a class's logit is the one that the model gives the whole image."""
        places = self.settings.cells**2
        return super().count_correct(logits.float().unflatten(1, (-1, places)).logsumexp(2), targets // places)
