"""What a study's numbers answer, in plain sentences, what is not shown included."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bakeoff.reports import tables
from bakeoff.reports.tables import Summary, beaten, listing, percent, plural, points
from bakeoff.study import Study

NEAR = 0.01
"""A smaller model whose whole interval is nearer than this to the choice is worth a sentence."""

THRESHOLD = re.compile(r"preprocess: none → threshold:at=(\d+)")


def lines(summary: Summary) -> list[str]:
    """The question's answer, a paragraph a line. The first line stands for itself: it names the choice."""
    best = tables.pick(summary)
    if best is None:
        return ["No answer yet: no contender has a finished run whose accuracy may be trusted."]
    said = [_lead(best, summary), of_claims(summary["claims"]), _rivals(best, summary), _additions(summary)]
    said += [*_faults(summary), *(sweep["answer"] for sweep in summary["sweeps"])]
    return [line for line in said if line]


def cuts(study: Study) -> list[str]:
    """That this is not the whole study, where it is not: in its scale's words, or else cut by cut."""
    said = study.cuts_in_words or "; ".join(study.cuts)
    return [f"This is a part of the study: {said}. What it shows holds for this part."] if study.cuts else []


def _lead(best: Summary, summary: Summary) -> str:
    chance = "by the images alone, " if best["interval"] == "wilson" else ""
    low, high = (100 * best["test_accuracy"][end] for end in ("low", "high"))
    of = f", the mean of {listing(best['ensemble'])}," if len(best["ensemble"]) > 1 else ""
    lost = best["name"] in [entry["contender"] for entry in summary["diagnoses"]["guessing"]]
    but = ", but hardly better than guessing" if lost else ""
    lead = (
        f"{best['name']}{of} is the choice{but}: it gets {percent(best['test_accuracy']['mean'])} of the test images "
        f"right (95 % interval {low:.2f} to {high:.2f}, {chance}{plural(best['n'], 'seed')})"
    )
    if len(order := tables.ranking(summary)) > 1:
        among = "" if order[0] == best else " among those that do not choose on the test set"
        lead += f", and is chosen for the highest validation accuracy{among}, before any look at the test set"
    return f"{lead}."


def difference(pair: Mapping[str, Any]) -> str:
    """`+0.42 points [+0.10, +0.74]`."""
    return f"{points(pair['difference'])} points [{points(pair['low'])}, {points(pair['high'])}]"


def unsure(pair: Mapping[str, Any]) -> str:
    """`, no difference shown` where that is so; with its cause, where the interval alone would say otherwise."""
    if beaten(pair):
        return ""
    return ", not shown after Holm's correction" if pair["low"] > 0 or pair["high"] < 0 else ", no difference shown"


OPENINGS = {
    "shown": ("is shown", "are shown"),
    "opposite": ("is contradicted", "are contradicted"),
    "not shown": ("is not shown", "are not shown"),
    "no result": ("has no result", "have no result"),
    "not run": ("was not run at this scale", "were not run at this scale"),
}


def of_claims(claims: Sequence[Summary]) -> str:
    """Which of the study's claims the runs show, which they contradict, and which they leave open."""
    if not claims:
        return ""
    told = []
    for result, verbs in OPENINGS.items():
        found = [claim for claim in claims if claim["result"] == result]
        if found:
            which = "" if result == "not run" else f": {'; '.join(map(_claim, found))}"
            told.append(f"{len(found)} {verbs[len(found) > 1]}{which}")
    return f"Of {plural(len(claims), 'claim')}, {'. '.join(told)}."


def _claim(claim: Summary) -> str:
    said = f"“{claim['says']}”"
    if claim["result"] == "no result":
        return said
    late = claim["result"] == "not shown" and (claim["low"] > 0 or claim["high"] < 0)
    holm = ", but not after Holm's correction" if late else ""
    return f"{said} ({claim['better']} over {claim['worse']}: {difference(claim)}{holm})"


def _additions(summary: Summary) -> str:
    """What ensembles and teachers add."""
    said = []
    for pair in summary["additions"]:
        who = f"{pair['a']}, {'an ensemble' if pair['what'] == 'ensemble' else 'taught by another'},"
        said.append(f"{who} gets {difference(pair)} against {pair['against']}, {pair['b']}{unsure(pair)}.")
    return " ".join(said)


def _faults(summary: Summary) -> list[str]:
    """What went wrong: in the loss and the pixels, in training, in choosing; a paragraph each."""
    found = summary["diagnoses"]
    cost = [sentence for entry in found["softmax"] for sentence in of_softmax(entry)]
    cost += [of_threshold(pair) for pair in found["one_change"]]
    lost = [e["contender"] + _part(e["runs"], e["n"]) for e in found["guessing"]]
    training = [f"Hardly better than guessing: {_few(lost)}."] if lost else []
    training += [*map(of_fallback, found["fallbacks"]), _failures(summary)]
    paragraphs = (cost, training, [of_test_choice(entry) for entry in found["test_choices"]])
    return [" ".join(sentence for sentence in paragraph if sentence) for paragraph in paragraphs]


def _part(runs: int, n: int) -> str:
    return "" if runs == n else f" ({runs} of {plural(n, 'run')})"


def of_softmax(entry: Summary) -> list[str]:
    """What taking the softmax away changes, and how much of the way to the repaired contender each change alone is."""
    pair, gap, said = entry["without"], entry["gap"], []
    if pair:
        said.append(
            f"Without the softmax before its cross-entropy, {entry['contender']} gets {difference(pair)}{unsure(pair)}."
        )
    if gap:
        parts = [f"{p['to']} alone gains {100 * p['difference']:.2f} ({share(p['share'])})" for p in gap["parts"]]
        whole = sum(part["share"] for part in gap["parts"])
        rest = "" if len(parts) == 1 else "; they overlap" if whole > 1 else "; the rest takes several changes at once"
        way = f"{100 * gap['difference']:.2f} points from {entry['contender']} to {gap['to']}"
        said.append(f"Of the {way}, {listing(parts)}{rest}.")
    return said


def share(value: float) -> str:
    """A part of a whole: `95 %`."""
    return f"{100 * value:.0f} %".replace("-", "−")


def of_threshold(pair: Summary) -> str:
    """What cutting the pixels changes, where a pair differs in nothing else."""
    if not (found := THRESHOLD.fullmatch(pair["change"])):
        return ""
    return f"Cutting pixels at {found[1]} changes {pair['from']} by {difference(pair)}{unsure(pair)}."


def of_fallback(entry: Summary) -> str:
    """Where a run began anew, and how."""
    epochs = f"epoch{'' if len(entry['epochs']) == 1 else 's'} {listing(map(str, entry['epochs']))}"
    return (
        f"{entry['contender']} got nowhere with {entry['before']}, and after {epochs} fell back to {entry['after']} in "
        f"{entry['runs']} of {plural(entry['n'], 'run')}."
    )


def of_test_choice(entry: Summary) -> str:
    """By how much choosing the epoch on the test set flatters."""
    over = entry["over"]
    honest, last = (_flattery(over[key]) for key in ("by_validation", "last"))
    return (
        f"Picking the best of {plural(entry['epochs'], 'epoch')} on the test set flatters {entry['contender']} by "
        f"{honest} over picking it on validation, by {last} over the last epoch (n = {entry['n']})."
    )


def _flattery(found: Mapping[str, float | None]) -> str:
    """`0.12 points [0.02, 0.22]`: a mean over seeds, with its interval where there is one."""
    mean, low, high = found["mean"], found["low"], found["high"]
    assert mean is not None
    ends = "" if low is None or high is None else f" [{100 * low:.2f}, {100 * high:.2f}]"
    return f"{100 * mean:.2f} points{ends}"


def _few(names: Sequence[str]) -> str:
    """The names, or the first five and how many more."""
    return listing(names) if len(names) <= 6 else f"{', '.join(names[:5])} and {len(names) - 5} others"


def _rivals(best: Summary, summary: Summary) -> str:
    """Who cannot be told from the best and who can, who is as good as it but smaller, and how many pairs differ."""
    own = tables.facing(summary, best["name"])
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
        said.append(f"{_few(above)} did better on the test set; but the test set must not choose.")
    near = {p["b"] for p in own if max(-p["low"], p["high"]) < NEAR}
    honest = [c for c in tables.ranking(summary) if c["name"] in near and not c["selects_on_test"]]
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


def of_sweep(sweep: Summary, summary: Summary) -> str:
    """One sentence: which values beat which, and between which no difference is shown."""
    means = {c["name"]: c["test_accuracy"]["mean"] for c in summary["contenders"]}
    labels = dict(zip([p["contender"] for p in sweep["points"]], tables.short_labels(sweep)[1], strict=True))
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
