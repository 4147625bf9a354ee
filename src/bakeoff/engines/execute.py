"""How the runs of a study are executed: one after another in this process, or side by side in several.

However a run ends, the others go on. A run that another process is training is left to it and looked at again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bakeoff.data import Dataset
from bakeoff.engines.work import Failure, Key, Queue, Work, attempt, load
from bakeoff.engines.workers import train_in_workers
from bakeoff.errors import Interrupted
from bakeoff.training.options import RunOptions

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


def default_jobs(device: str, runs: int, threads: int) -> int:
    """Worker processes: one on a GPU; on a CPU as many as the cores have room for at `threads` each."""
    return max(1, min(cores() // threads, runs, LARGEST_POOL)) if device == "cpu" else 1


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


def execute(
    works: Sequence[Work],
    jobs: int,
    options: RunOptions,
    done: Callable[[Work], None],
    data: dict[Key, Dataset] | None = None,
) -> list[Failure]:
    """Train every run of `works`, each after those of them that it needs; `done` is called as each ends.

    A run that another process is training is waited for, after all others. One whose worker process is killed is
    tried once more.

    Args:
        works: what a run needs comes before it.
        data: datasets that are in memory already; what is shared with workers is taken out.

    Returns:
        The runs that could not be trained; the others are trained all the same.

    Raises:
        Interrupted: `options.stop` said so; every run that had begun has a checkpoint.
    """
    data = {} if data is None else data
    queue, options = Queue(works, done), dataclasses.replace(options, wait=0)
    if min(jobs, len(works)) > 1:
        train_in_workers(queue, min(jobs, len(works)), options, data)
    else:
        _train_here(queue, options, data)
    return queue.failures


def _train_here(queue: Queue, options: RunOptions, data: dict[Key, Dataset]) -> None:
    while queue.left:
        if work := queue.begin():
            queue.end(work, attempt(work, lambda key: data.get(key) or load(key), options))
        else:
            queue.wait()
        if queue.left and options.stop():
            raise Interrupted
