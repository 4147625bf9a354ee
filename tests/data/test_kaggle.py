"""The competitions' files, made small: read as own data, or as a source with `origin=kaggle`."""

from __future__ import annotations

import csv
import pickle
from pathlib import Path

import numpy as np
import pytest

from bakeoff.data import load_dataset
from bakeoff.data.kaggle import EDITIONS
from bakeoff.errors import BakeoffError, UsageError

NAMES = {
    "largest-digit": ("train_images.pkl", "train_labels.csv", "test_images.pkl"),
    "highest-digit": ("train_max_x", "train_max_y.csv", "test_max_x"),
}
HEADERS = {"largest-digit": ("Id", "Category"), "highest-digit": ("Id", "Label")}


def save_competition(folder: Path, name: str = "largest-digit", *, kind="u1", protocol=4) -> np.ndarray:
    """40 training images in rows of their label, 7 test images; the labels come in another order than the images."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(0)
    train, labels_file, test = NAMES[name]
    images = draw.integers(0, 256, (47, 6, 8))
    images[:40, 0] = 20 * (np.arange(40) % 10)[:, None]
    (folder / train).write_bytes(pickle.dumps(images[:40].astype(kind), protocol))
    (folder / test).write_bytes(pickle.dumps(images[40:].astype(kind), protocol))
    with (folder / labels_file).open("w", newline="") as out:
        writer = csv.writer(out, quoting=csv.QUOTE_ALL if name == "highest-digit" else csv.QUOTE_MINIMAL)
        writer.writerow(HEADERS[name])
        writer.writerows((place, place % 10) for place in draw.permutation(40))
    return images


def check(dataset, images) -> None:
    assert dataset.classes == tuple("0123456789")
    assert dataset.mirror is False
    for split in dataset.splits.values():
        assert (split.images[:, 0, 0] == 20 * split.labels[:, None]).all()
    together = np.concatenate([split.images for split in dataset.splits.values()])
    assert sorted(image.tobytes() for image in together) == sorted(i.astype(np.uint8).tobytes() for i in images[:40])
    assert (dataset.unlabelled[:, 0] == images[40:]).all()
    assert dataset.unlabelled.flags.writeable


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("kind", ["u1", "i2", "i8", "f4", ">f8"])
def test_a_folder_with_a_competitions_files_is_own_data(tmp_path, kind, protocol):
    images = save_competition(tmp_path / "winter", kind=kind, protocol=protocol)
    dataset = load_dataset(str(tmp_path / "winter"))
    check(dataset, images)
    assert (dataset.name, dataset.header) == ("winter", ("Id", "Category"))
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 20, "validation": 10, "test": 10}


@pytest.mark.parametrize("name", sorted(EDITIONS))
def test_a_named_dataset_reads_the_competitions_files_with_origin_kaggle(tmp_path, monkeypatch, name):
    monkeypatch.setenv("BAKEOFF_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(
        BakeoffError, match=rf"{name}: there is no {EDITIONS[name].train} in \S+data/{name} or \S+cache"
    ):
        load_dataset(f"{name}:origin=kaggle")
    images = save_competition(tmp_path / "cache" / "bakeoff" / name, name)
    dataset = load_dataset(f"{name}:origin=kaggle")
    check(dataset, images)
    assert (dataset.name, dataset.header) == (name, HEADERS[name])
    with pytest.raises(UsageError, match="count is for generated images; origin=kaggle takes them as they are"):
        load_dataset(f"{name}:origin=kaggle,count=5")


def test_endings_and_sizes_may_be_others(tmp_path):
    images = save_competition(tmp_path, "highest-digit")
    for file in ("train_max_x", "test_max_x"):
        (tmp_path / file).rename(tmp_path / f"{file}.pkl")
    check(load_dataset(str(tmp_path)), images)
    dataset = load_dataset(f"{tmp_path}:size=12x16,resize=stretch,channels=3")
    assert dataset.shape == (3, 12, 16)
    assert dataset.unlabelled.shape == (7, 3, 12, 16)


def test_the_test_images_may_be_missing(tmp_path):
    save_competition(tmp_path)
    (tmp_path / "test_images.pkl").unlink()
    assert load_dataset(str(tmp_path)).unlabelled is None


def test_the_unlabelled_images_are_not_in_the_fingerprint(tmp_path):
    save_competition(tmp_path)
    with_test = load_dataset(str(tmp_path)).fingerprint
    (tmp_path / "test_images.pkl").unlink()
    assert load_dataset(str(tmp_path)).fingerprint == with_test


LINES = "".join(f"{place},{place % 10}\n" for place in range(40))


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("train_labels.csv", None, "train_labels.csv cannot be read .No such file"),
        ("train_labels.csv", b"", "train_labels.csv is empty"),
        ("train_labels.csv", b"Id,Category\n" + b"\xff", "train_labels.csv is not a readable CSV file in UTF-8"),
        ("train_labels.csv", "Id,Category\n0,1\n", "train_labels.csv must have a header and 40 rows"),
        ("train_labels.csv", "Id,Category\n0,1,2\n", "train_labels.csv must have a header and 40 rows"),
        ("train_labels.csv", "Id,Category\n" + LINES.replace("39,", "40,"), "its id, from 0 to 39, and its label"),
        ("train_labels.csv", "Id,Category\n" + LINES.replace("39,", "38,"), "must have a header and 40 rows"),
        ("train_images.pkl", b"hello", "train_images.pkl uses the pickle opcode LIST, which numeric"),
        ("train_images.pkl", pickle.dumps(np.zeros((40, 6))), r"train_images.pkl: images have the shape \(40, 6\)"),
        ("train_images.pkl", pickle.dumps(np.full((40, 6, 8), 300)), "values from 300 to 300 where 0 to 255 are"),
        ("test_images.pkl", pickle.dumps(print), "test_images.pkl asks for builtins.print, which numeric"),
        ("test_images.pkl", pickle.dumps(np.zeros((7, 6, 9))), "unlabelled images: images are 1x6x9, those of the"),
    ],
)
def test_faulty_files_are_one_sentence(tmp_path, file, content, sentence):
    save_competition(tmp_path)
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BakeoffError, match=sentence):
        load_dataset(str(tmp_path))
