"""How often a study with a single seed each would have named another winner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bakeoff.evaluation.exact import chance_to_win
from bakeoff.findings.contenders import ContenderResult


@dataclass(frozen=True)
class OneSeed:
    """The chance of the winner by all seeds to win with one, and those of others that may, the likeliest first."""

    winner: str
    chance: float
    others: tuple[tuple[str, float], ...]


def find_one_seed(ranked: Sequence[ContenderResult]) -> tuple[OneSeed, ...]:
    """One for two or more contenders with several seeds, given in the order of their validation accuracy; those that
    may not be selected for what they did with the test set do not count."""
    eligible = [c for c in ranked if c.n > 1 and c.may_be_selected]
    if len(eligible) < 2:
        return ()
    chances = chance_to_win({c.name: [s.validation_accuracy for s in c.seeds] for c in eligible})
    best = eligible[0].name
    others = sorted(((chance, name) for name, chance in chances.items() if name != best and chance), reverse=True)
    return (OneSeed(best, chances[best], tuple((name, chance) for chance, name in others)),)
