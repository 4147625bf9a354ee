"""What a study's numbers answer, in plain sentences, what is not shown included: typed paragraphs, made of findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bakeoff.findings.contenders import ContenderResult
from bakeoff.findings.study import Findings
from bakeoff.report import headline, hypotheses, sentences
from bakeoff.report.format import few, listing, percent, plural
from bakeoff.report.overrides import part_of_study
from bakeoff.spec.plan import Plan

Kind = Literal[
    "lead",
    "rivals",
    "can be best",
    "flattered",
    "seeds added",
    "still rising",
    "hypotheses",
    "additions",
    "faults",
    "sweep",
    "overrides",
]


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of the answer. The `lead` stands for itself: it names the selected contender."""

    kind: Kind
    text: str


def paragraphs(study: Plan, findings: Sequence[Findings], enough: Mapping[str, str] | None = None) -> list[Paragraph]:
    """The question's answer, dataset by dataset; `findings` has each of the study's datasets, and
    `enough` why contenders got no more seeds."""
    parts: list[Paragraph] = []
    for dataset, found in zip(study.datasets, findings, strict=True):
        lead, *others = _on_one_dataset(study, found, enough or {})
        parts += [replace(lead, text=f"On {dataset}: {lead.text}") if len(findings) > 1 else lead, *others]
    if words := part_of_study(study):
        parts.append(
            Paragraph("overrides", f"This is a part of the study: {words}. What it shows holds for this part.")
        )
    return parts


def _on_one_dataset(study: Plan, found: Findings, enough: Mapping[str, str]) -> list[Paragraph]:
    best = found.selected
    if best is None:
        words = "No answer yet: no contender has a run that may be trusted."
        return [Paragraph("lead", f"{words} {_failures(found)}".strip())]
    pairs: list[tuple[Kind, str]] = [
        ("lead", _lead(best, found)),
        ("rivals", headline.rivals(best, found, study.margin)),
        ("can be best", headline.can_be_best(found, study.level)),
        ("flattered", headline.flattered(best, found)),
        ("seeds added", headline.seeds_added(enough)),
        ("still rising", headline.still_rising(best, found)),
        ("hypotheses", hypotheses.paragraph(found.hypotheses, whole=study.comparable)),
        ("additions", " ".join(map(sentences.of_addition, found.additions))),
        ("faults", " ".join(_of_loss_and_pixels(found))),
        ("faults", " ".join(filter(None, [*map(sentences.of_fallback, found.fallbacks), _failures(found)]))),
        ("faults", " ".join(map(sentences.of_test_choice, found.test_choices))),
        *(("sweep", sentences.of_sweep(sweep)) for sweep in found.sweeps),
    ]
    return [Paragraph(kind, text) for kind, text in pairs if text]


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
