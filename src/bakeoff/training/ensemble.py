"""An ensemble's record: the mean of its members' probabilities. Nothing is trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from bakeoff import record
from bakeoff.data.dataset import Dataset
from bakeoff.spec import RESULTS, RunSpec
from bakeoff.spec.tta import Tta
from bakeoff.training.describe import describe_run
from bakeoff.training.device import find_device
from bakeoff.training.inference import logits_of, mean_answer
from bakeoff.training.measure import conclude
from bakeoff.training.options import RunOptions
from bakeoff.training.setup import make_setup


def average(spec: RunSpec, dataset: Dataset, path: Path, options: RunOptions, members: Sequence[Path]) -> None:
    """Write the record of an ensemble to `path`.

    Its logits are `mean_answer` of those that the members' records hold. They are computed anew where the ensemble's
    recipe has `tta`, or a member's record is of an earlier version, which may have measured other training images, or
    in bfloat16. Parameters, multiply-adds and seconds are sums over the members.

    Args:
        members: directories of the runs that are averaged.

    Raises:
        BakeoffError: a member without a finished record, or a damaged one.
    """
    runs = [record.read_finished(member) for member in members]
    setup, tta = make_setup(spec, dataset, find_device(options.device)), spec.recipe.tta_choice
    several = None if tta == Tta() else tta
    logits = {}
    for name, split in setup.measured.items():
        images = split.images.cpu().numpy()
        answers = [
            run.logits(name)
            if run.results == RESULTS and not several
            else logits_of(run, images, device=options.device, tta=several)
            for run in runs
        ]
        logits[name] = torch.from_numpy(mean_answer(answers)).to(split.labels.device)
    metrics, arrays = conclude(setup, logits)
    seconds = sum(run.seconds for run in runs)
    trained_on = sum(run.images_per_second * run.seconds for run in runs)
    description = describe_run(spec, dataset, setup, options.threads, members)
    description |= {
        "status": "finished",
        "needs": [run.path.name for run in runs],
        "parameters": sum(run.parameters for run in runs),
        "multiply_adds": sum(_multiply_adds(run, several) for run in runs),
        "metrics": metrics,
        "seconds": round(seconds, 3),
        "images_per_second": round(trained_on / max(seconds, 1e-9), 1),
    }
    record.write_finished(path, description, [], arrays | dataset.split_ids(), None)


def _multiply_adds(run: record.Run, tta: Tta | None) -> int:
    """Of a run's answer to one image, with its own views or with `tta`."""
    if not tta:
        return run.multiply_adds
    if run.spec.members:
        return sum(_multiply_adds(record.read_finished(run.path.parent / name), tta) for name in run.needs)
    return run.multiply_adds // len(run.spec.recipe.tta_choice.views()) * len(tta.views())
