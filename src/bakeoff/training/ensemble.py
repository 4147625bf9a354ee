"""An ensemble's record: the mean of its members' probabilities. Nothing is trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bakeoff import record
from bakeoff.data.dataset import Dataset
from bakeoff.spec import RESULTS, RunSpec
from bakeoff.spec.tta import SeveralViews, Tta
from bakeoff.training.describe import describe_run, segment
from bakeoff.training.device import find_device
from bakeoff.training.inference import logits_of, mean_answer
from bakeoff.training.measure import conclude
from bakeoff.training.options import RunOptions
from bakeoff.training.setup import make_setup


def average(spec: RunSpec, dataset: Dataset, path: Path, options: RunOptions, members: Sequence[Path]) -> None:
    """Write the record of an ensemble to `path`.

    Its logits are `mean_answer` of those that the members' records hold. Where the ensemble's recipe has `tta`, or a
    member's record is of an earlier version, its weights answer anew. Parameters, multiply-adds and seconds are sums
    over the members.

    Args:
        members: directories of the runs that are averaged.

    Raises:
        BakeoffError: a member without a finished record, or a damaged one.
    """
    runs = [record.read_finished(member) for member in members]
    tta, setup = spec.recipe.tta_choice, make_setup(spec, dataset, find_device(options.device))
    logits = {}
    for name, split in setup.measured.items():
        answers = [_answers(run, name, split.images, tta, options.device) for run in runs]
        logits[name] = torch.from_numpy(mean_answer(answers)).to(split.labels.device)
    metrics, arrays = conclude(setup, logits)
    seconds = sum(run.seconds for run in runs)
    images = sum(run.images_per_second * run.seconds for run in runs)
    description = describe_run(spec, dataset, setup, options.threads, members)
    description |= {
        "status": "finished",
        "segments": [segment(description, 0)],
        "needs": [run.path.name for run in runs],
        "parameters": sum(run.parameters for run in runs),
        "multiply_adds": sum(_multiply_adds(run, tta, {}) for run in runs),
        "metrics": metrics,
        "seconds": round(seconds, 3),
        "images_per_second": round(images / max(seconds, 1e-9), 1),
    }
    record.write_finished(path, description, [], arrays | dataset.split_ids(), None)


def _answers(run: record.Run, split: str, images: Tensor, tta: Tta, device: str) -> NDArray[np.float32]:
    """(N, K) logits of a member: the stored ones, or its weights' where the ensemble has several views or the record is
    of an earlier version, which may have measured other training images, or in bfloat16."""
    several = tta if isinstance(tta, SeveralViews) else None
    if run.results == RESULTS and not several:
        return run.logits(split)
    return logits_of(run, images.cpu().numpy(), device=device, tta=several)


def _multiply_adds(run: record.Run, tta: Tta, known: dict[str, int]) -> int:
    """Of a member's answer to one image; `known` holds those of the runs beside it, by directory name."""
    if not isinstance(tta, SeveralViews):
        return run.multiply_adds
    if not run.spec.members:
        return run.multiply_adds // len(run.spec.recipe.tta_choice.views()) * len(tta.views())
    for name in run.needs:
        if name not in known:
            known[name] = _multiply_adds(record.read_finished(run.path.parent / name), tta, known)
    return sum(known[name] for name in run.needs)
