"""The logits of a finished run's stored weights for any images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load
from scipy.special import log_softmax, logsumexp
from torch import nn

from bakeoff.data.batches import normaliser
from bakeoff.data.dataset import Images, by
from bakeoff.data.preprocess import change, model_shape
from bakeoff.errors import BakeoffError, UsageError
from bakeoff.models import create_model
from bakeoff.record import Run, check_weights, read_finished
from bakeoff.spec.plugins import check_plugins
from bakeoff.spec.tta import Tta
from bakeoff.training.device import computing, find_device
from bakeoff.training.measure import infer


def logits_of(run: Run, images: Images, *, device: str = "auto", tta: Tta | None = None) -> NDArray[np.float32]:
    """(N, K) logits of a run's evaluated weights for images (N, C, H, W) uint8 of its dataset's shape.

    They are computed in float32, with as many threads as the run was trained with, so that those of its own splits
    are bit for bit those of its record. Those of an ensemble are `mean_answer` of its members', whose records lie
    beside its own.

    Args:
        tta: instead of the run's own. Members of an ensemble whose recipe has none have their own.

    Raises:
        UsageError: a run that diverged, or images of another shape.
        BakeoffError: damaged weights, or a member without a finished record.
    """
    shape, recipe = tuple(run.dataset["shape"]), run.spec.recipe
    if images.shape[1:] != shape:
        sizes = f"was trained on images of {by(shape)} (channels x height x width), not {by(images.shape[1:])}"
        raise UsageError(f"{run.path}: {sizes}")
    tta = tta or recipe.tta_choice
    if run.spec.members and run.status == "finished":
        members = [read_finished(run.path.parent / name) for name in run.needs]
        several = None if tta == Tta() else tta
        return mean_answer([logits_of(member, images, device=device, tta=several) for member in members])
    check_weights(run)
    place, mean, std = find_device(device), np.asarray(run.dataset["mean"]), np.asarray(run.dataset["std"])
    normalise = normaliser(recipe.pixels, mean, std, place, recipe.preprocess)
    pixels = torch.from_numpy(change(recipe.preprocess, images)).to(place)
    with computing(place, run.environment["threads"]):
        return infer(trained_model(run, place), pixels, normalise, tta=tta).cpu().numpy()


def mean_answer(logits: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """(N, K) an ensemble's logits: the logarithm of the mean over members of the probabilities that their logits
    (N, K) give, so that a member with larger logits counts no more than another."""
    probabilities = log_softmax(np.stack(logits).astype(np.float64), axis=2)
    mean: NDArray[np.float64] = logsumexp(probabilities, axis=0) - np.log(len(logits))
    return mean.astype(np.float32)


def trained_model(run: Run, device: torch.device) -> nn.Module:
    """A run's model with its evaluated weights.

    Raises:
        BakeoffError: damaged weights, or a plug-in that it needs is absent or another.
    """
    check_plugins(run.environment.get("plugins", {}), str(run.path))
    channels, height, width = model_shape(run.spec.recipe.preprocess, tuple(run.dataset["shape"]))
    classes = len(run.dataset["classes"])
    model = create_model(
        run.spec.model, channels=channels, classes=classes, size=(height, width), **run.spec.parameters
    )
    file = run.path / "weights.safetensors"
    try:
        model.load_state_dict(load(file.read_bytes()))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise BakeoffError(f"{file}: cannot be loaded: {str(error).splitlines()[0]}") from None
    return model.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
