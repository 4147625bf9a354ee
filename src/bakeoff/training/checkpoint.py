"""A training state as one safetensors file, and back, without losing a bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from bakeoff.errors import BakeoffError
from bakeoff.record import write_atomic
from bakeoff.spec import Recipe
from bakeoff.training.loop import State, begin_anew

COUNTERS = ("fit", "fit_step", "step", "epoch", "batch", "looks", "seconds", "history", "fell_back")


def save_checkpoint(path: Path, state: State, threads: int) -> None:
    """Write `state` to the file `path`, whole or not at all, with the thread count its bits depend on."""
    slots = state.optimizer.state_dict()["state"]
    groups = {"model": state.model.state_dict(), "ema": state.ema, "best": state.best}
    tensors = {f"{group}/{name}": value for group, values in groups.items() for name, value in values.items()}
    plain: dict[str, Any] = {}
    for index, slot in slots.items():
        for name, value in slot.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer/{index}/{name}"] = value
            else:
                plain[f"{index}/{name}"] = value
    counters = {name: getattr(state, name) for name in COUNTERS}
    counters |= {"loss_sum": float(state.loss_sum), "correct": int(state.correct)}
    metadata = {"counters": counters, "optimizer": plain, "threads": threads}
    contiguous = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    write_atomic(path, save(contiguous, {"state": json.dumps(metadata)}))


def saved_threads(path: Path) -> int | None:
    """The thread count of the checkpoint in `path`; None where there is none."""
    return int(_metadata(path)["threads"]) if path.exists() else None


def restore_checkpoint(path: Path, state: State, recipe: Recipe) -> None:
    """Put what `path` holds into a `state` fresh from `new_state`.

    Raises:
        BakeoffError: a damaged file.
    """
    metadata = _metadata(path)
    if metadata["counters"]["fell_back"] is not None:
        begin_anew(state, recipe)  # for the optimiser; all else is overwritten
    groups: dict[str, dict[str, Tensor]] = {"model": {}, "ema": {}, "best": {}}
    slots: dict[int, dict[str, Any]] = {}
    with safe_open(path, "pt") as file:
        for key in file.keys():  # noqa: SIM118 - a safetensors file is no mapping
            group, name = key.split("/", 1)
            if group == "optimizer":
                index, name = name.split("/")
                slots.setdefault(int(index), {})[name] = file.get_tensor(key)
            else:
                groups[group][name] = file.get_tensor(key)
    for key, value in metadata["optimizer"].items():
        index, name = key.split("/")
        slots.setdefault(int(index), {})[name] = value
    state.model.load_state_dict(groups["model"])
    device = next(state.model.parameters()).device
    state.ema = {name: value.to(device) for name, value in groups["ema"].items()}
    state.best = {name: value.to(device) for name, value in groups["best"].items()}
    (group,) = state.optimizer.param_groups
    for index, slot in slots.items():
        parameter = group["params"][index]
        for name, value in slot.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                # in the parameter's own memory layout: fused optimisers walk both side by side
                slot[name] = torch.empty_like(parameter, requires_grad=False).copy_(value)
    groups_of_optimizer = state.optimizer.state_dict()["param_groups"]
    state.optimizer.load_state_dict({"state": slots, "param_groups": groups_of_optimizer})
    for name, value in metadata["counters"].items():
        setattr(state, name, value)


def _metadata(path: Path) -> dict[str, Any]:
    try:
        with safe_open(path, "pt") as file:
            said: dict[str, Any] = json.loads(file.metadata()["state"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise BakeoffError(f"{path}: damaged checkpoint ({error})") from None
    return said
