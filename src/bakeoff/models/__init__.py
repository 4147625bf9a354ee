"""The models: images (N, C, H, W) to logits (N, K), each made by a function of (channels, classes, size)."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from pydantic import create_model as make_schema
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bakeoff.errors import UsageError, closest
from bakeoff.models.conv import conv, drop
from bakeoff.models.logistic import logistic
from bakeoff.models.resnet import resnet8, resnet20
from bakeoff.models.small_cnn import baseline_cnn, small_cnn
from bakeoff.spec import Frozen, validate


@dataclasses.dataclass(frozen=True)
class Entry:
    """A line of the table: the function that builds the model, and the smallest image side it takes."""

    build: Callable[..., nn.Module]
    smallest: int

    @property
    def about(self) -> str:
        return " ".join((self.build.__doc__ or "").split())


MODELS: dict[str, Entry] = {
    "logistic": Entry(logistic, 1),
    "small_cnn": Entry(small_cnn, 8),
    "baseline_cnn": Entry(baseline_cnn, 7),
    "conv": Entry(conv, 18),
    "drop": Entry(drop, 18),
    "resnet8": Entry(resnet8, 1),
    "resnet20": Entry(resnet20, 1),
}


@functools.cache
def parameter_schema(name: str) -> type[Frozen]:
    """The parameters of a model, with ranges and defaults, from the signature of its function."""
    signature = inspect.signature(MODELS[name].build, eval_str=True)
    fields: dict[str, Any] = {
        key: (parameter.annotation, parameter.default)
        for key, parameter in signature.parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    return make_schema(name, __base__=Frozen, **fields)


def check_parameters(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """`parameters` with their types; all of the model's, defaults included.

    Raises:
        UsageError: no such model, no such parameter, or a value out of range.
    """
    if name not in MODELS:
        raise UsageError(f"no model {name!r}{closest(name, MODELS)}")
    schema = parameter_schema(name)
    if parameters and not schema.model_fields:
        raise UsageError(f"model {name}: takes no parameters, but {next(iter(parameters))!r} was given")
    return validate(schema, parameters, f"model {name}").model_dump()


def create_model(
    name: str, *, channels: int, classes: int, size: int | tuple[int, int], **parameters: Any
) -> nn.Module:
    """A model of the table, freshly initialised from PyTorch's global generator.

    Args:
        name: a name in MODELS.
        channels: 1 or more channels of the images.
        classes: 2 or more classes.
        size: side of square images in pixels, or (height, width).
        parameters: the model's own, as `bakeoff list models` shows them.

    Raises:
        UsageError: no such model or parameter, a value out of range, or images too small for its pooling.
    """
    checked = check_parameters(name, parameters)
    size = (size, size) if isinstance(size, int) else size
    if channels < 1 or classes < 2:
        raise UsageError(f"model {name}: needs at least 1 channel and 2 classes, not {channels} and {classes}")
    if min(size) < MODELS[name].smallest:
        raise UsageError(
            f"model {name}: images of {size[0]}x{size[1]} are too small; the smallest side it takes is "
            f"{MODELS[name].smallest} pixels"
        )
    return MODELS[name].build(channels, classes, size, **checked)


def count_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def count_multiply_adds(model: nn.Module, shape: tuple[int, int, int]) -> int:
    """Multiply-adds of one image (C, H, W) forward, counted by PyTorch's own counter."""
    counter = FlopCounterMode(display=False)
    device = next(model.parameters()).device
    training = model.training
    with counter, torch.no_grad():
        model.eval()(torch.zeros(1, *shape, device=device))
    model.train(training)
    return int(counter.get_total_flops()) // 2
