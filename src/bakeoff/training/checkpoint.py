"""A training state as one safetensors file, and back, without losing a bit.

Each file in `checkpoint/` is named by its step and by the SHA-256 of its bytes, and appears whole or not at all. The
last two are kept: where the last one is not what was written, the one before it leads to the same bits.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import struct
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from bakeoff.errors import Damaged
from bakeoff.record import Row, parse_json, read_bytes, strict_json, write_atomic
from bakeoff.spec import Recipe
from bakeoff.training.loop import State, restart_training

VERSION = 3
"""Of a checkpoint's content. Training is not resumed from another version's."""
KEPT = 2
TENSORS = ("model", "ema", "best")
COUNTERS = [field.name for field in dataclasses.fields(State) if field.name not in (*TENSORS, "optimizer", "initial")]


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What a file holds, checked against its name."""

    tensors: dict[str, Tensor]
    counters: dict[str, Any]
    threads: int
    """The thread count that its bits depend on."""
    segments: tuple[Row, ...]
    """As in `Run`: the processes that trained the run until here."""


def save_checkpoint(folder: Path, state: State, threads: int, segments: Sequence[Row] = ()) -> None:
    """Write `state` to a new file in `folder`, whole or not at all, and remove those before the last one."""
    groups = {"model": state.model.state_dict(), "ema": state.ema, "best": state.best}
    slots = state.optimizer.state_dict()["state"]
    groups |= {f"optimizer/{index}": slot for index, slot in slots.items()}
    tensors = {f"{group}/{name}": value for group, values in groups.items() for name, value in values.items()}
    counters = {name: getattr(state, name) for name in COUNTERS}
    counters |= {"loss_sum": float(state.loss_sum), "correct": int(state.correct)}
    metadata = {"version": VERSION, "counters": counters, "threads": threads, "segments": segments}
    contiguous = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    data = save(contiguous, {"state": strict_json(metadata)})
    before = checkpoint_files(folder)
    folder.mkdir(exist_ok=True)
    write_atomic(folder / f"{state.step:010d}-{hashlib.sha256(data).hexdigest()}.safetensors", data)
    for file in before[KEPT - 1 :]:
        with contextlib.suppress(OSError):
            file.unlink()


def checkpoint_files(folder: Path) -> list[Path]:
    """The checkpoints in `folder`, the last one first."""
    return sorted(folder.glob("*-*.safetensors"), reverse=True)


def last_checkpoint(folder: Path) -> Checkpoint | None:
    """The last checkpoint in `folder` that is what was written; one that is not is removed, with a warning.

    Raises:
        BakeoffError: one cannot be read, so that nothing is known of its content.
    """
    for file in checkpoint_files(folder):
        try:
            return read_checkpoint(file)
        except Damaged as error:
            warnings.warn(f"{error}; training goes on from the checkpoint before it, or else begins anew", stacklevel=2)
            file.unlink(missing_ok=True)
    return None


def read_checkpoint(file: Path) -> Checkpoint:
    """The content of a checkpoint.

    Raises:
        Damaged: it is not what was written, or another version wrote it.
        BakeoffError: it cannot be read.
    """
    data = read_bytes(file)
    if hashlib.sha256(data).hexdigest() != file.stem.partition("-")[2]:
        raise Damaged(f"{file}: damaged: its content is not what its name says")
    (length,) = struct.unpack("<Q", data[:8])
    metadata = parse_json(parse_json(data[8 : 8 + length])["__metadata__"]["state"])
    if metadata.pop("version") != VERSION:
        raise Damaged(f"{file}: of another version of bakeoff")
    return Checkpoint(load(data), **{**metadata, "segments": tuple(metadata["segments"])})


def restore_checkpoint(checkpoint: Checkpoint, state: State, recipe: Recipe) -> None:
    """Put what a checkpoint holds into a `state` fresh from `new_state`."""
    if checkpoint.counters["fallback_epoch"] is not None:
        restart_training(state, recipe)  # for the optimiser; all else is overwritten
    groups: dict[str, dict[str, Tensor]] = {group: {} for group in (*TENSORS, "optimizer")}
    for key, tensor in checkpoint.tensors.items():
        group, name = key.split("/", 1)
        groups[group][name] = tensor
    state.model.load_state_dict(groups["model"])
    parameters: list[Tensor] = state.optimizer.param_groups[0]["params"]
    slots: dict[int, dict[str, Tensor]] = {}
    for key, tensor in groups["optimizer"].items():
        index, name = key.split("/")
        parameter = parameters[int(index)].detach()
        # in the parameter's own memory layout: fused optimisers walk both side by side
        same_layout = torch.empty_like(parameter).copy_(tensor) if tensor.shape == parameter.shape else tensor
        slots.setdefault(int(index), {})[name] = same_layout
    state.optimizer.load_state_dict({**state.optimizer.state_dict(), "state": slots})
    device = parameters[0].device
    state.ema, state.best = ({name: value.to(device) for name, value in groups[g].items()} for g in ("ema", "best"))
    for name, value in checkpoint.counters.items():
        setattr(state, name, value)
