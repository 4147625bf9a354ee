"""What engines share: the runs to train, their order, one attempt at a run, and its outcome."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from bakeoff.data import Dataset, load_dataset
from bakeoff.errors import BakeoffError, Interrupted
from bakeoff.record.locks import Locked
from bakeoff.record.manifest import Failed
from bakeoff.spec import RunSpec
from bakeoff.training.options import RunOptions

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


class Queue:
    """Which run comes next, and how those before it ended.

    Args:
        works: what a run needs comes before it.
        done: called with each run that ends.
        fits: whether a run may begin now; once none may, none remains. None: any may.
    """

    def __init__(
        self, works: Sequence[Work], done: Callable[[Work], None], fits: Callable[[Work], bool] | None = None
    ) -> None:
        self.done, self.fits = done, fits
        self.remaining = {work.path: work for work in works}
        """Neither trained nor failed."""
        self.begun: set[Path] = set()
        self.retry_at: dict[Path, float] = {}
        """When a run that another process is training is looked at again."""
        self.killed: set[Path] = set()
        """Runs whose worker was killed once."""
        self.failures: list[Failed] = []
        self.has_warned = False

    def begin(self) -> Work | None:
        """The first run whose needs are met and that nobody trains; it counts as begun. None: there is none now."""
        ready = [
            work
            for path, work in self.remaining.items()
            if path not in self.begun and not self.remaining.keys() & {*work.needs}
        ]
        free = [work for work in ready if self.retry_at.get(work.path, 0.0) <= time.monotonic()]
        work = next((work for work in free if self.fits is None or self.fits(work)), None)
        if work is not None:
            self.begun.add(work.path)
        elif len(free) == len(ready) and not self.begun:
            self.remaining.clear()
        return work

    def end(self, work: Work, outcome: Outcome) -> None:
        """An attempt at a run has ended."""
        self.begun.discard(work.path)
        if outcome.kind == "locked":
            self.retry_at[work.path] = time.monotonic() + RETRY_SECONDS
        elif outcome.kind == "killed" and work.path not in self.killed:
            self.killed.add(work.path)
            self.remaining[work.path] = self.remaining.pop(work.path)  # after the others
            warnings.warn(f"{work.path.name}: {outcome.reason} {MEMORY}; it is tried once more", stacklevel=2)
        elif outcome.kind != "interrupted":
            if outcome.kind != "trained":
                reason = outcome.reason + (f" twice {MEMORY}" if outcome.kind == "killed" else "")
                spec, run = work.spec, work.path.name
                failed = Failed(contender=spec.contender, seed=spec.seed, run=run, kind="failed", reason=reason)
                self.failures.append(failed)
            del self.remaining[work.path]
            self.done(work)

    def wait(self) -> None:
        """Pass a moment while all that is left is with other processes, with one warning."""
        if not self.has_warned:
            self.has_warned = True
            runs = ", ".join(path.name for path in self.remaining)
            warnings.warn(f"waiting for what another process is training: {runs}", stacklevel=2)
        time.sleep(RETRY_SECONDS / 10)


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
        with contextlib.suppress(OSError):  # the traceback is kept until the run has a record
            (work.path / "checkpoint").mkdir(parents=True, exist_ok=True)
            (work.path / "checkpoint" / "traceback.txt").write_text(traceback.format_exc(), encoding="utf-8")
        message = " ".join(str(error).split())[:300]
        outcome = Outcome("failed", ": ".join(filter(None, (type(error).__name__, message))))
    else:
        return Outcome("trained")
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()  # only now nothing holds the failed run's tensors
    return outcome
