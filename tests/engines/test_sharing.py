"""Datasets that several processes see in one place."""

import multiprocessing
import shutil
from collections import namedtuple
from dataclasses import replace

import numpy as np
import pytest

from bakeoff.data import Dataset
from bakeoff.engines.sharing import SharedDataset, share

SPAWN = multiprocessing.get_context("spawn")


def _tell(shared: SharedDataset, answers) -> None:
    """In another process: what it is given, and a mark in it."""
    dataset = shared.dataset()
    answers.put((dataset.fingerprint, dataset.classes, dataset.header, dataset.mirror, dataset.unlabelled.sum()))
    dataset.unlabelled[0] = 255


def test_a_process_has_the_dataset_without_a_copy(blocks: Dataset) -> None:
    whole = replace(blocks, unlabelled=blocks.test.images, header=("Id", "Label"), mirror=False)
    data = {"blocks": whole}
    shared = share(data, SPAWN)["blocks"]
    assert data == {}, "it is not held twice"
    assert (shared.dataset().train.images == blocks.train.images).all()
    answers = SPAWN.Queue()
    process = SPAWN.Process(target=_tell, args=(shared, answers))
    process.start()
    received = answers.get(timeout=120)
    process.join(120)
    assert received == (whole.fingerprint, blocks.classes, ("Id", "Label"), False, blocks.test.images.sum())
    assert (shared.dataset().unlabelled[0] == 255).all(), "the other process wrote into the same memory"
    assert not np.array_equal(whole.unlabelled[0], shared.dataset().unlabelled[0])


def test_what_does_not_fit_stays(blocks: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    size = sum(split.images.nbytes for split in blocks.splits.values())
    data = {"blocks": blocks}
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(size, 0, 2 * size))
    assert share(data, SPAWN) == {}
    assert data == {"blocks": blocks}
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(size, 0, 2 * size + 2))
    assert list(share(data, SPAWN)) == ["blocks"]
