"""The models of timm (PyTorch Image Models), as `timm:NAME`, where that package is installed."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import nn

from bakeoff.errors import UsageError, closest
from bakeoff.models import TIMM
from bakeoff.models.blocks import Size

Dropout = Annotated[float, Field(ge=0, lt=1, description="before the last linear layer; 0: the model's own")]
DropPath = Annotated[
    float, Field(ge=0, lt=1, description="of residual branches (stochastic depth); 0: the model's own")
]


def timm_builder(name: str) -> Callable[..., nn.Module]:
    """The function that builds `timm:NAME`. It refuses images that the model cannot take, after a trial.

    Raises:
        UsageError: timm is not installed, or has no such model.
    """
    try:
        timm, architecture = importlib.import_module("timm"), name.removeprefix(TIMM)
    except (ImportError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UsageError(f"model {name}: needs timm; pip install 'bakeoff[timm]' ({reason})") from None
    if not timm.is_model(architecture):
        known = timm.list_models()
        near = difflib.get_close_matches(architecture, known, n=3, cutoff=0.5)
        said = closest(architecture, near) if near else f" (timm.list_models() names {len(known)})"
        raise UsageError(f"model: unknown choice {name!r}{said}")

    def build(
        channels: int, classes: int, size: Size, *, dropout: Dropout = 0.0, drop_path: DropPath = 0.0
    ) -> nn.Module:
        """A model of timm's, freshly initialised; one that must know the size of its images is told."""
        given: dict[str, Any] = {"drop_rate": dropout, "drop_path_rate": drop_path}
        options = {key: value for key, value in given.items() if value}
        if timm.get_pretrained_cfg_value(architecture, "fixed_input_size"):
            options["img_size"] = size
        try:
            model: nn.Module = timm.create_model(architecture, in_chans=channels, num_classes=classes, **options)
            with torch.no_grad():
                model.eval()(torch.zeros(1, channels, *size, device=next(model.parameters()).device))
        except TypeError as error:
            raise UsageError(f"model {name}: {error}") from None
        except (AssertionError, RuntimeError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise UsageError(f"model {name}: takes no images of {size[0]}x{size[1]} ({reason})") from None
        return model.train()

    return build
