"""The models: images (N, C, H, W) to logits (N, K), each made by a function of (channels, classes, size)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bakeoff.errors import UsageError
from bakeoff.spec import renamed
from bakeoff.spec.registry import Entry, Registry, parse_choice
from bakeoff.spec.settings import Frozen, validate

if TYPE_CHECKING:
    from torch import nn

TIMM = "timm:"
"""What the names of timm's models begin with."""


@dataclasses.dataclass(frozen=True)
class Model(Entry[Frozen]):
    """A function of (channels, classes, (height, width)) and the model's parameters, which are keyword-only; it returns
    a module from images (N, C, H, W) to logits (N, K)."""

    smallest: int = 1
    """The smallest side of an image that it takes, in pixels."""


def _family(module: str, **smallest: int) -> dict[str, Model]:
    """The models of a module here, with the smallest side that each takes."""
    return {name: Model(f"{__name__}.{module}:{name}", smallest=side) for name, side in smallest.items()}


MODELS: Registry[Model] = Registry(
    "model",
    {
        **_family("small_cnn", logistic=1, small_cnn=8, baseline_cnn=7, conv=18, drop=18),
        **_family("digit_cnns", keras_cnn=76, pytorch_cnn=40, custom_cnn=8),
        **_family("nin", nin=4),
        **_family("vgg", vgg11=8, vgg13=8, vgg16=8, vgg19=8, vgg11_bn=8, vgg13_bn=8, vgg16_bn=8, vgg19_bn=8),
        **_family("resnet", resnet18=1, resnet34=1, resnet50=1, resnet101=1, resnet152=1, wide_resnet50_2=1),
        **_family("resnet", se_resnet18=1, se_resnet34=1, se_resnet50=1, se_resnet101=1, se_resnet152=1),
        **_family("resnet", resnet34_projection=3),
        **_family("resnet", resnet8=1, resnet20=1, resnet32=1, resnet44=1, resnet56=1, resnet110=1),
        **_family("resnet", se_resnet20=1, se_resnet32=1, se_resnet44=1, se_resnet56=1, se_resnet110=1),
        **_family("inner_imaging", inner_imaging_resnet20=1, inner_imaging_resnet56=1),
        **_family("densenet", densenet121=8, densenet_bc=4),
        **_family("efficientnet", efficientnet_b0=1),
        **_family("whitened", whitened_cnn=9),
        **_family("heatmap_classifier", heatmap_classifier=1),
        **_family("patch_classifier", patch_classifier=1),
    },
    kind=Model,
    group="models",
    renamed=renamed.MODELS,
)


def find_model(name: str) -> Model:
    """The entry of the registry, or one for `timm:NAME`.

    Raises:
        UsageError: no such model, or timm is not installed.
    """
    if name.startswith(TIMM):
        from bakeoff.models.timm_models import timm_builder

        return Model(timm_builder(name))
    return MODELS.find(name)


def check_parameters(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """`parameters` with their types; all of the model's, defaults included.

    Raises:
        UsageError: no such model, no such parameter, or a value out of range.
    """
    schema = find_model(name).settings
    if parameters and not schema.model_fields:
        raise UsageError(f"model {name}: takes no parameters, but {next(iter(parameters))!r} was given")
    return validate(schema, parameters, f"model {name}").model_dump()


def create_model(
    name: str, *, channels: int, classes: int, size: int | tuple[int, int], **parameters: Any
) -> nn.Module:
    """A model of the table, freshly initialised from PyTorch's global generator.

    Args:
        name: a name in MODELS, or `timm:NAME`.
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
    entry = find_model(name)
    if min(size) < entry.smallest:
        least = f"its smallest side is {entry.smallest} pixels"
        raise UsageError(f"model {name}: images of {size[0]}x{size[1]} are too small: {least}")
    model: nn.Module = entry.function(channels, classes, size, **checked)
    return model


def usual_size(model: str) -> tuple[int, int]:
    """28x28, or the smallest square that the model takes."""
    name, _ = parse_choice(model)
    side = max(28, find_model(name).smallest)
    return side, side


def count_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def count_multiply_adds(model: nn.Module, shape: tuple[int, int, int]) -> int:
    """Multiply-adds of one image (C, H, W) forward, counted by PyTorch's own counter."""
    return forward_flops(model, shape)["Global"] // 2


def forward_flops(model: nn.Module, shape: tuple[int, int, int]) -> dict[str, int]:
    """The floating-point operations of one image (C, H, W) forward: of each submodule, by its name behind that of the
    model's class and a dot, and of all, as `Global`."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    counter, training = FlopCounterMode(display=False), model.training
    with counter, torch.no_grad():
        model.eval()(torch.zeros(1, *shape, device=next(model.parameters()).device))
    model.train(training)
    return {name: sum(operations.values()) for name, operations in counter.get_flop_counts().items()}
