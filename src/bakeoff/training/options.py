"""How runs are executed: nothing here is in a spec."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from bakeoff.record import Row


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a run is: what a live display shows."""

    run: str
    step: int
    steps: int
    epoch: int
    row: Row


def never() -> bool:
    return False


def ignore(_progress: Progress) -> None:
    """Shows nothing."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Where and how a run is computed, and the functions that stop it and show its progress."""

    threads: int
    """CPU threads; a resumed run keeps the number it began with, since its bits depend on it."""
    device: str = "auto"
    checkpoint_seconds: float = 60.0
    """A checkpoint is written at the first step this long after the last one."""
    wait: float = 15.0
    """Seconds to wait for another process that trains the same run."""
    stop: Callable[[], bool] = never
    """Asked before every step; when true, a checkpoint is written and the run is left."""
    progress: Callable[[Progress], None] = ignore
