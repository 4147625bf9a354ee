"""What a model does to an image, layer by layer."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from bakeoff.models import count_parameters, create_model, forward_flops
from bakeoff.spec.registry import parse_choice


@dataclasses.dataclass(frozen=True)
class Layer:
    """One leaf module at its place in the forward pass."""

    name: str
    kind: str
    output: tuple[int, ...]
    """Shape of its output without the batch: (C, H, W), or (F,)."""
    parameters: int
    multiply_adds: int
    """Of one image; convolutions and matrix products are counted, as PyTorch's counter does."""


def model_layers(model: str, channels: int, classes: int, size: tuple[int, int]) -> list[Layer]:
    """The layers of a model of the table, perhaps with options: `small_cnn:width=100`.

    Raises:
        UsageError: no such model or option, or images too small.
    """
    name, parameters = parse_choice(model)
    with torch.device("meta"):
        return layers(
            create_model(name, channels=channels, classes=classes, size=size, **parameters), (channels, *size)
        )


def layers(model: nn.Module, shape: tuple[int, int, int]) -> list[Layer]:
    """The leaf modules in the order in which an image (C, H, W) passes them first; one that is used several times has
    all of its multiply-adds."""
    names = {module: name for name, module in model.named_modules() if not any(module.children())}
    outputs: dict[nn.Module, tuple[int, ...]] = {}

    def note(module: nn.Module, _inputs: object, output: Tensor) -> None:
        outputs[module] = tuple(output.shape[1:])

    hooks = [module.register_forward_hook(note) for module in names]
    flops = {name.partition(".")[2]: count for name, count in forward_flops(model, shape).items()}
    for hook in hooks:
        hook.remove()
    return [
        Layer(names[module], type(module).__name__, output, count_parameters(module), flops.get(names[module], 0) // 2)
        for module, output in outputs.items()
    ]
