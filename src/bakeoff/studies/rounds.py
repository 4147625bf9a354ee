"""Train what is missing of a study: once, or in rounds of more seeds."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bakeoff import record
from bakeoff.data import Dataset
from bakeoff.engines.execute import Failure, Work, default_jobs, execute
from bakeoff.errors import BakeoffError, Damaged
from bakeoff.record import readings
from bakeoff.record.locks import Locked, only_process
from bakeoff.spec import Contender
from bakeoff.spec.study import Study
from bakeoff.training.options import RunOptions


@dataclasses.dataclass
class Rounds:
    """Trains the missing runs of a study, and then of others in the same folder and on the same data.

    A callable, so that whoever decides about the next round need not know how runs are trained.
    """

    folder: Path
    datasets: dict[str, Dataset]
    """Of the study, by name; empty after the last round."""
    options: RunOptions
    jobs: int | None
    """Runs side by side; None: as many as `default_jobs` says."""
    restart: bool
    begin: Callable[[int, int], None]
    done: Callable[[str], None]
    failures: list[Failure] = dataclasses.field(default_factory=list)
    """Runs of all rounds that could not be trained."""
    tried: set[Path] = dataclasses.field(default_factory=set)
    """Directories of the runs of all rounds."""

    def __call__(self, study: Study, *, last: bool = False, whole: bool = True) -> Study:
        """Train what is missing of a study; returns it with its records named.

        Args:
            last: no other round follows, so that the data need not be kept.
            whole: it is the study itself and not a part of it: its study.json is written before anything is trained.

        Raises:
            Interrupted: `options.stop` said so; every run that had begun has a checkpoint.
        """
        from bakeoff.training.device import find_device

        works = plan(study, self.datasets, self.folder, anew=self.restart)
        study = study.model_copy(update={"records": tuple(work.path.name for work in works)})
        if whole:
            write_study(study, self.folder)
        new = [work for work in works if work.path not in self.tried]
        if self.restart:
            _forget(new)
        missing = [work for work in new if not has_ended(work.path)]
        self.begin(len(works), len(missing))
        kind = find_device(self.options.device).type
        jobs = self.jobs or default_jobs(kind, len(works), self.options.threads)
        # what a run needs before it; then the longest first, so that no core waits at the end
        costs = {c.name: _cost(c, study, self.datasets[study.dataset_of(c)]) for c in study.contenders}
        rank = {name: (depth, -costs[name]) for name, depth in study.depths().items()}
        missing.sort(key=lambda work: rank[work.spec.contender])
        data = {(name, study.validation, study.images): found for name, found in self.datasets.items()}
        if last:
            self.datasets.clear()
        self.failures += execute(missing, jobs, self.options, lambda work: self.done(work.path.name), data)
        self.tried |= {work.path for work in works}
        return study


def plan(study: Study, datasets: Mapping[str, Dataset], folder: Path, *, anew: bool = False) -> list[Work]:
    """Every run of the study, in its order, with its directory below `folder` and those of the runs that it needs.

    Args:
        anew: a record that an earlier version made of the same run does not count.
    """
    from bakeoff.training.digest import EndedRuns, find_run, run_directory

    paths: dict[tuple[str, int], Path] = {}
    works, depths, ended = {}, study.depths(), EndedRuns(folder)
    for spec in sorted(study.runs(), key=lambda spec: depths[spec.contender]):
        needs = tuple(paths[needed] for needed in study.needed(spec))
        data = datasets[spec.dataset]
        path = folder / run_directory(spec, data, needs) if anew else find_run(folder, spec, data, needs, ended)
        paths[spec.contender, spec.seed] = path
        works[spec.contender, spec.seed] = Work(spec, path, needs)
    return [works[spec.contender, spec.seed] for spec in study.runs()]


def _forget(works: Sequence[Work]) -> None:
    """Delete the runs, but those that another process is training; how often they were read stays, for the same run
    trained anew answers as before."""
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
    """True for a whole record; a damaged one is set aside with a warning, to be trained again, and one that cannot be
    read is left as it is."""
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


def _cost(contender: Contender, study: Study, dataset: Dataset) -> int:
    """Multiply-adds of a run, up to a factor that all contenders share; an ensemble's are next to none."""
    import torch

    from bakeoff.data.preprocess import model_shape
    from bakeoff.models import count_multiply_adds
    from bakeoff.training.setup import build_model

    if contender.ensemble:
        return 0
    spec = next(spec for spec in study.runs() if spec.contender == contender.name)
    with torch.device("meta"):
        model = build_model(spec, dataset)
    recipe, task = contender.recipe, contender.recipe.task_choice
    shape = model_shape(recipe.preprocess, task.image_shape(dataset.shape))
    return count_multiply_adds(model, shape) * task.epoch_size(len(dataset.train)) * recipe.epochs * recipe.rounds


def write_study(study: Study, folder: Path) -> None:
    record.write_atomic(folder / "study.json", (study.model_dump_json(indent=2) + "\n").encode())
