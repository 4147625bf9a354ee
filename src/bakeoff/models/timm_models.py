"""The models of timm (PyTorch Image Models), as `timm:NAME`, where that package is installed."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from bakeoff.errors import UsageError, closest
from bakeoff.models import TIMM
from bakeoff.models.blocks import Dropout, Size


def timm_builder(name: str) -> Callable[..., nn.Module]:
    """The function that builds `timm:NAME`. Its rates of dropout, before the last linear layer and of residual branches
    (stochastic depth), leave the model's own where they are 0. It refuses images that the model cannot take, after a
    forward pass.

    Raises:
        UsageError: timm is not installed, or has no such model.
    """
    try:
        timm, architecture = importlib.import_module("timm"), name.removeprefix(TIMM)
    except (ImportError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UsageError(f"model {name}: needs timm; pip install 'bakeoff[timm]' ({reason})") from None
    if not timm.is_model(architecture):
        raise UsageError(f"model: unknown choice {name!r}{closest(architecture, timm.list_models())}")

    def build(
        channels: int, classes: int, size: Size, *, dropout: Dropout = 0.0, drop_path: Dropout = 0.0
    ) -> nn.Module:
        """A model of timm's, freshly initialised; the size of the images is passed on where the model needs it."""
        rates = {"drop_rate": dropout, "drop_path_rate": drop_path}
        options: dict[str, Any] = {key: rate for key, rate in rates.items() if rate}
        if timm.get_pretrained_cfg_value(architecture, "fixed_input_size"):
            options["img_size"] = size
        try:
            model: nn.Module = timm.create_model(architecture, in_chans=channels, num_classes=classes, **options)
            with torch.no_grad():
                model.eval()(torch.zeros(1, channels, *size, device=next(model.parameters()).device))
        except (AssertionError, RuntimeError, TypeError, ValueError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise UsageError(f"model {name}: not for images of {size[0]}x{size[1]} and {rates} ({reason})") from None
        return model.train()

    return build
