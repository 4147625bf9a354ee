from __future__ import annotations

import gzip
import hashlib
import io
import os
import pickle
import tarfile
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bakeoff.data import SOURCES, DataWarning, load_dataset
from bakeoff.errors import BakeoffError

REAL = Path(os.environ.get("BAKEOFF_DATA", "no-data")) / "cifar10"
BATCHES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
FOLDERS = {"binary": "cifar-10-batches-bin", "python": "cifar-10-batches-py"}


@pytest.fixture
def folders(tmp_path, monkeypatch) -> tuple[Path, Path]:
    """$BAKEOFF_DATA/cifar10 and the cache's cifar10, both empty."""
    monkeypatch.setenv("BAKEOFF_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    both = tmp_path / "data" / "cifar10", tmp_path / "cache" / "bakeoff" / "cifar10"
    for folder in both:
        folder.mkdir(parents=True)
    return both


def made() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Six batches of 20 images (20, 3, 32, 32) with labels."""
    draw = np.random.default_rng(0)
    return {name: (draw.integers(0, 256, (20, 3, 32, 32), np.uint8), np.arange(20) % 10) for name in BATCHES}


def files(layout: str, protocol: int = 2) -> dict[str, bytes]:
    """The six files of a layout, by the description on the page of CIFAR-10."""
    if layout == "binary":
        return {
            f"{name}.bin": b"".join(
                bytes([label]) + image.tobytes() for image, label in zip(images, labels.tolist(), strict=True)
            )
            for name, (images, labels) in made().items()
        }
    return {
        name: pickle.dumps(
            {
                "batch_label": "training batch 1 of 5",
                "labels": labels.tolist(),
                "data": images.reshape(20, 3072),
                "filenames": [f"{n}.png" for n in range(20)],
            },
            protocol,
        )
        for name, (images, labels) in made().items()
    }


def pack(contents: dict[str, bytes], layout: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in {"readme.html": b"hello", **contents}.items():
            member = tarfile.TarInfo(f"{FOLDERS[layout]}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def place(folder: Path, contents: dict[str, bytes], layout: str, form: str) -> None:
    if form == "archive":
        (folder / f"cifar-10-{layout}.tar.gz").write_bytes(pack(contents, layout))
        return
    inner = folder / FOLDERS[layout] if form == "unpacked" else folder
    inner.mkdir(exist_ok=True)
    for name, content in contents.items():
        (inner / name).write_bytes(content)


@pytest.mark.filterwarnings("ignore::bakeoff.data.DataWarning")
@pytest.mark.parametrize("form", ["archive", "unpacked", "loose"])
@pytest.mark.parametrize("layout", ["binary", "python"])
@pytest.mark.parametrize("where", [0, 1])
def test_every_form_of_the_published_files_is_read(folders, where, layout, form):
    place(folders[where], files(layout), layout, form)
    dataset = load_dataset("cifar10")
    images, labels = made()["test_batch"]
    assert (dataset.test.images == images).all()
    assert (dataset.test.labels == labels).all()
    together = np.concatenate([dataset.train.images, dataset.validation.images])
    wanted = np.concatenate([made()[name][0] for name in BATCHES[:5]])
    assert sorted(image.tobytes() for image in together) == sorted(image.tobytes() for image in wanted)
    assert (dataset.shape, len(dataset.train), len(dataset.validation)) == ((3, 32, 32), 83, 17)
    assert (dataset.classes[0], dataset.classes[6], dataset.classes[9]) == ("airplane", "frog", "truck")
    assert dataset.mirror is True


@pytest.mark.filterwarnings("ignore::bakeoff.data.DataWarning")
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_both_layouts_are_the_same_data(folders, protocol):
    place(folders[1], files("binary"), "binary", "loose")
    binary = load_dataset("cifar10").fingerprint
    place(folders[0], files("python", protocol), "python", "unpacked")
    assert load_dataset("cifar10").fingerprint == binary


@pytest.mark.parametrize(("layout", "method"), [("binary", "sha256"), ("python", "md5")])
def test_files_that_are_not_the_published_ones_are_used_with_a_warning(folders, monkeypatch, layout, method):
    contents = files(layout)
    sums = {name: hashlib.new(method, content).hexdigest() for name, content in contents.items()}
    monkeypatch.setitem(SOURCES.builtin, "cifar10", replace(SOURCES["cifar10"], contents=sums))
    place(folders[0], contents, layout, "archive")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_dataset("cifar10")
    first, second, *_ = sums
    monkeypatch.setitem(SOURCES.builtin, "cifar10", replace(SOURCES["cifar10"], contents=sums | {second: sums[first]}))
    with pytest.warns(DataWarning, match=rf"cifar10: not as published, but used all the same: {second}$") as caught:
        load_dataset("cifar10")
    assert len(caught) == 1
    monkeypatch.setitem(
        SOURCES.builtin, "cifar10", replace(SOURCES["cifar10"], contents=dict.fromkeys(sums, sums[first]))
    )
    with pytest.warns(DataWarning, match=rf"used all the same: {second}(, \S+){{4}}$"):
        load_dataset("cifar10")


def test_missing_files_are_one_sentence(folders):
    place(folders[0], dict(list(files("binary").items())[:5]), "binary", "loose")
    with pytest.raises(BakeoffError) as caught:
        load_dataset("cifar10")
    sentence = str(caught.value)
    assert sentence.startswith("cifar10: there is no full set of its files in ")
    assert sentence.endswith("run `bakeoff data fetch cifar10`, or put cifar-10-binary.tar.gz there")


def batch(**change) -> bytes:
    return pickle.dumps({"data": np.zeros((20, 3072), np.uint8), "labels": [0] * 20} | change)


def deep_key() -> bytes:
    """A dictionary whose key is a tuple in a tuple in a tuple ...: hashing it would overflow the stack."""
    return b"\x80\x02})" + 200_000 * b"\x85" + b"K\x01s."


@pytest.mark.filterwarnings("ignore::bakeoff.data.DataWarning")
@pytest.mark.parametrize(
    ("layout", "content", "sentence"),
    [
        ("binary", b"", "data_batch_2.bin is empty"),
        ("binary", bytes(3074), "data_batch_2.bin has 3074 bytes where a multiple of 3073 is valid"),
        ("binary", bytes([10]) + bytes(3072), r"cifar10, train split: label 10 is outside 0\.\.9"),
        ("python", b"\x80\x02}", "data_batch_2 is not a readable pickle"),
        (
            "python",
            pickle.dumps([1]),
            "data_batch_2 is not a readable pickle of numeric arrays .it holds no dictionary",
        ),
        ("python", pickle.dumps({"data": print}), "data_batch_2 asks for builtins.print"),
        ("python", deep_key(), "data_batch_2 has more than 1,000,000 opcodes, or 1,000 tuples"),
        ("python", batch(data=None), r"data_batch_2 has no `data` of \(N, 3072\) uint8"),
        ("python", batch(data=np.zeros((20, 3072))), r"data_batch_2 has no `data` of \(N, 3072\) uint8"),
        ("python", batch(labels=[0] * 19), "data_batch_2 has no `labels` of 20 whole numbers"),
        ("python", batch(labels=["a"] * 20), "data_batch_2 has no `labels` of 20 whole numbers"),
        ("python", batch(labels=[-1] * 20), "data_batch_2 has no `labels` of 20 whole numbers from 0 to 9"),
        ("python", batch(labels=[2**20_000] * 20), "data_batch_2 uses the pickle opcode LONG4"),
    ],
)
def test_a_damaged_batch_is_one_sentence(folders, layout, content, sentence):
    name = "data_batch_2" + (".bin" if layout == "binary" else "")
    place(folders[0], files(layout) | {name: content}, layout, "loose")
    with pytest.raises(BakeoffError, match=sentence):
        load_dataset("cifar10")


def test_a_damaged_archive_is_one_sentence(folders):
    whole = pack(files("binary"), "binary")
    archive = folders[0] / "cifar-10-binary.tar.gz"
    for data in (b"hello", whole[: len(whole) // 2], gzip.compress(b"hello"), whole[:100] + whole[120:]):
        archive.write_bytes(data)
        with pytest.raises(BakeoffError, match=r"cifar-10-binary.tar.gz (is a truncated or damaged archive|holds no)"):
            load_dataset("cifar10")
    contents = files("binary")
    del contents["test_batch.bin"]
    archive.write_bytes(pack(contents, "binary"))
    with pytest.raises(BakeoffError, match=r"cifar-10-binary\.tar\.gz holds no test_batch\.bin"):
        load_dataset("cifar10")


@pytest.mark.skipif(not REAL.is_dir(), reason="BAKEOFF_DATA/cifar10 is not there")
@pytest.mark.filterwarnings("ignore::bakeoff.data.DataWarning")
def test_cifar10_is_the_published_one():
    dataset = load_dataset("cifar10")
    counts = dataset.counts()
    assert counts["test"].tolist() == [1000] * 10
    assert (counts["train"] + counts["validation"]).tolist() == [5000] * 10
    assert dataset.classes[int(dataset.test.labels[0])] == "cat"
    # per-channel means and deviations of the 50,000 images, as everybody's training scripts have them
    pixels = np.concatenate([dataset.train.images, dataset.validation.images]).transpose(1, 0, 2, 3).reshape(3, -1)
    np.testing.assert_allclose(pixels.mean(axis=1) / 255, [0.4914, 0.4822, 0.4465], atol=5e-5)
    np.testing.assert_allclose(pixels.std(axis=1, dtype=np.float32) / 255, [0.2470, 0.2435, 0.2616], atol=1e-4)
