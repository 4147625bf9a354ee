"""The chance to win against counting every combination."""

import itertools

import pytest

from bakeoff.evaluation.exact import chance_to_win


def test_chance_to_win_is_a_count_over_all_combinations() -> None:
    values = {"a": [0.90, 0.95, 0.97], "b": [0.95, 0.96], "c": [0.95, 0.99, 0.90, 0.97]}
    wins = dict.fromkeys(values, 0.0)
    combinations = list(itertools.product(*values.values()))
    for drawn in combinations:
        best = [name for name, value in zip(values, drawn, strict=True) if value == max(drawn)]
        for name in best:
            wins[name] += 1 / len(best) / len(combinations)
    assert chance_to_win(values) == pytest.approx(wins)
    assert sum(wins.values()) == pytest.approx(1)
    assert chance_to_win({"alone": [0.1]}) == {"alone": 1.0}
