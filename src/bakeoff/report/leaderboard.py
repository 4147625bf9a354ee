"""The leaderboard as text: every contender's numbers and how it stands against the selected one."""

from __future__ import annotations

from collections.abc import Sequence

from bakeoff.evaluation.verdicts import Pair
from bakeoff.findings.contenders import ContenderResult, ranking, selected
from bakeoff.findings.pairs import facing, seen_from
from bakeoff.report.format import interval, number, percent
from bakeoff.report.sentences import verdict

AGAINST = "against selected"


def leaderboard(contenders: Sequence[ContenderResult], pairs: Sequence[Pair]) -> list[dict[str, str]]:
    """A row a contender, best validation accuracy first, those without a result last."""
    ranked = ranking(contenders)
    against = standing(contenders, pairs)
    return [
        {
            "contender": c.name + marks(c),
            "trained": trained(c),
            "test accuracy": test_accuracy(c),
            "validation": percent(c.validation_accuracy.mean),
            "parameters": number(c.parameters),
            "seconds": number(c.seconds, 1),
            AGAINST: against[c.name],
        }
        for c in (*ranked, *(c for c in contenders if not c.n))
    ]


def standing(contenders: Sequence[ContenderResult], pairs: Sequence[Pair]) -> dict[str, str]:
    """Each contender against the selected one: `selected`, the verdict on it, or a dash."""
    words = {c.name: "–" for c in contenders}
    if best := selected(contenders):
        words[best.name] = "selected"
        words |= {p.b: verdict(seen_from(p, p.b)) for p in facing(pairs, best.name, [*words])}
    return words


def test_accuracy(contender: ContenderResult) -> str:
    """`98.31 % [98.10, 98.52]`, and `one run` after the interval of a single run."""
    return interval(contender.test_accuracy) + (" one run" if contender.interval == "wilson" else "")


def trained(contender: ContenderResult) -> str:
    """How many of a contender's runs trained: `2 of 3`."""
    return f"{contender.n} of {contender.ended}"


def marks(contender: ContenderResult) -> str:
    """Signs of what it did with the test set: † its epoch was chosen there, ‡ it was trained there."""
    return (" †" if contender.selects_on_test else "") + (" ‡" if contender.trains_on_test else "")
