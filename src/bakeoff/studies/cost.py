"""What runs cost: their order, and which of them end in a given time."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bakeoff import record
from bakeoff.data import Dataset
from bakeoff.engines.work import Work
from bakeoff.errors import BakeoffError
from bakeoff.spec import RunSpec
from bakeoff.spec.plan import Plan


class Cost(NamedTuple):
    """Of a run's training."""

    multiply_adds: int
    """Of all forward passes."""
    steps: int


def cost(spec: RunSpec, dataset: Dataset) -> Cost:
    """What a run costs; an ensemble costs nothing."""
    if spec.members:
        return Cost(0, 0)
    import torch

    from bakeoff.data.preprocess import model_shape
    from bakeoff.models import count_multiply_adds
    from bakeoff.training.setup import build_model

    recipe, task = spec.recipe, spec.recipe.task_choice
    images = task.epoch_size(len(dataset.train)) * recipe.epochs * recipe.rounds
    with torch.device("meta"):
        model = build_model(spec, dataset)
    an_image = count_multiply_adds(model, model_shape(recipe.preprocess, task.image_shape(dataset.shape)))
    return Cost(an_image * images, -(-images // recipe.batch_size))


def costs_of(plan: Plan, datasets: Mapping[str, Dataset]) -> dict[str, Cost]:
    """What a run of each contender costs."""
    first = {spec.contender: spec for spec in reversed(plan.specs())}
    return {name: cost(spec, datasets[spec.dataset]) for name, spec in first.items()}


def in_order(works: Iterable[Work], plan: Plan, costs: Mapping[str, Cost], *, by_seed: bool = False) -> list[Work]:
    """The works, what a run needs before it, and else the longest first, so that no core waits at the end.

    Args:
        by_seed: where time may run out: first what hypotheses name, and of that and of the rest all first seeds, then
            all second ones, and so on.
    """
    depths = plan.depths()
    named = {name for h in plan.hypotheses for name in (h.better, h.worse)} & depths.keys()
    first = plan.with_needs(named) if by_seed else depths.keys()

    def rank(work: Work) -> tuple[float, ...]:
        spec = work.spec
        seed = spec.seed if by_seed else 0
        return spec.contender not in first, seed, depths[spec.contender], -costs[spec.contender].multiply_adds

    return sorted(works, key=rank)


class TimeLimit:
    """Which runs would still end before `until`, by what runs that have ended on such a device took: the other seeds
    of its contender, or else a fit of seconds = a x multiply-adds + b x steps.

    Args:
        until: of the monotonic clock.
        works: the runs that are to be trained.
        costs: what a run of each contender costs.
        device: its type, PyTorch's: `cpu`, `cuda`.
    """

    def __init__(self, deadline: float, works: Iterable[Work], costs: Mapping[str, Cost], device: str) -> None:
        self.deadline, self.costs, self.on_cpu = deadline, costs, device == "cpu"
        self.waiting = {work.path: work for work in works}
        self.measured: dict[str, list[float]] = {}

    def end(self, work: Work) -> None:
        """A run has ended, now or earlier: what it took tells what others will take."""
        self.waiting.pop(work.path, None)
        if not work.spec.members and (seconds := _seconds(work.path, self.on_cpu)):
            self.measured.setdefault(work.spec.contender, []).append(seconds)

    def fits(self, work: Work) -> bool:
        """Whether a run would end in time. While nothing is known of any, the cheapest one is tried."""
        seconds = self.seconds(work)
        if seconds is None:
            return work is min(self.waiting.values(), key=lambda w: (bool(w.needs), *self.costs[w.spec.contender]))
        return time.monotonic() + seconds <= self.deadline

    def is_over(self) -> bool:
        return time.monotonic() >= self.deadline

    def seconds(self, work: Work) -> float | None:
        """That a run may take: none where it averages others or has begun already; None: nothing is known."""
        if work.spec.members or record.status(work.path) == "running":
            return 0.0
        if not self.measured:
            return None
        if seconds := self.measured.get(work.spec.contender):
            return max(seconds)
        from scipy.optimize import nnls

        table = np.array([self.costs[name] for name in self.measured], float)
        scale = np.maximum(table.max(axis=0), 1)
        slopes, _ = nnls(table / scale, np.array([np.mean(seconds) for seconds in self.measured.values()]))
        return float(np.array(self.costs[work.spec.contender], float) / scale @ slopes)


def _seconds(ended: Path, on_cpu: bool) -> float | None:
    """How long a run took that has ended on such a device; None for another's, and where that cannot be read."""
    try:
        run = record.read_outline(ended)
    except BakeoffError:
        return None  # the report says what is wrong with it
    return run.seconds if run.status == "finished" and (run.environment["device"] == "cpu") == on_cpu else None
