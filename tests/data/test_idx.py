from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from bakeoff.data.idx import Payload, find_idx, idx_split, parse_idx, read_payload
from bakeoff.errors import BakeoffError

IMAGES = bytes([0, 0, 8, 3]) + struct.pack(">3i", 2, 3, 4) + bytes(range(24))
FILE = Path("some/file")


def test_an_array_is_read_row_by_row():
    images = parse_idx(IMAGES, FILE, dimensions=3)
    assert images.tolist() == [
        [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]],
        np.arange(12, 24).reshape(3, 4).tolist(),
    ]
    assert images.flags.writeable
    assert parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]), FILE, dimensions=1).tolist() == [7, 8, 9]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x89PNG\r\n\x1a\n", "starts with the bytes 89504e47 where 00000803 is valid"),
        (IMAGES[:3], "starts with the bytes 000008 where"),
        (bytes([0, 0, 13, 3]) + IMAGES[4:], "00000d03 where 00000803 is valid"),
        (bytes([0, 0, 8, 1]) + IMAGES[4:], "00000801 where 00000803 is valid"),
        (IMAGES[:10], "truncated: 10 bytes are less than the IDX header's 16"),
        (IMAGES[:-1], r"truncated: 39 bytes where its header \(2, 3, 4\) asks for 40"),
        (IMAGES + b"\0", r"too long: it goes on after the 40 bytes its header \(2, 3, 4\) asks for"),
        (IMAGES[:4] + b"\xff" * 12 + IMAGES[16:], "truncated: 40 bytes"),
        (IMAGES[:4] + bytes(12), r"holds nothing: its header says \(0, 0, 0\)"),
    ],
)
def test_a_faulty_array_is_one_sentence(data, said):
    with pytest.raises(BakeoffError, match=said) as caught:
        parse_idx(data, FILE, dimensions=3)
    assert str(caught.value).startswith("some/file ")


@pytest.mark.parametrize("name", ["plain", "zipped.gz", "unzipped-by-the-browser.gz"])
def test_zipping_is_told_by_content(tmp_path, name):
    file = tmp_path / name
    file.write_bytes(gzip.compress(IMAGES) if name == "zipped.gz" else IMAGES)
    assert read_payload(file) == (file, IMAGES)


def test_every_truncation_and_flip_of_a_gzip_file_is_one_sentence(tmp_path):
    whole, file = gzip.compress(IMAGES, mtime=0), tmp_path / "damaged.gz"
    for length in range(2, len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(BakeoffError, match=r"damaged\.gz is a truncated or damaged gzip file"):
            read_payload(file)
    for position in range(10, len(whole)):  # past the header, whose time stamp and the like may differ
        file.write_bytes(whole[:position] + bytes([whole[position] ^ 255]) + whole[position + 1 :])
        with pytest.raises(BakeoffError, match=r"damaged\.gz"):
            parse_idx(read_payload(file).data, file, dimensions=3)


def test_missing_and_empty_files_are_one_sentence(tmp_path):
    (tmp_path / "empty").touch()
    for name, said in {
        "empty": "empty is empty",
        "none": "none cannot be read",
        ".": "cannot be read",
    }.items():
        with pytest.raises(BakeoffError, match=said):
            read_payload(tmp_path / name)


def test_images_and_labels_must_be_as_many():
    labels = bytes([0, 0, 8, 1, 0, 0, 0, 2, 1, 0])
    split = idx_split(Payload(FILE, IMAGES), Payload(FILE, labels))
    assert (split.images.shape, split.labels.tolist(), split.labels.dtype) == ((2, 1, 3, 4), [1, 0], np.int64)
    with pytest.raises(BakeoffError, match="some/file holds 2 images and other 1 labels"):
        idx_split(Payload(FILE, IMAGES), Payload(Path("other"), bytes([0, 0, 8, 1, 0, 0, 0, 1, 5])))


@pytest.mark.parametrize(
    ("name", "prefix", "found"),
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
def test_files_are_found_by_their_names_in_the_wild(tmp_path, name, prefix, found):
    (tmp_path / name).touch()
    assert find_idx(tmp_path, prefix, "train-images") == (tmp_path / name if found else None)


def test_a_header_of_255_sides_is_one_sentence(tmp_path):
    (tmp_path / "a").write_bytes(bytes([0, 0, 8, 255]) + b"\xff" * 2000)
    with pytest.raises(BakeoffError, match=r"its header promises 1\.18e\+21 GiB"):
        read_payload(tmp_path / "a")
