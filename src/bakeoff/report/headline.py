"""What follows from the verdicts on the choice: what it is better than, what is as good, and what is undecided."""

from __future__ import annotations

from collections.abc import Sequence

from bakeoff.findings import tables
from bakeoff.findings.tables import Summary, listing, points


def few(names: Sequence[str]) -> str:
    """The names, or the first five and how many more."""
    return listing(names) if len(names) <= 6 else f"{', '.join(names[:5])} and {len(names) - 5} others"


def rivals(best: Summary, summary: Summary) -> str:
    """What the choice is better than, what is as good, what did better on the test set, and what is undecided."""
    pairs = tables.facing(summary, best["name"])
    if not pairs:
        return "There is no other contender with a result to compare it with."
    by_verdict: dict[str, list[Summary]] = {}
    for pair in pairs:
        by_verdict.setdefault(tables.verdict(pair), []).append(pair)
    names = {verdict: [p["b"] for p in some] for verdict, some in by_verdict.items()}
    sentences = [f"It is better than {few(names['better'])}."] if "better" in names else []
    if "worse" in names:
        looked = [c["name"] for c in tables.ranking(summary) if not tables.may_be_chosen(c)]
        looked = [name for name in names["worse"] if name in looked]
        flattered = f", and {listing(looked)} chose or trained on it" if looked else ""
        sentences.append(
            f"{few(names['worse'])} did better on the test set; but the test set must not choose{flattered}."
        )
    if "as good" in names:
        verb = "is" if len(names["as good"]) == 1 else "are"
        sentences.append(f"{few(names['as good'])} {verb} as good, within {tables.margin(summary['margin'])}.")
        sentences.append(_smallest(best, names["as good"], summary))
    sentences.append(_undecided(by_verdict.get("undecided", [])))
    if "no verdict: one run" in names:
        sentences.append(f"No verdict on {few(names['no verdict: one run'])}: one run says nothing of other seeds.")
    return " ".join([*filter(None, sentences), *_count(summary)])


def _smallest(best: Summary, equivalents: Sequence[str], summary: Summary) -> str:
    """Which of the contenders that are as good is the smallest, if it is smaller than the choice."""
    equal = [c for c in tables.ranking(summary) if c["name"] in equivalents and tables.may_be_chosen(c)]
    least = min(equal, key=lambda c: int(c["parameters"]), default=best)
    if least["parameters"] >= best["parameters"]:
        return ""
    return (
        f"The smallest of these is {least['name']}, with {least['parameters']:,} parameters instead of "
        f"{best['parameters']:,}."
    )


def _undecided(pairs: Sequence[Summary]) -> str:
    """Against whom the choice is undecided, and what would decide it."""
    if not pairs:
        return ""
    if len(pairs) == 1:
        (pair,) = pairs
        return f"Undecided is {_between(pair)}: {tables.what_would_decide(pair)}."
    ways = []
    seeds = sorted(int(p["seeds_needed"]) for p in pairs if p["seeds_needed"])
    if seeds:
        upto = f"{seeds[0]:,}" if seeds[0] == seeds[-1] else f"{seeds[0]:,} to {seeds[-1]:,}"
        ways.append(f"{upto} seeds of each would probably decide {_of_them(len(seeds), len(pairs))}")
    for reason, words in tables.LIMITS.items():
        if count := sum(p["limited_by"] == reason for p in pairs):
            ways.append(words.format(_of_them(count, len(pairs))))
    return (
        f"Undecided is whether it is better than {few([p['b'] for p in pairs])}: if the differences are as measured, "
        f"{'; '.join(ways)}."
    )


def _of_them(count: int, every: int) -> str:
    return "these" if count == every else f"{count} of them"


def _between(pair: Summary) -> str:
    return (
        f"whether it is better than {pair['b']} ({points(pair['difference'])} points "
        f"[{points(pair['low'])}, {points(pair['high'])}])"
    )


def _count(summary: Summary) -> list[str]:
    """How many of all pairs are decided, where there are more than those of the choice."""
    pairs = summary["comparisons"]
    if len(pairs) < 2:
        return []
    better = sum(tables.beaten(p) is not None for p in pairs)
    equal = sum(p["verdict"] == "equivalent" for p in pairs)
    rest = len(pairs) - better - equal
    every = f"all {len(pairs):,}"
    parts = [f"one is better in {every if better == len(pairs) else f'{better:,}'}"] if better else []
    parts += [f"both are as good in {every if equal == len(pairs) else f'{equal:,}'}"] if equal else []
    parts += (
        [f"{every if rest == len(pairs) else f'{rest:,}'} {'is' if rest == 1 else 'are'} undecided"] if rest else []
    )
    return [f"Of {len(pairs):,} pairs, {listing(parts)}."]


def can_be_best(summary: Summary) -> str:
    """Among which contenders the best one is: a second answer, which choosing among them does not flatter."""
    names, ranked = summary["can_be_best"], tables.ranking(summary)
    honest = [c["name"] for c in ranked if tables.may_be_chosen(c)]
    if len(honest) < 2 or not names:
        return ""
    of = f"the {len(honest)} contenders with a result"
    of += "" if len(honest) == len(ranked) else " that neither chose nor trained on the test set"
    if len(names) == len(honest):
        return f"Each of {of} can still be the best: none is shown to be beaten."
    among = "" if len(names) == 1 else "among "
    return f"With {100 * (1 - summary['level']):g} % confidence the best of {of} is {among}{few(names)}."


def still_rising(best: Summary, summary: Summary) -> str:
    """Which contenders' curves still rose so steeply at the end that longer training might change the choice."""
    accuracy = {c["name"]: c["validation_accuracy"]["mean"] for c in summary["contenders"]}
    behind = {
        e["contender"]: (e["gain"], e["epochs"], accuracy[best["name"]] - accuracy[e["contender"]])
        for e in summary["diagnoses"]["rising"]
        if e["contender"] != best["name"]
    }
    rising = [
        f"{name} ({points(gain)} points in its last {'' if epochs == 1 else f'{epochs} '}epoch{'s' * (epochs > 1)}, "
        f"{100 * gap:.2f} behind)"
        for name, (gain, epochs, gap) in behind.items()
        if 0 <= gap < gain
    ]
    if not rising:
        return ""
    verb = "was" if len(rising) == 1 else "were"
    return (
        f"Validation accuracy of {few(rising)} {verb} still rising when training stopped: a longer training might "
        f"change the choice of {best['name']}."
    )


def flattered(best: Summary, summary: Summary) -> str:
    """That the choice's figure is of the runs it was chosen by, or what these gave beside fresh ones."""
    if len(tables.ranking(summary)) < 2:
        return ""
    if any(found["trained"] for found in summary["confirmation"]):
        own = tables.interval(best["test_accuracy"])
        return f"The runs that it was chosen by got {own}: choosing among contenders may favour lucky runs."
    return (
        f"The figure of {best['name']} is that of the runs it was chosen by, which may flatter it; with “confirm = "
        "true” in the study file it is trained again on fresh seeds."
    )


def seeds_added(summary: Summary) -> str:
    """Of a study that adds seeds until it is decided: why each contender got no more."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in summary["enough"].items():
        by_reason.setdefault(reason, []).append(name)
    parts = [f"{words} ({few(by_reason[reason])})" for reason, words in ENOUGH.items() if reason in by_reason]
    if not parts:
        return ""
    return (
        "Seeds were added until decided, after looks at the validation split, each of which spent a part of the level; "
        f"contenders got no more of them because {'; because '.join(parts)}."
    )


ENOUGH = {
    "decided": "they were decided against all that can be best",
    "images": "what is undecided rests on the test images",
    "untrained": "none of their runs trained",
    "seeds": "they had as many as were allowed",
}
