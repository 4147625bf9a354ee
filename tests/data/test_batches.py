"""Batches: pure functions of seed, epoch and step."""

import numpy as np
import torch

from bakeoff.data import Split
from bakeoff.data.batches import derived_seed, flip_phases, normaliser, permutation, to_device


def test_a_permutation_depends_on_seed_and_epoch_only() -> None:
    torch.manual_seed(1)
    first = permutation(5, 2, 1000)
    torch.manual_seed(99)
    np.random.seed(3)  # noqa: NPY002 - the global generator is just what must not matter
    assert torch.equal(first, permutation(5, 2, 1000))
    assert sorted(first.tolist()) == list(range(1000))
    assert not torch.equal(first, permutation(5, 3, 1000))
    assert not torch.equal(first, permutation(6, 2, 1000))


def test_derived_seeds_do_not_meet() -> None:
    seeds = {derived_seed(seed, purpose, count) for seed in range(20) for purpose in range(4) for count in range(50)}
    assert len(seeds) == 20 * 4 * 50
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_flip_phases_are_fair_and_depend_on_the_seed_only() -> None:
    first = flip_phases(5, 10_000)
    assert torch.equal(first, flip_phases(5, 10_000))
    assert set(first.tolist()) == {0, 1}
    assert abs(float(first.double().mean()) - 0.5) < 0.02
    assert abs(float((first == flip_phases(6, 10_000)).double().mean()) - 0.5) < 0.02


def test_normaliser_against_numpy() -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 5, 6), dtype=np.uint8)
    mean, std = np.array([0.1, 0.5, 0.9]), np.array([0.2, 0.3, 0.4])
    unit = normaliser("unit", mean, std, torch.device("cpu"))(torch.from_numpy(images))
    standard = normaliser("standardise", mean, std, torch.device("cpu"))(torch.from_numpy(images))
    np.testing.assert_allclose(unit.numpy(), images / 255, rtol=1e-6)
    shape = (1, 3, 1, 1)
    np.testing.assert_allclose(
        standard.numpy(), (images / 255 - mean.reshape(shape)) / std.reshape(shape), rtol=1e-5, atol=1e-6
    )


def test_loading_and_normalising_do_all_preprocessing() -> None:
    """Thresholded, shrunk, standardised, repeated and blown up, against numpy step by step."""
    images = np.random.default_rng(0).integers(0, 256, (4, 1, 6, 8), dtype=np.uint8)
    steps = ["threshold:at=128", "downscale", "repeat", "upscale:times=3"]
    loaded = to_device(Split(images, np.zeros(4, np.int64)), torch.device("cpu"), steps)
    mean, std = np.array([0.3]), np.array([0.5])
    made = normaliser("standardise", mean, std, torch.device("cpu"), steps)(loaded.images)
    sharp = (images >= 128) * 255
    small = np.floor(sharp.reshape(4, 1, 3, 2, 4, 2).mean((3, 5)) + 0.5)
    expected = np.kron(np.repeat((small / 255 - 0.3) / 0.5, 3, axis=1), np.ones((3, 3)))
    assert loaded.images.shape == (4, 1, 3, 4)
    np.testing.assert_allclose(made.numpy(), expected, rtol=1e-5, atol=1e-6)
    assert made.is_contiguous(memory_format=torch.channels_last)
