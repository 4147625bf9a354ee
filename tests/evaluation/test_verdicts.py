"""Verdicts on pairs: against a slow twin written from the formulas, and on degenerate data."""

import itertools
import math
import statistics

import numpy as np
import pytest
from scipy import optimize, special, stats

from bakeoff.errors import BakeoffError
from bakeoff.evaluation.pairs import compare_pairs
from bakeoff.evaluation.variances import Moments, moments, seed_variances
from bakeoff.evaluation.verdicts import decide


def study(rng, runs, images=200, spread=0.05, gains=0.05):
    """Answers of contenders, of which each has the number of runs that `runs` says."""
    difficulty = rng.uniform(-0.2, 0.2, images)
    return {
        f"c{c}": rng.random((n, images)) < 0.6 + gains * c + difficulty + spread * rng.standard_normal((n, 1))
        for c, n in enumerate(runs)
    }


# The twin: plain numbers, one contender and one pair at a time, as docs/statistics.md has the formulas.


def twin_contender(answers):
    n, images = answers.shape
    rows = [[int(cell) for cell in row] for row in answers]
    of_seed = [sum(row) / images for row in rows]
    mean = sum(of_seed) / n
    of_image = [sum(row[i] for row in rows) / n for i in range(images)]
    rest = sum((rows[s][i] - of_seed[s] - of_image[i] + mean) ** 2 for s in range(n) for i in range(images))
    p = (sum(map(sum, rows)) + 0.5) / (n * images + 1)
    return {
        "n": n,
        "images": images,
        "mean": mean,
        "of_image": of_image,
        "s2": statistics.variance(of_seed) if n > 1 else None,
        "r": rest / ((n - 1) * (images - 1)) if n > 1 else 0.0,
        "g": (p * (1 - p)) ** 2,
    }


def twin_moderated(contenders):
    """(variance between seeds, degrees of freedom) of each; at least four have several runs."""
    several = [c for c in contenders if c["n"] > 1]

    def median_f(n, d0):
        return stats.chi2.median(n - 1) / (n - 1) if math.isinf(d0) else stats.f.median(n - 1, d0)

    def expected(c, s0):
        return max(s0 * c["g"] + c["r"] / c["images"], 1e-300)

    def usual(some, d0):
        low, high = 0.0, 1e6
        for _ in range(200):
            s0 = (low + high) / 2
            above = statistics.median(c["s2"] / expected(c, s0) / median_f(c["n"], d0) for c in some) > 1
            low, high = (s0, high) if above else (low, s0)
        return high

    first = usual(several, math.inf)
    ratio = {id(c): max(c["s2"], c["r"] / c["images"]) / expected(c, first) for c in several}
    kept = [c for c in several if ratio[id(c)] <= 10]
    logs = [math.log(ratio[id(c)]) - special.digamma((c["n"] - 1) / 2) + math.log((c["n"] - 1) / 2) for c in kept]
    excess = statistics.variance(logs) - statistics.mean(float(special.polygamma(1, (c["n"] - 1) / 2)) for c in kept)
    d0 = math.inf
    if excess > 1e-6:
        d0 = 2 * math.exp(optimize.brentq(lambda x: special.polygamma(1, math.exp(x)) - excess, -6, 14))
    s0 = usual(kept, d0)
    d0 = min(d0, len(several) - 3, 4)
    result = []
    for c in contenders:
        least = c["r"] / c["images"]
        if c in several and c not in kept:
            result.append((max(c["s2"], least), c["n"] - 1))
        else:
            sampled = (c["n"] - 1) * c["s2"] if c["n"] > 1 else 0.0
            result.append((max((d0 * expected(c, s0) + sampled) / (d0 + c["n"] - 1), least), d0 + c["n"] - 1))
    return result


def twin_pair(a, b, of_a, of_b):
    """Difference, standard error and degrees of freedom."""
    images = a["images"]
    parts = [(of_a[0] / a["n"], of_a[1]), (of_b[0] / b["n"], of_b[1])]
    between = statistics.variance(x - y for x, y in zip(a["of_image"], b["of_image"], strict=True))
    part = max(between - a["r"] / a["n"] - b["r"] / b["n"], 0) / images
    parts.append((max(part, images**-2 - parts[0][0] - parts[1][0]), images - 1))
    variance = sum(v for v, _ in parts)
    freedom = variance / sum(v / nu for v, nu in parts)
    return a["mean"] - b["mean"], math.sqrt(variance), freedom


CASES = {
    "calm": ([3] * 6, 0.0),
    "spread": ([3] * 5, 0.1),
    "unequal runs": ([2, 3, 5, 4, 1], 0.05),
    "one run beside many": ([1, 3, 3, 3, 3, 3, 3], 0.05),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", range(3))
def test_moderated_pairs_agree_with_a_slow_twin(case, seed):
    runs, spread = CASES[case]
    correct = study(np.random.default_rng(seed), runs, spread=spread)
    correct["c1"][0] &= np.random.default_rng(9).random(200) < 0.2  # one run that went wrong: far more than ten times
    contenders = [twin_contender(answers) for answers in correct.values()]
    spreads = twin_moderated(contenders)
    verdicts = decide(correct)
    for pair, (i, j) in zip(verdicts.pairs, itertools.combinations(range(len(runs)), 2), strict=True):
        difference, error, freedom = twin_pair(contenders[i], contenders[j], spreads[i], spreads[j])
        half = stats.t.ppf(0.975, freedom) * error
        assert pair.difference == pytest.approx(difference)
        assert pair.p == pytest.approx(2 * stats.t.sf(abs(difference) / error, freedom))
        assert (pair.low, pair.high) == pytest.approx((max(difference - half, -1), min(difference + half, 1)))
        assert (pair.runs, pair.images, pair.single_run) == ((runs[i], runs[j]), 200, False)


def test_a_contender_far_more_spread_than_the_others_borrows_nothing():
    correct = study(np.random.default_rng(0), [3] * 6)
    correct["c1"][0] = False
    observed = moments(list(correct.values()))
    spread = seed_variances(observed)
    assert spread.seeds[1] == pytest.approx(observed.seeds[1])
    assert spread.df[1] == 2
    assert (np.delete(spread.df, 1) == 2 + spread.borrowed).all()


@pytest.mark.parametrize("d0", [1.5, 4.0])
def test_moderated_variances_are_nearer_to_the_true_ones(d0):
    """Contenders whose true variances are scattered as Smyth's model has it, known from three runs each."""
    rng = np.random.default_rng(1)
    k, n = 2000, 3
    true = 0.02 * d0 / rng.chisquare(d0, k) / 16
    sampled = true * rng.chisquare(n - 1, k) / (n - 1)
    half = np.full(k, 0.5)  # (p (1 - p))^2 is then 1 / 16
    moderated = seed_variances(Moments(np.full(k, n), half, sampled, np.zeros(k), np.eye(k), 10_000))
    assert 0 < moderated.borrowed <= 4
    moderated_error, own_error = (np.abs(np.log(one / true)).mean() for one in (moderated.seeds, sampled))
    assert moderated_error < 0.75 * own_error


def test_declared_pairs_share_half_the_level():
    correct = study(np.random.default_rng(2), [3] * 5)
    plain = {(q.a, q.b): q for q in decide(correct).pairs}
    pairs = {(q.a, q.b): q for q in decide(correct, declared=[("c4", "c0")]).pairs}
    assert [pair for pair, q in pairs.items() if q.declared] == [("c0", "c4")]
    for pair, q in pairs.items():
        assert q.p == plain[pair].p
    first = min(plain.values(), key=lambda q: q.p)  # the smallest p of all faces the whole family
    assert first.p_adjusted == pytest.approx(10 * first.p)
    if (first.a, first.b) == ("c0", "c4"):
        assert pairs["c0", "c4"].p_adjusted == pytest.approx(2 * first.p)
    all_declared = decide(correct, declared=list(plain)).pairs
    assert [q.p_adjusted for q in all_declared] == [q.p_adjusted for q in plain.values()]


def mirrored(pair):
    return {
        "difference": -pair.difference,
        "low": -pair.high,
        "high": -pair.low,
        "p": pair.p,
        "p_adjusted": pair.p_adjusted,
        "p_equivalent": pair.p_equivalent,
        "verdict": {"better": "worse", "worse": "better"}.get(pair.verdict, pair.verdict),
        "seeds_needed": pair.seeds_needed,
        "limited_by": pair.limited_by,
    }


@pytest.mark.parametrize("runs", [[3] * 6, [2, 3, 5, 4, 1], [3, 3], [2, 5, 3], [1, 1, 3]])
def test_the_order_of_contenders_does_not_matter(runs):
    correct = study(np.random.default_rng(4), runs, gains=0.08)
    verdicts = decide(correct, declared=[("c0", "c1")])
    turned = decide(dict(reversed(correct.items())), declared=[("c1", "c0")])
    other = {(pair.a, pair.b): pair for pair in turned.pairs}
    for pair in verdicts.pairs:
        swapped = other[pair.b, pair.a]
        for key, value in mirrored(pair).items():
            assert getattr(swapped, key) == (pytest.approx(value) if isinstance(value, float) else value), key
    assert set(verdicts.can_be_best) == set(turned.can_be_best)
    for name, estimate in verdicts.estimates.items():
        assert turned.estimates[name] == estimate


def test_runs_need_no_shared_seeds_with_four_contenders():
    correct = study(np.random.default_rng(5), [4] * 5)
    shuffled = {name: answers[::-1] if name in ("c1", "c3") else answers for name, answers in correct.items()}
    for one, other in zip(decide(correct).pairs, decide(shuffled).pairs, strict=True):
        assert one.p == pytest.approx(other.p)


def test_unequal_runs_of_two_contenders_all_count():
    """Two runs against five: the interval is narrower than with two against two, and every run moves the mean."""
    correct = study(np.random.default_rng(6), [2, 5], images=2000)
    (pair,) = decide(correct).pairs
    means = [answers.mean() for answers in correct.values()]
    assert pair.difference == pytest.approx(means[0] - means[1])
    assert (pair.runs, pair.p_adjusted) == ((2, 5), pair.p)
    a, b = (twin_contender(answers) for answers in correct.values())
    for one in (a, b):
        one["s2"] = max(one["s2"], one["r"] / one["images"])
    difference, error, freedom = twin_pair(a, b, (a["s2"], 1), (b["s2"], 4))
    alone = math.sqrt(a["s2"] / 2 + b["s2"] / 5)
    freedom_alone = alone**2 / (a["s2"] / 2 / 1 + b["s2"] / 5 / 4)
    of_images = stats.ttest_1samp(np.subtract(a["of_image"], b["of_image"]), 0).pvalue
    tests = (abs(difference) / error, freedom), (abs(difference) / alone, freedom_alone)
    assert pair.p == pytest.approx(max(of_images, *(2 * stats.t.sf(*test) for test in tests)))


# Equivalence


def nearly_equal(rng, images, runs=3, difference=0.0):
    """Two contenders with the same answers in all runs except for one image in a hundred, and a known difference."""
    base = rng.random(images) < 0.9
    a, b = (base ^ (rng.random((runs, images)) < 0.01) for _ in range(2))
    b[:, : round(difference * images)] = False
    a[:, : round(difference * images)] = True
    return {"a": a, "b": b}


def test_as_good_as_means_that_the_interval_lies_within_the_margin():
    rng = np.random.default_rng(0)
    seen = set()
    for images in (500, 2000, 8000, 30_000):
        for margin in (0.001, 0.005, 0.02):
            correct = nearly_equal(rng, images)
            (pair,) = decide(correct, margin=margin).pairs
            tests = compare_pairs(list(correct.values()), f := moments(list(correct.values())), seed_variances(f))
            half = float(tests.half_width(0.90)[0])
            inside = abs(pair.difference) + half < margin
            wide = (tests.error < 2 / images).any()
            if not wide:
                assert (pair.p_equivalent < 0.05) == inside
            if pair.p_adjusted >= 0.05:
                assert (pair.verdict == "equivalent") == (pair.p_equivalent < 0.05)
            seen.add(pair.verdict)
    assert {"equivalent", "undecided"} <= seen


def test_a_small_difference_that_is_shown_is_better_and_not_equivalent():
    (pair,) = decide(nearly_equal(np.random.default_rng(1), 50_000, difference=0.003), margin=0.02).pairs
    assert pair.p_adjusted < 0.05
    assert pair.p_equivalent < 0.05
    assert pair.verdict == "better"


def test_few_images_show_no_equivalence_though_all_answers_agree():
    """Of 300 images none differs: a true difference of 0.5 points does that in 22 % of test sets (0.995 ^ 300)."""
    right = np.ones((3, 300), bool)
    (pair,) = decide({"a": right, "b": right}).pairs
    assert pair.verdict == "undecided"
    assert pair.p_equivalent > 0.995**300
    assert (pair.seeds_needed, pair.limited_by) == (None, "images")
    right = np.ones((3, 3000), bool)
    assert decide({"a": right, "b": right}).pairs[0].verdict == "equivalent"


# Single runs, and degenerate data


def test_a_single_run_gets_an_interval_and_no_verdict():
    rng = np.random.default_rng(0)
    correct = study(rng, [3, 3, 3], gains=0.1) | {"one": rng.random((1, 200)) < 0.05}
    verdicts = decide(correct)
    for pair in verdicts.pairs:
        if pair.b == "one":
            assert pair.single_run
            assert (pair.p_adjusted, pair.p_equivalent, pair.verdict) == (None, None, "undecided")
            assert (pair.seeds_needed, pair.limited_by) == (None, "single run")
            assert pair.low > 0
            difference = correct[pair.a].mean(axis=0) - correct["one"][0]
            assert pair.p == pytest.approx(stats.ttest_1samp(difference, 0).pvalue)
    assert "one" in verdicts.can_be_best
    assert verdicts.estimates["one"].kind == "wilson"
    expected = stats.binomtest(int(correct["one"].sum()), 200).proportion_ci(method="wilson")
    assert (verdicts.estimates["one"].low, verdicts.estimates["one"].high) == pytest.approx(
        (expected.low, expected.high)
    )


def test_single_runs_leave_the_family_of_the_others_as_it_is():
    rng = np.random.default_rng(3)
    correct = study(rng, [3, 3, 3])
    single = {f"single{i}": rng.random((1, 200)) < 0.5 for i in range(4)}
    together = {(pair.a, pair.b): pair for pair in decide(correct | single).pairs}
    for pair in decide(correct).pairs:
        assert together[pair.a, pair.b] == pair


right = np.ones((3, 40), bool)
half = np.tile(np.arange(40) % 2 == 0, (3, 1))
DEGENERATE = {
    "no contender": {},
    "one contender": {"a": right},
    "all right": dict.fromkeys("abcde", right),
    "all right and all wrong": {"a": right, "b": ~right},
    "all right and all wrong, of five": {"a": right, "b": ~right, "c": right, "d": ~right, "e": right},
    "seeds that agree": {name: half if name < "c" else ~half for name in "abcde"},
    "two images": {name: (right if name < "c" else ~right)[:, :2] for name in "abcde"},
    "single runs only": dict.fromkeys("abc", half[:1]),
    "one spreads, the others do not": dict.fromkeys("abcd", half) | {"e": np.tri(3, 40, 10, dtype=bool)},
    "runs of all sizes": dict.fromkeys("ab", half[:1]) | dict.fromkeys("cdef", half) | {"g": half[:2]},
}


@pytest.mark.parametrize("case", DEGENERATE)
@pytest.mark.filterwarnings("error")
def test_degenerate_studies(case):
    correct = DEGENERATE[case]
    verdicts = decide(correct)
    k = len(correct)
    assert len(verdicts.pairs) == k * (k - 1) // 2
    assert len(verdicts.can_be_best) >= min(k, 1)
    for pair in verdicts.pairs:
        assert -1 <= pair.low <= pair.difference <= pair.high <= 1
        assert 0 <= pair.p <= 1
        if (correct[pair.a].mean(axis=0) == correct[pair.b].mean(axis=0)).all():
            assert (pair.difference, pair.p) == (0, 1)
            assert pair.verdict in ("equivalent", "undecided")
    for name, estimate in verdicts.estimates.items():
        assert 0 <= estimate.low <= estimate.mean <= estimate.high <= 1
        assert estimate.mean == pytest.approx(correct[name].mean())


def test_all_right_against_all_wrong_is_shown_on_forty_images_and_not_on_two():
    assert decide(DEGENERATE["all right and all wrong"]).pairs[0].verdict == "better"
    assert {pair.verdict for pair in decide(DEGENERATE["two images"]).pairs} == {"undecided"}


@pytest.mark.parametrize(
    ("sizes", "message"),
    [((10, 12), r"a and b cannot be compared: .* 10 and 12 images"), ((1, 1), "at least 2 test images")],
)
def test_contenders_without_the_same_images_are_refused(sizes, message):
    with pytest.raises(BakeoffError, match=message):
        decide({name: np.ones((2, size), bool) for name, size in zip("ab", sizes, strict=True)})


def test_a_contender_without_a_run_is_refused():
    with pytest.raises(BakeoffError, match="contender b has no run"):
        decide({"a": right, "b": right[:0]})


# Who can still be best, and what would decide a pair


def test_who_can_be_best_is_who_is_not_shown_to_be_beaten():
    correct = study(np.random.default_rng(7), [3] * 6, images=1000, spread=0.02, gains=0.06)
    verdicts = decide(correct)
    assert "c5" in verdicts.can_be_best
    assert "c0" not in verdicts.can_be_best
    beaten = {
        pair.b if pair.verdict == "better" else pair.a for pair in verdicts.pairs if pair.verdict in ("better", "worse")
    }
    assert not beaten & set(verdicts.can_be_best)
    limit = 0.05 / 5
    for name in verdicts.can_be_best:
        for pair in verdicts.pairs:
            if name in (pair.a, pair.b) and (pair.difference < 0) == (name == pair.a):
                assert pair.p / 2 >= limit


def test_an_undecided_pair_says_what_would_decide_it():
    rng = np.random.default_rng(9)
    luck = np.array([[-0.05], [0], [0.05]])
    far = {"a": rng.random((3, 4000)) < 0.7 + luck, "b": rng.random((3, 4000)) < 0.73 + luck[::-1]}
    (pair,) = decide(far).pairs
    assert pair.verdict == "undecided"
    assert pair.seeds_needed > 3
    assert pair.limited_by is None
    base = rng.random(300)
    near = {name: np.tile(base < 0.7 + gain, (3, 1)) for name, gain in (("a", 0), ("b", 0.005))}
    (pair,) = decide(near).pairs
    assert (pair.verdict, pair.seeds_needed, pair.limited_by) == ("undecided", None, "images")
    assert pair.images_share == pytest.approx(1)


def test_decided_pairs_need_nothing_and_larger_differences_fewer_seeds():
    verdicts = decide(study(np.random.default_rng(10), [3] * 5, images=3000, spread=0.01, gains=0.08))
    for pair in verdicts.pairs:
        assert pair.verdict != "undecided"
        assert (pair.seeds_needed, pair.limited_by) == (None, None)
    seeds = [need.seeds or math.inf for need in verdicts.plan.values()]
    assert seeds == sorted(seeds, reverse=True)
    assert seeds[-1] < 20


def test_runs_that_are_all_right_are_no_more_sure_than_their_images_are_many() -> None:
    """Thirty images, all right in three runs: 0.9^30 = 4 %, so 91 % for new images is possible."""
    one, three = (decide({"a": np.ones((runs, 30), bool)}).estimates["a"] for runs in (1, 3))
    assert (three.low, three.high) == (one.low, one.high)
    assert three.low < 0.91
    assert three.kind == "new images"
