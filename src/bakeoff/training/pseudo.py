"""Pseudo-labels (Lee 2013): a teacher labels a pool of images, and those it is sure of are trained on as well."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax

from bakeoff.data.dataset import Dataset, Images, Split
from bakeoff.errors import UsageError
from bakeoff.record import Run, read_finished, status
from bakeoff.spec import Recipe
from bakeoff.training.inference import logits_of


def find_teacher(recipe: Recipe, dataset: Dataset, needs: Sequence[Path] = ()) -> Run:
    """The run that labels the pool: the one in `needs`, which a study names, or that in the directory `teacher`.

    Raises:
        UsageError: no finished run is there, or it was trained on other classes or images of another shape.
        BakeoffError: a needed run has no finished record.
    """
    path, where = needs[0] if needs else Path(recipe.teacher), f"teacher {recipe.teacher!r}"
    if not needs and status(path) != "finished":
        raise UsageError(f"{where}: neither the directory of a finished run nor, in a study, a contender")
    teacher = read_finished(path)
    if (teacher.dataset["classes"], tuple(teacher.dataset["shape"])) != (list(dataset.classes), dataset.shape):
        raise UsageError(
            f"{where}: is trained on {teacher.dataset['name']}, and {dataset.name} has other classes or images of "
            "another size"
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
    """The images of the pool whose label the teacher is sure of, with its labels, and counts for the record.

    Raises:
        UsageError: it is sure of none.
    """
    images = find_pool(recipe, dataset)
    probabilities = softmax(logits_of(teacher, images, device=device).astype(np.float64), axis=1)
    confidence = probabilities.max(1)
    taken = np.flatnonzero(confidence >= recipe.pool_choice.confidence)
    if not len(taken):
        highest = math.floor(confidence.max() * 1e4) / 1e4
        raise UsageError(
            f"pool = {recipe.pool!r}: teacher {teacher.path.name} is at most {highest:.4f} sure of an image: choose a "
            "lower confidence"
        )
    counts = {"teacher": teacher.path.name, "images": len(images), "taken": len(taken)}
    return Split(images[taken], probabilities[taken].argmax(1)), counts
