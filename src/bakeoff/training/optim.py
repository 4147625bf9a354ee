"""Optimisers from PyTorch, and what is done to weights and gradients around their step."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from bakeoff.spec import Recipe

Parameters = Iterable[nn.Parameter]

OPTIMIZERS: dict[str, Callable[[Parameters, Recipe], Optimizer]] = {
    "sgd": lambda p, r: torch.optim.SGD(p, r.lr, r.momentum, weight_decay=r.l2, nesterov=r.nesterov, fused=True),
    "adam": lambda p, r: torch.optim.Adam(p, r.lr, weight_decay=r.l2, fused=True),
    "adamw": lambda p, r: torch.optim.AdamW(p, r.lr, weight_decay=0, fused=True),
    "nadam": lambda p, r: torch.optim.NAdam(p, r.lr, weight_decay=r.l2),
    "adagrad": lambda p, r: torch.optim.Adagrad(p, r.lr, weight_decay=r.l2),
    "adadelta": lambda p, r: torch.optim.Adadelta(p, r.lr, weight_decay=r.l2),
    "rmsprop": lambda p, r: torch.optim.RMSprop(p, r.lr, momentum=r.momentum, weight_decay=r.l2),
}


def make_optimizer(model: nn.Module, recipe: Recipe) -> Optimizer:
    """The recipe's optimiser of the weights that are not frozen. L2 on hidden layers only is not its business."""
    everywhere = recipe if recipe.l2_on == "all" else recipe.model_copy(update={"l2": 0.0})
    return OPTIMIZERS[recipe.optimizer](trained(model), everywhere)


def trained(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that are not frozen."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def hidden_weights(model: nn.Module) -> list[Tensor]:
    """The weights, without biases, of all linear layers but the last one."""
    return [layer.weight for layer in model.modules() if isinstance(layer, nn.Linear)][:-1]


@torch.no_grad()
def pull(weights: Iterable[Tensor], l2: float) -> None:
    """Coupled weight decay: `l2` x weight joins each gradient. A frozen weight has none."""
    for weight in weights:
        if weight.grad is not None:
            weight.grad.add_(weight, alpha=l2)


def set_rate(optimizer: Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


@torch.no_grad()
def decay(parameters: Parameters, amount: float) -> None:
    """Decoupled weight decay (Loshchilov & Hutter 2019): every weight loses `amount` of itself."""
    for parameter in parameters:
        parameter.mul_(1 - amount)


@torch.no_grad()
def average(ema: dict[str, Tensor], model: nn.Module, decay: float, step: int) -> None:
    """One step of the moving average of weights and buffers, in place; early averages are short."""
    keep = min(decay, (1 + step) / (10 + step))
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            ema[name].lerp_(value, 1 - keep)
        else:
            ema[name].copy_(value)
