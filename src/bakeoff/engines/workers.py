"""Runs side by side, each in a worker process of its own.

Parent and worker talk through one pipe: the parent sends runs, and None to stop; a worker sends its progress and
outcomes. No semaphore and no file outlives either of them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from bakeoff.data import Dataset
from bakeoff.engines.sharing import SharedDataset, share
from bakeoff.engines.work import Key, Outcome, Queue, Work, attempt, load
from bakeoff.errors import Interrupted
from bakeoff.spec.plugins import loaded_files, run_plugin
from bakeoff.training.options import Progress, RunOptions, ignore, never

SHOW_SECONDS = 0.2
"""Between two messages of a worker about its progress, and the longest wait for one."""
ASK_SECONDS = 0.05
"""How often a worker asks whether it should stop."""
END_SECONDS = 10.0
"""How long a worker is given to end before it is killed, which loses nothing but time."""

Shared = dict[Key, SharedDataset]


@dataclasses.dataclass
class Worker:
    """A worker process, as its parent sees it."""

    process: BaseProcess
    connection: Connection
    work: Work | None = None
    """What it is training."""
    ended: bool = False

    @classmethod
    def start(cls, context: SpawnContext, options: RunOptions, shared: Shared) -> Worker:
        parent_end, worker_end = context.Pipe()
        process = context.Process(target=_serve, args=(worker_end, options, shared, loaded_files()), daemon=True)
        with _spawning():
            process.start()
        worker_end.close()
        return cls(process, parent_end)

    def send(self, work: Work | None) -> None:
        with contextlib.suppress(OSError):  # it was killed, which the next `receive` notices
            self.connection.send(work)

    def receive(self) -> Iterator[Progress | Outcome]:
        """What it has sent, and, if it has ended within a run, that."""
        with contextlib.suppress(EOFError, OSError):
            while self.connection.poll():
                yield self.connection.recv()
            return
        self.ended = True
        self.process.join(END_SECONDS)
        if self.work is not None:
            code = self.process.exitcode or 0
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            yield Outcome("killed", f"its worker process {how}")

    def end(self, until: float) -> None:
        self.process.join(max(0.0, until - time.monotonic()))
        self.process.kill()
        self.process.join()
        self.process.close()
        self.connection.close()


def train_in_workers(queue: Queue, jobs: int, options: RunOptions, data: dict[Key, Dataset]) -> None:
    """Train what is left of the queue in up to `jobs` processes; those of `data` that they share are taken out."""
    context = multiprocessing.get_context("spawn")
    shared = share(data, context)
    inner = dataclasses.replace(options, stop=never, progress=ignore)  # what a pipe can carry
    workers: list[Worker] = []
    try:
        while queue.remaining:
            stopping = options.stop()
            if stopping:
                for worker in workers:
                    worker.send(None)
            else:
                _hand_out(queue, workers, jobs, lambda: Worker.start(context, inner, shared))
            if any(worker.work for worker in workers):
                _listen(queue, workers, options.progress)
            elif stopping:
                raise Interrupted
            elif queue.remaining:
                queue.wait()
    finally:
        for worker in workers:
            worker.send(None)
        until = time.monotonic() + END_SECONDS
        for worker in workers:
            worker.end(until)


def _hand_out(queue: Queue, workers: list[Worker], jobs: int, start: Callable[[], Worker]) -> None:
    """Give each worker that has nothing to do a run, and start workers while there are runs for them."""
    idle = [worker for worker in workers if worker.work is None]
    while (idle or len(workers) < jobs) and (work := queue.begin()):
        if not idle:
            workers.append(start())
            idle = workers[-1:]
        worker = idle.pop()
        worker.work = work
        worker.send(work)


def _listen(queue: Queue, workers: list[Worker], show: Callable[[Progress], None]) -> None:
    """Take what the workers have sent; those that have ended are taken out of `workers`."""
    ready = wait([worker.connection for worker in workers], SHOW_SECONDS)
    for worker in [worker for worker in workers if worker.connection in ready]:
        for message in worker.receive():
            if isinstance(message, Progress):
                show(message)
            elif worker.work is not None:
                queue.end(worker.work, message)
                worker.work = None
                worker.ended |= message.kind == "failed"  # whatever the error left behind: the next run gets another
        if worker.ended:
            workers.remove(worker)
            worker.end(time.monotonic())


@contextlib.contextmanager
def _spawning() -> Iterator[None]:
    """Within: a new worker does not import the caller's script, which would run it again, since it needs bakeoff only;
    and it ignores Ctrl-C, which in a terminal reaches all processes: its parent tells it to stop."""
    main: dict[str, Any] = sys.modules["__main__"].__dict__
    kept: dict[str, Any] = {name: main[name] for name in ("__file__", "__spec__") if name in main}
    main.pop("__file__", None)
    main["__spec__"] = None
    handles = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if handles else None
    try:
        yield
    finally:
        main.update(kept)
        if handles:
            signal.signal(signal.SIGINT, before)


def _serve(connection: Connection, options: RunOptions, shared: Shared, plugins: Sequence[tuple[Path, bytes]]) -> None:
    """What a worker process does: train what it is sent, until it is sent None."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for file in plugins:
        run_plugin(*file)
    stopping, polled, sent = False, 0.0, 0.0

    def stop() -> bool:
        nonlocal stopping, polled
        if not stopping and time.monotonic() - polled >= ASK_SECONDS:
            polled = time.monotonic()
            stopping = connection.poll()
        return stopping

    def show(progress: Progress) -> None:
        nonlocal sent
        if time.monotonic() - sent >= SHOW_SECONDS:
            sent = time.monotonic()
            connection.send(progress)

    @functools.lru_cache(maxsize=2)
    def dataset(key: Key) -> Dataset:
        return shared[key].dataset() if key in shared else load(key)

    options = dataclasses.replace(options, stop=stop, progress=show)
    while work := connection.recv():
        connection.send(attempt(work, dataset, options))


def _end_with_parent() -> None:
    """Without its parent a worker ends at once, so that no run is trained twice; that loses nothing."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
