"""All that a study's records show, dataset by dataset: one object, from which pages, answers and files are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from bakeoff.evaluation import verdicts
from bakeoff.evaluation.planner import Need
from bakeoff.evaluation.verdicts import Pair
from bakeoff.findings import pairs
from bakeoff.findings.additions import Addition, find_additions
from bakeoff.findings.confirmation import find_confirmation
from bakeoff.findings.contenders import ContenderResult, find_results, ranking, selected, uses_of_test
from bakeoff.findings.fallbacks import Fallback, find_fallbacks
from bakeoff.findings.guessing import Guessing, find_guessing
from bakeoff.findings.hypotheses import HypothesisResult, find_hypotheses
from bakeoff.findings.one_change import OneChange, find_one_change
from bakeoff.findings.reported import noise
from bakeoff.findings.rising import Rise, find_rising
from bakeoff.findings.runs import all_correct, by_contender, find_failures, only_learnt
from bakeoff.findings.softmax import SoftmaxBeforeLoss, find_softmax
from bakeoff.findings.sweeps import SweepResult, find_sweeps
from bakeoff.findings.test_choices import ChosenOnTest, find_test_choices
from bakeoff.record import Run
from bakeoff.record.manifest import Failed
from bakeoff.spec.plan import Plan


@dataclass(frozen=True)
class SeedsToShow:
    """The seeds of each contender that show a true difference of accuracy on a dataset."""

    dataset: str
    difference: float
    need: Need


@dataclass(frozen=True)
class Diagnoses:
    """What went wrong and what it cost, each as summary.json's `diagnoses` has it."""

    softmax: tuple[SoftmaxBeforeLoss, ...]
    guessing: tuple[Guessing, ...]
    fallbacks: tuple[Fallback, ...]
    rising: tuple[Rise, ...]
    test_choices: tuple[ChosenOnTest, ...]


@dataclass(frozen=True)
class Findings(Diagnoses):
    """What is true of the contenders on one dataset, or on several put together."""

    contenders: tuple[ContenderResult, ...]
    failures: tuple[Failed, ...]
    pairs: tuple[Pair, ...]
    can_be_best: tuple[str, ...]
    plan: tuple[SeedsToShow, ...]
    confirmation: tuple[ContenderResult, ...]
    sweeps: tuple[SweepResult, ...]
    hypotheses: tuple[HypothesisResult, ...]
    additions: tuple[Addition, ...]
    one_change: tuple[OneChange, ...]

    @property
    def ranking(self) -> list[ContenderResult]:
        """Contenders with a result, best by validation accuracy first."""
        return ranking(self.contenders)

    @property
    def selected(self) -> ContenderResult | None:
        """The contender that validation accuracy selects."""
        return selected(self.contenders)


def find_all(
    study: Plan, runs: Sequence[Run], fresh: Sequence[Run] = (), failed: Sequence[Failed] = ()
) -> list[Findings]:
    """The findings on each of a study's datasets. `fresh` are runs of selected contenders on seeds of their own.

    Raises:
        BakeoffError: runs on one dataset were made from different data.
    """
    return [
        _find_on(study.on(name) if len(study.datasets) > 1 else study, runs, fresh, failed) for name in study.datasets
    ]


def together(parts: Sequence[Findings]) -> Findings:
    """The findings on several datasets as one."""
    return replace(
        parts[0],
        **{f.name: tuple(item for part in parts for item in getattr(part, f.name)) for f in fields(Findings)},
    )


def _find_on(study: Plan, runs: Sequence[Run], fresh: Sequence[Run], untrained: Sequence[Failed]) -> Findings:
    """The findings on a study's only dataset."""
    contenders = study.contenders
    ended = by_contender([c.name for c in contenders], runs)
    groups = only_learnt(ended)
    correct = all_correct(groups)
    failures = find_failures(ended.keys(), runs, untrained)
    decided = verdicts.decide(
        correct,
        declared=pairs.declared(contenders, study.hypotheses, study.sweeps, correct),
        candidates=[c.name for c in contenders if not any(uses_of_test(study, c).values())],
        margin=study.margin,
        level=study.level,
    )
    failed = [failure.contender for failure in failures]
    results = tuple(find_results(study, ended, groups, failed, decided.estimates))
    best = selected(results)
    swept = [point.contender for sweep in study.sweeps for point in sweep.points]
    one_change = find_one_change(contenders, swept, groups, results, decided.pairs)
    return Findings(
        contenders=results,
        failures=failures,
        pairs=decided.pairs,
        can_be_best=decided.can_be_best,
        plan=tuple(SeedsToShow(study.dataset, size, need) for size, need in decided.plan.items()),
        confirmation=find_confirmation(study, best.name, fresh) if best else (),
        sweeps=tuple(find_sweeps(study.sweeps, results, decided.pairs)),
        hypotheses=tuple(find_hypotheses(study.hypotheses, groups, results, decided.pairs, noise(study))),
        additions=tuple(find_additions(contenders, results, decided.pairs)),
        one_change=one_change,
        softmax=tuple(find_softmax(contenders, ended)),
        guessing=tuple(find_guessing(contenders, ended)),
        fallbacks=tuple(find_fallbacks(ended)),
        rising=tuple(find_rising(groups)),
        test_choices=tuple(find_test_choices(ended)),
    )
