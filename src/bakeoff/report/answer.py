"""What a study's numbers answer, in plain sentences, what is not shown included: typed paragraphs, made of findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bakeoff.findings.contenders import ContenderResult
from bakeoff.findings.pairs import facing
from bakeoff.findings.study import Findings
from bakeoff.report import sentences
from bakeoff.report.context import Context
from bakeoff.report.format import few, interval, listing, margin, plural, points
from bakeoff.report.leaderboard import trained
from bakeoff.report.overrides import part_of_study
from bakeoff.report.sentences import decided_by, verdict
from bakeoff.spec.plan import Plan

Kind = Literal["lead", "statement", "sweep", "overrides"]


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of the answer. The `lead` stands for itself: it names the selected contender."""

    kind: Kind
    text: str


def paragraphs(context: Context) -> list[Paragraph]:
    """The question's answer, dataset by dataset."""
    study, answer = context.study, list[Paragraph]()
    for dataset, findings in zip(study.datasets, context.by_dataset, strict=True):
        where = f"On {dataset}: " if len(study.datasets) > 1 else ""
        answer.append(Paragraph("lead", where + _lead(findings)))
        if best := findings.selected:
            texts = (_verdicts(best, findings, study), _cautions(best, findings, context.enough), _others(findings))
            answer += [Paragraph("statement", text) for text in texts if text]
            answer += [Paragraph("sweep", sentences.of_sweep(sweep)) for sweep in findings.sweeps]
    if words := part_of_study(study):
        text = f"This is a part of the study: {words}. What it shows holds for this part."
        answer.append(Paragraph("overrides", text))
    return answer


def _lead(findings: Findings) -> str:
    """Who is selected, with its test accuracy; of its fresh runs, where there are any that trained."""
    if not (best := findings.selected):
        return f"No answer yet: no contender has a run that may be trusted. {_without_result(findings)}".strip()
    confirmed = next((c for c in findings.confirmation if c.n), None)
    measured = confirmed or best
    mean = f", the mean of {listing(best.ensemble)}," if best.ensemble[1:] else ""
    new = "seeds and images" if measured.interval == "new images" else "images, this run alone"
    return (
        f"{best.name}{mean} is selected by validation accuracy: it gets {interval(measured.test_accuracy)} of the test "
        f"images right ({trained(measured)} {'fresh ' if confirmed else ''}runs trained; 95 % interval for new {new})."
    )


STANDING = {
    "better": "better than {}",
    "as good": "as good, within {margin}, as {}",
    "worse": "worse on the test set, which must not choose, than {}",
    "undecided": "undecided against {}",
    "no verdict: one run": "without a verdict, for one run says nothing of other seeds, against {}",
}
"""How the selected contender stands against others, by the verdict."""


def _verdicts(best: ContenderResult, findings: Findings, study: Plan) -> str:
    """The selected contender against every other one, and who can still be the best: a second answer, which choosing
    among contenders does not flatter."""
    names: dict[str, list[str]] = {}
    saw_test = {c.name for c in findings.contenders if not c.may_be_selected}
    for pair in facing(findings.pairs, best.name, [c.name for c in findings.ranking]):
        remark = " (chose or trained on the test set)" if pair.b in saw_test else ""
        remark = f" ({decided_by(pair)})" if verdict(pair) == "undecided" else remark
        names.setdefault(verdict(pair), []).append(pair.b + remark)
    within, standing = margin(study.margin), [key for key in STANDING if key in names]
    parts = [STANDING[key].format(few(names[key]), margin=within) for key in standing]
    text = f"It is {'; '.join(parts)}." if parts else ""
    if "undecided" in names:
        text += " In brackets: what would probably decide it, if the difference is as measured."
    candidates = len([c for c in findings.ranking if c.may_be_selected])
    if candidates > 1 and findings.can_be_best:
        text += f" Of the {candidates} contenders that may be selected, {few(findings.can_be_best)} can be the best "
        text += f"({100 * (1 - study.level):g} % confidence)."
    return text


def _cautions(best: ContenderResult, findings: Findings, enough: Mapping[str, str]) -> str:
    """What the selection and the numbers rest on."""
    selection = "These runs selected it, which may flatter it: “confirm = true” trains it again on fresh seeds."
    if any(c.n for c in findings.confirmation):
        selection = f"The runs that selected it got {interval(best.test_accuracy)}."
    others = [_still_rising(best, findings), _without_result(findings), _seeds_added(enough)]
    return " ".join(filter(None, [selection if findings.ranking[1:] else "", *others]))


def _still_rising(best: ContenderResult, findings: Findings) -> str:
    """Whose validation accuracy still rose so steeply at the end that longer training might change who is selected."""
    behind = {c.name: best.validation_accuracy.mean - c.validation_accuracy.mean for c in findings.contenders}
    rising = [
        f"{rise.contender} ({points(rise.gain)} points in {plural(rise.epochs, 'epoch')}, "
        f"{100 * behind[rise.contender]:.2f} behind)"
        for rise in findings.rising
        if rise.contender != best.name and 0 <= behind[rise.contender] < rise.gain
    ]
    words = "Validation accuracy still rose as training stopped, so that longer training might select another: "
    return f"{words}{few(rising)}." if rising else ""


def _without_result(findings: Findings) -> str:
    """Whose runs did not train, or cannot be read."""
    incomplete = [c for c in findings.contenders if c.failed]
    counts = [f"{c.failed} of {plural(c.ended, 'run')} of {c.name}" for c in incomplete]
    return f"Without a result: {few(counts)}." if counts else ""


ENOUGH = {
    "decided": "decided against all that can be best",
    "images": "what is undecided rests on the test images",
    "untrained": "none of their runs trained",
    "seeds": "as many as were allowed",
}


def _seeds_added(enough: Mapping[str, str]) -> str:
    """Of a study that adds seeds until it is decided: why each contender got no more, by its name."""
    reasons = [(ENOUGH[reason], [name for name in enough if enough[name] == reason]) for reason in ENOUGH]
    parts = [f"{words} ({few(names)})" for words, names in reasons if names]
    lead = "Seeds were added until decided, after looks at the validation split that share the level; why no more"
    return f"{lead}: {'; '.join(parts)}." if parts else ""


HYPOTHESES = {"report": "The report's hypotheses", "ours": "Our own hypotheses"}
"""Whose they are, by their source."""


def _others(findings: Findings) -> str:
    """How many hypotheses came to what, and what ensembles and teachers add."""
    texts = []
    for source, whose in HYPOTHESES.items():
        results = Counter(h.result for h in findings.hypotheses if h.hypothesis.source == source)
        if results:
            texts.append(f"{whose}: {', '.join(f'{count} {result}' for result, count in results.items())}.")
    return " ".join([*texts, *map(sentences.of_addition, findings.additions)])
