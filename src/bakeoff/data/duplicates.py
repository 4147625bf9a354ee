"""The same picture more than once: in two splits, where it flatters a result, or with two labels."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]

NEAR = 0.03
"""Two images are near-duplicates where the mean absolute difference of their pixels is at most this part of their
contrast, the mean absolute difference of the pixels from their mean: one picture saved twice, or changed in a corner.
The two most alike images of MNIST's two splits, two ones, differ by 0.047."""
BLOCKS = 4
"""Candidates are alike in the means of 4 x 4 blocks, whose mean difference is never above that of the pixels."""
ROUNDING = 1e-2
"""Of the sum of the differences of two images' block means."""
CANDIDATES = 8
"""Training images that each image is compared with: those whose blocks are most alike."""


@dataclass(frozen=True)
class Duplicates:
    """Counts of images that are there more than once. Splits are in the order train, validation, test."""

    exact: dict[str, int]
    """By pair of splits ("train, test"): images of the second that the first has too, pixel for pixel."""
    near: dict[str, int]
    """By pair of splits: further images of the second that the first nearly has, by the rule of NEAR."""
    repeated: dict[str, int]
    """By split: images that repeat an earlier one of the same split."""
    conflicting: int
    """Images, of all splits, of which an exact copy has another label."""

    def sentences(self) -> list[str]:
        """One for each count above 0."""
        counts: dict[str, int] = {}
        for pair, count in self.exact.items():
            first, second = pair.split(", ")
            counts[f"images of the {second} split that are in the {first} split too"] = count
            counts[
                f"images of the {second} split that are nearly in the {first} split (mean absolute difference up to "
                f"{NEAR:.0%} of the contrast)"
            ] = self.near[pair]
        counts |= {f"images of the {name} split that repeat an earlier one": n for name, n in self.repeated.items()}
        counts["images of which an exact copy has another label"] = self.conflicting
        return [f"{images}: {count:,}" for images, count in counts.items() if count]


def find_duplicates(splits: Mapping[str, tuple[Images, NDArray[np.int64]]]) -> Duplicates:
    """Every exact duplicate, and near-duplicates among each image's CANDIDATES, in splits by name."""
    digests = {name: image_digests(images) for name, (images, _) in splits.items()}
    sets = {name: set(values) for name, values in digests.items()}
    exact, near = {}, {}
    for first, second in combinations(splits, 2):
        new = np.array([digest not in sets[first] for digest in digests[second]])
        exact[f"{first}, {second}"] = int((~new).sum())
        near[f"{first}, {second}"] = _near(splits[first][0], splits[second][0][new])
    labels: dict[bytes, set[int]] = {}
    for name, (_, numbers) in splits.items():
        for digest, label in zip(digests[name], numbers.tolist(), strict=True):
            labels.setdefault(digest, set()).add(label)
    copies = Counter(digest for values in digests.values() for digest in values)
    return Duplicates(
        exact,
        near,
        {name: len(values) - len(sets[name]) for name, values in digests.items()},
        sum(copies[digest] for digest, of_copies in labels.items() if len(of_copies) > 1),
    )


def image_digests(images: Images) -> list[bytes]:
    """A digest of the pixels of each image (N, C, H, W)."""
    return [hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest() for image in images]


def _near(references: Images, images: Images) -> int:
    """How many of `images` (N, C, H, W) have a near-duplicate among `references` (M, C, H, W)."""
    from scipy.spatial import cKDTree

    if not len(images):
        return 0
    reach = NEAR * _contrast(images)
    tree, means, total = cKDTree(_block_means(references)), _block_means(images), 0
    count = min(CANDIDATES, len(references))
    for chunk in np.array_split(np.argsort(reach), -(-len(reach) // 512)):  # of like reach: the search is bounded by it
        most = float(reach[chunk[-1]]) * BLOCKS**2 + ROUNDING
        nearest = tree.query(means[chunk], k=[*range(1, count + 1)], p=1, distance_upper_bound=most)[1]
        has_neighbour = nearest[:, 0] < len(references)  # a place beyond the last stands for none
        for place, candidates in zip(chunk[has_neighbour], nearest[has_neighbour], strict=True):
            near = references[candidates[candidates < len(references)]].astype(np.int16)
            total += bool((np.abs(near - images[place]).mean((1, 2, 3)) <= reach[place]).any())
    return total


def _contrast(images: Images) -> NDArray[np.float64]:
    """(N,): the mean absolute difference of an image's pixels from their mean."""
    return np.array([np.abs(image - image.mean()).mean() for image in images])


def _block_means(images: Images) -> NDArray[np.float32]:
    """(N, BLOCKS x BLOCKS): the grey mean of each block, weighted by its size, so that the mean absolute difference of
    two such rows is at most that of the images' pixels."""
    channels, height, width = images.shape[1:]
    rows, columns = (np.unique(np.arange(BLOCKS) * side // BLOCKS) for side in (height, width))
    sums = np.empty((len(images), len(rows), len(columns)), np.float32)
    for start in range(0, len(images), 1024):  # its sums are wide
        grey = images[start : start + 1024].sum(1, dtype=np.uint16)
        part = np.add.reduceat(grey, rows, axis=1, dtype=np.uint32)
        sums[start : start + 1024] = np.add.reduceat(part, columns, axis=2)
    sums *= BLOCKS**2 / (channels * height * width)
    return sums.reshape(len(images), -1)
