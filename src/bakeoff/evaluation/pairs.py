"""The t tests of every pair of contenders, from the seeds' and the images' parts of the difference's variance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from bakeoff.evaluation.variances import Bools, Floats, Moments, Variances

_TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Tests:
    """Of m pairs of contenders: the difference, and the t tests that all have to show it, one row each."""

    difference: Floats
    """(m,), accuracy of the first minus that of the second."""
    error: Floats
    """(tests, m): standard errors."""
    freedom: Floats
    """(tests, m): degrees of freedom."""
    seeds: Floats
    """(m,): the seeds' part of the variance of the difference; nan where it cannot be known."""
    images: Floats
    """(m,): the images' part."""

    def above(self, bound: float) -> Floats:
        """One-sided p (m,) of "the difference is at most `bound`"."""
        return np.asarray(special.stdtr(self.freedom, (bound - self.difference) / self.error).max(axis=0))

    def below(self, bound: float) -> Floats:
        """One-sided p (m,) of "the difference is at least `bound`"."""
        return np.asarray(special.stdtr(self.freedom, (self.difference - bound) / self.error).max(axis=0))

    def half_width(self, confidence: float) -> Floats:
        """Half the width (m,) of the confidence interval."""
        return np.asarray((special.stdtrit(self.freedom, (1 + confidence) / 2) * self.error).max(axis=0))


def compare_pairs(correct: Sequence[Bools], found: Moments, spread: Variances) -> Tests:
    """The tests of all pairs of contenders, in the order of `itertools.combinations`.

    With moderated variances there is one test; its degrees of freedom are weighed by the parts of seeds and images.
    Otherwise the seeds alone and the images alone have to show the difference as well, see `crossed`; two contenders
    with equally many runs are paired run by run. Where a contender's spread between seeds is not known, only the
    images speak, and of these runs only.

    No variance with the images in it is below 4 / M^2: two answers of one run. Where fewer differ, their own variance
    would take an all but empty table for certainty; with it, "equivalent" needs as many images as the exact test does.
    """
    i, j = np.triu_indices(len(correct), 1)
    images = found.images
    of_mean = spread.seeds / found.runs
    known = ~np.isnan(of_mean[i] + of_mean[j])
    doubt = of_mean / np.where(spread.freedom > 0, spread.freedom, 1)
    seeds, seeds_doubt = (np.where(known, part[i] + part[j], 0) for part in (of_mean, doubt))
    noise = found.noise / found.runs
    between = (found.shared[i, i] + found.shared[j, j] - 2 * found.shared[i, j]) / images
    part = np.maximum(between - np.where(known, noise[i] + noise[j], 0) / images, 0)
    part = np.maximum(part, 4 / images**2 - seeds)
    both = seeds + part
    error = np.sqrt(both)[None]
    freedom = (both / (seeds_doubt + part / (images - 1)))[None]
    if not spread.borrowed:
        between = np.maximum(between, 4 / images**2)
        seeds_error = np.where(known, np.sqrt(np.maximum(seeds, _TINY)), np.sqrt(between))
        seeds_freedom = np.where(seeds > 0, seeds / np.maximum(seeds_doubt, _TINY), images - 1)
        error = np.concatenate([[seeds_error, np.sqrt(between)], error])
        freedom = np.concatenate([[seeds_freedom, np.full(len(i), images - 1.0)], freedom])
        for k in np.flatnonzero(known & (found.runs[i] == found.runs[j])):
            error[:, k], freedom[:, k], seeds[k], part[k] = crossed(correct[i[k]], correct[j[k]])
    return Tests(found.mean[i] - found.mean[j], error, freedom, np.where(known, seeds, np.nan), part)


def crossed(a: Bools, b: Bools) -> tuple[Floats, Floats, float, float]:
    """Standard errors (3,) and degrees of freedom (3,) of the difference between answers a and b (S, M), S >= 2.

    Row s of both is from one seed. The three tests are Student's t test of the S seeds' differences, of the M images'
    differences, and of the crossed table. With MS the mean squares of a - b, the crossed one takes
    (MS_seeds + max(MS_images - MS_rest, 0)) / SM for the variance of the mean difference (Hillis, Berbaum & Metz,
    Acad. Radiol. 15 (2008) 647-661), and 1/(S - 1) and 1/(M - 1), weighed by the parts of seeds and images in it, for
    1/df. Satterthwaite's df would square the parts: with few seeds, so that the parts are ill known, that is too many
    in the tails which a correction for many pairs looks at. For the same reason the seeds alone have to show the
    difference, too. Also returns the parts of seeds and images in the crossed variance.
    """
    assert a.shape == b.shape, (a.shape, b.shape)
    seeds, images = a.shape
    table = a.astype(np.int8) - b.astype(np.int8)
    of_seeds = images * table.mean(axis=1).var(ddof=1)
    of_images = seeds * table.mean(axis=0).var(ddof=1)
    squares = np.count_nonzero(table) - table.size * float(table.mean()) ** 2
    rest = (squares - (seeds - 1) * of_seeds - (images - 1) * of_images) / ((seeds - 1) * (images - 1))
    least = 4 * seeds / images  # of two answers of one run, as in `compare_pairs`
    part = max(of_images - rest, least - of_seeds, 0.0)
    both = of_seeds + part
    freedom = [seeds - 1, images - 1, both / (of_seeds / (seeds - 1) + part / (images - 1))]
    error = np.sqrt(np.array([max(of_seeds, _TINY), max(of_images, least), both]) / table.size)
    return error, np.array(freedom), float(of_seeds / table.size), float(part / table.size)
