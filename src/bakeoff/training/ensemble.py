"""An ensemble's record: the mean of its members' probabilities. Nothing is trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bakeoff import record
from bakeoff.data.dataset import Dataset, mean_and_std
from bakeoff.spec import RESULTS, RunSpec
from bakeoff.spec.choices import OneView, Views
from bakeoff.training.device import computing, find_device
from bakeoff.training.digest import deciding
from bakeoff.training.inference import logits_of, mean_answer
from bakeoff.training.run import conclude, describe_run, make_task, measured_splits, segment


def average_runs(
    spec: RunSpec,
    dataset: Dataset,
    path: Path,
    members: Sequence[Path],
    *,
    device: str = "auto",
    threads: int,
    wait: float = 15.0,
) -> record.Run:
    """Write the record of an ensemble to `path`, if it is missing, and return it.

    Its logits are `mean_answer` of those that the members' records hold. Where the ensemble's recipe says `views`, or a
    member's record is of an earlier version, its weights look at the images again. Parameters, multiply-adds and
    seconds are sums over the members.

    Args:
        members: directories of the runs that are averaged, of the same splits, beside `path`.
        threads: CPU threads.
        wait: seconds to wait for another process that is writing this record.

    Raises:
        Locked: another process still is.
        BakeoffError: a member without a finished record, or a damaged one.
    """
    if record.status(path) == "finished":
        record.tidy(path)
        return record.read_run(path)
    with record.only_writer(path, wait), computing(find_device(device), threads):
        if record.status(path) != "finished":
            _average(spec, dataset, path, members, device, threads)
        record.remove_checkpoint(path)
        return record.read_run(path)


def _average(spec: RunSpec, dataset: Dataset, path: Path, members: Sequence[Path], device: str, threads: int) -> None:
    runs = [record.read_finished(member) for member in members]
    moments, views = mean_and_std(dataset.train), spec.recipe.views_choice
    task = make_task(spec, dataset, moments, find_device(device))
    logits = {}
    for name, split in measured_splits(task).items():
        answers = [_answers(run, name, split.images, views, device) for run in runs]
        logits[name] = torch.from_numpy(mean_answer(answers)).to(split.labels.device)
    metrics, arrays = conclude(task, logits)
    seconds = sum(run.seconds for run in runs)
    seen = sum(run.images_per_second * run.seconds for run in runs)
    description = describe_run(spec, dataset, moments, task, threads)
    description |= {
        "status": "finished",
        "segments": [segment(description["environment"], 0)],
        "needs": [run.path.name for run in runs],
        "decides": deciding(spec, dataset, members),
        "parameters": sum(run.parameters for run in runs),
        "multiply_adds": sum(_multiply_adds(run, views, {}) for run in runs),
        "metrics": metrics,
        "seconds": round(seconds, 3),
        "images_per_second": round(seen / max(seconds, 1e-9), 1),
    }
    record.write_finished(path, description, [], arrays | dataset.split_ids(), None)


def _answers(run: record.Run, split: str, images: Tensor, views: Views, device: str) -> NDArray[np.float32]:
    """(N, K) logits of a member: the stored ones, or its weights' where several views are asked for or the record is
    of an earlier version, which may have measured other training images, or in bfloat16."""
    one = isinstance(views, OneView)
    if one and run.results == RESULTS:
        return run.logits(split)
    return logits_of(run, images.cpu().numpy(), device=device, views=None if one else views)


def _multiply_adds(run: record.Run, views: Views, known: dict[str, int]) -> int:
    """Of a member's answer to one image; `known` holds those of the runs beside it, by directory name."""
    if isinstance(views, OneView):
        return run.multiply_adds
    if not run.spec.members:
        return run.multiply_adds // run.spec.recipe.views_choice.count * views.count
    for name in run.needs:
        if name not in known:
            known[name] = _multiply_adds(record.read_finished(run.path.parent / name), views, known)
    return sum(known[name] for name in run.needs)
