"""Two contenders with equally many runs: the crossed test against its parts, a bootstrap and its own power."""

import numpy as np
import pytest
from scipy import stats

from bakeoff.evaluation.pairs import crossed
from bakeoff.evaluation.verdicts import decide

# Planting: P(right) = 0.5 + gain + seed effect + image difficulty + contender x image interaction, the seeds' normal
# clipped at 3 standard deviations, the images' uniform. No probability leaves [0, 1], so the variances are exact.
BASE, DIFFICULTY = 0.5, 0.05


def plant(rng, contenders, seeds, images, seed_sd, interaction, gain=0.0):
    """Answers (contenders, S, M) of one study; the first contender is better by gain, the others are equal."""
    image = rng.uniform(-DIFFICULTY, DIFFICULTY, images)
    interactions = rng.uniform(-interaction, interaction, (contenders, 1, images))
    seed = seed_sd * rng.standard_normal((contenders, seeds, 1)).clip(-3, 3)
    gains = np.zeros((contenders, 1, 1))
    gains[0] = gain
    probability = BASE + gains + image + interactions + seed
    assert 0 <= probability.min() < probability.max() <= 1
    return rng.random((contenders, seeds, images)) < probability


def planted_variances(seed_sd, interaction, gain):
    """Variance of d = a - b between seeds, between images, and of the rest, from the planting alone."""
    seed = 2 * seed_sd**2
    interaction_variance = 2 * interaction**2 / 3
    spread = seed_sd**2 + interaction**2 / 3 + DIFFICULTY**2 / 3
    rest = sum(p * (1 - p) - spread for p in (BASE + gain, BASE))  # E[p(1 - p)] = m(1 - m) - Var(p)
    return seed, interaction_variance, rest


def expected_power(seeds, images, seed_sd, interaction, gain):
    """Power at 5 % by the noncentral t: planted variances, degrees of freedom weighed by the seeds' part."""
    seed, interactions, rest = planted_variances(seed_sd, interaction, gain)
    of_seeds = seed / seeds + rest / (seeds * images)
    variance = of_seeds + interactions / images
    part = of_seeds / variance
    df = 1 / (part / (seeds - 1) + (1 - part) / (images - 1))
    critical = stats.t.ppf(0.975, df)
    shift = gain / np.sqrt(variance)
    return stats.nct.sf(critical, df, shift) + stats.nct.cdf(-critical, df, shift)


def compare(a, b):
    return decide({"a": a, "b": b}).pairs[0]


def mean_squares(d):
    """Seeds, images and the rest, by the textbook's sums, cell by cell."""
    seeds, images = d.shape
    grand = d.mean()
    of_seeds = sum(images * (d[s].mean() - grand) ** 2 for s in range(seeds)) / (seeds - 1)
    of_images = sum(seeds * (d[:, i].mean() - grand) ** 2 for i in range(images)) / (images - 1)
    residuals = (d[s, i] - d[s].mean() - d[:, i].mean() + grand for s in range(seeds) for i in range(images))
    return of_seeds, of_images, sum(r**2 for r in residuals) / ((seeds - 1) * (images - 1))


@pytest.mark.parametrize("seed_sd", [0.0, 0.02, 0.1])
def test_a_pair_agrees_with_the_three_tests_done_apart(seed_sd):
    answers = plant(np.random.default_rng(3), 2, 4, 60, seed_sd, 0.1, gain=0.05)
    d = answers[0].astype(float) - answers[1]
    of_seeds, of_images, rest = mean_squares(d)
    variance = (of_seeds + max(of_images - rest, 0)) / d.size
    df = 1 / (of_seeds / d.size / variance / 3 + (1 - of_seeds / d.size / variance) / 59)
    together = stats.t(df, scale=np.sqrt(variance))
    alone = [stats.ttest_1samp(d.mean(axis=1), 0), stats.ttest_1samp(d.mean(axis=0), 0)]
    p = max(2 * together.sf(abs(d.mean())), *(test.pvalue for test in alone))
    half = max(together.ppf(0.975), *(test.confidence_interval(0.95).high - d.mean() for test in alone))

    pair = compare(*answers)
    assert (pair.difference, pair.p, pair.p_adjusted) == pytest.approx((d.mean(), p, p))
    assert (pair.low, pair.high) == pytest.approx((d.mean() - half, d.mean() + half))
    assert (pair.runs, pair.images) == ((4, 4), 60)


def test_the_variance_agrees_with_a_bootstrap_of_seeds_and_images():
    """The two-way bootstrap counts the rest three times (Owen, Ann. Appl. Stat. 1, 2007), the analysis once."""
    rng = np.random.default_rng(5)
    seeds, images, resamples = 25, 500, 4000
    answers = plant(rng, 2, seeds, images, 0.03, 0.2)
    d = answers[0].astype(float) - answers[1]
    by_seed = rng.multinomial(seeds, np.full(seeds, 1 / seeds), resamples) / seeds
    by_image = rng.multinomial(images, np.full(images, 1 / images), resamples) / images
    bootstrap = np.einsum("rs,si,ri->r", by_seed, d, by_image, optimize=True).var()

    of_seeds, _, rest = mean_squares(d)
    closed = crossed(*answers)[0][2] ** 2
    # The bootstrap divides by n where the mean squares divide by n - 1.
    expected = closed + 2 * rest / d.size - of_seeds / seeds / d.size
    assert bootstrap == pytest.approx(expected, rel=4 * np.sqrt(2 / resamples))


def test_seeds_that_agree_by_luck_leave_the_images_to_decide():
    """Two seeds, each better on five images, other ones: the seeds' differences do not vary, ten images do."""
    b = np.zeros((2, 100), dtype=bool)
    a = b.copy()
    a[0, :5] = a[1, 5:10] = True
    assert compare(a, b).p == pytest.approx(stats.ttest_1samp(np.repeat([0.5, 0.0], [10, 90]), 0).pvalue)


def test_images_that_agree_by_luck_leave_the_seeds_to_decide():
    a = np.repeat([[True], [True], [False]], 80, axis=1)
    pair = compare(a, np.zeros_like(a))
    assert pair.p == pytest.approx(stats.ttest_1samp([1, 1, 0], 0).pvalue)
    assert (pair.low, pair.high) == (pytest.approx(2 / 3 - stats.t.ppf(0.975, 2) / 3), 1)


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
    pairs = [compare(*plant(rng, 2, seeds, images, seed_sd, interaction, gain)) for _ in range(600)]
    power = expected_power(seeds, images, seed_sd, interaction, gain)
    assert 0.5 < power < 0.95
    least, most = stats.binom.ppf([0.0005, 0.9995], len(pairs), power)
    assert least <= sum(pair.verdict == "better" for pair in pairs) <= most
    covered = sum(pair.low <= gain <= pair.high for pair in pairs)
    assert covered >= stats.binom.ppf(0.0005, len(pairs), 0.95)
