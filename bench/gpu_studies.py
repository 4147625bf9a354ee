"""The published studies at full scale, as far as they come in a few minutes of a GPU.

    BAKEOFF_DATA=... python bench/gpu_studies.py --minutes 9 --work runs --out results --jobs 4

Trains the first seed of every contender, the cheapest first (multiply-adds x epochs x images), then the next seed, and
stops itself before the minutes are over: runs that have begun leave a checkpoint, and the same command goes on with
them, to the same bits as in one go. What has no data or weights at hand is left out and named. Last, each study's
report is made of the runs there are, which says what is missing, and kept in OUT/STUDY/SCALE/ (see bench/keep.py),
with logits.npz: the validation and test logits of as many runs as fit, seed after seed, less each image's largest, as
float16 (CONTENDER/SEED/SPLIT), and the labels (DATASET/SPLIT).

The records lie in WORK/STUDY/ as `bakeoff run` lays them; Ctrl-C stops as the end of the minutes does.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bakeoff import record
from bakeoff.data import Dataset, load_dataset
from bakeoff.data.preprocess import model_shape
from bakeoff.engines.execute import LARGEST_POOL, Work, default_jobs, default_threads, execute, interruptible
from bakeoff.errors import BakeoffError, Interrupted, UsageError
from bakeoff.models import count_multiply_adds
from bakeoff.record import Run, write_atomic
from bakeoff.report.page import Page
from bakeoff.spec import RunSpec
from bakeoff.spec.scales import at_scale
from bakeoff.spec.study import Study
from bakeoff.studies.packaged import find_study, published_studies
from bakeoff.studies.reporting import collect
from bakeoff.studies.rounds import plan
from bakeoff.studies.runner import check_study
from bakeoff.training.device import find_device
from bakeoff.training.options import RunOptions
from bakeoff.training.run import check_spec
from bakeoff.training.setup import build_model
from keep import keep

RESERVE = 60.0
"""Seconds kept for the reports; of a short call a third is."""
CHECKPOINT_SECONDS = 60.0


@dataclasses.dataclass(frozen=True)
class Planned:
    """A study cut to what can be trained here, its directory, its runs, and what a run of each contender costs."""

    study: Study
    folder: Path
    works: Sequence[Work]
    costs: Mapping[str, int]


def plan_study(name: str, scale: str, out: Path) -> Planned | None:
    """What there is to train of a study; None where nothing can be. Names what is left out."""
    study = at_scale(find_study(name), scale)
    data: dict[str, Dataset] = {}
    for reference in study.datasets:
        try:
            data[reference] = load_dataset(reference, validation=study.validation, images=study.images)
        except BakeoffError as error:
            print(f"{study.name}: left out: {error}")
    names = possible(study, data)
    if not names:
        return None
    if len(names) < len(study.contenders):
        study = at_scale(find_study(name), scale, only=names)
    study = check_study(study, data)
    folder = record.make_folder(out / study.name)
    works = plan(study, data, folder)
    command = f"python bench/gpu_studies.py --studies {name} --scale {scale}"
    study = study.model_copy(update={"command": command, "records": tuple(work.path.name for work in works)})
    write_atomic(folder / "study.json", (study.model_dump_json(indent=2) + "\n").encode())
    return Planned(study, folder, works, {w.spec.contender: cost(w.spec, data[w.spec.dataset]) for w in works})


def possible(study: Study, data: Mapping[str, Dataset]) -> list[str]:
    """The contenders whose data, weights, members and teacher are at hand; a sentence on each other one."""
    first = {spec.contender: spec for spec in study.runs() if spec.seed == 0}
    names: list[str] = []
    for contender in map(study.contender, sorted(depths := study.depths(), key=depths.__getitem__)):
        spec = first[contender.name]
        lacking = next((name for name in study.needs(contender) if name not in names), None)
        try:
            if spec.dataset not in data:
                continue
            if lacking:
                raise BakeoffError(f"it needs {lacking}")
            if not spec.members:
                check_spec(spec, data[spec.dataset])
        except BakeoffError as error:
            print(f"{study.name}, {contender.name}: left out: {error}")
        else:
            names.append(contender.name)
    return names


def cost(spec: RunSpec, dataset: Dataset) -> int:
    """Multiply-adds of all forward passes of a run's training; an ensemble has none."""
    if spec.members:
        return 0
    recipe, task = spec.recipe, spec.recipe.task_choice
    images = task.epoch_size(len(dataset.train)) * recipe.epochs * recipe.rounds
    with torch.device("meta"):
        model = build_model(spec, dataset)
    return images * count_multiply_adds(model, model_shape(recipe.preprocess, task.image_shape(dataset.shape)))


def missing(planned: Sequence[Planned]) -> list[Work]:
    """Runs that have not ended: seed after seed, the cheapest first, and none before what it needs."""
    ranks: dict[Path, tuple[int, int, int]] = {}
    for each in planned:
        depths = each.study.depths()
        for work in sorted(each.works, key=lambda work: depths[work.spec.contender]):
            own = (work.spec.seed, each.costs[work.spec.contender], depths[work.spec.contender])
            seed, price, depth = map(max, zip(own, *(ranks[path] for path in work.needs), strict=True))
            ranks[work.path] = seed, price, depth
    works = {work.path: work for each in planned for work in each.works}
    return [works[path] for path in sorted(ranks, key=lambda path: ranks[path]) if not has_ended(path)]


def has_ended(path: Path) -> bool:
    return record.status(path) in ("finished", "diverged")


def train(planned: Sequence[Planned], jobs: int, device: str, until: float, latest: float) -> bool:
    """Train what is missing, until that time of the monotonic clock or Ctrl-C; False for Ctrl-C.

    Args:
        latest: ensembles whose members are finished are still made, one after another, until then.
    """
    began = time.monotonic()

    def done(work: Work) -> None:
        if has_ended(work.path):
            print(f"{time.monotonic() - began:5.0f} s  {work.path.parent.name}/{work.path.name}", flush=True)

    def run(works: Sequence[Work], jobs: int, stop: Callable[[], bool]) -> None:
        threads = default_threads()
        options = RunOptions(threads=threads, device=device, checkpoint_seconds=CHECKPOINT_SECONDS, stop=stop)
        for failure in execute(works, jobs, options, done):
            print(failure)

    with interruptible() as interrupted:
        try:
            run(missing(planned), jobs, lambda: interrupted() or time.monotonic() >= until)
        except Interrupted:
            print("stopped: the same command goes on", flush=True)
            for work in missing(planned):
                if work.spec.members and all(map(has_ended, work.needs)) and time.monotonic() < latest:
                    run([work], 1, interrupted)
        return not interrupted()


def conclude(planned: Planned, target: Path, most: int) -> None:
    """Make the study's report of the runs there are, and keep it in `target` with logits of at most `most` bytes."""
    study, total = planned.study, len(planned.works)
    runs, failed, notes = collect(study, planned.folder)
    study = study.model_copy(update={"failed": failed})
    finished = [run for run in runs if run.status == "finished"]
    if not finished:
        print(f"{study.name}: no finished run, so no report")
        return
    if len(runs) < total:
        study = study.model_copy(update={"cuts": (*study.cuts, f"{len(runs)} of {total} runs")})
    Page.of(study, runs, command=study.command, notes=notes).write(planned.folder)
    left_out = keep(planned.folder, record.make_folder(target))
    without = len(finished) - write_logits(finished, target / "logits.npz", most)
    left_out += [f"the logits of {without} runs, which would pass {most / 1e6:g} MB"] if without else []
    print(f"{target}: {len(runs)} of {total} runs", *(f"left out: {what}" for what in left_out), sep="; ", flush=True)


def write_logits(runs: Sequence[Run], file: Path, most: int) -> int:
    """Write the logits of as many runs as fit, seed after seed; returns how many runs those are."""
    arrays: dict[str, NDArray[np.generic]] = {}
    kept = 0
    for run in sorted(runs, key=lambda run: run.spec.seed):
        added: dict[str, NDArray[np.generic]] = {}
        for split in ("validation", "test"):
            logits = run.logits(split)
            lowered = np.maximum(logits - logits.max(1, keepdims=True), np.finfo(np.float16).min)
            added[f"{run.spec.contender}/{run.spec.seed}/{split}"] = lowered.astype(np.float16)
            added[f"{run.spec.dataset}/{split}"] = run.labels(split).astype(np.uint8)
        if sum(array.nbytes for array in (arrays | added).values()) > most:
            break
        arrays |= added
        kept += 1
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_atomic(file, buffer.getvalue())
    return kept


def main() -> int:
    began = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--studies", nargs="+", default=published_studies(), metavar="STUDY", help="names or files")
    parser.add_argument("--scale", default="full")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--jobs", type=int, help="runs side by side; by default one on a GPU, one a core on a CPU")
    parser.add_argument("--work", type=Path, default=Path("runs"), help="where the records are")
    parser.add_argument("--out", type=Path, default=Path("results"), help="where the reports are kept")
    parser.add_argument("--logits-mb", type=float, default=20.0, help="most of a study's logits that is kept")
    given = parser.parse_args()
    reserve = min(RESERVE, 20 * given.minutes)
    until = began + 60 * given.minutes - reserve
    try:
        jobs = given.jobs or default_jobs(find_device(given.device).type, LARGEST_POOL, default_threads())
        planned = [found for name in given.studies if (found := plan_study(name, given.scale, given.work))]
    except UsageError as error:
        parser.error(str(error))
    whole = train(planned, jobs, given.device, until, until + reserve / 2)
    for each in planned:
        conclude(each, given.out / each.study.name / given.scale, int(given.logits_mb * 1e6))
    return 0 if whole else Interrupted.exit_code


if __name__ == "__main__":
    raise SystemExit(main())
