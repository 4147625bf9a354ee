"""Pseudo-labels (Lee 2013): a teacher labels a pool of images, and those it is sure of are trained on as well."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax

from bakeoff.data.dataset import Dataset, Images, Split, by
from bakeoff.errors import UsageError
from bakeoff.record import Run, read_finished, read_run
from bakeoff.spec import Recipe
from bakeoff.training.inference import logits_of


def find_teacher(recipe: Recipe, dataset: Dataset, needs: Sequence[Path] = ()) -> Run:
    """The run that labels the pool: the one in `needs`, which a study names, or that in the directory `teacher`.

    Raises:
        UsageError: no finished run is there, or it was trained on other classes or images of another shape.
    """
    path = needs[0] if needs else Path(recipe.teacher)
    if not needs and not (path / "run.json").is_file():
        raise UsageError(f"teacher {recipe.teacher!r}: neither the directory of a run nor, in a study, a contender")
    teacher = read_finished(path) if needs else read_run(path)
    where = f"teacher {recipe.teacher!r}"
    if teacher.status != "finished":
        raise UsageError(f"{where}: {teacher.status}, so it has no answers")
    if teacher.dataset["classes"] != list(dataset.classes):
        known = ", ".join(teacher.dataset["classes"])
        raise UsageError(
            f"{where}: its classes ({known}) are not those of {dataset.name} ({', '.join(dataset.classes)})"
        )
    if tuple(teacher.dataset["shape"]) != dataset.shape:
        shape = by(teacher.dataset["shape"])
        raise UsageError(
            f"{where}: was trained on images of {shape} (channels x height x width), and {dataset.name} has "
            f"{by(dataset.shape)}"
        )
    return teacher


def find_pool(recipe: Recipe, dataset: Dataset) -> Images:
    """The images (M, C, H, W) uint8 of the recipe's pool.

    Raises:
        UsageError: the data bring none.
    """
    if recipe.pool_choice.of_test:
        return dataset.test.images
    if dataset.unlabelled is None or not len(dataset.unlabelled):
        raise UsageError(f"pool = {recipe.pool!r}: {dataset.name} brings no images without labels (valid: test)")
    return dataset.unlabelled


def pseudo_label(recipe: Recipe, dataset: Dataset, teacher: Run, device: str) -> tuple[Split, dict[str, Any]]:
    """Those images of the pool that the teacher is sure of, with its labels, and what the record says of them.

    Raises:
        UsageError: it is sure of none.
    """
    images, confidence = find_pool(recipe, dataset), recipe.pool_choice.confidence
    probabilities = softmax(logits_of(teacher, images, device=device).astype(np.float64), axis=1)
    sure = probabilities.max(1)
    taken = np.flatnonzero(sure >= confidence)
    if not len(taken):
        highest = math.floor(sure.max() * 1e4) / 1e4
        raise UsageError(
            f"pool = {recipe.pool!r}: teacher {teacher.path.name} is at most {highest:.4f} sure of an image: choose a "
            "lower confidence"
        )
    counts = {"teacher": teacher.path.name, "images": len(images), "taken": len(taken)}
    return Split(images[taken], probabilities[taken].argmax(1)), counts
