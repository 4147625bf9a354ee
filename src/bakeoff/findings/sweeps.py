"""One thing varied at a time: the order of its values, and the verdicts between them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bakeoff.evaluation.verdicts import Pair
from bakeoff.findings.contenders import ContenderResult
from bakeoff.findings.pairs import versus
from bakeoff.spec.study import Sweep


@dataclass(frozen=True)
class SweepResult:
    """A sweep's contenders that have a result, best mean test accuracy first, and every pair of them in that order."""

    sweep: Sweep
    order: tuple[str, ...]
    pairs: tuple[Pair, ...]


def find_sweeps(
    sweeps: Iterable[Sweep], results: Sequence[ContenderResult], pairs: Sequence[Pair]
) -> Iterator[SweepResult]:
    """One for each sweep."""
    means = {c.name: c.test_accuracy.mean for c in results if not math.isnan(c.test_accuracy.mean)}
    for sweep in sweeps:
        names = dict.fromkeys(p.contender for p in sweep.points if p.contender in means)
        order = sorted(names, key=lambda name: -means[name])
        compared = tuple(versus(pairs, a, b) for a, b in itertools.combinations(order, 2))
        yield SweepResult(sweep, tuple(order), compared)
