from __future__ import annotations

import numpy as np
import pytest

from bakeoff.data.contact import contact_sheet, write_sheet
from bakeoff.data.dataset import Dataset, Split
from bakeoff.errors import BakeoffError


def make(counts=(3, 2), shape=(1, 7, 7), classes=("ant", "bee")) -> Dataset:
    """Image n of class k is filled with the grey 100 * (k + 1) + n."""
    labels = np.repeat(np.arange(len(counts)), counts)
    levels = np.concatenate([100 * (k + 1) + np.arange(count) for k, count in enumerate(counts)])
    split = Split(np.broadcast_to(levels[:, None, None, None], (len(labels), *shape)).astype(np.uint8), labels)
    return Dataset("farm", classes, split, split, split)


def tiles(sheet, level: int) -> int:
    """Pixels of exactly this grey in the part below the heading; the text's edges lie left of it."""
    pixels = np.asarray(sheet)[92:, 120:]
    return int((pixels == level).all(axis=2).sum())


def test_every_class_has_a_row_of_enlarged_images():
    sheet = contact_sheet(make())
    for level in (100, 101, 102, 200, 201):
        assert tiles(sheet, level) == 56 * 56  # 7 pixels, 8 times
    pixels = np.asarray(sheet)
    rows = {level: np.flatnonzero((pixels[92:, 120:] == level).all(axis=2).any(axis=1)) for level in (100, 102, 200)}
    assert (rows[100] == rows[102]).all()
    assert rows[200][0] > rows[100][-1]
    assert np.asarray(contact_sheet(make())).tobytes() == pixels.tobytes()


def test_images_are_spread_over_the_split():
    sheet = contact_sheet(make(counts=(50, 2)), columns=5)
    assert [level for level in range(100, 150) if tiles(sheet, level)] == [100, 110, 120, 130, 140]


@pytest.mark.parametrize(
    ("shape", "tile"), [((1, 400, 200), (96, 48)), ((3, 60, 90), (60, 90)), ((3, 32, 32), (64, 64))]
)
def test_tiles_have_a_sensible_size(shape, tile):
    assert tiles(contact_sheet(make(shape=shape)), 200) == tile[0] * tile[1]


def test_long_names_are_shortened_and_many_classes_fit():
    names = ("a very long name of a class that goes on and on and on", *(f"Ωж{n}" for n in range(120)))
    sheet = contact_sheet(make((2,) * 121, classes=names), columns=2)
    assert sheet.width < 700
    assert sheet.height > 121 * 56


def test_a_split_can_be_chosen():
    dataset = make()
    few = Split(dataset.test.images[[0, 3]], dataset.test.labels[[0, 3]])
    sheet = contact_sheet(Dataset("farm", dataset.classes, dataset.train, dataset.validation, few), split="test")
    assert [level for level in (100, 101, 102, 200, 201) if tiles(sheet, level)] == [100, 200]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("no-folder/sheet.png", r"sheet\.png: cannot be written: no such file"),
        ("sheet.nonsense", r"name a file that ends in \.png"),
        ("", r"name a file that ends in \.png"),
    ],
)
def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path, name, sentence):
    with pytest.raises(BakeoffError, match=sentence):
        write_sheet(make(), tmp_path / name)
