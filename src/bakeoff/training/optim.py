"""Optimisers from PyTorch, and what is done to weights and gradients around their step."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from bakeoff.spec import Recipe
from bakeoff.spec.optimizers import OPTIMIZERS

Parameters = Iterable[nn.Parameter]


def make_optimizer(parameters: Parameters, recipe: Recipe) -> Optimizer:
    """The recipe's optimiser of `parameters`; L2 of hidden layers only is left to `add_l2`."""
    entry = OPTIMIZERS.find(recipe.optimizer)
    recipe = recipe if recipe.l2_on == "all" else recipe.model_copy(update={"l2": 0.0})
    settings = {argument: getattr(recipe, field) for field, argument in entry.takes.items()}
    optimizer: Optimizer = entry.function(parameters, lr=recipe.lr, **settings, **entry.fixed)
    return optimizer


def trained(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that are not frozen."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def hidden_weights(model: nn.Module) -> list[Tensor]:
    """The weights, without biases, of all linear layers but the last one."""
    return [layer.weight for layer in model.modules() if isinstance(layer, nn.Linear)][:-1]


@torch.no_grad()
def add_l2(weights: Iterable[Tensor], l2: float) -> None:
    """Coupled weight decay: `l2` x weight joins each gradient. A frozen weight has none."""
    for weight in weights:
        if weight.grad is not None:
            weight.grad.add_(weight, alpha=l2)


@torch.no_grad()
def decay(parameters: Parameters, amount: float) -> None:
    """Decoupled weight decay (Loshchilov & Hutter 2019): every weight loses `amount` of itself."""
    for parameter in parameters:
        parameter.mul_(1 - amount)


@torch.no_grad()
def update_average(ema: dict[str, Tensor], model: nn.Module, decay: float, step: int) -> None:
    """One step of the moving average of weights and buffers, in place; early averages are short."""
    keep = min(decay, (1 + step) / (10 + step))
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            ema[name].lerp_(value, 1 - keep)
        else:
            ema[name].copy_(value)
