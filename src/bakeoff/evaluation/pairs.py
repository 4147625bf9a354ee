"""The t tests of every pair of contenders, from the seeds' and the images' parts of the difference's variance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt
from scipy import special

from bakeoff.evaluation.variances import Bools, Correct, Floats, Moments, Variances

_TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Tests:
    """Of m pairs of contenders: the difference, and the t tests that all have to show it, one row each."""

    difference: Floats
    """(m,), accuracy of the first minus that of the second."""
    error: Floats
    """(tests, m): standard errors."""
    df: Floats
    """(tests, m): degrees of freedom."""
    per_seed: Floats
    """(m,): variance of the difference of two runs between seeds; nan where it cannot be known."""
    seed_df: Floats
    """(m,): degrees of freedom of `per_seed`."""
    borrowed: Floats
    """(m,): those of them that are not from the runs themselves."""
    runs: npt.NDArray[np.int64]
    """(m,): of the contender with more of them."""
    images_part: Floats
    """(m,): the images' part of the variance of `difference`."""
    images: int

    def only(self, pairs: Bools | Sequence[int]) -> Tests:
        """These tests of some pairs: a mask (m,) or indices."""
        per_pair = {f.name: getattr(self, f.name)[..., pairs] for f in fields(self) if f.name != "images"}
        return replace(self, **per_pair)

    def above(self, bound: float) -> Floats:
        """One-sided p (m,) of "the difference is at most `bound`"."""
        return np.asarray(special.stdtr(self.df, (bound - self.difference) / self.error).max(axis=0))

    def below(self, bound: float) -> Floats:
        """One-sided p (m,) of "the difference is at least `bound`"."""
        return np.asarray(special.stdtr(self.df, (self.difference - bound) / self.error).max(axis=0))

    def different(self) -> Floats:
        """Two-sided p (m,) of "no difference"."""
        return np.asarray(2 * np.minimum(self.above(0), self.below(0)))

    def within(self, margin: float) -> Floats:
        """P (m,) of "the difference is `margin` or more, either way": the larger of two one-sided tests.

        No standard error counts as less than two images: where hardly an answer differs, the answers' own variance
        takes an all but empty table for certainty. An exact test needs as many images.
        """
        wide = replace(self, error=np.maximum(self.error, 2 * least_error(self.images)))
        return np.maximum(wide.above(-margin), wide.below(margin))

    def half_width(self, confidence: float) -> Floats:
        """Half the width (m,) of the confidence interval."""
        return np.asarray((special.stdtrit(self.df, (1 + confidence) / 2) * self.error).max(axis=0))


def compare_pairs(correct: Sequence[Correct], observed: Moments, spread: Variances) -> Tests:
    """The tests of all pairs of contenders, in the order of `itertools.combinations`.

    With moderated variances there is one test; its degrees of freedom are weighed by the parts of seeds and images.
    Otherwise the seeds alone and the images alone have to show the difference as well, see `crossed`; two contenders
    with equally many runs are paired run by run. Where a contender's spread between seeds is not known, only the
    images speak, and of these runs only.

    No standard error with the images in it is below one image.
    """
    pair = i, j = np.array(np.triu_indices(len(correct), 1))
    images, noise, runs = observed.images, observed.noise / observed.runs, observed.runs[pair].max(axis=0)
    known = ~np.isnan(spread.seeds[pair]).any(axis=0)
    own_df = np.where(known, spread.df[pair], 1)
    seeds = np.where(known, (spread.seeds / observed.runs)[pair], 0)
    between = (observed.shared[i, i] + observed.shared[j, j] - 2 * observed.shared[i, j]) / images
    part = np.maximum(between - np.where(known, noise[i] + noise[j], 0) / images, 0)
    part = np.maximum(part, least_error(images) ** 2 - seeds.sum(axis=0))
    of_images = np.full(len(part), images - 1.0)
    error = np.sqrt(seeds.sum(axis=0) + part)[None]
    df = _joined(np.stack([*seeds, part]), np.stack([*own_df, of_images]))[None]
    per_seed = spread.seeds[pair].sum(axis=0)
    seed_df = _joined(np.where(known, spread.seeds[pair], 0), own_df)
    borrowed = (spread.df - observed.runs + 1)[pair].min(axis=0)
    if not spread.borrowed:
        seeds_error = np.sqrt(np.maximum(seeds.sum(axis=0), _TINY))
        images_error = np.sqrt(np.maximum(between, least_error(images) ** 2))
        seeds_error = np.where(known, seeds_error, images_error)
        error = np.concatenate([[seeds_error, images_error], error])
        df = np.concatenate([[np.where(known, _joined(seeds, own_df), of_images), of_images], df])
        for k in np.flatnonzero(known & (observed.runs[i] == observed.runs[j])):
            error[:, k], df[:, k], per_seed[k], part[k] = crossed(correct[i[k]], correct[j[k]])
    difference = observed.mean[i] - observed.mean[j]
    return Tests(difference, error, df, per_seed, seed_df, borrowed, runs, part, images)


def _joined(parts: Floats, df: Floats) -> Floats:
    """Degrees of freedom (m,) of sums of variances (q, m) with `df` (q, m): 1/df weighed by the parts."""
    total = parts.sum(axis=0)
    weights = np.where(total > 0, parts / np.where(total > 0, total, 1), 1 / len(parts))
    return np.asarray(1 / (weights / df).sum(axis=0))


def least_error(images: int) -> float:
    """The least standard error of a difference over M test images: one image."""
    return 1 / images


def crossed(a: Correct, b: Correct) -> tuple[Floats, Floats, float, float]:
    """Standard errors (3,) and degrees of freedom (3,) of the difference between answers a and b (S, M), S >= 2.

    Row s of both is from one seed. The three tests are Student's t test of the S seeds' differences, of the M images'
    differences, and of the crossed table. With MS the mean squares of a - b, the crossed one takes
    (MS_seeds + max(MS_images - MS_rest, 0)) / SM for the variance of the mean difference (Hillis, Berbaum & Metz,
    Acad. Radiol. 15 (2008) 647-661), and 1/(S - 1) and 1/(M - 1), weighed by the parts of seeds and images in it, for
    1/df. Satterthwaite's df would square the parts: with few seeds, so that the parts are ill known, that is too many
    in the tails which a correction for many pairs looks at. For the same reason the seeds alone have to show the
    difference, too. Also returns the variance between seeds of one seed's difference, and the images' part.
    """
    assert a.shape == b.shape, (a.shape, b.shape)
    seeds, images = a.shape
    table = a.astype(np.int8) - b.astype(np.int8)
    of_seeds = images * table.mean(axis=1).var(ddof=1)
    of_images = seeds * table.mean(axis=0).var(ddof=1)
    squares = np.count_nonzero(table) - table.size * float(table.mean()) ** 2
    rest = (squares - (seeds - 1) * of_seeds - (images - 1) * of_images) / ((seeds - 1) * (images - 1))
    least = least_error(images) ** 2 * table.size
    part = max(of_images - rest, least - of_seeds, 0.0)
    both = of_seeds + part
    df = [seeds - 1, images - 1, both / (of_seeds / (seeds - 1) + part / (images - 1))]
    error = np.sqrt(np.array([max(of_seeds, _TINY), max(of_images, least), both]) / table.size)
    return error, np.array(df), float(of_seeds / images), float(part / table.size)
