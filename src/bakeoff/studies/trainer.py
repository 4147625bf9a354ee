"""Train the missing runs of a plan: all, or those that end in a given time."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import shutil
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from bakeoff import record
from bakeoff.data import Dataset
from bakeoff.engines.execute import default_jobs, default_threads, execute
from bakeoff.engines.work import Queue, Work
from bakeoff.errors import BakeoffError, Damaged, Interrupted
from bakeoff.record import readings
from bakeoff.record.locks import Locked, only_process
from bakeoff.record.manifest import Failed
from bakeoff.spec.plan import Plan, PlannedRun
from bakeoff.studies.cost import TimeLimit, costs_of, in_order
from bakeoff.studies.execution import StudyExecution

RESERVE = 60.0
"""Seconds of a given time that are kept for the report; of a short time a sixth."""


@dataclasses.dataclass
class Trainer:
    """Trains the missing runs of a plan, and then of others on the same data, all in one folder."""

    folder: Path
    datasets: dict[str, Dataset]
    execution: StudyExecution
    stop: Callable[[], bool]
    """Says whether Ctrl-C was pressed."""
    deadline: float | None
    """Of the monotonic clock, where time is limited."""
    failures: list[Failed] = dataclasses.field(default_factory=list)
    """Runs that could not be trained."""
    tried: set[Path] = dataclasses.field(default_factory=set)

    def locate(self, plan: Plan) -> Plan:
        """The plan with its runs' directories. An ended run of the same is taken, unless all are trained anew."""
        from bakeoff.training.digest import EndedRuns, find_run, run_directory

        ended, depths = EndedRuns(self.folder), plan.depths()
        runs: dict[tuple[str, int], PlannedRun] = {}
        for spec in sorted(plan.specs(), key=lambda spec: depths[spec.contender]):
            needs = tuple(runs[needed].directory for needed in plan.needed(spec))
            data, paths = self.datasets[spec.dataset], [self.folder / name for name in needs]
            if self.execution.restart:
                directory = run_directory(spec, data, paths)
            else:
                directory = find_run(self.folder, spec, data, paths, ended).name
            plain = spec.model_dump(include={"contender", "seed", "dataset"})
            runs[spec.contender, spec.seed] = PlannedRun(**plain, directory=directory, needs=needs)
        return plan.model_copy(update={"runs": tuple(runs[spec.contender, spec.seed] for spec in plan.specs())})

    def train(self, plan: Plan, *, last: bool) -> None:
        """Train what is missing of a located plan.

        Args:
            last: no other plan follows, so that its data need not be kept.

        Raises:
            Interrupted: Ctrl-C; every run that had begun has a checkpoint.
        """
        works = self._works(plan)
        new = [work for work in works if work.path not in self.tried]
        self.tried |= {work.path for work in works}
        if self.execution.restart:
            _forget(new)
        missing = [work for work in new if not has_ended(work.path)]
        self.execution.begin(len(works), len(missing))
        costs = costs_of(plan, self.datasets)
        missing = in_order(missing, plan, costs, by_seed=self.deadline is not None)
        if self.deadline is None:
            self._execute(missing, plan, last=last)
            return
        limit = TimeLimit(self.deadline, missing, costs, self._device_type)
        for work in works:
            if work.path not in limit.waiting:
                limit.end(work)
        missing.sort(key=lambda work: record.status(work.path) != "running")  # what has begun comes first
        try:
            self._execute(missing, plan, limit=limit)
        except Interrupted:
            if self.stop():
                raise
        averages = [work for work in self.unfinished(plan) if work.spec.members and all(map(has_ended, work.needs))]
        self._execute(averages, plan)  # these take no time

    def unfinished(self, plan: Plan) -> list[Work]:
        """The runs of a plan that have neither ended nor failed."""
        failed = {failure.run for failure in self.failures}
        return [work for work in self._works(plan) if work.path.name not in failed and not has_ended(work.path)]

    def _works(self, plan: Plan) -> list[Work]:
        specs = zip(plan.specs(), plan.runs, strict=True)
        works = (Work(s, self.folder / r.directory, tuple(self.folder / name for name in r.needs)) for s, r in specs)
        return list({work.path: work for work in works}.values())

    @functools.cached_property
    def _device_type(self) -> str:
        """PyTorch's: `cpu`, `cuda`."""
        from bakeoff.training.device import find_device

        return find_device(self.execution.device).type

    def _execute(
        self, works: Sequence[Work], plan: Plan, *, last: bool = False, limit: TimeLimit | None = None
    ) -> None:
        data = {(name, plan.validation, plan.images): dataset for name, dataset in self.datasets.items()}
        if last:
            self.datasets.clear()

        def done(work: Work) -> None:
            if limit:
                limit.end(work)
            self.execution.done(work.path.name)

        stop = (lambda: self.stop() or limit.is_over()) if limit else self.stop
        threads = self.execution.threads or default_threads()
        queue = Queue(works, done, limit.fits if limit else None)
        jobs = self.execution.jobs or default_jobs(self._device_type, threads)
        try:
            execute(queue, self.execution.options(threads, stop), self.execution.engine, jobs, data)
        finally:
            self.failures += queue.failures


def _forget(works: Sequence[Work]) -> None:
    """Delete the runs, except those that another process is training. How often they were read stays: the same run
    trained again gives the same predictions."""
    for work in works:
        try:
            with only_process(work.path, "training this run"):
                for entry in sorted(work.path.glob("*"), key=lambda entry: entry.name != "run.json"):
                    if entry.is_dir():
                        shutil.rmtree(entry, ignore_errors=True)
                    elif entry.name != readings.FILE:
                        entry.unlink(missing_ok=True)
        except Locked as error:
            warnings.warn(f"{error}: it is left alone, not restarted", stacklevel=3)


def has_ended(path: Path) -> bool:
    """True for a whole record, and for one that cannot be read, which is left as it is. A damaged one is set aside with
    a warning: it is trained again."""
    try:
        if record.status(path) in ("absent", "running"):
            return False
        record.read_run(path)
        record.tidy(path)
    except Damaged as error:
        _set_aside(path, error)
        return False
    except BakeoffError:
        pass  # says nothing of what is in it; whoever reads it says so
    return True


def _set_aside(path: Path, error: Damaged) -> None:
    """Set a damaged record aside, unless another process has done so, or is training it again already."""
    with contextlib.suppress(Locked), only_process(path, "training this run"):
        if record.status(path) not in ("absent", "running"):
            aside = record.set_aside(path)
            warnings.warn(f"{error}; set aside as {aside.name}, and trained again", stacklevel=3)
