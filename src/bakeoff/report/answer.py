"""What a study's numbers answer, in plain sentences, what is not shown included: typed paragraphs, made of findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bakeoff.evaluation.verdicts import Pair
from bakeoff.findings.contenders import ContenderResult
from bakeoff.findings.pairs import better_first
from bakeoff.findings.study import Findings
from bakeoff.report import hypotheses, sentences
from bakeoff.report.context import Context
from bakeoff.report.format import few, interval, listing, margin, percent, plural, points
from bakeoff.report.overrides import part_of_study
from bakeoff.report.sentences import LIMITS, difference, verdict, what_would_decide
from bakeoff.spec.plan import Plan

Kind = Literal["lead", "statement", "sweep", "overrides"]


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of the answer. The `lead` stands for itself: it names the selected contender."""

    kind: Kind
    text: str


def paragraphs(context: Context) -> list[Paragraph]:
    """The question's answer, dataset by dataset."""
    study, parts = context.study, list[Paragraph]()
    for dataset, found in zip(study.datasets, context.by_dataset, strict=True):
        lead, *others = _on_one_dataset(study, found, context.enough)
        parts += [replace(lead, text=f"On {dataset}: {lead.text}") if len(study.datasets) > 1 else lead, *others]
    if words := part_of_study(study):
        words = f"This is a part of the study: {words}. What it shows holds for this part."
        parts.append(Paragraph("overrides", words))
    return parts


def _on_one_dataset(study: Plan, found: Findings, enough: Mapping[str, str]) -> list[Paragraph]:
    best = found.selected
    if best is None:
        words = "No answer yet: no contender has a run that may be trusted."
        return [Paragraph("lead", f"{words} {_failures(found)}".strip())]
    statements = [
        _rivals(best, found, study.margin),
        _can_be_best(found, study.level),
        _flattered(best, found),
        _seeds_added(enough),
        _still_rising(best, found),
        hypotheses.paragraph(found.hypotheses, whole=study.comparable),
        " ".join(map(sentences.of_addition, found.additions)),
        " ".join(_of_loss_and_pixels(found)),
        " ".join(filter(None, [*map(sentences.of_fallback, found.fallbacks), _failures(found)])),
        " ".join(map(sentences.of_test_choice, found.test_choices)),
    ]
    return [
        Paragraph("lead", _lead(best, found)),
        *(Paragraph("statement", text) for text in statements if text),
        *(Paragraph("sweep", sentences.of_sweep(sweep)) for sweep in found.sweeps),
    ]


def _lead(best: ContenderResult, found: Findings) -> str:
    of = f", the mean of {listing(best.ensemble)}," if len(best.ensemble) > 1 else ""
    by = next((c for c in found.confirmation if c.trained), best)
    low, high = (100 * end for end in (by.test_accuracy.low, by.test_accuracy.high))
    over = "new seeds and images" if by.interval == "new images" else "new images, this run alone"
    if by.trained < by.ended:
        runs = f"in the {by.trained} of {by.ended} runs {'' if by is best else 'on fresh seeds '}that trained"
    elif by is best:
        runs = f"in these {best.trained} runs" if best.trained > 1 else "in this one run"
    else:
        runs = f"when trained again on {plural(by.trained, 'fresh seed')}"
    lead = (
        f"{best.name}{of} is selected: it gets {percent(by.test_accuracy.mean)} of the test images right "
        f"{runs} (95 % interval for {over}: {low:.2f} to {high:.2f})"
    )
    if len(ranking := found.ranking) > 1:
        among = "" if ranking[0] == best else " among those that neither choose nor train on the test set"
        lead += f", and has the highest validation accuracy{among}, which selected it before any look at the test set"
    return f"{lead}."


def _of_loss_and_pixels(found: Findings) -> list[str]:
    cost = [sentence for entry in found.softmax for sentence in sentences.of_softmax(entry)]
    return cost + [sentence for one in found.one_change if (sentence := sentences.of_threshold(one))]


FAILURES = {
    "diverged": "diverged",
    "failed": "ended with an error",
    "damaged": "damaged record",
    "unreadable": "unreadable record",
    "guessed": "no better than guessing",
}
"""What became of a run that has no result, by its kind."""


def _failures(found: Findings) -> str:
    """Who did not train, and in how many runs."""
    parts = []
    for c in found.contenders:
        counts = Counter[str](failure.kind for failure in found.failures if failure.contender == c.name)
        counts["guessed"] = c.n - c.trained
        if lost := counts.total():
            ways = [(words, counts[kind]) for kind, words in FAILURES.items() if counts[kind]]
            how = ", ".join(words if count == lost else f"{count} {words}" for words, count in ways)
            parts.append(f"{c.name} in {lost} of {plural(c.ended, 'run')} ({how})")
    if not parts:
        return ""
    rest = "; accuracies and verdicts are those of the runs that trained" if found.ranking else ""
    return f"Training failed for {few(parts)}{rest}."


def _rivals(best: ContenderResult, found: Findings, equal: float) -> str:
    """What the selected contender is better than, what is as good (closer than `equal`), what did better on the test
    set, and what is undecided."""
    pairs = found.facing(best.name)
    if not pairs:
        return "There is no other contender with a result to compare it with."
    names: dict[str, list[str]] = {}
    for pair in pairs:
        names.setdefault(verdict(pair), []).append(pair.b)
    sentences = [f"It is better than {few(names['better'])}."] if "better" in names else []
    if worse := names.get("worse"):
        looked = [c.name for c in found.ranking if c.name in worse and not c.may_be_selected]
        flattered = f", and {listing(looked)} chose or trained on it" if looked else ""
        sentences.append(f"{few(worse)} did better on the test set; but the test set must not choose{flattered}.")
    if alike := names.get("as good"):
        verb = "is" if len(alike) == 1 else "are"
        sentences.append(f"{few(alike)} {verb} as good, within {margin(equal)}.")
        sentences.append(_smallest(best, [c for c in found.ranking if c.name in alike and c.may_be_selected]))
    sentences.append(_undecided([pair for pair in pairs if verdict(pair) == "undecided"]))
    if single := names.get("no verdict: one run"):
        sentences.append(f"No verdict on {few(single)}: one run says nothing of other seeds.")
    return " ".join(filter(None, [*sentences, _count(found.pairs)]))


def _smallest(best: ContenderResult, equal: Sequence[ContenderResult]) -> str:
    """Which of the contenders that are as good is the smallest, if it is smaller than the selected one."""
    least = min(equal, key=lambda c: c.parameters or 0, default=best)
    size, other = least.parameters or 0, best.parameters or 0
    words = f"The smallest of these is {least.name}, with {size:,} parameters instead of {other:,}."
    return words if size < other else ""


def _undecided(pairs: Sequence[Pair]) -> str:
    """What the selected contender is not shown to be better than, and what would decide it."""
    if not pairs:
        return ""
    if len(pairs) == 1:
        (pair,) = pairs
        return f"Undecided is whether it is better than {pair.b} ({difference(pair)}): {what_would_decide(pair)}."
    ways = []
    if seeds := sorted(pair.seeds_needed for pair in pairs if pair.seeds_needed):
        upto = f"{seeds[0]:,}" if seeds[0] == seeds[-1] else f"{seeds[0]:,} to {seeds[-1]:,}"
        ways.append(f"{upto} seeds of each would probably decide {_of_them(len(seeds), len(pairs))}")
    for reason, words in LIMITS.items():
        if count := sum(pair.limited_by == reason for pair in pairs):
            ways.append(words.format(_of_them(count, len(pairs))))
    others = few([pair.b for pair in pairs])
    return f"Undecided is whether it is better than {others}: if the differences are as measured, {'; '.join(ways)}."


def _of_them(count: int, every: int) -> str:
    return "these" if count == every else f"{count} of them"


def _count(pairs: Sequence[Pair]) -> str:
    """How many of all pairs are decided, where there are more than those of the selected contender."""
    every = len(pairs)
    if every < 2:
        return ""
    better = sum(better_first(pair) is not None for pair in pairs)
    equal = sum(pair.verdict == "equivalent" for pair in pairs)
    rest = every - better - equal
    verb = "is" if rest == 1 else "are"
    counts = {"one is better in {}": better, "both are as good in {}": equal, f"{{}} {verb} undecided": rest}
    shown = {words: f"all {every:,}" if count == every else f"{count:,}" for words, count in counts.items() if count}
    parts = [words.format(count) for words, count in shown.items()]
    return f"Of {every:,} pairs, {listing(parts)}."


def _can_be_best(found: Findings, level: float) -> str:
    """Among which contenders the best one is: a second answer, which choosing among them does not flatter."""
    names, ranking = found.can_be_best, found.ranking
    honest = [c.name for c in ranking if c.may_be_selected]
    if len(honest) < 2 or not names:
        return ""
    of = f"the {len(honest)} contenders with a result"
    of += "" if len(honest) == len(ranking) else " that neither chose nor trained on the test set"
    if len(names) == len(honest):
        return f"Each of {of} can still be the best: none is shown to be beaten."
    among = "" if len(names) == 1 else "among "
    return f"With {100 * (1 - level):g} % confidence the best of {of} is {among}{few(names)}."


def _still_rising(best: ContenderResult, found: Findings) -> str:
    """Whose validation accuracy still rose so steeply at the end that longer training might change who is selected."""
    behind = {c.name: best.validation_accuracy.mean - c.validation_accuracy.mean for c in found.contenders}
    rising = [
        f"{rise.contender} ({points(rise.gain)} points in its last {'' if rise.epochs == 1 else f'{rise.epochs} '}"
        f"epoch{'s' * (rise.epochs > 1)}, {100 * behind[rise.contender]:.2f} behind)"
        for rise in found.rising
        if rise.contender != best.name and 0 <= behind[rise.contender] < rise.gain
    ]
    if not rising:
        return ""
    were = f"{few(rising)} {'was' if len(rising) == 1 else 'were'}"
    might = f"a longer training might select another than {best.name}"
    return f"Validation accuracy of {were} still rising when training stopped: {might}."


def _flattered(best: ContenderResult, found: Findings) -> str:
    """That the selected contender's figure is of the runs it was selected by, or what these gave beside fresh ones."""
    if len(found.ranking) < 2:
        return ""
    if any(c.trained for c in found.confirmation):
        got = interval(best.test_accuracy)
        return f"The runs that it was selected by got {got}: choosing among contenders may favour lucky runs."
    return (
        f"The figure of {best.name} is that of the runs it was selected by, which may flatter it; with “confirm = "
        "true” in the study file it is trained again on fresh seeds."
    )


ENOUGH = {
    "decided": "they were decided against all that can be best",
    "images": "what is undecided rests on the test images",
    "untrained": "none of their runs trained",
    "seeds": "they had as many as were allowed",
}


def _seeds_added(enough: Mapping[str, str]) -> str:
    """Of a study that adds seeds until it is decided: why each contender got no more, by its name."""
    if not enough:
        return ""
    by_reason = {reason: [name for name in enough if enough[name] == reason] for reason in ENOUGH}
    parts = [f"{ENOUGH[reason]} ({few(names)})" for reason, names in by_reason.items() if names]
    return (
        "Seeds were added until decided, after looks at the validation split, each of which spent a part of the level; "
        f"contenders got no more of them because {'; because '.join(parts)}."
    )
