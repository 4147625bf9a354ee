"""Numbers as text, and the order of a summary's contenders: what all of a report is written with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.errors import BakeoffError
from bakeoff.evaluation import metrics
from bakeoff.record import Run
from bakeoff.spec.study import Study

Summary = dict[str, Any]


def percent(value: float | None) -> str:
    """`98.31 %`, or a dash where there is no value."""
    return "–" if value is None else f"{100 * value:.2f} %"


def points(value: float) -> str:
    """A difference of accuracies in percentage points: `+0.42`, `−0.10`, and `0.00` without a sign."""
    text = f"{100 * value:+.2f}"
    return "0.00" if text[1:] == "0.00" else text.replace("-", "−")


def p_value(value: float | None) -> str:
    """A p value to two digits: `0.034`, `<0.0001`; a dash where there is none."""
    return "–" if value is None else "<0.0001" if value < 0.0001 else f"{value:.2g}"


def interval(found: Mapping[str, float | None]) -> str:
    """`98.31 % [98.10, 98.52]`, or the mean alone where there is no interval, or one of no width."""
    mean, low, high = found["mean"], found["low"], found["high"]
    if mean is None or low is None or high is None or low == high:
        return percent(mean)
    return f"{percent(mean)} [{100 * low:.2f}, {100 * high:.2f}]"


def margin(value: float) -> str:
    """A margin of equivalence: `0.5 points`, `1 point`."""
    return f"{100 * value:g} point{'' if value == 0.01 else 's'}"


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
    data: dict[tuple[str, float], Run] = {}
    tested: dict[str, Run] = {}
    for run in (run for group in found.values() for run in group):
        first = data.setdefault((run.spec.dataset, run.spec.validation), run)
        same = run.dataset["fingerprint"] == first.dataset["fingerprint"]
        if (
            run is first and status == "finished"
        ):  # another part drawn for validation leaves the test images as they are
            first = tested.setdefault(run.spec.dataset, run)
            same = np.array_equal(run.labels("test"), first.labels("test"))
        if not same:
            raise BakeoffError(f"{first.path} and {run.path}: both on {run.spec.dataset}, but made from different data")
    return found


def correct(run: Run, split: str = "test") -> NDArray[np.bool_]:
    """(M,) whether each image of the split is recognised."""
    right: NDArray[np.bool_] = run.logits(split).argmax(axis=1) == run.labels(split)
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


def beaten(pair: Mapping[str, Any]) -> tuple[str, str] | None:
    """(the better, the worse) where one of the pair is shown to be better, else None."""
    order = {"better": (pair["a"], pair["b"]), "worse": (pair["b"], pair["a"])}
    return order.get(pair["verdict"])


def verdict(pair: Mapping[str, Any]) -> str:
    """The verdict on a pair as a reader's words: `better`, `worse`, `as good`, `undecided`, or that there is none."""
    if pair["p_adjusted"] is None:
        return "no verdict: one run"
    return {"equivalent": "as good"}.get(pair["verdict"], str(pair["verdict"]))


def ranking(summary: Summary) -> list[Summary]:
    """Contenders with a result, best mean validation accuracy first (of equals, the smaller model)."""
    done = [c for c in summary["contenders"] if c["test_accuracy"]["mean"] is not None]
    return sorted(done, key=lambda c: (-c["validation_accuracy"]["mean"], c["parameters"]))


def pick(summary: Summary) -> Summary | None:
    """The contender that validation accuracy chooses; never one that the test set has chosen or taught."""
    return next((c for c in ranking(summary) if may_be_chosen(c)), None)


def may_be_chosen(contender: Summary) -> bool:
    """Whether a contender, its members and its teacher were made without a look at the test set. Summaries of earlier
    versions do not say who was trained there."""
    return not (contender["selects_on_test"] or contender.get("trains_on_test"))


def what_would_decide(pair: Mapping[str, Any]) -> str:
    """What an undecided pair needs."""
    limit, seeds = pair["limited_by"], pair["seeds_needed"]
    if limit == "single run":
        return LIMITS[limit].format("it")
    words = LIMITS[limit].format("it") if seeds is None else f"{seeds:,} seeds of each would probably decide it"
    return f"if the difference is as measured, {words}"


ONE_RUN = (
    " Where one of the two has a single run and no spread to borrow, interval and p are for new images alone, of these "
    "runs."
)


def decided_by(pair: Mapping[str, Any]) -> str:
    """What would decide an undecided pair, in few words for a table; a dash for one that is decided."""
    if pair["verdict"] != "undecided":
        return "–"
    short = {"images": "a larger test set", "seeds": "over 1,000 seeds", "single run": "more runs"}
    return f"{pair['seeds_needed']:,} seeds" if pair["seeds_needed"] is not None else short[pair["limited_by"]]


LIMITS = {
    "images": "more seeds alone would probably not decide {}: the test set is too small",
    "seeds": "1,000 seeds of each would probably not decide {}",
    "single run": "one run, which says nothing of other seeds, cannot decide {}",
}
"""What stands in the way of deciding, of `limited_by`."""


def measured(pair: Mapping[str, Any]) -> tuple[str, str, str]:
    """A pair's difference in points, its interval, and its runs, for a table."""
    between = f"[{points(pair['low'])}, {points(pair['high'])}]"
    return points(pair["difference"]), between, f"{pair['runs'][0]} and {pair['runs'][1]}"


OPPOSITE = {"better": "worse", "worse": "better"}


def turned(pair: Summary, name: str) -> Summary:
    """The comparison as that of `name`, one of its two, with the other: same verdict, seen from there."""
    if pair["a"] == name:
        return pair
    swapped = {"a": pair["b"], "b": pair["a"], "runs": pair["runs"][::-1], "difference": -pair["difference"]}
    ends = {"low": -pair["high"], "high": -pair["low"]}
    return {**pair, **swapped, **ends, "verdict": OPPOSITE.get(pair["verdict"], pair["verdict"])}


def versus(summary: Summary, a: str, b: str) -> Summary:
    """The comparison of `a` with `b`: the one there is of the two, turned to `a`."""
    return next(turned(p, a) for p in summary["comparisons"] if {p["a"], p["b"]} == {a, b})


def facing(summary: Summary, name: str) -> list[Summary]:
    """The comparisons of one contender, turned so that it is `a`, in the order of the ranking of `b`."""
    place = {c["name"]: i for i, c in enumerate(ranking(summary))}
    own = [turned(p, name) for p in summary["comparisons"] if name in (p["a"], p["b"])]
    return sorted(own, key=lambda p: place[p["b"]])


def short_labels(sweep: Summary) -> tuple[str, list[str]]:
    """`lr=0.1`, `lr=1` -> `lr` and `0.1`, `1`: the head that all labels share, if any, and what differs."""
    labels = [point["label"] for point in sweep["points"]]
    heads = {label.rpartition("=")[0] for label in labels}
    if len(heads) > 1 or "" in heads:
        return "", labels
    return heads.pop(), [label.rpartition("=")[2] for label in labels]


def standing(summary: Summary) -> dict[str, str]:
    """Each contender against the choice: `the choice`, the verdict on it, or a dash."""
    words = {c["name"]: "–" for c in summary["contenders"]}
    if best := pick(summary):
        words[best["name"]] = "the choice"
        words |= {p["b"]: verdict(turned(p, p["b"])) for p in facing(summary, best["name"])}
    return words


def trained(contender: Summary) -> str:
    """How many of a contender's runs trained: `2 of 3`."""
    return f"{contender['trained']} of {contender['n'] + contender['failed']}"


def marks(contender: Summary) -> str:
    """Signs of what it did with the test set: † its epoch was chosen there, ‡ it was trained there."""
    return (" †" if contender["selects_on_test"] else "") + (" ‡" if contender["trains_on_test"] else "")


def league_text(summary: Summary) -> list[dict[str, str]]:
    """The league as text, a row a contender, best validation accuracy first, those without a result last."""
    against = standing(summary)
    rows = []
    for c in (*ranking(summary), *(c for c in summary["contenders"] if not c["trained"])):
        done = bool(c["trained"])
        rows.append(
            {
                "contender": c["name"] + marks(c),
                "trained": trained(c),
                "test accuracy": interval(c["test_accuracy"]) + (" one run" if c["interval"] == "wilson" else ""),
                "validation": percent(c["validation_accuracy"]["mean"]),
                "parameters": f"{c['parameters']:,}" if done else "–",
                "seconds": f"{c['seconds']:,.1f}" if done else "–",
                "against the choice": against[c["name"]],
            }
        )
    return rows
