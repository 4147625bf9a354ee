"""What a run needs for training: data on the device, task, normalisation and initial model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bakeoff.data.batches import INIT, DeviceSplit, count_batches, derived_seed, normaliser, to_device
from bakeoff.data.dataset import Dataset, Split, mean_and_std, subset
from bakeoff.data.preprocess import change, model_shape
from bakeoff.models import create_model
from bakeoff.models.blocks import Whitens, glorot_
from bakeoff.models.weights import find_weights, freeze, load_weights
from bakeoff.spec import RunSpec
from bakeoff.training.device import find_precision, seed_generators
from bakeoff.training.tasks.base import Task, find_task

TRAIN_SAMPLE = 5_000
"""Training images, drawn stratified by `subset`, on which the final training accuracy is measured in evaluation mode
and from which a first layer that whitens is set. More where there are more classes, fewer where there are fewer
images."""


@dataclasses.dataclass(frozen=True)
class TrainingSetup:
    """What a run needs for training, fixed from its beginning to its end."""

    spec: RunSpec
    task: Task
    train: DeviceSplit
    """The training split."""
    measured: dict[str, DeviceSplit]
    """What a finished model is measured on: a stratified sample of the training split, validation and test."""
    mean: NDArray[np.float64]
    """(C,) of the preprocessed training split's pixels / 255, as `std`."""
    std: NDArray[np.float64]
    normalise: Callable[[Tensor], Tensor]
    precision: torch.dtype | None
    """Of training and the validation after each epoch: bfloat16 for autocast, None for float32 throughout. Finished
    models are measured in float32."""

    @property
    def device(self) -> torch.device:
        return self.train.labels.device

    @property
    def steps(self) -> int:
        """Of an epoch."""
        return count_batches(len(self.task), self.spec.recipe.batch_size)


def make_setup(
    spec: RunSpec, dataset: Dataset, device: torch.device, pseudo_labelled: Split | None = None
) -> TrainingSetup:
    """The setup of a run on `device`.

    Args:
        pseudo_labelled: images that a teacher labelled, to be trained on like those of the training split;
            normalisation, weights of classes and training accuracy are the split's alone.
    """
    recipe, sampled = spec.recipe, max(TRAIN_SAMPLE, len(dataset.classes))
    mean, std = mean_and_std(Split(change(recipe.preprocess, dataset.train.images), dataset.train.labels))
    measured = {name: to_device(split, device, recipe.preprocess) for name, split in dataset.splits.items()}
    train = trained_on = measured["train"]
    if sampled < len(train):
        measured["train"] = to_device(subset(dataset.train, sampled), device, recipe.preprocess)
    if pseudo_labelled is not None:
        more = to_device(pseudo_labelled, device, recipe.preprocess)
        trained_on = DeviceSplit(torch.cat([train.images, more.images]), torch.cat([train.labels, more.labels]))
    task = find_task(recipe)(spec, trained_on, len(dataset.classes))
    normalise = normaliser(recipe.pixels, mean, std, device, recipe.preprocess)
    precision = find_precision(recipe.precision, device)
    return TrainingSetup(spec, task, train, measured, mean, std, normalise, precision)


def build_model(spec: RunSpec, dataset: Dataset) -> nn.Module:
    """The spec's model for the dataset's images, initialised from PyTorch's global generator."""
    channels, height, width = model_shape(spec.recipe.preprocess, dataset.shape)
    classes = len(dataset.classes)
    return create_model(spec.model, channels=channels, classes=classes, size=(height, width), **spec.parameters)


def initial_model(spec: RunSpec, dataset: Dataset, setup: TrainingSetup) -> tuple[nn.Module, dict[str, str] | None]:
    """The model as training begins, on the CPU, and the file that its weights come from, if any, with its SHA-256."""
    recipe = spec.recipe
    seed_generators(torch.device("cpu"), derived_seed(spec.seed, INIT, 0))
    model = build_model(spec, dataset)
    if recipe.init == "glorot":
        glorot_(model)
    origin = None
    if recipe.weights:
        file = find_weights(recipe.weights, spec.model)
        origin = {"file": str(file), "sha256": load_weights(model, file)}
    elif isinstance(model, Whitens):
        model.whiten(setup.normalise(setup.measured["train"].images).cpu())
    if recipe.freeze:
        freeze(model, recipe.freeze)
    return model, origin
