"""How the runs of a study are executed: by which engine, on how many cores, and until when.

However a run ends, the others go on. A run that another process is training is left to it and looked at again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

from bakeoff.data import Dataset
from bakeoff.engines.work import Key, Queue
from bakeoff.spec.registry import Entry, Registry
from bakeoff.training.options import RunOptions

Engine = Callable[[Queue, int, RunOptions, dict[Key, Dataset]], None]
"""Trains the runs of a queue, so many side by side, with datasets that are in memory already."""
ENGINES: Registry[Entry[Any]] = Registry(
    "engine",
    {
        "here": Entry("bakeoff.engines.here:train_here"),
        "workers": Entry("bakeoff.engines.workers:train_in_workers"),
    },
)

LARGEST_POOL = 8
"""Worker processes by default at the most: each has its own PyTorch."""


def cores() -> int:
    """CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def default_threads() -> int:
    """CPU threads of each run of a study: the cores that a full pool leaves each worker, which is one below 16 cores.
    It depends on the machine alone, since a run's bits depend on it: the same run must not hold other bits because
    more runs are trained beside it."""
    return max(1, cores() // LARGEST_POOL)


def default_jobs(device: str, threads: int) -> int:
    """Runs side by side: one on a GPU; on a CPU as many as the cores have room for at `threads` each."""
    return max(1, min(cores() // threads, LARGEST_POOL)) if device == "cpu" else 1


@contextlib.contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Within: after the first Ctrl-C the yielded function returns True; the second one interrupts at once."""
    flag = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield flag.is_set
        return

    def handle(_signal: int, _frame: Any) -> None:
        flag.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield flag.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def execute(queue: Queue, options: RunOptions, engine: str | None, jobs: int, data: dict[Key, Dataset]) -> None:
    """Train the runs of a queue, each after those of them that it needs.

    A run that another process is training is waited for, after all others. One whose worker process is killed is
    tried once more.

    Args:
        engine: one of ENGINES; None: workers for several runs side by side, else here.
        jobs: at most so many runs side by side.
        data: datasets that are in memory already; what is shared with workers is taken out.

    Raises:
        UsageError: no such engine.
        Interrupted: `options.stop` said so; every run that had begun has a checkpoint.
    """
    jobs = min(jobs, len(queue.remaining))
    train: Engine = ENGINES.find(engine or ("workers" if jobs > 1 else "here")).function
    train(queue, jobs, dataclasses.replace(options, wait=0), data)
