"""What the accuracies of k contenders vary with: training seeds, test images, and the noise of a seed on an image.

The seeds' variances are moderated as in

    Smyth, Linear models and empirical Bayes methods, Stat. Appl. Genet. Mol. Biol. 3 (2004), article 3;
    Phipson, Lee, Majewski, Alexander & Smyth, Robust hyperparameter estimation, Ann. Appl. Stat. 10 (2016) 946-963.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from bakeoff.evaluation.exact import root

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Correct = Bools
"""(S, M): which of M images each of S runs recognises."""

BORROWING = 4
"""Contenders of two or more seeds from which on each borrows from the others' spreads."""
MOST_BORROWED = 4.0
"""Degrees of freedom that are borrowed at most, because contenders' true spreads differ."""
OUTLIER = 10.0
"""Times the expected variance beyond which a contender's own variance stands alone."""
_TINY = 1e-100
"""In place of a variance of 0, so that ratios are finite."""


@dataclass(frozen=True)
class Moments:
    """Mean squares of k contenders' answers; each array is (k,) except `shared`.

    Of one run, `seeds` is nan and `noise` 0: what cannot be told from the images' share is left in it.
    """

    runs: npt.NDArray[np.int64]
    mean: Floats
    """Accuracy over all answers."""
    seeds: Floats
    """Variance between seeds of the accuracy on these images."""
    noise: Floats
    """Variance of an answer within an image that is due neither to its seed nor to the image: seed x image."""
    shared: Floats
    """(k, k): covariance between images of the contenders' mean answers."""
    images: int


def moments(correct: Sequence[Correct]) -> Moments:
    """The mean squares of the answers (S, M) of each contender, right or wrong; M >= 2 is the same for all."""
    images = correct[0].shape[1]
    runs = np.array([len(answers) for answers in correct])
    by_image = np.stack([answers.mean(axis=0) for answers in correct])
    seeds, noise = np.full(len(correct), np.nan), np.zeros(len(correct))
    for c, answers in enumerate(correct):
        if (n := len(answers)) > 1:
            seeds[c] = answers.mean(axis=1).var(ddof=1)
            within = n * float((by_image[c] * (1 - by_image[c])).sum())  # of 0 and 1: sum of squares about the mean
            noise[c] = max(within - images * (n - 1) * seeds[c], 0.0) / ((n - 1) * (images - 1))
    return Moments(runs, by_image.mean(axis=1), seeds, noise, np.atleast_2d(np.cov(by_image)), images)


@dataclass(frozen=True)
class Variances:
    """Between seeds, of each of k contenders; of one run with nothing to borrow nan, with no degrees of freedom."""

    seeds: Floats
    df: Floats
    borrowed: float
    """The degrees of freedom d0 that each borrows; 0 where nothing is borrowed."""


def seed_variances(observed: Moments) -> Variances:
    """Moderated variances where four or more contenders have two or more seeds, else each contender's own.

    On the logit scale contenders are taken to spread alike, by s0. A contender's variance s^2 is expected to be
    s0^2 (p(1 - p))^2 plus the noise of its answers, which is known, over the number of images; the ratio of s^2 to that
    follows F(n - 1, d0). One whose ratio exceeds ten borrows nothing. No variance is below what the noise gives.
    """
    least = observed.noise / observed.images
    several = observed.runs > 1
    unmoderated = np.maximum(observed.seeds, least)
    df: Floats = observed.runs.astype(np.float64) - 1
    k = int(several.sum())
    if k < BORROWING:
        return Variances(unmoderated, df, 0.0)
    answers = observed.runs * observed.images
    p = (observed.mean * answers + 0.5) / (answers + 1)
    scale, positive = (p * (1 - p)) ** 2, np.maximum(df, 1)
    expected = np.maximum(_spread(observed.seeds, scale, least, df, several) * scale + least, _TINY)
    kept = several & (unmoderated <= OUTLIER * expected)
    ratio = np.maximum(unmoderated / expected, _TINY)
    logs = np.log(ratio) - special.digamma(positive / 2) + np.log(positive / 2)
    d0 = _prior_df(float(logs[kept].var(ddof=1) - special.polygamma(1, positive[kept] / 2).mean()))
    expected = _spread(observed.seeds, scale, least, df, kept, d0) * scale + least
    d0 = min(d0, k - 3, MOST_BORROWED)
    moderated = (d0 * expected + df * np.where(several, observed.seeds, 0)) / (d0 + df)
    borrows = kept | ~several
    seeds = np.where(borrows, np.maximum(moderated, least), unmoderated)
    return Variances(seeds, np.where(borrows, d0 + df, df), d0)


def _spread(seeds: Floats, scale: Floats, least: Floats, df: Floats, kept: Bools, prior: float = np.inf) -> float:
    """s0^2, at which half of the `kept` contenders have a ratio above the median of F; 0 where noise explains all."""
    middle = _median_f(df[kept], prior)

    def excess(spread: float) -> float:
        expected = np.maximum(spread * scale[kept] + least[kept], _TINY)
        return float(np.median(seeds[kept] / expected / middle)) - 1

    most = float((seeds[kept] / np.maximum(scale[kept], _TINY) / middle).max())
    if excess(0) <= 0 or most == 0:
        return 0.0
    return root(excess, 0, most)


def _median_f(df: Floats, prior: float) -> Floats:
    """Median of F(df, prior); with an infinite prior that of chi-squared / df."""
    if np.isinf(prior):
        return np.asarray(special.chdtri(df, 0.5) / df)
    return np.asarray(special.fdtri(df, prior, 0.5))


def _prior_df(excess: float) -> float:
    """d0 with trigamma(d0 / 2) = excess, the variance of the logs beyond what their degrees of freedom give."""
    few, many = 1e-3, 1e6
    if excess <= special.polygamma(1, many):
        return np.inf
    if excess >= special.polygamma(1, few):
        return 2 * few
    return 2 * root(lambda half: float(special.polygamma(1, half)) - excess, few, many)
