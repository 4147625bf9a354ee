"""The verdicts held by simulated studies: the short form of bench/simulate_verdicts.py, with fixed seeds.

A bound is the one-in-a-thousand tail of a method that does exactly what it promises.
"""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats


@pytest.fixture(scope="module")
def bench():
    path = Path(__file__).parents[2] / "bench" / "simulate_verdicts.py"
    return SimpleNamespace(**runpy.run_path(str(path)))


def at_most(rate, promised, studies):
    return rate <= stats.binom.isf(0.001, studies, promised) / studies


def at_least(rate, promised, studies):
    return rate >= stats.binom.ppf(0.001, studies, promised) / studies


@pytest.mark.parametrize("spread", ["calm", "unequal", "failing"])
def test_the_answers_drawn_have_the_accuracy_stated(bench, spread):
    rng = np.random.default_rng(0)
    cell = bench.Cell((0.5, 0.95, 0.995), 5, 500, spread)
    means = np.stack([bench.draw(rng, cell).mean(axis=(1, 2)) for _ in range(300)])
    assert (np.abs(means.mean(axis=0) - cell.truth) < 4 * means.std(axis=0) / np.sqrt(300)).all()


NULL = [
    ((0.95,) * 2, 3, 1000, "calm"),
    ((0.5,) * 2, 3, 1000, "unequal"),
    ((0.995,) * 4, 5, 1000, "unequal"),
    ((0.95,) * 15, 3, 1000, "unequal"),
    ((0.95,) * 15, 3, 1000, "failing"),
    ((0.995,) * 15, 3, 1000, "calm"),
]


@pytest.mark.parametrize("design", NULL, ids=lambda design: f"{len(design[0])}-{design[0][0]}-{design[3]}")
def test_equally_good_contenders_are_rarely_told_apart(bench, design):
    studies = 150
    rates = bench.simulate(bench.Cell(*design), studies, np.random.default_rng(1))
    assert at_most(rates["any_false"][0], 0.05, studies)
    if design[-1] != "failing":  # no interval from three runs knows of failures that they do not show
        assert rates["pair_coverage"][0] > 0.92
        assert rates["leaderboard_coverage"][0] > 0.92


@pytest.mark.parametrize(("k", "spread"), [(2, "calm"), (4, "unequal"), (15, "calm")])
def test_a_difference_of_exactly_the_margin_is_rarely_called_equivalent(bench, k, spread):
    studies = 100
    cell = bench.Cell(tuple(0.95 - 0.005 * (c % 2) for c in range(k)), 10, 2000, spread)
    rates = bench.simulate(cell, studies, np.random.default_rng(2))
    assert at_most(rates["any_false"][0], 0.05, studies)


@pytest.mark.parametrize(("which", "promised"), [(0, 0.9), (1, 0.6)])
def test_plain_differences_among_fifteen_contenders_are_shown(bench, which, promised):
    studies = 25
    rates = bench.simulate(bench.POWER[which], studies, np.random.default_rng(3))
    assert at_least(rates["shown"][0], promised, studies)


def test_adding_seeds_until_decided_stays_within_the_level(bench):
    studies = 60
    rng = np.random.default_rng(4)
    cell = bench.Cell((0.95,) * 4, 10, 2000, "unequal")
    rates = bench.rates([bench.add_seeds(cell, rng) for _ in range(studies)])
    assert at_most(rates["any_false"][0], 0.036, studies)
    easy = bench.Cell((0.5, 0.95), 10, 2000, "calm")
    quick = bench.rates([bench.add_seeds(easy, rng) for _ in range(10)])
    assert (quick["shown"][0], quick["seeds"][0]) == (1, 3)


def test_a_plan_keeps_its_promise(bench):
    studies = 60
    rng = np.random.default_rng(5)
    cell = bench.Cell((0.90, 0.95, 0.95, 0.95), 3, 2000, "unequal")
    rows = [bench.follow_plan(cell, rng, most=20) for _ in range(studies)]
    planned = [row for row in rows if not row["not_planned"]]
    assert len(planned) > studies / 2
    assert at_least(bench.rates(planned)["shown"][0], 0.8, len(planned))
