from __future__ import annotations

import csv
import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bakeoff.data import load_dataset
from bakeoff.errors import BakeoffError, UsageError

COLOURS = {"ant": 10, "bee": 120, "cow": 240}
"""Grey levels: the classes can be told by their pixels."""


def save(file: Path, level=0, size=(6, 6), mode="L") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, level if mode == "L" else (level, 0, 255)).save(file)
    return file


def class_folders(folder: Path, count=6, **how) -> Path:
    for name, level in COLOURS.items():
        for number in range(count):
            save(folder / name / f"{number}.png", level + number, **how)
    return folder


def write_csv(file: Path, rows) -> Path:
    with file.open("w", newline="") as out:
        csv.writer(out).writerows(rows)
    return file


def write_idx(file: Path, array) -> Path:
    array = np.asarray(array, np.uint8)
    data = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}i", *array.shape) + array.tobytes()
    file.write_bytes(gzip.compress(data) if file.suffix == ".gz" else data)
    return file


def sizes(dataset) -> dict[str, int]:
    return {name: len(split) for name, split in dataset.splits.items()}


def labels_match_pixels(dataset) -> bool:
    """True when every label is the one its image was made for."""
    levels = list(COLOURS.values())
    return all(
        (np.abs(split.images[:, 0, 0, 0].astype(int) - np.array(levels)[split.labels]) < 10).all()
        for split in dataset.splits.values()
    )


def test_class_folders_are_a_dataset(tmp_path):
    class_folders(tmp_path / "insects")
    save(tmp_path / "insects" / "bee" / "deeper" / "x.png", 120)
    (tmp_path / "insects" / "ant" / "notes.txt").write_text("about ants")
    (tmp_path / "insects" / ".cache").mkdir()
    dataset = load_dataset(str(tmp_path / "insects"))
    assert (dataset.name, dataset.classes, dataset.shape) == ("insects", ("ant", "bee", "cow"), (1, 6, 6))
    assert sizes(dataset) == {"train": 13, "validation": 3, "test": 3}
    assert labels_match_pixels(dataset)
    assert load_dataset(f"{tmp_path}/insects/../insects").fingerprint == dataset.fingerprint


@pytest.mark.parametrize("validation", ["validation", "val"])
def test_split_folders_keep_their_splits(tmp_path, validation):
    class_folders(tmp_path / "train", 5)
    class_folders(tmp_path / "test", 2)
    assert sizes(load_dataset(str(tmp_path))) == {"train": 12, "validation": 3, "test": 6}
    class_folders(tmp_path / validation, 1)
    dataset = load_dataset(str(tmp_path))
    assert sizes(dataset) == {"train": 15, "validation": 3, "test": 6}
    assert labels_match_pixels(dataset)


@pytest.mark.parametrize(("options", "shape"), [("", (3, 6, 6)), (":channels=1", (1, 6, 6))])
def test_one_coloured_picture_makes_the_dataset_coloured(tmp_path, options, shape):
    class_folders(tmp_path)
    save(tmp_path / "ant" / "red.png", 5, mode="RGB")
    assert load_dataset(f"{tmp_path}{options}").shape == shape


def test_grey_pictures_saved_in_colour_are_grey(tmp_path):
    class_folders(tmp_path)
    Image.open(tmp_path / "ant" / "0.png").convert("RGB").save(tmp_path / "ant" / "0.png")
    assert load_dataset(str(tmp_path)).shape == (1, 6, 6)
    assert load_dataset(f"{tmp_path}:channels=3").shape == (3, 6, 6)


def test_pictures_of_mixed_sizes_need_a_rule(tmp_path):
    class_folders(tmp_path / "odd:name", size=(9, 6))
    save(tmp_path / "odd:name" / "cow" / "9.png", 240, size=(4, 12))
    rules = r"choose a size, and a resize rule \(valid: stretch, pad, crop\)"
    with pytest.raises(BakeoffError, match=rf"cow/9.png is 12x4 pixels \(height x width\) where 6x9 is valid: {rules}"):
        load_dataset(f"{tmp_path}/odd:name")
    for rule in ("stretch", "pad", "crop"):
        dataset = load_dataset(f"{tmp_path}/odd:name:size=8,resize={rule}")
        assert dataset.shape == (1, 8, 8)
        assert labels_match_pixels(dataset)


def test_sizes_are_height_x_width(tmp_path):
    class_folders(tmp_path, size=(9, 6))  # Pillow's order: width, height
    assert load_dataset(str(tmp_path)).shape == (1, 6, 9)
    assert load_dataset(f"{tmp_path}:size=8,resize=pad").shape == (1, 8, 8)
    assert load_dataset(f"{tmp_path}:size=10x4,resize=pad").shape == (1, 10, 4)
    assert load_dataset(f"{tmp_path}:size=6x9").shape == (1, 6, 9)
    with pytest.raises(BakeoffError, match=r"0.png is 6x9 pixels \(height x width\) where 9x6 is valid: choose"):
        load_dataset(f"{tmp_path}:size=9x6")


@pytest.mark.parametrize(("options", "mirror"), [("", None), (":mirror=yes", True), (":mirror=no", False)])
def test_whether_a_mirrored_image_keeps_its_label_is_not_known_unless_given(tmp_path, options, mirror):
    assert load_dataset(f"{class_folders(tmp_path)}{options}").mirror is mirror


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("siz=8", r"unknown key 'siz' \(closest: size"),
        ("size=big", "size = 'big'"),
        ("size=0", "size = '0': must be a side or height x width, 1 to 1024 pixels, as in 28 or 28x32"),
        ("size=28x", "size = '28x': must be a side or height x width"),
        ("size=28x1025", "size = '28x1025': must be"),
        ("size=99999", "size = '99999': must be"),
        ("mirror=perhaps", "mirror = 'perhaps': must be a valid boolean"),
        ("size=8,resize=squash", "resize = 'squash': must be 'stretch', 'pad' or 'crop'"),
        ("resize=pad", "resize=pad needs a size"),
        ("channels=2", "channels = '2': must be 1 or 3"),
    ],
)
def test_faulty_options_are_one_sentence(tmp_path, options, sentence):
    with pytest.raises(UsageError, match=sentence):
        load_dataset(f"{class_folders(tmp_path)}:{options}")


def test_a_csv_names_paths_labels_and_splits(tmp_path):
    class_folders(tmp_path / "pictures")
    rows = [(f"pictures/{name}/{n}.png", name, "x") for name in COLOURS for n in range(6)]
    plain = load_dataset(str(write_csv(tmp_path / "insects.csv", [("path", "label", "remark"), *rows])))
    assert (plain.name, plain.classes, sizes(plain)) == (
        "insects",
        ("ant", "bee", "cow"),
        {"train": 12, "validation": 3, "test": 3},
    )
    assert plain.fingerprint == load_dataset(str(tmp_path / "pictures")).fingerprint
    parts = ["train", "train", "val", "test", "train", "validation"]
    rows = [(n % 6, *row[:2], parts[n % 6]) for n, row in enumerate(rows)]
    file = write_csv(tmp_path / "s.csv", [("id", "path", "label", "split"), *rows])
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())  # as a spreadsheet saves UTF-8
    dataset = load_dataset(str(file))
    assert sizes(dataset) == {"train": 9, "validation": 6, "test": 3}
    assert labels_match_pixels(dataset)


@pytest.mark.parametrize("labels", [("2", "9", "10"), ("-1", "0", "1")])
def test_labels_that_are_numbers_are_in_their_order(tmp_path, labels):
    class_folders(tmp_path)
    rows = [(f"{name}/{n}.png", label) for name, label in zip(COLOURS, labels, strict=True) for n in range(6)]
    dataset = load_dataset(str(write_csv(tmp_path / "a.csv", [("path", "label"), *rows])))
    assert dataset.classes == labels
    assert labels_match_pixels(dataset)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "a.csv is empty"),
        ("path,labels\n0.png,a\n", r"a.csv has no column 'label' \(closest: labels"),
        ("path,label\n", "a.csv has a header and no rows"),
        ("path,label\n0.png,a\n0.png\n", "a.csv, line 3: path '0.png', label None and split 'train' where a path"),
        ("path,label\n,a\n", "a.csv, line 2: path '', label 'a'"),
        ("path,label\n7.png,a\n", r"7.png cannot be read \(No such file"),
        (
            "path,label,split\n0.png,a,tset\n",
            "split 'tset' where a path, a label and one of train, validation, val, test are valid",
        ),
        ('path,label\n"0.png,a\n', "a.csv is not a readable CSV file in UTF-8"),
        ("path,label\n0.png,caf\udce9\n", "a.csv is not a readable CSV file in UTF-8"),
        ("path,label\n0.png,a\n0.png,a\n0.png,a\n", "at least two classes"),
        (
            "path,label\n0.png,a\n0.png,a\n0.png,b\n",
            "a: class 'a' has too few images to draw validation and test from",
        ),
        (
            "path,label,split\n" + "0.png,a,train\n0.png,b,train\n" * 3 + "0.png,a,test\n0.png,c,test\n",
            "a, train split: class 'c' has no image",
        ),
        (
            "path,label,split\n" + "0.png,a,train\n0.png,b,train\n" * 3 + "0.png,a,test\n",
            "a, test split: class 'b' has no image",
        ),
        ("path,label,split\n0.png,a,test\n0.png,b,test\n", "a: no image is in the train split"),
        ("path,label\na.csv,a\n", "a.csv is damaged or none of PNG"),
    ],
)
def test_a_faulty_csv_is_one_sentence(tmp_path, text, sentence):
    save(tmp_path / "0.png")
    (tmp_path / "a.csv").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(BakeoffError, match=sentence):
        load_dataset(str(tmp_path / "a.csv"))


def test_faulty_folders_are_one_sentence(tmp_path):
    with pytest.raises(BakeoffError, match="holds no class folder with pictures"):
        load_dataset(str(tmp_path))
    class_folders(tmp_path / "test")
    with pytest.raises(BakeoffError, match="holds test where class folders, or train and"):
        load_dataset(str(tmp_path))
    class_folders(tmp_path / "train")
    class_folders(tmp_path / "more")
    with pytest.raises(BakeoffError, match="holds more, test, train where"):
        load_dataset(str(tmp_path))
    (tmp_path / "train" / "dog").mkdir()
    assert load_dataset(str(tmp_path / "train")).classes == tuple(COLOURS)
    (tmp_path / "test" / "cow" / "0.png").write_bytes(b"")
    with pytest.raises(BakeoffError, match=r"cow/0.png is empty"):
        load_dataset(str(tmp_path / "test"))
    (tmp_path / "data.h5").touch()
    with pytest.raises(UsageError, match=r"data.h5 is none of the valid kinds of data: a folder of class folders"):
        load_dataset(str(tmp_path / "data.h5"))


def arrays(count=18) -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(count) % 3
    levels = np.array(list(COLOURS.values()), np.uint8)[labels]
    return np.broadcast_to(levels[:, None, None], (count, 6, 6)).astype(np.uint8), labels


def test_an_npz_is_a_dataset(tmp_path):
    images, labels = arrays()
    np.savez(tmp_path / "a.npz", images=images, labels=labels)
    np.savez(tmp_path / "b.npz", images=images, labels=labels[:, None], classes=list(COLOURS))
    np.savez(tmp_path / "c.npz", images=images, labels=np.array(list(COLOURS))[labels])
    names = {file: load_dataset(str(tmp_path / f"{file}.npz")) for file in "abc"}
    assert [dataset.classes for dataset in names.values()] == [
        ("0", "1", "2"),
        tuple(COLOURS),
        tuple(COLOURS),
    ]
    for dataset in names.values():
        assert labels_match_pixels(dataset)
        assert (dataset.shape, sizes(dataset)) == ((1, 6, 6), {"train": 12, "validation": 3, "test": 3})


@pytest.mark.parametrize("validation", ["validation", "val"])
def test_an_npz_keeps_its_splits(tmp_path, validation):
    parts = {"train": arrays(9), "test": arrays(6), validation: arrays(3)}
    content = {
        f"{letter}_{name}": array for name, pair in parts.items() for letter, array in zip("xy", pair, strict=True)
    }
    np.savez(tmp_path / "a.npz", **content)
    assert sizes(load_dataset(str(tmp_path / "a.npz"))) == {"train": 9, "validation": 3, "test": 6}
    assert load_dataset(f"{tmp_path}/a.npz:size=12,resize=pad,channels=3").shape == (3, 12, 12)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"labels": None}, r"a.npz has no array 'labels' \("),
        ({"images": None}, r"a.npz has no array 'images' \("),
        (
            {"labels": np.arange(17) % 3},
            r"a.npz, labels: labels are int64 \(17,\) where 18 integers or words",
        ),
        ({"labels": np.array([1, "a"] * 9, object)}, r"array 'labels' holds Python objects, .*\.astype\(str\)"),
        ({"labels": np.arange(18) / 3}, r"a.npz, labels: labels are float64 \(18,\)"),
        ({"labels": np.arange(18) % 3 + 1, "classes": list(COLOURS)}, r"a, train split: label 3 is outside 0\.\.2"),
        ({"labels": np.arange(18) % 3 - 1, "classes": list(COLOURS)}, r"a, train split: label -1 is outside 0\.\.2"),
        ({"classes": [*COLOURS, "yak"]}, "a, train split: class 'yak' has no image"),
        ({"x_test": np.zeros((3, 6, 6), np.uint8)}, r"a.npz has no array 'y_test'"),
        (
            {"x_test": np.zeros((3, 5, 5), np.uint8), "y_test": np.arange(3)},
            "a, test split: images are 1x5x5",
        ),
    ],
)
def test_a_faulty_npz_is_one_sentence(tmp_path, change, sentence):
    images, labels = arrays()
    content = {"images": images, "labels": labels} | change
    np.savez(tmp_path / "a.npz", **{name: array for name, array in content.items() if array is not None})
    with pytest.raises(BakeoffError, match=sentence):
        load_dataset(str(tmp_path / "a.npz"))


@pytest.mark.parametrize("test", ["t10k", "test"])
@pytest.mark.parametrize("prefix", ["", "emnist-letters-"])
def test_idx_files_are_a_dataset(tmp_path, test, prefix):
    for part, count in (("train", 18), (test, 6)):
        images, labels = arrays(count)
        write_idx(tmp_path / f"{prefix}{part}-images-idx3-ubyte.gz", images)
        write_idx(tmp_path / f"{prefix}{part}-labels-idx1-ubyte", labels + 1)
    dataset = load_dataset(f"{tmp_path}/{prefix.rstrip('-')}")
    assert dataset.name == (prefix.rstrip("-") or tmp_path.name)
    assert (dataset.classes, sizes(dataset)) == (("1", "2", "3"), {"train": 15, "validation": 3, "test": 6})
    assert labels_match_pixels(dataset)
    assert load_dataset(f"{tmp_path}/{prefix.rstrip('-')}:size=12,resize=pad").shape == (1, 12, 12)


def test_faulty_idx_folders_are_one_sentence(tmp_path):
    images, labels = arrays()
    file = write_idx(tmp_path / "train-images-idx3-ubyte", images)
    with pytest.raises(BakeoffError, match="train-images-idx3-ubyte lies without its labels"):
        load_dataset(str(tmp_path))
    write_idx(tmp_path / "train-labels-idx1-ubyte", labels[:17])
    with pytest.raises(BakeoffError, match=r"train split: 18 images, labels int64 \(17,\)"):
        load_dataset(str(tmp_path))
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(BakeoffError, match="train-images-idx3-ubyte is damaged"):
        load_dataset(str(tmp_path))
    file.rename(tmp_path / "my-train-images-idx3-ubyte")
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(BakeoffError, match=r"no train-images-idx3-ubyte among them; where the names begin otherwise"):
        load_dataset(str(tmp_path))
