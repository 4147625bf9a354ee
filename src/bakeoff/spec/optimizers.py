"""The optimisers: PyTorch's classes, and which fields of a recipe each of them takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from bakeoff.spec.registry import Entry, Registry
from bakeoff.spec.settings import Frozen


@dataclasses.dataclass(frozen=True)
class Optimizer(Entry[Frozen]):
    """A class of torch.optim, with its defaults where no field says otherwise."""

    schema: type[Frozen] = Frozen
    takes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Fields of a recipe besides `lr`, and the arguments of the class that they give. The fields are 0 for others."""
    fixed: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Arguments that are always the same."""


L2, MOMENTUM, FUSED = {"l2": "weight_decay"}, {"momentum": "momentum"}, {"fused": True}
OPTIMIZERS: Registry[Optimizer] = Registry(
    "optimizer",
    {
        "sgd": Optimizer("torch.optim:SGD", takes={**MOMENTUM, **L2, "nesterov": "nesterov"}, fixed=FUSED),
        "adam": Optimizer("torch.optim:Adam", takes=L2, fixed=FUSED),
        "adamw": Optimizer("torch.optim:AdamW", fixed={**FUSED, "weight_decay": 0}),  # the loop decays
        "nadam": Optimizer("torch.optim:NAdam", takes=L2),
        "adagrad": Optimizer("torch.optim:Adagrad", takes=L2),
        "adadelta": Optimizer("torch.optim:Adadelta", takes=L2),
        "rmsprop": Optimizer("torch.optim:RMSprop", takes={**MOMENTUM, **L2}),
    },
)
