"""Run a study: load, plan, check, execute, report."""

from __future__ import annotations

import contextlib
import shlex
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from bakeoff import record
from bakeoff.engines.execute import interruptible
from bakeoff.errors import BakeoffError, RunsFailed, UsageError
from bakeoff.record import Run
from bakeoff.record.manifest import Failed, Manifest, read_manifest, write_manifest
from bakeoff.spec.override import TIME, Override
from bakeoff.spec.plan import Plan, split_names
from bakeoff.spec.study_file import StudyFile
from bakeoff.studies.execution import MAX_SEEDS, StudyExecution, execution_and_recipe
from bakeoff.studies.packaged import find_study
from bakeoff.studies.prepare import check_plan, plan_at_hand
from bakeoff.studies.trainer import RESERVE, Trainer

if TYPE_CHECKING:
    from bakeoff.studies.keywords import StudyKeywords


def run_study(
    study: StudyFile | str,
    *,
    scale: str = "full",
    seeds: int | None = None,
    only: Iterable[str] = (),
    datasets: Iterable[str] = (),
    until_decided: bool = False,
    max_seeds: int = MAX_SEEDS,
    **options: Unpack[StudyKeywords],
) -> dict[str, Any]:
    """Train what is missing of a study, write its report to OUT/STUDY/SCALE/, and return its summary.

    Args:
        study: a StudyFile, a packaged name or a path.
        scale: one of the study's scales.
        seeds: seeds per contender instead of the scale's.
        only: names of contenders, each item one name or several with commas between them; the others are left out.
        datasets: of those that the study is about; the others are left out. Unless they are asked for, some that are
            not at hand are left out as well, with a warning and a line on the page.
        until_decided: add seeds, instead of a number of them, until contenders are decided (`sequential`).
        max_seeds: of a contender, with `until_decided`; 2 or more.
        options: fields of `StudyExecution` (`out`, `device`, `jobs`, `minutes`, ...), and of `Recipe`, which every
            contender takes instead of its own.

    Raises:
        UsageError: what was asked for cannot be.
        BakeoffError: data missing or damaged.
        RunsFailed: runs that could not be trained; the report, with the others, is written.
        Interrupted: Ctrl-C; the same call goes on.
    """
    started = time.monotonic()
    execution, recipe = execution_and_recipe(StudyExecution, options)
    seeds_limit = max_seeds if until_decided else None
    _check_seeds(seeds, seeds_limit, execution.minutes)
    file = find_study(study) if isinstance(study, str) else study
    selection: dict[str, Any] = {
        "seeds": seeds,
        "only": split_names(file, (only,) if isinstance(only, str) else only),
        "datasets": (datasets,) if isinstance(datasets, str) else tuple(datasets),
        "recipe": recipe,
    }
    command = _command(
        study if isinstance(study, str) else study.name, scale, selection, execution.threads, seeds_limit
    )
    plan, data = plan_at_hand(file, scale, selection)
    from bakeoff.training.device import find_device  # PyTorch is imported where it computes

    find_device(execution.device)
    plan = check_plan(plan, data)
    folder = record.make_folder(execution.out / plan.name / plan.scale)
    _warn_of_replaced(folder, command)
    minutes = execution.minutes
    deadline = started + 60 * minutes - min(RESERVE, 10 * minutes) if minutes else None  # the report needs some, too
    with interruptible() as stop:
        trainer = Trainer(folder.parent, data, execution, stop, deadline)
        manifest = _execute(Manifest(command=command, plan=plan), folder, trainer, seeds_limit)
        summary = _report(manifest, folder, trainer)
    _raise_failures(trainer.failures, summary, folder)
    return summary


def _execute(manifest: Manifest, folder: Path, trainer: Trainer, seeds_limit: int | None) -> Manifest:
    """Train the manifest's plan, with seeds added up to a limit if there is one; the manifest of what became of it."""
    from bakeoff.studies.reports import collect  # statistics and pages are imported once there is something to say
    from bakeoff.studies.sequential import until_decided

    def train(plan: Plan) -> Plan:
        located = trainer.locate(plan)
        write_manifest(folder, manifest.model_copy(update={"plan": located}))
        trainer.train(located, last=not (seeds_limit or plan.confirms))
        return located

    def read(plan: Plan) -> list[Run]:
        return collect(manifest.model_copy(update={"plan": plan}), folder.parent)[0]

    plan, enough = until_decided(manifest.plan, seeds_limit, train, read) if seeds_limit else (train(manifest.plan), {})
    if trainer.deadline is not None and (unfinished := len(trainer.unfinished(plan))):
        planned = len(plan.runs)
        missing = Override(path=("runs",), old=planned, new=planned - unfinished, source=TIME)
        plan = plan.model_copy(update={"overrides": (*plan.overrides, missing)})
    return manifest.model_copy(update={"plan": plan, "failed": tuple(trainer.failures), "enough": enough})


def _report(manifest: Manifest, folder: Path, trainer: Trainer) -> dict[str, Any]:
    """Write the report, and where the plan does that and all it has is trained, train the selected contenders again
    on fresh seeds and write it with them; the summary."""
    from bakeoff.studies.reports import render
    from bakeoff.studies.sequential import on_fresh_seeds

    summary = render(folder, manifest)
    complete = not any(override.source == TIME for override in manifest.plan.overrides)
    fresh = on_fresh_seeds(manifest.plan, summary) if manifest.plan.confirms and complete else None
    if fresh is None:
        return summary
    fresh = trainer.locate(fresh)
    trainer.train(fresh, last=True)
    return render(folder, manifest.model_copy(update={"fresh": fresh.runs}))


def _raise_failures(failures: Sequence[Failed], summary: dict[str, Any], folder: Path) -> None:
    from bakeoff.studies.reports import unreadable

    sentences = [f"{failure.run}: {failure.reason}" for failure in failures]
    if sentences := [*sentences, *unreadable(summary)]:
        more = f" (and {len(sentences) - 1} more)" if len(sentences) > 1 else ""
        raise RunsFailed(f"{sentences[0]}{more}; the other runs are in {folder / 'report.html'}", summary)


def _check_seeds(seeds: int | None, seeds_limit: int | None, minutes: float | None) -> None:
    if seeds is not None and seeds < 1:
        raise UsageError(f"seeds = {seeds}: must be 1 or more")
    if seeds_limit is not None and seeds:
        raise UsageError(f"seeds = {seeds}: until_decided adds seeds by itself; say max_seeds instead")
    if seeds_limit is not None and minutes:
        raise UsageError("minutes and until_decided cannot go together: which seeds are added must not rest on time")
    if seeds_limit is not None and seeds_limit < 2:
        raise UsageError(f"max_seeds = {seeds_limit}: must be 2 or more: one seed decides nothing")


def _warn_of_replaced(folder: Path, command: str) -> None:
    """A sentence where the report that lies in `folder` came from another command: its runs stay, its page goes."""
    with contextlib.suppress(BakeoffError):  # no report there yet, or one that cannot be read
        if (before := read_manifest(folder).command) != command:
            warnings.warn(f"{folder}: the report of `{before}` is replaced; its runs are kept", stacklevel=3)


def _command(study: str, scale: str, selection: Mapping[str, Any], threads: int | None, seeds_limit: int | None) -> str:
    """The command line that does what a call of `run_study` does."""
    options = {
        "scale": scale if scale != "full" else None,
        "seeds": selection["seeds"],
        "until_decided": True if seeds_limit else None,
        "max_seeds": seeds_limit,
        "only": selection["only"],
        "dataset": selection["datasets"],
        "threads": threads,
        **selection["recipe"],
    }
    words = ["bakeoff", "run", study]
    for key, value in options.items():
        flag = key.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif value is not None:
            values = value if isinstance(value, list | tuple) else [value]
            words += [word for item in values for word in (f"--{flag}", str(item))]
    return shlex.join(words)
