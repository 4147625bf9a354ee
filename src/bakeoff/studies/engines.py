"""How the runs of a study are executed: one after another in this process, or side by side in several."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from bakeoff.data import Dataset, load_dataset
from bakeoff.errors import BakeoffError, Interrupted
from bakeoff.spec import RunSpec
from bakeoff.studies.sharing import SharedDataset, share
from bakeoff.training.ensemble import average_runs
from bakeoff.training.run import Progress, train_run

LARGEST_POOL = 8
"""Worker processes by default at the most: each has its own PyTorch."""
SHOW_EVERY = 0.2
"""Seconds between two messages of a worker about its progress."""


INTERRUPTED = "interrupted"
Key = tuple[str, float, int | None]
"""What decides a dataset: reference, part drawn for validation, training images."""


@dataclasses.dataclass(frozen=True)
class Work:
    """One run to train, the directory its record goes to, and those of the runs that it needs."""

    spec: RunSpec
    path: Path
    needs: tuple[Path, ...] = ()


@dataclasses.dataclass(frozen=True)
class Setting:
    """How runs are executed; nothing here is in a spec."""

    device: str
    threads: int
    checkpoint_seconds: float


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


def execute(
    works: Sequence[Work],
    jobs: int,
    setting: Setting,
    stop: Callable[[], bool],
    show: Callable[[Progress], None],
    done: Callable[[Work], None],
    data: dict[Key, Dataset] | None = None,
) -> list[str]:
    """Train every run of `works`, each after those of them that it needs; `done` is called as each ends.

    Args:
        works: what a run needs comes before it.
        data: datasets that are in memory already; what is shared with workers is taken out.

    Returns:
        One sentence for each run that could not be trained; the others are trained all the same.

    Raises:
        Interrupted: `stop` said so; every run that had begun has a checkpoint.
    """
    jobs = min(jobs, len(works))
    engine = _serial if jobs <= 1 else _processes
    return engine(works, jobs, setting, stop, show, done, {} if data is None else data)


def _serial(
    works: Sequence[Work],
    _jobs: int,
    setting: Setting,
    stop: Callable[[], bool],
    show: Callable[[Progress], None],
    done: Callable[[Work], None],
    data: dict[Key, Dataset],
) -> list[str]:
    failures = []
    for work in works:
        try:
            _train(work, data.get(_key(work.spec)) or _load(_key(work.spec)), setting, stop, show)
        except BakeoffError as error:
            failures.append(f"{work.path.name}: {error}")
        done(work)
    return failures


def _key(spec: RunSpec) -> Key:
    return spec.dataset, spec.validation, spec.images


@functools.lru_cache(maxsize=2)
def _load(key: Key) -> Dataset:
    reference, validation, images = key
    return load_dataset(reference, validation=validation, images=images)


def _train(
    work: Work, dataset: Dataset, setting: Setting, stop: Callable[[], bool], show: Callable[[Progress], None]
) -> None:
    spec = work.spec
    if spec.members:
        average_runs(spec, dataset, work.path, work.needs, device=setting.device, threads=setting.threads)
        return
    train_run(
        spec,
        dataset,
        work.path,
        needs=work.needs,
        device=setting.device,
        threads=setting.threads,
        checkpoint_seconds=setting.checkpoint_seconds,
        stop=stop,
        progress=show,
    )


def _processes(
    works: Sequence[Work],
    jobs: int,
    setting: Setting,
    stop: Callable[[], bool],
    show: Callable[[Progress], None],
    done: Callable[[Work], None],
    data: dict[Key, Dataset],
) -> list[str]:
    context = multiprocessing.get_context("spawn")
    messages = context.Queue()
    stopping = context.Event()
    shared = share(data, context)
    pool = ProcessPoolExecutor(jobs, context, _begin_worker, (messages, stopping, setting, shared))
    failures: list[str] = []
    left = {work.path: work for work in works}
    pending: dict[Future[str], Work] = {}

    def submit() -> None:
        begun = {work.path for work in pending.values()}
        ready = [work for work in left.values() if work.path not in begun and not left.keys() & {*work.needs}]
        with _ignoring_interrupts(), _without_main():
            pending.update({pool.submit(_work, work): work for work in ready})

    try:
        submit()
        while pending:
            ended, _ = wait(pending, timeout=SHOW_EVERY, return_when=FIRST_COMPLETED)
            with contextlib.suppress(queue.Empty):
                while True:
                    show(messages.get_nowait())
            if stop():
                stopping.set()
            for future in ended:
                work = pending.pop(future)
                sentence = future.result()
                if sentence == INTERRUPTED:
                    continue
                if sentence:
                    failures.append(f"{work.path.name}: {sentence}")
                del left[work.path]
                done(work)
            if stopping.is_set():
                for future in [future for future in pending if future.cancel()]:
                    del pending[future]
            elif ended:
                submit()
    except BrokenProcessPool:
        raise BakeoffError(
            "a worker process was killed (often: out of memory); the runs that ended are kept: run the same "
            "command again, with fewer --jobs if it happens again"
        ) from None
    finally:
        stopping.set()
        pool.shutdown(wait=True, cancel_futures=True)
    if left:
        raise Interrupted
    return failures


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Within: a new worker does not import the caller's script, which would run it again; it needs bakeoff only."""
    main: dict[str, Any] = sys.modules["__main__"].__dict__
    kept: dict[str, Any] = {name: main[name] for name in ("__file__", "__spec__") if name in main}
    main.pop("__file__", None)
    main["__spec__"] = None
    try:
        yield
    finally:
        main.update(kept)


@contextlib.contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """Within: a new worker is born deaf to Ctrl-C, which in a terminal reaches all; its parent tells it to stop."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


_worker: dict[str, Any] = {}
"""What `_begin_worker` leaves for `_work`, in a worker process."""


def _begin_worker(messages: Any, stopping: Any, setting: Setting, shared: dict[Key, SharedDataset]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    messages.cancel_join_thread()  # an ending worker does not wait for anyone to read its last messages
    _worker.update(messages=messages, stopping=stopping, setting=setting, shared=shared)


def _end_with_parent() -> None:
    """Without its parent a worker ends at once, so that nobody trains a run twice; a kill loses nothing."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


@functools.lru_cache(maxsize=2)
def _given(key: Key) -> Dataset:
    shared: SharedDataset | None = _worker["shared"].get(key)
    return shared.dataset() if shared else _load(key)


def _work(work: Work) -> str:
    """Train one run in a worker; the sentence of an error, or nothing."""
    shown = 0.0

    def show(progress: Progress) -> None:
        nonlocal shown
        if time.monotonic() - shown >= SHOW_EVERY:
            shown = time.monotonic()
            _worker["messages"].put(progress)

    try:
        _train(work, _given(_key(work.spec)), _worker["setting"], _worker["stopping"].is_set, show)
    except Interrupted:
        return INTERRUPTED
    except BakeoffError as error:
        return str(error)
    return ""
