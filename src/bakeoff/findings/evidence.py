"""What the records show: one change at a time, and the faults that explain a figure.

Everything here is a part of summary.json: dictionaries of plain values. Differences are accuracies, in fractions.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np

from bakeoff.evaluation import faults, metrics
from bakeoff.findings import tables
from bakeoff.findings.changes import Change, changes
from bakeoff.findings.comparisons import partner
from bakeoff.findings.tables import Summary
from bakeoff.record import Row, Run
from bakeoff.spec import Contender
from bakeoff.spec.study import Study

Groups = Mapping[str, Sequence[Run]]
"""Contenders' runs by name."""

MOST = 20
"""Rows of one-change pairs that a reader still reads."""


def one_change(study: Study, groups: Groups, summary: Summary) -> tuple[list[Summary], int]:
    """Pairs with a contender as reported that differ in exactly one thing, and how many found no room.

    First come repairs, then other changes to one network, then networks of which one is named after the other. Points
    of a sweep have a section of their own, and so have different networks under one recipe: the league.
    """
    swept = {point.contender for sweep in study.sweeps for point in sweep.points}
    shown = [c for c in study.contenders if groups[c.name] and not c.ensemble and (c.variant or c.name not in swept)]
    pairs: list[tuple[int, str, str, Change]] = []
    for pair in itertools.combinations(shown, 2):
        before, after = sorted(pair, key=lambda c: c.variant != "as reported")
        if before.variant == "as reported" and _related(before, after):
            found = _changes(groups, before.name, after.name)
            if len(found) == 1:
                rank = 2 if found[0].what == "model" else int(after.variant == "as reported")
                pairs.append((rank, before.name, after.name, found[0]))
    kept = sorted(pairs, key=lambda pair: pair[0])[:MOST]
    told = [
        {"from": before, "to": after, "what": change.what, "change": change.said}
        | tables.versus(summary, after, before)
        for _, before, after, change in kept
    ]
    return told, len(pairs) - len(kept)


def _changes(groups: Groups, before: str, after: str) -> list[Change]:
    return changes(groups[before][0].spec, groups[after][0].spec)


def _related(a: Contender, b: Contender) -> bool:
    """Whether both have one network, or one of them is named after the other's: `resnet34`, `se_resnet34`."""
    first, second = ({*c.model.split("_")} for c in (a, b))
    return first <= second or second <= first


def softmax(study: Study, groups: Groups, summary: Summary, told: Sequence[Summary]) -> list[Summary]:
    """Contenders with softmax before their cross-entropy: how far down their loss came, and what it cost.

    `told` are the pairs that differ in one thing.
    """
    found = []
    repaired = [c.name for c in study.contenders if c.variant == "repaired"]
    for c in study.contenders:
        runs = groups[c.name]
        if c.recipe.loss != "softmax_output" or not runs or not runs[0].history:
            continue
        classes = _outputs(runs[0])
        reached = _least_loss(runs)
        own = [pair for pair in told if pair["from"] == c.name]
        found.append(
            {
                "contender": c.name,
                "n": len(runs),
                "classes": classes,
                "equal_loss": faults.equal_loss(classes),
                "floor": faults.softmax_floor(classes),
                "train_loss": reached,
                "way": faults.way_down(reached, classes),
                "reported_loss": c.reported.loss,
                "reported_way": None if c.reported.loss is None else faults.way_down(c.reported.loss, classes),
                "without": next((pair for pair in own if pair["what"] == "loss"), None),
                "gap": _gap(c, study, summary, [pair for pair in own if pair["to"] in repaired]),
            }
        )
    return found


def _gap(contender: Contender, study: Study, summary: Summary, own: Sequence[Summary]) -> Summary | None:
    """The way from a contender to the best repaired one of its network, and what each single change does of it.

    None where there is none, where one change alone is all of it or none helps, or where it is not shown to be better.
    """
    mended = [
        c.name
        for c in study.contenders
        if c.model == contender.model and c.variant == "repaired" and not c.recipe.teacher
    ]
    best = next((c for c in tables.ranking(summary) if c["name"] in mended and tables.may_be_chosen(c)), None)
    if not best or best["name"] in [pair["to"] for pair in own]:
        return None
    pair = next((p for p in tables.facing(summary, best["name"]) if p["b"] == contender.name), None)
    if not pair or pair["verdict"] != "better":
        return None
    parts = [
        {key: p[key] for key in ("to", "change", "difference", "low", "high")}
        | {"share": p["difference"] / pair["difference"]}
        for p in own
        if p["difference"] > 0
    ]
    if not parts:
        return None
    return {"to": best["name"], **{key: pair[key] for key in ("difference", "low", "high")}, "parts": parts}


def guessing(study: Study, groups: Groups) -> list[Summary]:
    """Contenders with runs that learnt nothing, and which change makes them learn."""
    lost: dict[str, list[Run]] = {}
    for name, runs in groups.items():
        if found := [run for run in runs if run.history and not learnt(run)]:
            lost[name] = found
    told = []
    for c in study.contenders:
        if runs := lost.get(c.name, []):
            counts = runs[0].dataset["counts"]["validation"]
            told.append(
                {
                    "contender": c.name,
                    "runs": len(runs),
                    "n": len(groups[c.name]),
                    "stuck": sum(map(_stuck, runs)),
                    "train_loss": _least_loss(runs),
                    "equal_loss": faults.equal_loss(_outputs(runs[0])),
                    "validation_accuracy": float(np.mean([run.metrics["validation_accuracy"] for run in runs])),
                    "most_frequent": max(counts) / sum(counts),
                    "trains": _trains(c, study, groups, lost),
                }
            )
    return told


def _counted(run: Run) -> Sequence[Row]:
    """The epochs that led to the weights: of a run that began anew, those since."""
    return run.history[run.fell_back or 0 :]


def _least_loss(runs: Sequence[Run]) -> float:
    """Each run's lowest mean training loss of an epoch, mean over the runs."""
    return float(np.mean([min(row["train_loss"] for row in _counted(run)) for run in runs]))


def _stuck(run: Run) -> bool:
    return faults.stuck(_counted(run), _outputs(run), len(run.dataset["classes"]))


def _outputs(run: Run) -> int:
    """How many logits the training loss is over."""
    return run.spec.recipe.feed_choice.outputs(len(run.dataset["classes"]))


def only_learnt(groups: Groups) -> dict[str, list[Run]]:
    """Of every contender's finished runs those that trained."""
    return {name: [run for run in runs if learnt(run)] for name, runs in groups.items()}


def learnt(run: Run) -> bool:
    """Whether a finished run is shown to beat, on validation images, someone who always names their most frequent
    class. One that is not has failed to train, just as one that diverged: neither counts in a mean or a verdict."""
    return not faults.guesses(run.metrics["validation_accuracy"], run.dataset["counts"]["validation"])


def _trains(lost: Contender, study: Study, groups: Groups, all_lost: Mapping[str, object]) -> list[Summary]:
    """At most two contenders that do learn: those a single change away, else the nearest."""
    able = [c for c in study.contenders if groups[c.name] and not c.ensemble and c.name not in all_lost]
    ways = [(c, _changes(groups, lost.name, c.name)) for c in able if _related(lost, c)]
    ways.sort(key=lambda way: (len(way[1]), sum(change.said.count("→") for change in way[1])))
    near = [way for way in ways if len(way[1]) == 1][:2] or ways[:1]
    return [{"contender": c.name, "changes": [change.said for change in found]} for c, found in near]


def fallbacks(study: Study, groups: Groups) -> list[Summary]:
    """Contenders with runs whose training began anew with another optimiser."""
    told = []
    for c in study.contenders:
        fell = [run for run in groups[c.name] if run.fell_back is not None]
        if fell:
            said = {
                "epochs": sorted({run.fell_back for run in fell if run.fell_back is not None}),
                "before": fell[0].spec.recipe.optimizer,
                "after": fell[0].history[-1]["optimizer"],
            }
            told.append({"contender": c.name, "runs": len(fell), "n": len(groups[c.name]), **said})
    return told


def rising(study: Study, groups: Groups) -> list[Summary]:
    """By how much validation accuracy rose in the last fifth of the epochs, of contenders that were trained for five
    or more: means over the seeds."""
    told = []
    for c in study.contenders:
        rows = [_counted(run) for run in groups[c.name]]
        epochs = min((len(each) for each in rows), default=0)
        if epochs >= 5:
            last = epochs // 5
            gains = [each[-1]["validation_accuracy"] - each[-1 - last]["validation_accuracy"] for each in rows]
            told.append({"contender": c.name, "epochs": last, "gain": float(np.mean(gains))})
    return told


def test_choices(study: Study, groups: Groups) -> list[Summary]:
    """What contenders gain that choose their epoch on the test set: means over seeds, differences with t intervals."""
    told = []
    for c in study.contenders:
        runs = [run for run in groups[c.name] if run.spec.recipe.selects_on_test]
        if runs:
            found = [dataclasses.asdict(faults.epoch_choice(_counted(run))) for run in runs]
            means = {key: float(np.mean([f[key] for f in found])) for key in found[0]}
            over = {key: _over([f["by_test"] - f[key] for f in found]) for key in ("by_validation", "last")}
            epochs = max(len(_counted(run)) for run in runs)
            told.append({"contender": c.name, "n": len(runs), "epochs": epochs, **means, "over": over})
    return told


def _over(values: Sequence[float]) -> Summary:
    """Mean of what is never below 0, with its interval cut there."""
    found = metrics.over_seeds(values)
    low = found.low if math.isnan(found.low) else max(found.low, 0.0)
    return {"mean": found.mean, "low": low, "high": found.high}


def additions(study: Study, summary: Summary) -> list[Summary]:
    """What an ensemble adds to its best member, and a pupil to its twin without teacher, or else to the teacher."""
    trained = [c["name"] for c in tables.ranking(summary)]
    found = []
    for c in study.contenders:
        if c.name not in trained:
            continue
        if c.ensemble:
            member = next((name for name in trained if name in c.ensemble), None)
            found += [(c.name, member, "ensemble", "its best member by validation")] if member else []
        elif other := partner(study, c, trained):
            against = "its teacher" if other == c.recipe.teacher else "the same without its teacher"
            found.append((c.name, other, "pupil", against))
    return [
        {"what": what, "against": against, **tables.versus(summary, name, other)}
        for name, other, what, against in found
    ]
