"""What runs cost: their order, and what of them fits a time."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
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
        by_seed: for a time that may end before all are trained: first what hypotheses name, and of that and of the
            rest each first seed, then each second one, and so on.
    """
    depths = plan.depths()
    named = {name for h in plan.hypotheses for name in (h.better, h.worse)} & depths.keys()
    first = plan.with_needs(named) if by_seed else depths.keys()

    def rank(work: Work) -> tuple[float, ...]:
        spec = work.spec
        seed = spec.seed if by_seed else 0
        return spec.contender not in first, seed, depths[spec.contender], -costs[spec.contender].multiply_adds

    return sorted(works, key=rank)


def estimates(works: Sequence[Work], costs: Mapping[str, Cost], ended: Iterable[Work], kind: str) -> dict[Path, float]:
    """Seconds that each of the works may take, by those that have ended on such a device: by the other seeds of its
    contender, or else by a fit of seconds = a x multiply-adds + b x steps. Empty where none has ended.

    Args:
        kind: `cpu`, or of another device's PyTorch type.
    """
    from scipy.optimize import nnls

    measured: dict[str, list[float]] = {}
    for work in ended:
        if not work.spec.members and (seconds := _seconds(work.path, kind == "cpu")):
            measured.setdefault(work.spec.contender, []).append(seconds)
    if not measured:
        return {}
    table = np.array([costs[name] for name in measured], float)
    scale = np.maximum(table.max(axis=0), 1)
    slopes, _ = nnls(table / scale, np.array([np.mean(seconds) for seconds in measured.values()]))
    fitted = {name: float(np.array(cost, float) / scale @ slopes) for name, cost in costs.items()}
    return {w.path: max(measured.get(w.spec.contender, [fitted[w.spec.contender]])) for w in works}


@functools.lru_cache(maxsize=10_000)
def _seconds(ended: Path, on_cpu: bool) -> float | None:
    """How long a run took that has ended on such a device; None for another's, and where that cannot be read."""
    try:
        run = record.read_outline(ended)
    except BakeoffError:
        return None  # the report says what is wrong with it
    return run.seconds if run.status == "finished" and (run.environment["device"] == "cpu") == on_cpu else None


def fitting(works: Sequence[Work], seconds: Mapping[Path, float], left: float, jobs: int) -> list[Work]:
    """Those of the works, in their order, that would end within the time `left`, each with all that it still needs.

    Args:
        seconds: that each may take.
    """
    by_path = {work.path: work for work in works}
    chosen: dict[Path, Work] = {}
    room = left * jobs
    for work in works:
        new = [path for path in _with_needs(work, by_path) if path not in chosen]
        asked = sum(seconds[path] for path in new)
        if asked <= min(room, left):
            room -= asked
            chosen |= {path: by_path[path] for path in new}
    return list(chosen.values())


def _with_needs(work: Work, works: Mapping[Path, Work]) -> list[Path]:
    """The work and those that it needs, directly or through others; what is needed comes first."""
    paths = [path for need in work.needs if need in works for path in _with_needs(works[need], works)]
    return list(dict.fromkeys([*paths, work.path]))
