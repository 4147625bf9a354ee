"""Numbers and words: a study's runs as the object of summary.json, and what they answer in plain sentences."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.errors import BakeoffError
from bakeoff.evaluation import compare, metrics
from bakeoff.record import Run
from bakeoff.spec import Contender
from bakeoff.study import Study, Sweep

Summary = dict[str, Any]
SPLITS = ("test", "validation", "train")
NEAR = 0.01
"""A smaller model whose whole interval is nearer than this to the choice is worth a sentence."""


def percent(value: float | None) -> str:
    """`98.31 %`, or a dash where there is no value."""
    return "–" if value is None else f"{100 * value:.2f} %"


def points(value: float) -> str:
    """A difference of accuracies: `+0.42`, in percentage points."""
    return f"{100 * value:+.2f}".replace("-", "−")


def interval(found: Mapping[str, float | None]) -> str:
    """`98.31 % [98.10, 98.52]`."""
    mean, low, high = found["mean"], found["low"], found["high"]
    if mean is None or low is None or high is None:
        return percent(mean)
    return f"{percent(mean)} [{100 * low:.2f}, {100 * high:.2f}]"


def listing(names: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    names = list(names)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def plural(count: int, noun: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def seeds_said(counts: Iterable[int]) -> str:
    """`n = 3`, or `n = 3, 2 and 3` where the contenders named before differ."""
    said = [str(count) for count in counts]
    return f"n = {said[0] if len({*said}) == 1 else listing(said)}"


def by_contender(study: Study, runs: Sequence[Run], status: str = "finished") -> dict[str, list[Run]]:
    """The runs of each contender of the study, in order of seed; empty lists included.

    Raises:
        BakeoffError: two runs were tested on different images, so that nothing here is paired.
    """
    found: dict[str, list[Run]] = {contender.name: [] for contender in study.contenders}
    for run in sorted(runs, key=lambda run: run.spec.seed):
        if run.status == status and run.spec.contender in found:
            found[run.spec.contender].append(run)
    data: dict[str, Run] = {}
    for run in (run for group in found.values() for run in group):
        first = data.setdefault(run.spec.dataset, run)
        if run.dataset["fingerprint"] != first.dataset["fingerprint"]:
            raise BakeoffError(f"{first.path} and {run.path}: both on {run.spec.dataset}, but made from different data")
    return found


def correct(run: Run) -> NDArray[np.bool_]:
    """(M,) whether each test image is recognised."""
    right: NDArray[np.bool_] = run.logits("test").argmax(axis=1) == run.labels("test")
    return right


def over_runs(values: Sequence[float], images: int) -> dict[str, float | None]:
    """Mean and 95 % interval of accuracies, one a seed: Student's t, or `by_images` Wilson's over `images`.

    The interval is cut to [0, 1], where accuracies are.
    """
    if not values:
        return {"mean": None, "low": None, "high": None}
    mean = float(np.mean(values))
    found = metrics.wilson(round(mean * images), images) if by_images(values) else metrics.over_seeds(values)
    return {"mean": mean, "low": max(found.low, 0.0), "high": min(found.high, 1.0)}


def by_images(values: Sequence[float]) -> bool:
    """True for one seed, or seeds that agree: the images are then the only chance there is to see."""
    return len(set(values)) == 1


def _accuracy(runs: Sequence[Run], split: str) -> dict[str, float | None]:
    values = [run.metrics[f"{split}_accuracy"] for run in runs]
    return over_runs(values, runs[0].measured(split) if by_images(values) else 0)


def _mean(values: Iterable[float]) -> float | None:
    values = list(values)
    return float(np.mean(values)) if values else None


def _contender(contender: Contender, runs: Sequence[Run], failed: int, dataset: str) -> Summary:
    tests = [(run.logits("test"), run.labels("test")) for run in runs]
    return {
        "name": contender.name,
        "model": contender.model,
        "dataset": dataset,
        "variant": contender.variant,
        "note": contender.note,
        "selects_on_test": contender.recipe.selects_on_test,
        "n": len(runs),
        "failed": failed,
        "interval": ("wilson" if by_images([r.metrics["test_accuracy"] for r in runs]) else "t") if runs else None,
        **{f"{split}_accuracy": _accuracy(runs, split) for split in SPLITS},
        "seeds": [
            {"seed": run.spec.seed, **{f"{s}_accuracy": run.metrics[f"{s}_accuracy"] for s in SPLITS}} for run in runs
        ],
        "top5": _mean(metrics.top_k(*test) for test in tests if test[0].shape[1] > 5),
        "negative_log_likelihood": _mean(metrics.negative_log_likelihood(*test) for test in tests),
        "calibration_error": _mean(metrics.calibration(*test).error for test in tests),
        "validation_loss": _mean(run.metrics["validation_loss"] for run in runs),
        "test_loss": _mean(run.metrics["test_loss"] for run in runs),
        "parameters": runs[0].parameters if runs else None,
        "multiply_adds": runs[0].multiply_adds if runs else None,
        "seconds": _mean(run.seconds for run in runs),
        "images_per_second": _mean(run.images_per_second for run in runs),
        "reported": contender.reported.figures(),
    }


def _pairs(names: Iterable[str], groups: Mapping[str, Sequence[Run]]) -> list[Summary]:
    """Paired comparisons of all who have finished runs, Holm-corrected over just these pairs."""
    right = {n: {run.spec.seed: correct(run) for run in groups[n]} for n in names if groups[n]}
    keys = ("a", "b", "difference", "low", "high", "p", "p_adjusted", "verdict", "seeds", "images")
    return [{key: getattr(pair, key) for key in keys} for pair in compare.compare_all(right)]


def beaten(pair: Mapping[str, Any]) -> tuple[str, str] | None:
    """(the better, the worse) where the pair differs, None where no difference is shown."""
    if pair["verdict"] == compare.NO_DIFFERENCE:
        return None
    return (pair["a"], pair["b"]) if pair["difference"] > 0 else (pair["b"], pair["a"])


def _sweep(sweep: Sweep, groups: Mapping[str, Sequence[Run]]) -> Summary:
    """A sweep's points and its own comparisons: Holm's correction covers this sweep's pairs only."""
    pairs = _pairs(dict.fromkeys(point.contender for point in sweep.points), groups)
    labels = [
        {"label": point.label, "contender": point.contender, "reported": point.reported.figures()}
        for point in sweep.points
    ]
    return {"name": sweep.name, "question": sweep.question, "points": labels, "comparisons": pairs}


def _clean(value: Any) -> Any:
    """The same, with null for what JSON cannot say."""
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    if isinstance(value, np.generic):
        return _clean(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def summarise(study: Study, runs: Sequence[Run]) -> Summary:
    """The object of summary.json. Accuracies are fractions, intervals 95 %, seconds a run's mean.

    Of a study of several datasets each is summarised by itself; only contenders on the same data are compared.

    Raises:
        BakeoffError: runs on one dataset were made from different data.
    """
    if len(study.datasets) == 1:
        return _summarise(study, runs)
    found = [on_dataset(study, runs, name) for name in study.datasets]
    whole = dict(found[0])
    for key in ("contenders", "comparisons", "sweeps"):
        whole[key] = [item for summary in found for item in summary[key]]
    whole["answer"] = "\n".join(f"On {name}: {s['answer']}" for name, s in zip(study.datasets, found, strict=True))
    whole["environment"] = environment(runs)
    return whole


def on_dataset(study: Study, runs: Sequence[Run], name: str) -> Summary:
    """The summary of the part of a study that is about one dataset."""
    return _summarise(study.on(name), runs)


def _summarise(study: Study, runs: Sequence[Run]) -> Summary:
    groups = by_contender(study, runs)
    failed = by_contender(study, runs, "diverged")
    summary: Summary = {
        "study": study.name,
        "title": study.title,
        "scale": study.scale,
        "cuts": list(study.cuts),
        "question": study.question,
        "answer": "",
        "contenders": [
            _contender(contender, groups[contender.name], len(failed[contender.name]), study.dataset_of(contender))
            for contender in study.contenders
        ],
        "comparisons": _pairs(groups, groups),
        "sweeps": [_sweep(sweep, groups) for sweep in study.sweeps],
        "environment": environment([run for group in (*groups.values(), *failed.values()) for run in group]),
    }
    summary = _clean(summary)
    for sweep in summary["sweeps"]:
        sweep["answer"] = sweep_answer(sweep, summary)
    summary["answer"] = answer(study, summary)
    return summary


def environment(runs: Sequence[Run]) -> Summary:
    """What the runs were made with: a value, or the list of values where runs differ."""
    found: dict[str, list[Any]] = {}
    for run in runs:
        for key, value in (*run.environment.items(), ("data", run.dataset["fingerprint"])):
            if value not in found.setdefault(key, []):
                found[key].append(value)
    return {key: values[0] if len(values) == 1 else values for key, values in found.items()}


def ranking(summary: Summary) -> list[Summary]:
    """Contenders with a result, best mean validation accuracy first (of equals, the smaller model)."""
    done = [c for c in summary["contenders"] if c["n"]]
    return sorted(done, key=lambda c: (-c["validation_accuracy"]["mean"], c["parameters"]))


def pick(summary: Summary) -> Summary | None:
    """The contender that validation accuracy chooses; never one whose epoch was chosen on the test set."""
    return next((c for c in ranking(summary) if not c["selects_on_test"]), None)


def answer(study: Study, summary: Summary) -> str:
    """The question's answer in plain words, a paragraph a line, what is not shown included."""
    best = pick(summary)
    if best is None:
        return "No answer yet: no contender has a finished run whose accuracy may be trusted."
    chance = "by the images alone, " if best["interval"] == "wilson" else ""
    low, high = (100 * best["test_accuracy"][end] for end in ("low", "high"))
    lead = (
        f"{best['name']} is the choice: it gets {percent(best['test_accuracy']['mean'])} of the test images "
        f"right (95 % interval {low:.2f} to {high:.2f}, {chance}{plural(best['n'], 'seed')})"
    )
    if len(order := ranking(summary)) > 1:
        among = "" if order[0] == best else " among those that do not choose on the test set"
        lead += f", and is chosen for the highest validation accuracy{among}, before any look at the test set"
    said = [f"{lead}.", _rivals(best, summary), *(s["answer"] for s in summary["sweeps"]), _failures(summary)]
    if study.cuts:
        said.append(f"This is a part of the study ({'; '.join(study.cuts)}): what it shows holds for this part.")
    return "\n".join(sentence for sentence in said if sentence)


def facing(summary: Summary, name: str) -> list[Summary]:
    """The comparisons of one contender, turned so that it is `a`, in the order of the ranking of `b`."""
    turned = []
    for p in summary["comparisons"]:
        if p["a"] == name:
            turned.append(p)
        elif p["b"] == name:
            swapped = {"b": p["a"], "difference": -p["difference"], "low": -p["high"], "high": -p["low"]}
            turned.append({**p, "a": name, **swapped})
    place = {c["name"]: i for i, c in enumerate(ranking(summary))}
    return sorted(turned, key=lambda p: place[p["b"]])


def _few(names: Sequence[str]) -> str:
    """The names, or the first five and how many more."""
    return listing(names) if len(names) <= 6 else f"{', '.join(names[:5])} and {len(names) - 5} others"


def _rivals(best: Summary, summary: Summary) -> str:
    """Who cannot be told from the best and who can, who is as good as it but smaller, and how many pairs differ."""
    own = facing(summary, best["name"])
    if not own:
        return "There is no other contender with a result to compare it with."
    said = []
    same = [p for p in own if not beaten(p)]
    above = [p["b"] for p in own if beaten(p) and p["difference"] < 0]
    below = [p["b"] for p in own if beaten(p) and p["difference"] > 0]
    if same:
        said.append(
            f"No difference is shown between it and {_few([p['b'] for p in same])}; that is not proof that they are "
            f"equal: {_room(same)}."
        )
    if below:
        said.append(f"It is better than {_few(below)}.")
    if above:
        said.append(f"On the test set {_few(above)} did better; but the test set must not choose.")
    near = {p["b"] for p in own if max(-p["low"], p["high"]) < NEAR}
    honest = [c for c in ranking(summary) if c["name"] in near and not c["selects_on_test"]]
    smaller = [c for c in honest if c["parameters"] < best["parameters"]]
    if smaller:
        least = min(smaller, key=lambda c: c["parameters"])
        said.append(
            f"{least['name']}, with {least['parameters']:,} parameters instead of {best['parameters']:,}, is the "
            f"smallest whose whole interval stays within {100 * NEAR:g} point of it."
        )
    pairs = summary["comparisons"]
    alike = sum(not beaten(p) for p in pairs)
    rest = f"; for {alike} no difference is shown" if alike else ""
    if len(pairs) > 1:
        verb = "differs" if len(pairs) - alike == 1 else "differ"
        said.append(f"Of {len(pairs):,} pairs, {len(pairs) - alike:,} {verb} after Holm's correction{rest}.")
    return " ".join(said)


def _room(pairs: Sequence[Summary]) -> str:
    """How large a difference the intervals of pairs without a shown difference could still hide."""
    rooms = {p["b"]: max(abs(p["low"]), abs(p["high"])) for p in pairs}
    wide = max(rooms, key=lambda name: rooms[name])
    if len(rooms) == 1:
        return f"the interval leaves room for {100 * rooms[wide]:.2f} points"
    middle = float(np.median(list(rooms.values())))
    return (
        f"the intervals leave room for {100 * middle:.2f} points (median), at most {100 * rooms[wide]:.2f} for {wide}"
    )


def short_labels(sweep: Summary) -> tuple[str, list[str]]:
    """`lr=0.1`, `lr=1` -> `lr` and `0.1`, `1`: the head that all labels share, if any, and what differs."""
    labels = [point["label"] for point in sweep["points"]]
    heads = {label.rpartition("=")[0] for label in labels}
    if len(heads) > 1 or "" in heads:
        return "", labels
    return heads.pop(), [label.rpartition("=")[2] for label in labels]


def sweep_answer(sweep: Summary, summary: Summary) -> str:
    """One sentence: which values beat which, and between which no difference is shown."""
    means = {c["name"]: c["test_accuracy"]["mean"] for c in summary["contenders"]}
    labels = dict(zip([p["contender"] for p in sweep["points"]], short_labels(sweep)[1], strict=True))
    order = sorted((n for n in labels if means[n] is not None), key=lambda n: -means[n])
    pairs = sweep["comparisons"]
    wins = {found for p in pairs if (found := beaten(p))}
    if len(order) > 2 and wins == set(itertools.combinations(order, 2)):
        said = [f"every pair differs; from best to worst {', '.join(labels[n] for n in order)}"]
    else:
        beats = {a: [labels[b] for b in order if (a, b) in wins] for a in order}
        said = [f"{labels[a]} beats {listing(found)}" for a, found in beats.items() if found]
        same = [listing(labels[n] for n in order if n in (p["a"], p["b"])) for p in pairs if not beaten(p)]
        if same:
            alike = ", nor between ".join(same) if wins else listing(labels[n] for n in order)
            said.append(f"no difference shown between {alike}")
    without = [label for name, label in labels.items() if means[name] is None]
    said += [f"no result for {listing(without)}"] if without else []
    return f"{re.sub('[-_]', ' ', sweep['name'])}: {'; '.join(said) or 'nothing to compare'}."


def _failures(summary: Summary) -> str:
    lost = [c for c in summary["contenders"] if c["failed"]]
    said = [f"{c['name']} in {c['failed']} of {plural(c['n'] + c['failed'], 'run')}" for c in lost]
    return f"Training diverged for {listing(said)}." if said else ""


def standing(summary: Summary) -> dict[str, str]:
    """Each contender against the choice: `the choice`, `no difference shown`, `worse`, `better`, or a dash."""
    said = {c["name"]: "–" for c in summary["contenders"]}
    if best := pick(summary):
        said[best["name"]] = "the choice"
        for p in facing(summary, best["name"]):
            said[p["b"]] = p["verdict"] if not beaten(p) else "worse" if p["difference"] > 0 else "better"
    return said


def league_text(summary: Summary) -> list[dict[str, str]]:
    """The league as text, a row a contender, best validation accuracy first, those without a result last."""
    against = standing(summary)
    rows = []
    for c in (*ranking(summary), *(c for c in summary["contenders"] if not c["n"])):
        done = bool(c["n"])
        rows.append(
            {
                "contender": c["name"] + (" †" if c["selects_on_test"] else ""),
                "n": f"{c['n']} of {c['n'] + c['failed']}" if c["failed"] else str(c["n"]),
                "test accuracy": interval(c["test_accuracy"]),
                "validation": percent(c["validation_accuracy"]["mean"]),
                "parameters": f"{c['parameters']:,}" if done else "–",
                "seconds": f"{c['seconds']:,.1f}" if done else "–",
                "against the choice": against[c["name"]],
            }
        )
    return rows
