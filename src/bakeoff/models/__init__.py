"""The models: images (N, C, H, W) to logits (N, K), each made by a function of (channels, classes, size)."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bakeoff.errors import UsageError, closest
from bakeoff.models import densenet, digit_cnns, inner_imaging, resnet, small_cnn, small_resnet, vgg
from bakeoff.models.conv import conv, drop
from bakeoff.models.heatmap_classifier import locator
from bakeoff.models.logistic import logistic
from bakeoff.models.nin import nin
from bakeoff.models.patch_classifier import spotter
from bakeoff.models.timm_models import PREFIX, timm_builder
from bakeoff.models.whitened import whitened_cnn
from bakeoff.spec.choices import Frozen, schema_of, validate


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
    "small_cnn": Entry(small_cnn.small_cnn, 8),
    "baseline_cnn": Entry(small_cnn.baseline_cnn, 7),
    "conv": Entry(conv, 18),
    "drop": Entry(drop, 18),
    "keras_cnn": Entry(digit_cnns.keras_cnn, 76),
    "pytorch_cnn": Entry(digit_cnns.pytorch_cnn, 40),
    "custom_cnn": Entry(digit_cnns.custom_cnn, 8),
    "nin": Entry(nin, 4),
    "vgg11": Entry(vgg.vgg11, 8),
    "vgg13": Entry(vgg.vgg13, 8),
    "vgg16": Entry(vgg.vgg16, 8),
    "vgg19": Entry(vgg.vgg19, 8),
    "vgg11_bn": Entry(vgg.vgg11_bn, 8),
    "vgg13_bn": Entry(vgg.vgg13_bn, 8),
    "vgg16_bn": Entry(vgg.vgg16_bn, 8),
    "vgg19_bn": Entry(vgg.vgg19_bn, 8),
    "resnet18": Entry(resnet.resnet18, 1),
    "resnet34": Entry(resnet.resnet34, 1),
    "resnet50": Entry(resnet.resnet50, 1),
    "resnet101": Entry(resnet.resnet101, 1),
    "resnet152": Entry(resnet.resnet152, 1),
    "wide_resnet50_2": Entry(resnet.wide_resnet50_2, 1),
    "se_resnet18": Entry(resnet.se_resnet18, 1),
    "se_resnet34": Entry(resnet.se_resnet34, 1),
    "se_resnet50": Entry(resnet.se_resnet50, 1),
    "se_resnet101": Entry(resnet.se_resnet101, 1),
    "se_resnet152": Entry(resnet.se_resnet152, 1),
    "resnet34_projection": Entry(resnet.resnet34_projection, 3),
    "resnet8": Entry(small_resnet.resnet8, 1),
    "resnet20": Entry(small_resnet.resnet20, 1),
    "resnet32": Entry(small_resnet.resnet32, 1),
    "resnet44": Entry(small_resnet.resnet44, 1),
    "resnet56": Entry(small_resnet.resnet56, 1),
    "resnet110": Entry(small_resnet.resnet110, 1),
    "se_resnet20": Entry(small_resnet.se_resnet20, 1),
    "se_resnet32": Entry(small_resnet.se_resnet32, 1),
    "se_resnet44": Entry(small_resnet.se_resnet44, 1),
    "se_resnet56": Entry(small_resnet.se_resnet56, 1),
    "se_resnet110": Entry(small_resnet.se_resnet110, 1),
    "inner_imaging_resnet20": Entry(inner_imaging.inner_imaging_resnet20, 1),
    "inner_imaging_resnet56": Entry(inner_imaging.inner_imaging_resnet56, 1),
    "densenet121": Entry(densenet.densenet121, 8),
    "densenet_bc": Entry(densenet.densenet_bc, 4),
    "whitened_cnn": Entry(whitened_cnn, 9),
    "locator": Entry(locator, 1),
    "spotter": Entry(spotter, 1),
}


def find_entry(name: str) -> Entry:
    """The line of the table, or one for `timm:NAME`.

    Raises:
        UsageError: no such model, or timm is not installed.
    """
    if name.startswith(PREFIX):
        return Entry(timm_builder(name), 1)
    if name not in MODELS:
        raise UsageError(f"no model {name!r}{closest(name, MODELS)}")
    return MODELS[name]


@functools.cache
def parameter_schema(name: str) -> type[Frozen]:
    """The parameters of a model, with ranges and defaults, from the signature of its function."""
    return schema_of(find_entry(name).build)


def check_parameters(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """`parameters` with their types; all of the model's, defaults included.

    Raises:
        UsageError: no such model, no such parameter, or a value out of range.
    """
    find_entry(name)
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
    entry = find_entry(name)
    if min(size) < entry.smallest:
        raise UsageError(
            f"model {name}: images of {size[0]}x{size[1]} are too small; the smallest side it takes is "
            f"{entry.smallest} pixels"
        )
    return entry.build(channels, classes, size, **checked)


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
