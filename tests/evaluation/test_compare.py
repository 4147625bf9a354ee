"""Comparisons: against slow twins and published examples, and the verdicts held by simulation."""

import itertools
import time

import numpy as np
import pytest
from scipy import stats

from bakeoff.errors import BakeoffError
from bakeoff.evaluation.compare import NO_DIFFERENCE, compare_all, compare_pairs, holm, mcnemar, paired_difference

# Planting: P(right) = 0.5 + gain + seed effect + image difficulty + contender x image interaction, the seeds' normal
# clipped at 3 standard deviations, the images' uniform. No probability leaves [0, 1], so the variances are exact.
BASE, DIFFICULTY = 0.5, 0.05


def plant(rng, contenders, seeds, images, seed_sd, interaction, gain=0.0):
    """Answers (contenders, S, M) of one study; the first contender is better by gain, the others are equal."""
    image = rng.uniform(-DIFFICULTY, DIFFICULTY, images)
    own = rng.uniform(-interaction, interaction, (contenders, 1, images))
    seed = seed_sd * rng.standard_normal((contenders, seeds, 1)).clip(-3, 3)
    gains = np.zeros((contenders, 1, 1))
    gains[0] = gain
    probability = BASE + gains + image + own + seed
    assert 0 <= probability.min() < probability.max() <= 1
    return rng.random((contenders, seeds, images)) < probability


def planted_variances(seed_sd, interaction, gain):
    """Variance of d = a - b between seeds, between images, and of the rest, from the planting alone."""
    seed = 2 * seed_sd**2
    own = 2 * interaction**2 / 3
    spread = seed_sd**2 + interaction**2 / 3 + DIFFICULTY**2 / 3
    rest = sum(p * (1 - p) - spread for p in (BASE + gain, BASE))  # E[p(1 - p)] = m(1 - m) - Var(p)
    return seed, own, rest


def expected_power(seeds, images, seed_sd, interaction, gain):
    """Power at 5 % by the noncentral t: planted variances, degrees of freedom weighed by the seeds' part."""
    seed, own, rest = planted_variances(seed_sd, interaction, gain)
    of_seeds = seed / seeds + rest / (seeds * images)
    variance = of_seeds + own / images
    part = of_seeds / variance
    df = 1 / (part / (seeds - 1) + (1 - part) / (images - 1))
    critical = stats.t.ppf(0.975, df)
    shift = gain / np.sqrt(variance)
    return stats.nct.sf(critical, df, shift) + stats.nct.cdf(-critical, df, shift)


def as_runs(answers):
    return {f"c{i}": dict(enumerate(runs)) for i, runs in enumerate(answers)}


def mean_squares(d):
    """Seeds, images and the rest, by the textbook's sums, cell by cell."""
    seeds, images = d.shape
    grand = d.mean()
    of_seeds = sum(images * (d[s].mean() - grand) ** 2 for s in range(seeds)) / (seeds - 1)
    of_images = sum(seeds * (d[:, i].mean() - grand) ** 2 for i in range(images)) / (images - 1)
    residuals = (d[s, i] - d[s].mean() - d[:, i].mean() + grand for s in range(seeds) for i in range(images))
    return of_seeds, of_images, sum(r**2 for r in residuals) / ((seeds - 1) * (images - 1))


# One pair


@pytest.mark.parametrize("seed_sd", [0.0, 0.02, 0.1])
def test_paired_difference_agrees_with_the_three_tests_done_apart(seed_sd):
    answers = plant(np.random.default_rng(3), 2, 4, 60, seed_sd, 0.1, gain=0.05)
    d = answers[0].astype(float) - answers[1]
    of_seeds, of_images, rest = mean_squares(d)
    variance = (of_seeds + max(of_images - rest, 0)) / d.size
    df = 1 / (of_seeds / d.size / variance / 3 + (1 - of_seeds / d.size / variance) / 59)
    crossed = stats.t(df, scale=np.sqrt(variance))
    alone = [stats.ttest_1samp(d.mean(axis=1), 0), stats.ttest_1samp(d.mean(axis=0), 0)]
    p = max(2 * crossed.sf(abs(d.mean())), *(test.pvalue for test in alone))
    half = max(crossed.ppf(0.95), *(test.confidence_interval(0.9).high - d.mean() for test in alone))

    found = paired_difference(answers[0], answers[1], confidence=0.9)
    assert (found.difference, found.p) == pytest.approx((d.mean(), p))
    assert (found.low, found.high) == pytest.approx((d.mean() - half, d.mean() + half))
    assert (found.seeds, found.images) == (4, 60)


def test_variance_agrees_with_a_bootstrap_of_seeds_and_images():
    """The two-way bootstrap counts the rest three times (Owen, Ann. Appl. Stat. 1, 2007), the analysis once."""
    rng = np.random.default_rng(5)
    seeds, images, resamples = 25, 500, 4000
    answers = plant(rng, 2, seeds, images, 0.03, 0.2)
    d = answers[0].astype(float) - answers[1]
    by_seed = rng.multinomial(seeds, np.full(seeds, 1 / seeds), resamples) / seeds
    by_image = rng.multinomial(images, np.full(images, 1 / images), resamples) / images
    bootstrap = np.einsum("rs,si,ri->r", by_seed, d, by_image, optimize=True).var()

    found = paired_difference(answers[0], answers[1])
    of_seeds, of_images, rest = mean_squares(d)
    part = of_seeds / (of_seeds + of_images - rest)
    df = 1 / (part / (seeds - 1) + (1 - part) / (images - 1))
    closed = ((found.high - found.difference) / stats.t.ppf(0.975, df)) ** 2
    # The bootstrap divides by n where the mean squares divide by n - 1.
    expected = closed + 2 * rest / d.size - of_seeds / seeds / d.size
    assert bootstrap == pytest.approx(expected, rel=4 * np.sqrt(2 / resamples))


def test_swapping_the_contenders_mirrors_the_result():
    a, b = plant(np.random.default_rng(1), 2, 5, 200, 0.02, 0.1)
    one, other = paired_difference(a, b), paired_difference(b, a)
    assert (one.difference, one.low, one.high) == pytest.approx((-other.difference, -other.high, -other.low))
    assert one.p == pytest.approx(other.p)


@pytest.mark.parametrize("seeds", [1, 4])
def test_identical_answers_are_no_difference(seeds):
    a = np.random.default_rng(0).random((seeds, 100)) < 0.9
    found = paired_difference(a, a)
    assert (found.difference, found.p) == (0, 1)
    assert found.low < 0 < found.high


@pytest.mark.parametrize("seeds", [1, 3])
def test_one_seed_or_seeds_without_effect_agree_with_the_published_example(seeds):
    """Cavo et al. (2012), 161 pairs, in Fagerland, Lydersen & Laake, Statistical Analysis of Contingency Tables (2017):
    Newcombe's interval is -0.1186 to -0.0046."""
    a = np.repeat([True, True, False, False], [59, 6, 16, 80])
    b = np.repeat([True, False, True, False], [59, 6, 16, 80])
    found = paired_difference(np.tile(a, (seeds, 1)), np.tile(b, (seeds, 1)))
    assert (found.difference, found.low, found.high) == pytest.approx((-0.0621, -0.1186, -0.0046), abs=5e-5)
    assert found.p == pytest.approx(2 * stats.binom.cdf(6, 22, 0.5))


def test_mcnemar_counts_only_the_images_on_which_two_runs_differ():
    a = np.array([True] * 9 + [False] * 91)
    assert mcnemar(a, ~a) < 1e-15
    assert mcnemar(a, a) == 1
    assert mcnemar(a, np.zeros(100, dtype=bool)) == pytest.approx(2 * 0.5**9)


def test_all_right_against_all_wrong():
    right = np.ones((3, 50), dtype=bool)
    found = paired_difference(right, ~right)
    assert found.difference == 1
    assert found.p < 1e-10
    assert 0.8 < found.low < found.high <= 1


def test_seeds_that_agree_by_luck_leave_the_images_to_decide():
    """Two seeds, each better on two images, other ones: the seeds' differences do not vary, four images do."""
    b = np.zeros((2, 100), dtype=bool)
    a = b.copy()
    a[0, :2] = a[1, 2:4] = True
    found = paired_difference(a, b)
    assert found.p == pytest.approx(stats.ttest_1samp(np.repeat([0.5, 0.0], [4, 96]), 0).pvalue)


def test_images_that_agree_by_luck_leave_the_seeds_to_decide():
    a = np.repeat([[True], [True], [False]], 80, axis=1)
    found = paired_difference(a, np.zeros_like(a))
    assert found.p == pytest.approx(stats.ttest_1samp([1, 1, 0], 0).pvalue)
    assert (found.low, found.high) == (pytest.approx(2 / 3 - stats.t.ppf(0.975, 2) / 3), 1)


# All pairs


def test_holm_agrees_with_r():
    """p.adjust(c(0.01, 0.04, 0.03, 0.02, 0.5), "holm") in R."""
    assert holm([0.01, 0.04, 0.03, 0.02, 0.5]) == pytest.approx([0.05, 0.09, 0.09, 0.08, 0.5])
    assert holm([0.9, 0.8]) == pytest.approx([1, 1])
    assert holm([]).shape == (0,)


def test_holm_rejects_as_the_stepwise_procedure_does():
    rng = np.random.default_rng(2)
    for _ in range(200):
        p = rng.random(6) ** 4
        rejected = set()
        for step, index in enumerate(np.argsort(p)):
            if p[index] >= 0.05 / (6 - step):
                break
            rejected.add(int(index))
        assert set(np.flatnonzero(holm(p) < 0.05)) == rejected


def test_verdicts_name_the_better_contender():
    rng = np.random.default_rng(4)
    good, bad = (rng.random((2, 5, 400)) < np.array([0.95, 0.6])[:, None, None]).tolist()
    runs = {name: dict(enumerate(np.array(answers))) for name, answers in (("mlp", bad), ("conv", good))}
    runs["conv-again"] = {seed: answers.copy() for seed, answers in runs["conv"].items()}
    found = compare_all(runs)
    assert [(c.a, c.b) for c in found] == [("mlp", "conv"), ("mlp", "conv-again"), ("conv", "conv-again")]
    assert [c.verdict for c in found] == ["conv is better", "conv-again is better", NO_DIFFERENCE]
    assert found[0].low < found[0].difference < found[0].high < 0
    assert [c.p_adjusted for c in found] == pytest.approx([3 * found[0].p, 3 * found[0].p, 1])


def test_runs_are_paired_by_the_seeds_both_have():
    a, b = plant(np.random.default_rng(6), 2, 5, 100, 0.05, 0.1)
    found = compare_all({"a": {0: a[0], 1: a[1], 2: a[2], 7: a[3]}, "b": {2: b[2], 1: b[1], 7: b[3], 9: b[4]}})[0]
    assert found.p == paired_difference(a[1:4], b[1:4]).p
    assert found.seeds == 3


def test_runs_without_a_shared_seed_are_paired_in_order():
    a, b = plant(np.random.default_rng(7), 2, 3, 100, 0.05, 0.1)
    found = compare_all({"a": {0: a[0], 1: a[1]}, "b": {12: b[2], 10: b[0], 11: b[1]}})[0]
    assert found.p == paired_difference(a[:2], b[:2]).p
    assert found.seeds == 2


def test_a_contender_without_runs_is_left_out():
    a, b = plant(np.random.default_rng(8), 2, 3, 100, 0.05, 0.1)
    assert [(c.a, c.b) for c in compare_all({"a": {0: a[0]}, "none": {}, "b": {0: b[0]}})] == [("a", "b")]
    assert compare_all({"a": {0: a[0]}}) == []


def test_some_pairs_are_corrected_among_themselves_and_keep_their_direction():
    planted = plant(np.random.default_rng(12), 4, 5, 200, 0.02, 0.1, gain=0.1)
    runs = {name: dict(enumerate(answers)) for name, answers in zip("abcd", planted, strict=True)}
    found = compare_pairs(runs, [("c", "a"), ("b", "d"), ("c", "a")])
    apart = [paired_difference(planted[i], planted[j]) for i, j in ((2, 0), (1, 3), (2, 0))]
    assert [(c.a, c.b) for c in found] == [("c", "a"), ("b", "d"), ("c", "a")]
    assert [(c.difference, c.low, c.high, c.p) for c in found] == [(d.difference, d.low, d.high, d.p) for d in apart]
    assert [c.p_adjusted for c in found] == holm([d.p for d in apart]).tolist()
    assert compare_pairs(runs, []) == []


def test_different_test_sets_are_refused():
    with pytest.raises(BakeoffError, match=r"conv and drop cannot be compared.* 90 and 100 images"):
        compare_all({"conv": {0: np.ones(100, dtype=bool)}, "drop": {0: np.ones(90, dtype=bool)}})


def test_all_pairs_of_a_large_study_take_seconds():
    answers = np.random.default_rng(9).random((35, 5, 10_000)) < 0.98
    start = time.perf_counter()
    assert len(compare_all(as_runs(answers))) == 595
    assert time.perf_counter() - start < 5


# Verdicts, by simulation


def networks(rng, contenders, seeds, images):
    """Answers as of well-trained networks, about 97 % right: most images are easy, errors sit on the same few."""
    difficulty = rng.normal(8, 4, images)
    own = rng.normal(0, 1, (contenders, 1, images))
    seed = rng.normal(0, 0.2, (contenders, seeds, 1))
    return rng.random((contenders, seeds, images)) < 1 / (1 + np.exp(-(difficulty + own + seed)))


EQUALS = {
    "few seeds": lambda rng: plant(rng, 4, 3, 300, 0.03, 0.1),
    "seeds matter": lambda rng: plant(rng, 4, 5, 300, 0.06, 0.1),
    "images matter": lambda rng: plant(rng, 4, 5, 300, 0.01, 0.4),
    "networks": lambda rng: networks(rng, 4, 5, 500),
}


@pytest.mark.parametrize("setting", EQUALS)
def test_equal_contenders_are_told_apart_in_at_most_5_percent_of_studies(setting):
    rng = np.random.default_rng(10)
    studies = (
        3000  # where the seeds dominate the tests are exact and the rate is 4.3 %: fewer could not tell it from 5 %
    )
    found = (compare_all(as_runs(EQUALS[setting](rng))) for _ in range(studies))
    false = sum(any(c.verdict != NO_DIFFERENCE for c in study) for study in found)
    assert false <= 0.05 * studies


@pytest.mark.parametrize("setting", ["seeds matter", "networks"])
def test_pooling_images_over_seeds_would_break_the_5_percent(setting):
    rng = np.random.default_rng(10)
    studies, false = 300, 0
    for _ in range(studies):
        pairs = itertools.combinations(EQUALS[setting](rng).reshape(4, -1), 2)
        false += int(holm([mcnemar(a, b) for a, b in pairs]).min() < 0.05)
    assert stats.binomtest(false, studies, 0.05, alternative="greater").pvalue < 1e-9


@pytest.mark.parametrize(
    ("seeds", "images", "seed_sd", "interaction", "gain"),
    [
        pytest.param(5, 400, 0.06, 0.0, 0.15, id="seeds decide"),
        pytest.param(5, 400, 0.0, 0.35, 0.07, id="images decide"),
        pytest.param(5, 400, 0.02, 0.3, 0.08, id="both decide"),
        pytest.param(3, 400, 0.05, 0.1, 0.18, id="few seeds"),
        pytest.param(10, 400, 0.02, 0.3, 0.06, id="many seeds"),
    ],
)
def test_a_planted_difference_is_found_as_often_as_its_power_says(seeds, images, seed_sd, interaction, gain):
    rng = np.random.default_rng(11)
    studies = [plant(rng, 2, seeds, images, seed_sd, interaction, gain) for _ in range(1000)]
    found = [compare_all(as_runs(study))[0] for study in studies]
    power = expected_power(seeds, images, seed_sd, interaction, gain)
    assert 0.5 < power < 0.95
    least, most = stats.binom.ppf([0.0005, 0.9995], len(found), power)
    assert least <= sum(c.verdict == "c0 is better" for c in found) <= most
    covered = sum(c.low <= gain <= c.high for c in found)
    assert covered >= stats.binom.ppf(0.0005, len(found), 0.95)
