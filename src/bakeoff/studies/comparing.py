"""Verdicts on runs, whatever study or command they come from."""

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
    contenders = {tested: name_contenders(group) for tested, group in by_test_images(runs).items()}
    compared = {tested: group for tested, group in contenders.items() if len(group) > 1}
    alone = [
        f"{name} on {group[0].dataset['name']}, {tested}"
        for tested in contenders.keys() - compared.keys()
        for name, group in contenders[tested].items()
    ]
    if not compared:
        raise UsageError(f"compare needs finished runs of two contenders with the same test images: {'; '.join(alone)}")
    for each in alone:
        warnings.warn(f"{each}: left out, no other contender has the same test images", stacklevel=2)
    page = hashlib.sha256("\n".join(sorted(run.path.name for run in runs)).encode()).hexdigest()[:16]
    found: list[dict[str, Any]] = []
    for group in compared.values():
        for run in (run for members in group.values() for run in members):
            count_reading(run.path, "compare", page)
        pairs = decide({name: _correct(members) for name, members in group.items()}, margin=margin or MARGIN).pairs
        found += [{**vars(pair), "runs": list(pair.runs)} for pair in pairs]
    lost = [str(run.path) for group in compared.values() for some in group.values() for run in some if not learnt(run)]
    if lost:
        warnings.warn(
            f"{', '.join(lost)}: no better than guessing; a study's report leaves such runs out", stacklevel=2
        )
    return found


def by_test_images(runs: Sequence[Run]) -> Groups:
    """Runs by the fingerprint of their test images; records of an earlier version tell that of all their data only."""
    tests = {run.dataset["fingerprint"]: test for run in runs if (test := run.dataset.get("test_fingerprint"))}
    groups: Groups = {}
    for run in runs:
        whole = run.dataset["fingerprint"]
        groups.setdefault(tests.get(whole, whole), []).append(run)
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
    settings = {run.path: _settings(run.spec) for run in runs}
    groups: Groups = {}
    for run in runs:
        mine = settings[run.path]
        others = [settings[other.path] for other in runs if other.spec.contender == run.spec.contender]
        keys = dict.fromkeys(itertools.chain(mine, *others))
        differ = [key for key in keys if any(other.get(key) != mine.get(key) for other in others)]
        recipe = run.spec.recipe
        mark = ["(chosen on test)"] if recipe.selects_on_test and "keep" not in differ else []
        mark += ["(trained on test)"] if recipe.trains_on_test and "pool" not in differ else []
        name = " ".join([run.spec.contender, *mark, *(f"{key}={mine.get(key)}" for key in differ)])
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
    for run, after in itertools.pairwise(ordered := sorted(runs, key=lambda run: run.spec.seed)):
        if run.spec.seed == after.spec.seed:
            raise UsageError(f"{run.path} and {after.path}: the same contender and seed: give one of them")
    return np.stack([correct(run) for run in ordered])
