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

from bakeoff.record import Row, parse_json, read_bytes, strict_json, write_atomic
from bakeoff.spec import Recipe
from bakeoff.training.loop import State, restart_training

VERSION = 3
"""Of a checkpoint's content: one of another version is not gone on from."""
KEPT = 2
COUNTERS = ("round", "round_step", "step", "epoch", "batch", "log_points", "seconds", "history", "fallback_epoch")


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
    slots = state.optimizer.state_dict()["state"]
    groups = {"model": state.model.state_dict(), "ema": state.ema, "best": state.best}
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
    """The last checkpoint in `folder` that is what was written; a damaged one is removed, with a warning.

    Raises:
        BakeoffError: one that cannot be read, which says nothing of what is in it.
    """
    faults: list[str] = []
    for file in checkpoint_files(folder):
        fault = check_checkpoint(file)
        checkpoint = None if fault else _parsed(read_bytes(file))
        if checkpoint:
            _warn(faults, f"the one before it, of step {checkpoint.counters['step']}, is used")
            return checkpoint
        faults.append(fault or f"{file}: of another version of bakeoff")
        file.unlink(missing_ok=True)
    _warn(faults, "the run is trained from its start")
    return None


def _warn(faults: Sequence[str], then: str) -> None:
    if faults:
        warnings.warn(f"{'; '.join(faults)}; {then}", stacklevel=3)


def check_checkpoint(file: Path) -> str | None:
    """A sentence where a checkpoint is not what was written.

    Raises:
        BakeoffError: it cannot be read.
    """
    if hashlib.sha256(read_bytes(file)).hexdigest() == file.stem.partition("-")[2]:
        return None
    return f"{file}: damaged: its content is not what its name says"


def _parsed(data: bytes) -> Checkpoint | None:
    """What a whole file holds; None for one of another version."""
    (length,) = struct.unpack("<Q", data[:8])
    metadata = parse_json(parse_json(data[8 : 8 + length])["__metadata__"]["state"])
    if metadata["version"] != VERSION:
        return None
    del metadata["version"]
    return Checkpoint(load(data), **{**metadata, "segments": tuple(metadata["segments"])})


def restore_checkpoint(checkpoint: Checkpoint, state: State, recipe: Recipe) -> None:
    """Put what a checkpoint holds into a `state` fresh from `new_state`."""
    if checkpoint.counters["fallback_epoch"] is not None:
        restart_training(state, recipe)  # for the optimiser; all else is overwritten
    (trained,) = state.optimizer.param_groups
    groups: dict[str, dict[str, Tensor]] = {"model": {}, "ema": {}, "best": {}}
    slots: dict[int, dict[str, Tensor]] = {}
    for key, tensor in checkpoint.tensors.items():
        group, name = key.split("/", 1)
        if group != "optimizer":
            groups[group][name] = tensor
            continue
        index, name = name.split("/")
        parameter = trained["params"][int(index)]
        if tensor.shape == parameter.shape:
            # in the parameter's own memory layout: fused optimisers walk both side by side
            tensor = torch.empty_like(parameter, requires_grad=False).copy_(tensor)
        slots.setdefault(int(index), {})[name] = tensor
    state.model.load_state_dict(groups["model"])
    device = trained["params"][0].device
    state.ema, state.best = ({name: value.to(device) for name, value in groups[g].items()} for g in ("ema", "best"))
    state.optimizer.load_state_dict({**state.optimizer.state_dict(), "state": slots})
    for name, value in checkpoint.counters.items():
        setattr(state, name, value)
