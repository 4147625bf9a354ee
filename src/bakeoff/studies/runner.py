"""Run a study: load, plan, check, execute, report."""

from __future__ import annotations

import shlex
import time
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bakeoff import record
from bakeoff.engines.execute import interruptible
from bakeoff.engines.work import Failure
from bakeoff.errors import BakeoffError, RunsFailed, UsageError
from bakeoff.record import Run
from bakeoff.record.manifest import Failed, Manifest, read_manifest, write_manifest
from bakeoff.spec.override import TIME, Override
from bakeoff.spec.plan import Plan, split_names
from bakeoff.spec.study_file import StudyFile
from bakeoff.studies.execution import MAX_SEEDS, Execution, execution_and_recipe
from bakeoff.studies.packaged import find_study
from bakeoff.studies.prepare import check_plan, plan_at_hand
from bakeoff.studies.trainer import RESERVE, Trainer


def run_study(
    study: StudyFile | str,
    *,
    scale: str = "full",
    seeds: int | None = None,
    only: Iterable[str] = (),
    datasets: Iterable[str] = (),
    until_decided: bool = False,
    max_seeds: int = MAX_SEEDS,
    **options: Any,
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
        max_seeds: with `until_decided`, seeds of a contender at the most, 2 or more.
        options: fields of `Execution` (`out`, `device`, `jobs`, `minutes`, ...), and of `Recipe`, which every contender
            takes instead of its own.

    Raises:
        UsageError: what was asked for cannot be.
        BakeoffError: data missing or damaged.
        RunsFailed: runs that could not be trained; the report, with the others, is written.
        Interrupted: Ctrl-C; the same call goes on.
    """
    started = time.monotonic()
    execution, recipe = execution_and_recipe(options)
    most = max_seeds if until_decided else None
    _check_seeds(seeds, most, execution)
    file = find_study(study) if isinstance(study, str) else study
    asked: dict[str, Any] = {
        "seeds": seeds,
        "only": split_names(file, (only,) if isinstance(only, str) else only),
        "datasets": (datasets,) if isinstance(datasets, str) else tuple(datasets),
        "recipe": recipe,
    }
    command = _command(study, scale, asked, execution.threads, most)
    plan, data = plan_at_hand(file, scale, asked)
    from bakeoff.training.device import find_device  # PyTorch is imported where it computes

    find_device(execution.device)
    plan = check_plan(plan, data)
    folder = record.make_folder(execution.out / plan.name / plan.scale)
    _warn_of_replaced(folder, command)
    minutes = execution.minutes
    until = started + 60 * minutes - min(RESERVE, 10 * minutes) if minutes else None  # the report needs some, too
    with interruptible() as stop:
        trainer = Trainer(folder.parent, data, execution, stop, until)
        manifest = _execute(Manifest(command=command, plan=plan), folder, trainer, most)
        summary = _report(manifest, folder, trainer)
    _raise_failures(trainer.failures, summary, folder)
    return summary


def _execute(manifest: Manifest, folder: Path, trainer: Trainer, most: int | None) -> Manifest:
    """Train the manifest's plan, with seeds added up to `most` if given; the manifest of what became of it."""
    from bakeoff.studies.reports import collect  # statistics and pages are imported once there is something to say
    from bakeoff.studies.sequential import until_decided

    def train(plan: Plan) -> Plan:
        located = trainer.locate(plan)
        write_manifest(folder, manifest.model_copy(update={"plan": located}))
        trainer.train(located, last=not (most or plan.confirms))
        return located

    def read(plan: Plan) -> list[Run]:
        return collect(manifest.model_copy(update={"plan": plan}), folder.parent)[0]

    plan, enough = until_decided(manifest.plan, most, train, read) if most else (train(manifest.plan), {})
    if trainer.until is not None and (left := len(trainer.left(plan))):
        every = len(plan.runs)
        missing = Override(path=("runs",), old=every, new=every - left, source=TIME)
        plan = plan.model_copy(update={"overrides": (*plan.overrides, missing)})
    failed = tuple(
        Failed(contender=work.spec.contender, seed=work.spec.seed, run=work.path.name, kind="failed", reason=reason)
        for work, reason in trainer.failures
    )
    return manifest.model_copy(update={"plan": plan, "failed": failed, "enough": enough})


def _report(manifest: Manifest, folder: Path, trainer: Trainer) -> dict[str, Any]:
    """Write the report, and where the plan does that and all it has is trained, train the selected contenders again
    on fresh seeds and write it with them; the summary."""
    from bakeoff.studies.reports import render
    from bakeoff.studies.sequential import on_fresh_seeds

    summary = render(manifest, folder)
    complete = not any(override.source == TIME for override in manifest.plan.overrides)
    fresh = on_fresh_seeds(manifest.plan, summary) if manifest.plan.confirms and complete else None
    if fresh is None:
        return summary
    fresh = trainer.locate(fresh)
    trainer.train(fresh, last=True)
    return render(manifest.model_copy(update={"fresh": fresh.runs}), folder)


def _raise_failures(failures: list[Failure], summary: dict[str, Any], folder: Path) -> None:
    lost = [each["reason"] for each in summary["failures"] if each["kind"] in ("damaged", "unreadable")]
    if sentences := [*map(str, failures), *lost]:
        more = f" (and {len(sentences) - 1} more)" if len(sentences) > 1 else ""
        raise RunsFailed(f"{sentences[0]}{more}; the other runs are in {folder / 'report.html'}", summary)


def _check_seeds(seeds: int | None, most: int | None, execution: Execution) -> None:
    if seeds is not None and seeds < 1:
        raise UsageError(f"seeds = {seeds}: must be 1 or more")
    if most is None:
        return
    if seeds:
        raise UsageError(f"seeds = {seeds}: until_decided adds seeds by itself; say max_seeds instead")
    if execution.minutes:
        raise UsageError("minutes and until_decided cannot go together: which seeds are added must not rest on time")
    if most < 2:
        raise UsageError(f"max_seeds = {most}: must be 2 or more: one seed decides nothing")


def _warn_of_replaced(folder: Path, command: str) -> None:
    """A sentence where the report that lies in `folder` came from another command: its runs stay, its page goes."""
    try:
        before = read_manifest(folder)
    except BakeoffError:
        return
    if before.command != command:
        warnings.warn(f"{folder}: the report of `{before.command}` is replaced; its runs are kept", stacklevel=3)


def _command(
    study: StudyFile | str, scale: str, asked: Mapping[str, Any], threads: int | None, most: int | None
) -> str:
    """The command line that does what a call of `run_study` does."""
    options = {
        "scale": () if scale == "full" else scale,
        "seeds": asked["seeds"] or (),
        **({"until_decided": True, "max_seeds": most} if most else {}),
        "only": asked["only"],
        "dataset": asked["datasets"],
        "threads": threads or (),
        **asked["recipe"],
    }
    words = ["bakeoff", "run", study if isinstance(study, str) else study.name]
    for key, value in options.items():
        flag = key.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            values = value if isinstance(value, list | tuple) else [value]
            words += [word for one in values for word in (f"--{flag}", str(one))]
    return shlex.join(words)
