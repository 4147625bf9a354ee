"""What a study's numbers answer, in plain sentences, what is not shown included."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any

from bakeoff.findings import hypotheses, tables
from bakeoff.findings.tables import Summary, beaten, listing, percent, plural, points
from bakeoff.report import headline
from bakeoff.spec.study import Study

FEW_PAIRS = 3
"""Pairs of a sweep's values that a sentence still names."""
PART = "This is a part of the study:"
"""How the sentence begins that tells a scale's cuts."""
THRESHOLD = re.compile(r"preprocess: none → threshold:at=(\d+)")


def lines(summary: Summary) -> list[str]:
    """The question's answer, a paragraph a line. The first line stands for itself: it names the choice."""
    best = tables.pick(summary)
    if best is None:
        return [" ".join(("No answer yet: no contender has a run that may be trusted.", _failures(summary))).strip()]
    said = [_lead(best, summary), headline.rivals(best, summary), headline.can_be_best(summary)]
    said += [headline.flattered(best, summary), headline.seeds_added(summary)]
    said.append(headline.still_rising(best, summary))
    said += [hypotheses.sentences(summary["hypotheses"], whole=summary["comparable"]), _additions(summary)]
    said += [*_faults(summary), *(sweep["answer"] for sweep in summary["sweeps"])]
    return [line for line in said if line]


def cuts(study: Study) -> list[str]:
    """That this is not the whole study, where it is not: in its scale's words, or else cut by cut."""
    said = study.cuts_in_words or "; ".join(study.cuts)
    return [f"{PART} {said}. What it shows holds for this part."] if study.cuts else []


def _lead(best: Summary, summary: Summary) -> str:
    of = f", the mean of {listing(best['ensemble'])}," if len(best["ensemble"]) > 1 else ""
    found = next((c for c in summary["confirmation"] if c["trained"]), best)
    low, high = (100 * found["test_accuracy"][end] for end in ("low", "high"))
    over = "new seeds and images" if found["interval"] == "new images" else "new images, this run alone"
    if found["trained"] < found["n"] + found["failed"]:
        runs = f"in the {tables.trained(found)} runs {'' if found is best else 'on fresh seeds '}that trained"
    elif found is best:
        runs = f"in these {best['trained']} runs" if best["trained"] > 1 else "in this one run"
    else:
        runs = f"when trained again on {plural(found['trained'], 'fresh seed')}"
    lead = (
        f"{best['name']}{of} is the choice: it gets {percent(found['test_accuracy']['mean'])} of the test images right "
        f"{runs} (95 % interval for {over}: {low:.2f} to {high:.2f})"
    )
    if len(order := tables.ranking(summary)) > 1:
        among = "" if order[0] == best else " among those that neither choose nor train on the test set"
        lead += f", and is chosen for the highest validation accuracy{among}, before any look at the test set"
    return f"{lead}."


def difference(pair: Mapping[str, Any]) -> str:
    """`+0.42 points [+0.10, +0.74]`."""
    return f"{points(pair['difference'])} points [{points(pair['low'])}, {points(pair['high'])}]"


def unsure(pair: Mapping[str, Any]) -> str:
    """`, undecided` where neither is shown to be better, and `, as good` where that is shown."""
    return "" if beaten(pair) else f", {tables.verdict(pair)}"


def _additions(summary: Summary) -> str:
    """What ensembles and teachers add."""
    said = []
    by_name = {c["name"]: c for c in summary["contenders"]}
    for pair in summary["additions"]:
        who, against = f"{pair['a']}, taught by another,", f"{pair['against']}, {pair['b']}"
        if pair["what"] == "ensemble":
            who = f"{pair['a']}, an ensemble,"
            if by_name[pair["a"]]["ensemble"] == [pair["b"]]:
                who, against = f"{pair['a']}, made of {pair['b']} alone,", "it"
        seen = "; it was trained on these test images" if by_name[pair["a"]]["trains_on_test"] else ""
        said.append(f"{who} gets {difference(pair)} against {against}{unsure(pair)}{seen}.")
    return " ".join(said)


def _faults(summary: Summary) -> list[str]:
    """What went wrong: in the loss and the pixels, in training, in choosing; a paragraph each."""
    found = summary["diagnoses"]
    cost = [sentence for entry in found["softmax"] for sentence in of_softmax(entry)]
    cost += [of_threshold(pair) for pair in found["one_change"]]
    training = [*map(of_fallback, found["fallbacks"]), _failures(summary)]
    paragraphs = (cost, training, [of_test_choice(entry) for entry in found["test_choices"]])
    return [" ".join(sentence for sentence in paragraph if sentence) for paragraph in paragraphs]


def of_softmax(entry: Summary) -> list[str]:
    """What taking the softmax away changes, and how much of the way to the repaired contender each change alone is."""
    pair, gap, said = entry["without"], entry["gap"], []
    if pair:
        said.append(
            f"Without the softmax before its cross-entropy, {entry['contender']} gets {difference(pair)}{unsure(pair)}."
        )
    if gap:
        parts = [f"{p['to']} alone gains {difference(p)} ({share(p['share'])})" for p in gap["parts"]]
        way = f"{100 * gap['difference']:.2f} points from {entry['contender']} to {gap['to']}"
        said.append(f"Of the {way}, {listing(parts)}.")
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
    others = {"by_validation": "picking it on validation", "last": "the last epoch"}
    gains = {words: entry["over"][key] for key, words in others.items()}
    picking = f"Picking the best of {plural(entry['epochs'], 'epoch')} on the test set"
    by = [f"{_flattery(gain)} over {words}" for words, gain in gains.items() if gain["mean"]]
    if not by:
        return f"{picking} gained {entry['contender']} nothing here (n = {entry['n']})."
    return f"{picking} flatters {entry['contender']} by {listing(by)} (n = {entry['n']})."


def _flattery(found: Mapping[str, float | None]) -> str:
    """`0.12 points [0.02, 0.22]`: a mean over seeds, with its interval where there is one."""
    mean, low, high = found["mean"], found["low"], found["high"]
    assert mean is not None
    ends = "" if low is None or high is None else f" [{100 * low:.2f}, {100 * high:.2f}]"
    return f"{100 * mean:.2f} points{ends}"


def of_sweep(sweep: Summary, summary: Summary) -> str:
    """One sentence: which values beat which, which are as good, and which pairs are undecided."""
    means = {c["name"]: c["test_accuracy"]["mean"] for c in summary["contenders"]}
    labels = dict(zip([p["contender"] for p in sweep["points"]], tables.short_labels(sweep)[1], strict=True))
    order = sorted((n for n in labels if means[n] is not None), key=lambda n: -means[n])
    pairs = [tables.versus(summary, a, b) for a, b in itertools.combinations(order, 2)]
    wins = {win for p in pairs if (win := beaten(p))}
    if len(order) > 2 and wins == set(itertools.combinations(order, 2)):
        said = [f"every pair differs; from best to worst {', '.join(labels[n] for n in order)}"]
    else:
        beats = {a: [labels[b] for b in order if (a, b) in wins] for a in order}
        said = [f"{labels[a]} beats {listing(worse)}" for a, worse in beats.items() if worse]
        for words in ("as good", "undecided", "no verdict: one run"):
            same = [f"{labels[p['a']]} and {labels[p['b']]}" for p in pairs if tables.verdict(p) == words]
            which = ", ".join(same) if len(same) <= FEW_PAIRS else f"{len(same)} of {len(pairs)} pairs"
            said += [f"{words.replace(':', ' on')}: {which}"] if same else []
    without = [label for name, label in labels.items() if means[name] is None]
    said += [f"no run trained with {listing(without)}"] if without else []
    return f"{re.sub('[-_]', ' ', sweep['name'])}: {'; '.join(said) or 'nothing to compare'}."


FAILURES = {
    "diverged": "diverged",
    "failed": "ended with an error",
    "damaged": "damaged record",
    "unreadable": "unreadable record",
}
"""What became of a run that has no result, by its kind."""


def _failures(summary: Summary) -> str:
    """Who did not train, and in how many runs."""
    said = []
    for c in summary["contenders"]:
        kinds = [failure["kind"] for failure in summary["failures"] if failure["contender"] == c["name"]]
        ways = {words: kinds.count(kind) for kind, words in FAILURES.items()}
        ways["no better than guessing"] = c["n"] - c["trained"]
        lost = sum(ways.values())
        if lost:
            how = [words if count == lost else f"{count} {words}" for words, count in ways.items() if count]
            said.append(f"{c['name']} in {lost} of {plural(c['n'] + c['failed'], 'run')} ({', '.join(how)})")
    if not said:
        return ""
    rest = "; accuracies and verdicts are those of the runs that trained" if tables.ranking(summary) else ""
    return f"Training failed for {headline.few(said)}{rest}."
