"""Generated datasets as files: read back by numpy, and as a dataset."""

from pathlib import Path

import numpy as np
import pytest

from bakeoff.data import load_dataset
from bakeoff.data.make import make
from bakeoff.errors import UsageError

FEW = "largest-digit:digits=digits,min_digits=2"


def test_the_file_holds_the_dataset_and_what_each_image_is_made_of(tmp_path: Path) -> None:
    counts = make(FEW, tmp_path / "f.npz", {"count": 300, "test_count": 200, "seed": 4})
    assert counts == {"train": 300, "test": 200}
    direct = load_dataset(f"{FEW},count=300,test_count=200,seed=4")
    again = load_dataset(str(tmp_path / "f.npz"))
    for split in ("train", "validation", "test"):
        assert np.array_equal(again.splits[split].images, direct.splits[split].images)
        assert np.array_equal(again.splits[split].labels, direct.splits[split].labels)
    with np.load(tmp_path / "f.npz") as file:
        for image, label, values, boxes in zip(
            file["x_test"], file["y_test"], file["test_values"], file["test_boxes"], strict=True
        ):
            areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
            assert values[areas.argmax()] == label
            for top, left, bottom, right in boxes[values >= 0]:
                assert (image[0, top:bottom, left:right] == 255).any()
        assert file["train_angles"].shape == file["train_scales"].shape == (300, 3)
    assert [file.name for file in tmp_path.iterdir()] == ["f.npz"]


@pytest.mark.parametrize(
    ("name", "file", "given", "sentence"),
    [
        ("mnist", "f.npz", {}, r"mnist: no dataset that is generated \(valid: highest-digit, largest-digit\)"),
        (FEW, "f.npy", {}, r"f\.npy: the file to write must end in \.npz"),
        (FEW, "nowhere/f.npz", {}, r"nowhere/f\.npz cannot be written"),
        (FEW, "f.npz", {"cuont": 3}, r"unknown key 'cuont' \(closest: count"),
        ("largest-digit:origin=kaggle", "f.npz", {}, "are as they are: leave origin out"),
    ],
)
def test_what_cannot_be_made_is_one_sentence(tmp_path: Path, name: str, file: str, given: dict, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        make(name, tmp_path / file, given)
    assert not list(tmp_path.iterdir())
