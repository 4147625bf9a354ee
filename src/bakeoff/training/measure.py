"""A model's logits and the metrics computed from them, after each epoch and at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bakeoff.evaluation.metrics import confusion, most_confused, worst_mistakes
from bakeoff.record import Row
from bakeoff.spec.tta import Tta
from bakeoff.training.setup import TrainingSetup

MISTAKES = 24
"""Worst test mistakes whose images a record keeps."""
CONFUSIONS, EXAMPLES = 8, 4
"""Most frequent confusions of two classes, and test images of each, that a record keeps."""


class Diverged(Exception):
    """The loss, the weights or the logits became non-finite."""


def views_of(images: Tensor, tta: Tta) -> Iterator[Tensor]:
    """The views of images (N, C, H, W) of any type, each of that shape: first the images as they are."""
    for mirror, down, right in tta.views():
        yield _moved(_moved(images.flip(3) if mirror else images, 2, down), 3, right)


def _moved(images: Tensor, side: int, pixels: int) -> Tensor:
    """Moved by so many pixels along dimension `side`; what moves in repeats the edge."""
    length = images.shape[side]
    places = torch.arange(length, device=images.device) - pixels
    return images.index_select(side, places.clamp(0, length - 1)) if pixels else images


@torch.no_grad()
def infer(
    model: nn.Module,
    images: Tensor,
    normalise: Callable[[Tensor], Tensor],
    precision: torch.dtype | None = None,
    tta: Tta = Tta(),  # noqa: B008 - frozen
    batch: int = 500,
) -> Tensor:
    """(N, K) float32 logits of images (N, C, H, W) uint8, means over the views; the model is left in evaluation mode.

    Args:
        precision: None for float32 throughout, as for all final logits: rounded to bfloat16, classes tie.
    """
    model.eval()
    parts = []
    for chunk in torch.split(images, batch):
        with torch.autocast(images.device.type, precision, enabled=precision is not None):
            logits = [model(normalise(view)).float() for view in views_of(chunk, tta)]
        parts.append(torch.stack(logits).mean(0))
    return torch.cat(parts)


def measure(logits: Tensor, labels: Tensor, name: str) -> Row:
    """`NAME_loss` (mean cross-entropy, nats) and `NAME_accuracy` (fraction)."""
    loss = nn.functional.cross_entropy(logits.double(), labels)  # finite wherever the logits are
    accuracy = int((logits.argmax(1) == labels).sum()) / len(labels)
    return {f"{name}_loss": float(loss), f"{name}_accuracy": accuracy}


def evaluate(setup: TrainingSetup, model: nn.Module) -> tuple[Row, dict[str, NDArray[Any]]]:
    """Final metrics of train and validation, and predictions.npz. The test split is read here for the first time.

    Raises:
        Diverged: weights or logits are non-finite.
    """
    tta = setup.spec.recipe.tta_choice
    logits = {name: infer(model, split.images, setup.normalise, tta=tta) for name, split in setup.measured.items()}
    if not all(bool(value.isfinite().all()) for value in (*model.state_dict().values(), *logits.values())):
        raise Diverged
    return conclude(setup, logits)


def conclude(setup: TrainingSetup, logits: Mapping[str, Tensor]) -> tuple[Row, dict[str, NDArray[Any]]]:
    """Metrics of train and validation, and predictions.npz, from the logits (N, K) of `setup.measured`."""
    metrics: Row = {}
    arrays: dict[str, NDArray[Any]] = {}
    for name, split in setup.measured.items():
        if name != "test":  # Run.test_metrics computes its figures from the stored logits
            metrics |= measure(logits[name], split.labels, name)
        arrays |= {f"{name}_logits": logits[name].cpu().numpy(), f"{name}_labels": split.labels.cpu().numpy()}
    images = setup.measured["test"].images.cpu().numpy()
    for kind, index in mistakes(arrays["test_logits"], arrays["test_labels"]).items():
        arrays |= {f"{kind}_index": index, f"{kind}_images": images[index]}
    return metrics, arrays


def mistakes(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """Indices of wrong predictions whose images are kept: `mistake`, the most confident; `confused`, examples of the
    most frequent pairs of true and predicted class, pair after pair, the most confident first."""
    wrong = worst_mistakes(logits, labels, len(labels))
    predicted = logits[wrong].argmax(1)
    pairs = most_confused(confusion(logits, labels, logits.shape[1]), CONFUSIONS)
    examples = [wrong[(labels[wrong] == true) & (predicted == taken)][:EXAMPLES] for true, taken, _ in pairs]
    return {"mistake": wrong[:MISTAKES], "confused": np.concatenate([wrong[:0], *examples])}
