"""How the runs of a study are executed: one after another in this process, or side by side in several.

However a run ends, the others go on. A run that another process is training is left to it and looked at again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from bakeoff.data import Dataset, load_dataset
from bakeoff.errors import BakeoffError, Interrupted
from bakeoff.record.locks import Locked
from bakeoff.spec import RunSpec
from bakeoff.training.options import RunOptions

LARGEST_POOL = 8
"""Worker processes by default at the most: each has its own PyTorch."""
RETRY_SECONDS = 1.0
"""How long a run that another process is training is left alone before it is looked at again."""
MEMORY = "(often: out of memory; fewer --jobs need less)"

Key = tuple[str, float, int | None]
"""What decides a dataset: reference, part drawn for validation, training images."""


@dataclasses.dataclass(frozen=True)
class Work:
    """One run to train, the directory its record goes to, and those of the runs that it needs."""

    spec: RunSpec
    path: Path
    needs: tuple[Path, ...] = ()

    @property
    def data(self) -> Key:
        return self.spec.dataset, self.spec.validation, self.spec.images


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What an attempt at a run ended with."""

    kind: Literal["trained", "interrupted", "locked", "killed", "failed"]
    reason: str = ""
    """One sentence, of `killed` and `failed`."""
    unforeseen: bool = False
    """An error that bakeoff does not know: the process may not be fit for another run."""


@dataclasses.dataclass(frozen=True)
class Failure:
    """A run that could not be trained, and why."""

    work: Work
    reason: str

    def __str__(self) -> str:
        return f"{self.work.path.name}: {self.reason}"


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


class Queue:
    """Which run comes next, and how those before it ended."""

    def __init__(self, works: Sequence[Work], done: Callable[[Work], None]) -> None:
        self.left = {work.path: work for work in works}
        """Neither trained nor failed."""
        self.begun: set[Path] = set()
        self.retry_at: dict[Path, float] = {}
        """When a run that another process is training is looked at again."""
        self.killed: set[Path] = set()
        """Runs whose worker was killed once."""
        self.failures: list[Failure] = []
        self.done = done
        self.has_warned = False

    def begin(self) -> Work | None:
        """The first run whose needs are met and that nobody trains; it counts as begun. None: there is none now."""
        for path, work in self.left.items():
            free = path not in self.begun and self.retry_at.get(path, 0.0) <= time.monotonic()
            if free and not self.left.keys() & {*work.needs}:
                self.begun.add(path)
                return work
        return None

    def end(self, work: Work, outcome: Outcome) -> None:
        """An attempt at a run has ended."""
        self.begun.discard(work.path)
        if outcome.kind == "locked":
            self.retry_at[work.path] = time.monotonic() + RETRY_SECONDS
        elif outcome.kind == "killed" and work.path not in self.killed:
            self.killed.add(work.path)
            self.left[work.path] = self.left.pop(work.path)  # after the others
            warnings.warn(f"{work.path.name}: {outcome.reason} {MEMORY}; it is tried once more", stacklevel=2)
        elif outcome.kind != "interrupted":
            if outcome.kind != "trained":
                twice = f" twice {MEMORY}" if outcome.kind == "killed" else ""
                self.failures.append(Failure(work, outcome.reason + twice))
            del self.left[work.path]
            self.done(work)

    def wait(self) -> None:
        """Pass a moment while all that is left is with other processes, with one warning."""
        if not self.has_warned:
            self.has_warned = True
            runs = ", ".join(path.name for path in self.left)
            warnings.warn(f"waiting for what another process is training: {runs}", stacklevel=2)
        time.sleep(RETRY_SECONDS / 10)


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
    from bakeoff.engines.workers import train_in_workers

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


@functools.lru_cache(maxsize=2)
def load(key: Key) -> Dataset:
    reference, validation, images = key
    return load_dataset(reference, validation=validation, images=images)


def attempt(work: Work, dataset: Callable[[Key], Dataset], options: RunOptions) -> Outcome:
    """Train one run; whatever happens is its outcome."""
    import torch

    from bakeoff.training.run import train_run

    try:
        train_run(work.spec, dataset(work.data), work.path, options, work.needs)
    except Interrupted:
        return Outcome("interrupted")
    except Locked:
        return Outcome("locked")
    except BakeoffError as error:
        return Outcome("failed", str(error))
    except Exception as error:  # memory, a full disk, a driver, a mistake in the code: one run's, not the study's
        outcome = _unforeseen(work, error)
    else:
        return Outcome("trained")
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()  # only now nothing holds the failed run's tensors
    return outcome


def _unforeseen(work: Work, error: Exception) -> Outcome:
    """The outcome of an error that bakeoff does not know; its traceback is kept until the run has a record."""
    with contextlib.suppress(OSError):
        (work.path / "checkpoint").mkdir(parents=True, exist_ok=True)
        (work.path / "checkpoint" / "traceback.txt").write_text(traceback.format_exc(), encoding="utf-8")
    kind, message = type(error).__name__, " ".join(str(error).split())[:300]
    return Outcome("failed", f"{kind}: {message}" if message else kind, unforeseen=True)
