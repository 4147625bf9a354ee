"""Generated datasets as files: read back by numpy, and as a dataset."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bakeoff.data import load_dataset
from bakeoff.data.make import make
from bakeoff.errors import BakeoffError

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
    ("name", "file", "options", "sentence"),
    [
        ("mnist", "f.npz", {}, r"mnist: is no dataset that is generated \(valid: largest-digit, highest-digit\)"),
        (FEW, "f.npy", {}, r"f\.npy: the file to write must end in \.npz"),
        (FEW, "nowhere/f.npz", {}, r"nowhere/f\.npz: cannot be written"),
        (FEW, "f.npz", {"cuont": 3}, r"unknown key 'cuont' \(closest: count"),
        ("largest-digit:origin=kaggle", "f.npz", {}, "is no dataset that is generated"),
    ],
)
def test_what_cannot_be_made_is_one_sentence(
    tmp_path: Path, name: str, file: str, options: dict, sentence: str
) -> None:
    with pytest.raises(BakeoffError, match=sentence):
        make(name, tmp_path / file, options)
    assert not list(tmp_path.iterdir())


def test_two_processes_that_write_one_file_leave_it_whole(tmp_path: Path) -> None:
    """Each writes a file of its own and renames it: whichever comes last, one of the two datasets is there."""
    code = "import sys; from pathlib import Path; from bakeoff.data.make import make\n"
    code += f"for _ in range(3): make({FEW!r}, Path('f.npz'), dict(count=400, test_count=50, seed=int(sys.argv[1])))"
    made = [subprocess.Popen([sys.executable, "-c", code, str(seed)], cwd=tmp_path) for seed in (1, 2)]
    assert [process.wait(timeout=300) for process in made] == [0, 0]
    assert [file.name for file in tmp_path.iterdir()] == ["f.npz"]
    there = load_dataset(str(tmp_path / "f.npz")).fingerprint
    assert there in {load_dataset(f"{FEW},count=400,test_count=50,seed={seed}").fingerprint for seed in (1, 2)}


def test_a_failure_while_writing_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f.npz").write_bytes(b"as it was")
    monkeypatch.setattr(np, "savez", lambda stream, **_: stream.write(b"half") and _full_disk())
    with pytest.raises(BakeoffError, match=r"f\.npz: cannot be written: "):
        make(FEW, tmp_path / "f.npz", {"count": 300, "test_count": 50})
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("f.npz", b"as it was")]


def _full_disk() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
