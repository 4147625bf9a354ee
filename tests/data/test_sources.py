from __future__ import annotations

import gzip
import hashlib
import os
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from bakeoff.data import SOURCES, DataWarning, load_dataset, sources
from bakeoff.data.sources import find_composites, parse_reference
from bakeoff.errors import BakeoffError, UsageError

MNIST = Path(os.environ.get("BAKEOFF_DATA", "no-data")) / "mnist"
real_mnist = pytest.mark.skipif(not MNIST.is_dir(), reason="BAKEOFF_DATA/mnist is not there")

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@pytest.fixture
def folders(tmp_path, monkeypatch) -> tuple[Path, Path]:
    """$BAKEOFF_DATA/mnist and the cache's mnist, both empty."""
    monkeypatch.setenv("BAKEOFF_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    both = tmp_path / "data" / "mnist", tmp_path / "cache" / "bakeoff" / "mnist"
    for folder in both:
        folder.mkdir(parents=True)
    return both


@pytest.fixture
def tiny(monkeypatch) -> dict[str, bytes]:
    """The contents of four small IDX files, published as `mnist` for the length of a test."""
    draw, contents = np.random.default_rng(0), {}
    for name, count in zip(FILES, (40, 40, 20, 20), strict=True):
        if "images" in name:
            header, body = (
                struct.pack(">4i", 0x803, count, 4, 4),
                draw.integers(0, 256, count * 16, np.uint8).tobytes(),
            )
        else:
            header, body = struct.pack(">2i", 0x801, count), bytes(n % 10 for n in range(count))
        contents[name] = header + body
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    monkeypatch.setitem(SOURCES.builtin, "mnist", replace(SOURCES["mnist"], contents=sums))
    return contents


def write(folder: Path, contents: dict[str, bytes], style: str = "zipped") -> None:
    for name, content in contents.items():
        file, data = {
            "zipped": (f"{name}.gz", gzip.compress(content)),
            "plain": (name, content),
            "dotted": (name.replace("-idx", ".idx"), content),
            "unzipped by the browser": (f"{name}.gz", content),
        }[style]
        (folder / file).write_bytes(data)


@pytest.mark.parametrize("style", ["zipped", "plain", "dotted", "unzipped by the browser"])
@pytest.mark.parametrize("place", [0, 1])
def test_files_are_found_in_data_folder_and_cache(folders, tiny, style, place):
    write(folders[place], tiny, style)
    dataset = load_dataset("mnist")
    assert {name: len(split) for name, split in dataset.splits.items()} == {
        "train": 30,
        "validation": 10,
        "test": 20,
    }
    assert dataset.test.images.tobytes() == tiny["t10k-images-idx3-ubyte"][16:]
    assert bytes(dataset.test.labels.tolist()) == tiny["t10k-labels-idx1-ubyte"][8:]
    assert dataset.test.images.flags.writeable  # torch refuses to share what it could not write


def test_the_data_folder_comes_before_the_cache(folders, tiny):
    write(folders[0], tiny)
    for file in FILES:
        (folders[1] / file).write_bytes(b"never read")
    assert len(load_dataset("mnist").test) == 20


def test_files_that_are_not_the_published_ones_are_used_with_a_warning(folders, tiny):
    write(folders[0], tiny)
    fingerprint = load_dataset("mnist").fingerprint
    changed = bytearray(tiny["train-images-idx3-ubyte"])
    changed[100] ^= 1
    (folders[0] / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(changed))
    with pytest.warns(
        DataWarning, match=r"mnist: not as published, but used all the same: train-images-idx3-ubyte$"
    ) as caught:
        dataset = load_dataset("mnist")
    assert len(caught) == 1
    assert dataset.fingerprint != fingerprint


def test_missing_files_are_one_sentence_and_no_download(folders, tiny):
    write(folders[0], tiny)
    (folders[0] / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(BakeoffError) as caught:  # sockets are blocked: a download would raise something else
        load_dataset("mnist")
    sentence = str(caught.value)
    assert sentence.startswith(f"mnist: there is no full set of its files in {folders[0]} or {folders[1]}: ")
    assert "run `bakeoff data fetch mnist`, or put train-images-idx3-ubyte.gz, train-labels" in sentence


@pytest.mark.filterwarnings("ignore::bakeoff.data.DataWarning")
@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        (0, b"", "train-images-idx3-ubyte is empty"),
        (1, b"\x1f\x8b\x08", "train-labels-idx1-ubyte is a truncated or damaged gzip file"),
        (2, b"hello", "t10k-images-idx3-ubyte starts with the bytes 68656c6c where 00000803"),
        (
            3,
            struct.pack(">2i", 0x801, 20) + bytes([10] * 20),
            r"mnist, test split: label 10 is outside 0\.\.9",
        ),
        (3, struct.pack(">2i", 0x801, 20) + bytes([1] * 20), "mnist, test split: class '0' has no image"),
        (3, struct.pack(">2i", 0x801, 3) + bytes(3), r"mnist, test split: 20 images, labels int64 \(3,\)"),
        (2, struct.pack(">4i", 0x803, 20, 2, 2) + bytes(80), "mnist, test split: images are 1x2x2"),
    ],
)
def test_damaged_files_are_one_sentence(folders, tiny, file, content, sentence):
    write(folders[0], tiny | {FILES[file]: content}, "plain")
    with pytest.raises(BakeoffError, match=sentence):
        load_dataset("mnist")


def test_images_cut_the_training_split_alone():
    whole, small = load_dataset("digits"), load_dataset("digits", images=100)
    assert small.counts()["train"].tolist() == [10] * 10
    for name in ("validation", "test"):
        assert (small.splits[name].images == whole.splits[name].images).all()
    with pytest.raises(UsageError, match="a subset of 9 images is asked for where 10 to 1247 are valid"):
        load_dataset("digits", images=9)


def test_digits_are_scikit_learns_in_the_manner_of_mnist():
    dataset = load_dataset("digits")
    assert dataset.shape == (1, 28, 28)
    assert {name: len(split) for name, split in dataset.splits.items()} == {
        "train": 1247,
        "validation": 250,
        "test": 300,
    }
    loaded = {
        (image.tobytes(), int(label))
        for split in dataset.splits.values()
        for image, label in zip(split.images[:, 0], split.labels, strict=True)
    }
    published = load_digits()
    for digit, label in zip(published.images[::100], published.target[::100], strict=True):
        canvas = Image.new("L", (28, 28))
        enlarged = Image.fromarray(np.round(digit / 16 * 255).astype(np.uint8)).resize((20, 20), Image.BICUBIC)
        canvas.paste(enlarged, (4, 4))
        assert (canvas.tobytes(), int(label)) in loaded
    assert len(loaded) == 1797  # all different: no image is in two splits
    assert np.ptp(dataset.counts()["test"]) <= 2


@pytest.mark.parametrize("fraction", [0.1, 0.4])
def test_the_validation_split_is_of_the_wanted_size(fraction):
    assert len(load_dataset("digits", validation=fraction).validation) == round(fraction * 1497)


def test_another_generated_dataset_needs_no_competition(monkeypatch) -> None:
    second = replace(SOURCES["largest-digit"], code=lambda options: sources._composite("second-digit", options))
    monkeypatch.setitem(SOURCES.builtin, "second-digit", second)
    assert len(load_dataset("second-digit:digits=digits,count=60,test_count=30").test.labels) == 30
    with pytest.raises(UsageError, match="origin=kaggle is for largest-digit, highest-digit"):
        load_dataset("second-digit:origin=kaggle")
    with pytest.raises(UsageError, match=r"valid: largest-digit, highest-digit, second-digit"):
        find_composites("digits")


@pytest.mark.parametrize("name", sorted(SOURCES.builtin))
def test_every_source_says_what_it_is(name):
    source = SOURCES[name]
    assert source.description
    assert len(set(source.classes)) == len(source.classes) >= 2
    assert bool(source.files) == bool(source.mirrors)
    assert all(mirror.startswith("http") and mirror.endswith("/") for mirror in source.mirrors)
    assert all(len(sum) == 64 for sum in source.files.values())
    assert all(len(sum) in (64, 32) for sum in source.contents.values())  # SHA-256, or MD5
    assert bool(source.files) == bool(source.contents)
    assert isinstance(source.mirror, bool)


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        ("minst", r"unknown dataset 'minst' \(closest: mnist\), and no file or folder"),
        ("./nowhere:size=28", "unknown dataset './nowhere'"),
        ("digits:size=32", "digits takes no options"),
        ("largest-digit:cuont=3", r"largest-digit:cuont=3: unknown key 'cuont' \(closest: count"),
        ("largest-digit:origin=elsewhere", "origin = 'elsewhere': must be 'generated' or 'kaggle'"),
        ("highest-digit:digits=fashion-mnist", "digits = 'fashion-mnist': must be 'auto', 'mnist' or 'digits'"),
    ],
)
def test_unknown_references_are_one_sentence(reference, sentence):
    with pytest.raises(UsageError, match=sentence):
        load_dataset(reference)


def test_references_are_names_or_paths_with_options(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parse_reference("mnist") == ("mnist", {})
    assert parse_reference("./letters:size=28,resize=pad") == ("./letters", {"size": "28", "resize": "pad"})
    assert parse_reference("a:b:size=28") == ("a:b", {"size": "28"})
    (tmp_path / "a:size=28").mkdir()
    assert parse_reference("a:size=28") == ("a:size=28", {})


@pytest.mark.parametrize(
    ("name", "size", "counts"), [("largest-digit", 64, (40_000, 10_000)), ("highest-digit", 128, (50_000, 10_000))]
)
def test_modified_mnist_is_made_of_the_digits_that_are_named(name, size, counts):
    options = "count=120,test_count=60,digits=digits,min_digits=1,max_digits=1"  # one digit: no class is rare
    dataset = load_dataset(f"{name}:{options}")
    assert dataset.shape == (1, size, size)
    assert (len(dataset.train) + len(dataset.validation), len(dataset.test)) == (120, 60)
    assert (dataset.name, dataset.mirror) == (name, False)
    chosen = SOURCES[name].settings()
    assert (chosen.count, chosen.test_count) == counts  # as in the competitions
    assert load_dataset(f"{name}:{options},seed=1").fingerprint != dataset.fingerprint


@pytest.mark.usefixtures("folders")
def test_modified_mnist_says_where_it_falls_back_to_the_embedded_digits():
    options = "count=120,test_count=60"
    with pytest.warns(DataWarning, match=r"MNIST is not at hand, so its images are made of the 1,797 embedded digits"):
        fallen = load_dataset(f"largest-digit:{options}")
    assert fallen.fingerprint == load_dataset(f"largest-digit:{options},digits=digits").fingerprint
    with pytest.raises(BakeoffError, match="mnist: there is no full set of its files in"):
        load_dataset(f"largest-digit:{options},digits=mnist")


@real_mnist
def test_modified_mnist_is_made_of_mnist_where_it_is_at_hand():
    options = "largest-digit:count=200,test_count=200"
    assert load_dataset(options).fingerprint == load_dataset(f"{options},digits=mnist").fingerprint


def test_importing_data_loads_no_heavy_library():
    heavy = "{'torch', 'PIL', 'sklearn', 'matplotlib', 'scipy'}"
    code = f"import bakeoff.data, sys; print(*{heavy} & set(sys.modules))"
    sentence = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert sentence.stdout.strip() == ""


@real_mnist
def test_mnist_is_the_published_one():
    dataset = load_dataset("mnist")
    counts = dataset.counts()
    assert (counts["train"] + counts["validation"]).tolist() == [
        *(5923, 6742, 5958, 6131, 5842),
        *(5421, 5918, 6265, 5851, 5949),
    ]
    assert counts["test"].tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert [len(split) for split in dataset.splits.values()] == [50_000, 10_000, 10_000]
    assert np.abs(counts["validation"] * 5 - counts["train"]).max() <= 5
    assert dataset.fingerprint == "15c92e9f0c22f0d0"


@real_mnist
def test_mnist_is_what_gzip_and_struct_read():
    dataset = load_dataset("mnist")
    pixels: dict[str, bytes] = {}
    labels: dict[str, bytes] = {}
    for part in ("train", "t10k"):
        raw = (MNIST / f"{part}-images-idx3-ubyte.gz").read_bytes()
        md5 = {"train": "f68b3c2dcbeaaa9fbdd348bbdeb94873", "t10k": "9fb629c4189551a2d022fa330f9573f3"}
        assert hashlib.md5(raw).hexdigest() == md5[part]
        content = gzip.decompress(raw)
        magic, _, height, width = struct.unpack(">4i", content[:16])
        assert (magic, height, width) == (2051, 28, 28)
        pixels[part] = content[16:]
        labels[part] = gzip.decompress((MNIST / f"{part}-labels-idx1-ubyte.gz").read_bytes())[8:]
    assert dataset.test.images.tobytes() == pixels["t10k"]
    assert bytes(dataset.test.labels.tolist()) == labels["t10k"]
    images = [pixels["train"][n * 784 : n * 784 + 784] for n in range(60_000)]
    parts = {name: iter(range(len(dataset.splits[name]))) for name in ("train", "validation")}
    ahead = {name: next(places) for name, places in parts.items()}
    for image, label in zip(images, labels["train"], strict=True):  # both splits, merged, are the file in its order
        for name, place in ahead.items():
            split = dataset.splits[name]
            if place is not None and split.labels[place] == label and split.images[place].tobytes() == image:
                ahead[name] = next(parts[name], None)
                break
        else:
            raise AssertionError("an image of the file is in neither split, or out of order")
    assert ahead == {"train": None, "validation": None}
