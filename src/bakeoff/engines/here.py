"""Runs one after another, in this process."""

from __future__ import annotations

from bakeoff.data import Dataset
from bakeoff.engines.work import Key, Queue, attempt, load
from bakeoff.errors import Interrupted
from bakeoff.training.options import RunOptions


def train_here(queue: Queue, _jobs: int, options: RunOptions, data: dict[Key, Dataset]) -> None:
    """Train what is left of the queue in this process, one run after another."""
    while queue.remaining:
        if work := queue.begin():
            queue.end(work, attempt(work, lambda key: data.get(key) or load(key), options))
        elif queue.remaining:
            queue.wait()
        if queue.remaining and options.stop():
            raise Interrupted
