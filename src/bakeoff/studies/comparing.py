"""Verdicts on finished runs, of one study or of any."""

from __future__ import annotations

import hashlib
import itertools
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff import record
from bakeoff.errors import UsageError
from bakeoff.evaluation.verdicts import MARGIN, decide
from bakeoff.findings.runs import correct, learnt
from bakeoff.record import Run
from bakeoff.record.manifest import last_report, planned_runs
from bakeoff.record.readings import count_reading
from bakeoff.spec import RunSpec

Groups = dict[str, list[Run]]


def compare(paths: Sequence[Path], *, margin: float | None = None) -> list[dict[str, Any]]:
    """The verdict on every pair of contenders among the runs at `paths`, dataset after dataset, as in a summary.json.

    Of one study they are those of its page. Else runs are of one contender if their specs differ in nothing but the
    seed, and all pairs of a dataset are one family. It reads their test splits, which each run's directory counts,
    once for the same set of runs. Accuracies closer than `margin`, a fraction, are as good; by default the study's, or
    0.005.

    Raises:
        UsageError: no test images that two contenders share, or two runs of one contender and seed.
    """
    runs = find_records(paths)
    if len(paths) == 1 and (folder := last_report(paths[0])):
        from bakeoff.studies.reports import comparisons  # a page's template takes longer to import than this to decide

        if of_report := comparisons(folder, margin):
            return of_report
    page = hashlib.sha256("\n".join(sorted(run.path.name for run in runs)).encode()).hexdigest()[:16]
    pairs: list[dict[str, Any]] = []
    alone: list[str] = []
    for tested, group in by_test_images(runs).items():
        contenders = name_contenders(group)
        if len(contenders) == 1:
            alone += [f"{name} on {group[0].dataset['name']}, {tested}" for name in contenders]
            continue
        for run in group:
            count_reading(run.path, "compare", page)
            if not learnt(run):
                warnings.warn(f"{run.path}: no better than guessing; a study's report leaves it out", stacklevel=2)
        results = {name: _correct(members) for name, members in contenders.items()}
        pairs += [{**vars(pair), "runs": list(pair.runs)} for pair in decide(results, margin=margin or MARGIN).pairs]
    if not pairs:
        raise UsageError(f"compare needs finished runs of two contenders with the same test images: {'; '.join(alone)}")
    if alone:
        warnings.warn(f"{'; '.join(alone)}: left out, no other contender has the same test images", stacklevel=2)
    return pairs


def by_test_images(runs: Sequence[Run]) -> Groups:
    """Runs by the fingerprint of their test images; records of an earlier version tell that of all their data only."""
    groups: Groups = {}
    for run in runs:
        groups.setdefault(run.dataset.get("test_fingerprint") or run.dataset["fingerprint"], []).append(run)
    return groups


def find_records(paths: Sequence[Path]) -> list[Run]:
    """The finished runs at `paths`, each once: a run's directory, a study's, or a folder of runs. Of a study they are
    those that its report is of, under the names that it has for them; of several scales, of the report written last.

    Raises:
        UsageError: a path without a finished run.
        BakeoffError: a damaged record.
    """
    runs: dict[Path, Run] = {}
    for path in paths:
        names = {} if record.exists(path / "run.json") else planned_runs(path)
        folders = [*names] or ([path] if record.exists(path / "run.json") else record.find_runs(path))
        finished = [folder for folder in folders if record.status(folder) not in ("absent", "running", "diverged")]
        if not finished:
            raise UsageError(f"{path}: no finished run there")
        runs |= {folder.resolve(): record.read_run(folder, names.get(folder)) for folder in finished}
    return list(runs.values())


def name_contenders(runs: Sequence[Run]) -> Groups:
    """Runs on the same data by contender; where specs of one name differ, the name is followed by what differs."""
    settings: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        settings.setdefault(run.spec.contender, []).append(_settings(run.spec))
    groups: Groups = {}
    for run in runs:
        values, namesakes = _settings(run.spec), settings[run.spec.contender]
        keys = dict.fromkeys(itertools.chain(values, *namesakes))
        differing = [key for key in keys if any(other.get(key) != values.get(key) for other in namesakes)]
        recipe = run.spec.recipe
        marks = ["(chosen on test)"] if recipe.selects_on_test and "keep" not in differing else []
        marks += ["(trained on test)"] if recipe.trains_on_test and "pool" not in differing else []
        name = " ".join([run.spec.contender, *marks, *(f"{key}={values.get(key)}" for key in differing)])
        groups.setdefault(name, []).append(run)
    return groups


def _settings(spec: RunSpec) -> dict[str, Any]:
    """All that decides a contender's runs but the seed, by the name of the option that sets it."""
    plain = spec.model_dump(mode="json", exclude={"contender", "seed"})
    parameters, recipe = plain.pop("parameters"), plain.pop("recipe")
    fields = {**plain, **recipe}
    return {**fields, **{f"model's {key}" if key in fields else key: value for key, value in parameters.items()}}


def _correct(runs: Sequence[Run]) -> NDArray[np.bool_]:
    """(S, M): whether each test image is recognised, a row a run in order of seed."""
    by_seed: dict[int, Run] = {}
    for run in runs:
        if by_seed.setdefault(run.spec.seed, run) is not run:
            raise UsageError(
                f"{by_seed[run.spec.seed].path} and {run.path}: the same contender and seed: give one of them"
            )
    return np.stack([correct(by_seed[seed]) for seed in sorted(by_seed)])
