from __future__ import annotations

import numpy as np

from bakeoff.data import SOURCES
from bakeoff.data.errata import TEST_IMAGES, WRONG_LABELS, published_errata


def test_errata_are_of_known_datasets_and_differ_from_the_label():
    assert set(WRONG_LABELS) <= set(SOURCES.builtin)
    for name, errata in WRONG_LABELS.items():
        classes = range(len(SOURCES[name].classes))
        assert all(
            published in classes and corrected in classes and published != corrected
            for published, corrected in errata.values()
        )


def test_mnists_errata_are_of_the_images_they_name(mnist):
    errata = WRONG_LABELS["mnist"]
    assert len(errata) == 15  # as Northcutt, Athalye & Mueller (2021), table 2, count them
    assert published_errata("mnist", mnist.test.labels) == errata
    assert [int(mnist.test.labels[place]) for place in errata] == [published for published, _ in errata.values()]


def test_errata_are_of_the_published_split_in_its_order_only():
    labels = np.zeros(TEST_IMAGES["mnist"], np.int64)
    for place, (published, _) in WRONG_LABELS["mnist"].items():
        labels[place] = published
    assert published_errata("mnist", labels) == WRONG_LABELS["mnist"]
    assert published_errata("mnist", labels[::-1]) == {}
    assert published_errata("mnist", labels[:-1]) == {}
    assert published_errata("digits", labels) == {}
