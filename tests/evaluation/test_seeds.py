"""Power against simulated t tests and a published table, the chance to win against counting every combination."""

import itertools

import numpy as np
import pytest
from scipy import stats

from bakeoff.evaluation.seeds import MOST, chance_to_win, power, seeds_needed


@pytest.mark.parametrize(("seeds", "effect"), [(3, 1.5), (5, 1.0), (12, 0.9)])
def test_power_is_how_often_a_t_test_finds_it(seeds: int, effect: float) -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(effect * 0.4, 0.4, (40_000, seeds))
    found = float(np.mean(stats.ttest_1samp(samples, 0, axis=1).pvalue < 0.05))
    assert power(0.4, effect * 0.4, seeds) == pytest.approx(found, abs=4 * np.sqrt(0.25 / 40_000))


@pytest.mark.parametrize(("effect", "pairs"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_cohens_table(effect: float, pairs: int) -> None:
    """Pairs for 80 % power at two-sided 0.05: the figures that G*Power gives for small, medium and large effects."""
    assert seeds_needed(1.0, effect) == pairs


def test_fewest() -> None:
    needed = seeds_needed(0.3, 0.25)
    assert needed is not None
    assert power(0.3, 0.25, needed) >= 0.8 > power(0.3, 0.25, needed - 1)
    assert seeds_needed(1.0, 100.0) == 2
    assert seeds_needed(1.0, 1e-3) is None
    assert power(1.0, 1e-3, MOST) < 0.8


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
