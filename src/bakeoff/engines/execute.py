"""How the runs of a study are executed: one after another in this process, or side by side in several.

Whatever a run ends with, the others go on. A run that another process is training is left to it and looked at again.
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
from typing import TYPE_CHECKING, Any, Literal

from bakeoff.data import Dataset, load_dataset
from bakeoff.errors import BakeoffError, Interrupted
from bakeoff.record.locks import Locked
from bakeoff.spec import RunSpec
from bakeoff.spec.plugins import loaded_files

if TYPE_CHECKING:
    from bakeoff.training.run import Progress

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
class Setting:
    """How runs are executed; nothing here is in a spec."""

    device: str
    threads: int
    checkpoint_seconds: float
    plugins: tuple[tuple[Path, bytes], ...] = dataclasses.field(default_factory=loaded_files)
    """Files of plug-ins, which a worker process runs before its first run."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What an attempt at a run ended with."""

    kind: Literal["trained", "interrupted", "locked", "killed", "failed"]
    reason: str = ""
    """One sentence, of `killed` and `failed`."""
    unforeseen: bool = False
    """An error that bakeoff does not know: the process may be the worse for it."""


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
    """Within: the first Ctrl-C sets what the yielded function tells; the second one interrupts at once."""
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


class Schedule:
    """Which run comes next, and what became of those before it."""

    def __init__(self, works: Sequence[Work], done: Callable[[Work], None]) -> None:
        self.left = {work.path: work for work in works}
        """Neither trained nor failed."""
        self.begun: set[Path] = set()
        self.again: dict[Path, float] = {}
        """When a run that another process is training is looked at again."""
        self.killed: set[Path] = set()
        """Runs whose worker was killed once."""
        self.failures: list[Failure] = []
        self.done = done
        self.waits = False

    def begin(self) -> Work | None:
        """The first run whose needs are met and that nobody trains; it counts as begun. None: there is none now."""
        for path, work in self.left.items():
            free = path not in self.begun and self.again.get(path, 0.0) <= time.monotonic()
            if free and not self.left.keys() & {*work.needs}:
                self.begun.add(path)
                return work
        return None

    def end(self, work: Work, outcome: Outcome) -> None:
        """An attempt at a run has ended."""
        self.begun.discard(work.path)
        if outcome.kind == "locked":
            self.again[work.path] = time.monotonic() + RETRY_SECONDS
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
        """Pass a moment while all that is left is with other processes; said once."""
        if not self.waits:
            self.waits = True
            runs = ", ".join(path.name for path in self.left)
            warnings.warn(f"waiting for what another process is training: {runs}", stacklevel=2)
        time.sleep(RETRY_SECONDS / 10)


def execute(
    works: Sequence[Work],
    jobs: int,
    setting: Setting,
    stop: Callable[[], bool],
    show: Callable[[Progress], None],
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
        Interrupted: `stop` said so; every run that had begun has a checkpoint.
    """
    from bakeoff.engines.workers import in_workers

    data = {} if data is None else data
    schedule = Schedule(works, done)
    if min(jobs, len(works)) > 1:
        in_workers(schedule, min(jobs, len(works)), setting, stop, show, data)
    else:
        _in_turn(schedule, setting, stop, show, data)
    return schedule.failures


def _in_turn(
    schedule: Schedule,
    setting: Setting,
    stop: Callable[[], bool],
    show: Callable[[Progress], None],
    data: dict[Key, Dataset],
) -> None:
    while schedule.left:
        if work := schedule.begin():
            outcome = attempt(work, lambda key: data.get(key) or load(key), setting, stop, show)
            schedule.end(work, outcome)
        else:
            schedule.wait()
        if schedule.left and stop():
            raise Interrupted


@functools.lru_cache(maxsize=2)
def load(key: Key) -> Dataset:
    reference, validation, images = key
    return load_dataset(reference, validation=validation, images=images)


def attempt(
    work: Work,
    dataset: Callable[[Key], Dataset],
    setting: Setting,
    stop: Callable[[], bool],
    show: Callable[[Progress], None],
) -> Outcome:
    """Train one run, and say what came of it, whatever it is."""
    try:
        _train(work, dataset(work.data), setting, stop, show)
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
    import torch

    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()  # only now nothing holds the failed run's tensors
    return outcome


def _unforeseen(work: Work, error: Exception) -> Outcome:
    """The outcome of an error that bakeoff does not know; its traceback is kept until the run has a record."""
    with contextlib.suppress(OSError):
        (work.path / "checkpoint").mkdir(parents=True, exist_ok=True)
        (work.path / "checkpoint" / "traceback.txt").write_text(traceback.format_exc(), encoding="utf-8")
    said = " ".join(str(error).split())[:300]
    return Outcome("failed", f"{type(error).__name__}: {said}" if said else type(error).__name__, unforeseen=True)


def _train(
    work: Work, dataset: Dataset, setting: Setting, stop: Callable[[], bool], show: Callable[[Progress], None]
) -> None:
    from bakeoff.training.ensemble import average_runs
    from bakeoff.training.run import train_run

    spec = work.spec
    if spec.members:
        members = work.needs
        average_runs(spec, dataset, work.path, members, device=setting.device, threads=setting.threads, wait=0)
        return
    train_run(
        spec,
        dataset,
        work.path,
        needs=work.needs,
        device=setting.device,
        threads=setting.threads,
        checkpoint_seconds=setting.checkpoint_seconds,
        wait=0,
        stop=stop,
        progress=show,
    )
