"""What the records show: claims held against runs, one change at a time, and the faults that explain a figure.

Everything here is a part of summary.json: dictionaries of plain values. Differences are accuracies, in fractions.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from bakeoff.evaluation import compare, faults, metrics
from bakeoff.evaluation.changes import TOGETHER, Change, changes
from bakeoff.evaluation.compare import Comparison, Correct
from bakeoff.record import Row, Run
from bakeoff.reports import tables
from bakeoff.reports.tables import Summary
from bakeoff.spec import Contender
from bakeoff.study import Study

Groups = Mapping[str, Sequence[Run]]
"""Each contender's finished runs by name."""
Right = Mapping[str, Mapping[int, Correct]]
"""Of each contender with a finished run: seed -> which test images are recognised."""

MOST = 20
"""Rows of one-change pairs that a reader still reads."""


def row(pair: Comparison) -> Summary:
    """A comparison as it stands in summary.json."""
    keys = ("a", "b", "difference", "low", "high", "p", "p_adjusted", "verdict", "seeds", "images")
    return {key: getattr(pair, key) for key in keys}


def _rows(right: Right, pairs: Iterable[tuple[str, str]]) -> list[Summary]:
    return [row(pair) for pair in compare.compare_pairs(right, pairs)]


def claims(study: Study, right: Right) -> list[Summary]:
    """The study's claims and what the runs say to each; Holm's correction covers just the claims that were run."""
    names = [contender.name for contender in study.contenders]
    stated = [claim for claim in study.hypotheses if claim.relation == "better"]
    told = [claim for claim in stated if claim.better in right and claim.worse in right]
    pairs = iter(_rows(right, [(claim.better, claim.worse) for claim in told]))
    found = []
    for claim in stated:
        if claim in told:
            pair = next(pairs)
            del pair["a"], pair["b"]
            result, verdict = _judged(pair)
        else:
            pair, absent = {}, not {claim.better, claim.worse} <= {*names}
            result, verdict = ("not run", "not run at this scale") if absent else ("no result", "no result")
        found.append({**claim.model_dump(), **pair, "result": result, "verdict": verdict})
    return found


def _judged(pair: Summary) -> tuple[str, str]:
    """(`shown`, `opposite` or `not shown`, the same with what it leaves open)."""
    one = " in this one seed" if pair["seeds"] == 1 else ""
    if pair["verdict"] != compare.NO_DIFFERENCE:
        return ("shown", f"shown{one}") if pair["difference"] > 0 else ("opposite", f"the opposite is shown{one}")
    low, high = 100 * pair["low"], 100 * pair["high"]
    if low > 0 or high < 0:
        way = "for" if low > 0 else "against"
        small, large = sorted((abs(low), abs(high)))
        return "not shown", f"not shown after Holm's correction; alone, {small:.2f} to {large:.2f} points {way} it"
    return "not shown", f"not shown: the interval leaves room for {high:.2f} points for it and {-low:.2f} against"


def one_change(study: Study, groups: Groups, right: Right) -> tuple[list[Summary], int]:
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
    tested = _rows(right, [(after, before) for _, before, after, _ in kept])
    told = [
        {"from": before, "to": after, "what": change.what, "change": change.said, **pair}
        for (_, before, after, change), pair in zip(kept, tested, strict=True)
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

    None where there is none, where one change alone is all of it or none helps, or where no difference is shown.
    """
    mended = [
        c.name
        for c in study.contenders
        if c.model == contender.model and c.variant == "repaired" and not c.recipe.teacher
    ]
    best = next((c for c in tables.ranking(summary) if c["name"] in mended and not c["selects_on_test"]), None)
    if not best or best["name"] in [pair["to"] for pair in own]:
        return None
    pair = next(p for p in tables.facing(summary, best["name"]) if p["b"] == contender.name)
    if not tables.beaten(pair) or pair["difference"] < 0:
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
        if found := [run for run in runs if run.history and (_stuck(run) or _guesses(run))]:
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
                    "guesses": sum(map(_guesses, runs)),
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


def _guesses(run: Run) -> bool:
    return faults.guesses(run.metrics["validation_accuracy"], run.dataset["counts"]["validation"])


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


def additions(study: Study, right: Right, summary: Summary) -> list[Summary]:
    """What an ensemble adds to its best member, and a pupil to its twin without teacher, or else to the teacher.

    Holm's correction covers just these.
    """
    found = []
    for c in study.contenders:
        if c.name not in right:
            continue
        if c.ensemble:
            member = next((m["name"] for m in tables.ranking(summary) if m["name"] in c.ensemble), None)
            found += [(c.name, member, "ensemble", "its best member")] if member else []
        elif c.recipe.teacher:
            twin = next((other.name for other in study.contenders if _twins(other, c) and other.name in right), None)
            other = twin or (c.recipe.teacher if c.recipe.teacher in right else None)
            found += (
                [(c.name, other, "pupil", "the same without its teacher" if twin else "its teacher")] if other else []
            )
    pairs = _rows(right, [(name, other) for name, other, *_ in found])
    return [{"what": what, "against": said, **pair} for (*_, what, said), pair in zip(found, pairs, strict=True)]


def _twins(plain: Contender, pupil: Contender) -> bool:
    """Whether the two differ in nothing but the teacher."""
    none = {field: type(pupil.recipe).model_fields[field].default for field in TOGETHER["teacher"]}
    taught = pupil.model_copy(update={"recipe": pupil.recipe.model_copy(update=none)})
    return not plain.ensemble and plain.same_run_as(taught)
