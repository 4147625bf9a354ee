from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from bakeoff.data.idx import find_idx, read_idx
from bakeoff.errors import BakeoffError

IMAGES = bytes([0, 0, 8, 3]) + struct.pack(">3i", 2, 3, 4) + bytes(range(24))


def save(file: Path, data: bytes) -> Path:
    file.write_bytes(data)
    return file


def test_an_array_is_read_row_by_row(tmp_path):
    images, data = read_idx(save(tmp_path / "images", IMAGES), dimensions=3)
    assert images.tolist() == [
        [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]],
        np.arange(12, 24).reshape(3, 4).tolist(),
    ]
    assert images.flags.writeable
    assert data == IMAGES
    labels = save(tmp_path / "labels", bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]))
    assert read_idx(labels, dimensions=1)[0].tolist() == [7, 8, 9]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\x89PNG\r\n\x1a\n", "starts with the bytes 89504e47 where 00000803 and 12 more are valid"),
        (IMAGES[:3], "starts with the bytes 000008 where"),
        (bytes([0, 0, 13, 3]) + IMAGES[4:], "00000d03 where 00000803"),
        (bytes([0, 0, 8, 1]) + IMAGES[4:], "00000801 where 00000803"),
        (bytes([0, 0, 8, 255]) + b"\xff" * 2000, "000008ff where 00000803"),
        (IMAGES[:10], "00000803 and 12 more are valid"),
        (IMAGES[:-1], r"is damaged: it has 39 bytes where its header \(2, 3, 4\) asks for 40"),
        (IMAGES + b"\0", r"it has more than 40 bytes where its header \(2, 3, 4\) asks for 40"),
        (IMAGES[:4] + b"\xff" * 12 + IMAGES[16:], r"its header promises \S+ GiB where up to"),
        (IMAGES[:4] + bytes(12), r"it has 16 bytes where its header \(0, 0, 0\) asks for 16"),
    ],
)
def test_a_faulty_array_is_one_sentence(tmp_path, data, sentence):
    file = save(tmp_path / "images", data)
    with pytest.raises(BakeoffError, match=sentence) as caught:
        read_idx(file, dimensions=3)
    assert str(caught.value).startswith(str(file))


@pytest.mark.parametrize("name", ["plain", "zipped.gz", "unzipped-by-the-browser.gz"])
def test_zipped_files_are_known_by_their_content(tmp_path, name):
    file = save(tmp_path / name, gzip.compress(IMAGES) if name == "zipped.gz" else IMAGES)
    assert read_idx(file, dimensions=3)[1] == IMAGES


def test_every_truncation_and_flip_of_a_gzip_file_is_one_sentence(tmp_path):
    whole, file = gzip.compress(IMAGES, mtime=0), tmp_path / "damaged.gz"
    for length in range(2, len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(BakeoffError, match=r"damaged\.gz is a truncated or damaged gzip file"):
            read_idx(file, dimensions=3)
    for position in range(10, len(whole)):  # past the header, whose time stamp and the like may differ
        file.write_bytes(whole[:position] + bytes([whole[position] ^ 255]) + whole[position + 1 :])
        with pytest.raises(BakeoffError, match=r"damaged\.gz"):
            read_idx(file, dimensions=3)


def test_missing_and_empty_files_are_one_sentence(tmp_path):
    (tmp_path / "empty").touch()
    for name, sentence in {"empty": "empty is empty", "none": "none cannot be read", ".": "cannot be read"}.items():
        with pytest.raises(BakeoffError, match=sentence):
            read_idx(tmp_path / name, dimensions=3)


@pytest.mark.parametrize(
    ("name", "prefix", "matches"),
    [
        ("train-images-idx3-ubyte", "", True),
        ("train-images-idx3-ubyte.gz", "", True),
        ("train-images.idx3-ubyte", "", True),
        ("train-images-idx3-ubyte.gz.part", "", False),
        ("emnist-letters-train-images-idx3-ubyte.gz", "", False),
        ("emnist-letters-train-images-idx3-ubyte.gz", "emnist-letters-", True),
        ("train-labels-idx1-ubyte", "", False),
    ],
)
def test_files_are_found_by_all_usual_names(tmp_path, name, prefix, matches):
    (tmp_path / name).touch()
    assert find_idx(tmp_path, prefix, "train-images") == (tmp_path / name if matches else None)
