"""How many seeds a difference needs: against the exact non-central t."""

import math

import numpy as np
from scipy import stats

from bakeoff.evaluation.pairs import compare_pairs
from bakeoff.evaluation.planner import seeds_to_show
from bakeoff.evaluation.variances import moments, seed_variances


def test_the_plan_reaches_its_power_by_the_noncentral_t():
    """The planned number of seeds has 80 % power by the exact distribution, one seed less has not."""
    rng = np.random.default_rng(8)
    answers = [rng.random((4, 5000)) < 0.6 + 0.03 * rng.standard_normal((4, 1)) for _ in range(5)]
    f = moments(answers)
    tests = compare_pairs(answers, f, seed_variances(f))
    level = np.full(len(tests.difference), 0.005)
    for difference in (0.03, 0.05, 0.1):
        for k, need in enumerate(seeds_to_show(tests, level, difference)):
            upper = tests.per_seed[k] * tests.seed_df[k] / stats.chi2.ppf(0.2, tests.seed_df[k])

            def power(n, k=k, upper=upper, difference=difference):
                variance = upper / n + tests.images_part[k]
                df = variance / (upper / n / (n - 1 + tests.borrowed[k]) + tests.images_part[k] / 4999)
                return stats.nct.sf(stats.t.isf(0.0025, df), df, difference / math.sqrt(variance))

            assert need.seeds is not None
            assert power(need.seeds) > 0.78
            assert need.seeds == 2 or power(need.seeds - 1) < 0.82
