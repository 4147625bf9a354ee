"""Files of weights that are hostile: one sentence, and memory that stays bounded."""

from __future__ import annotations

import collections
import io
import os
import pickle
import re
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from bakeoff.errors import BakeoffError
from bakeoff.models.tensors import read_tensors

MIB = 1 << 20


def refused(path: Path, content: object, *, zipped: bool = True) -> str:
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(BakeoffError) as caught:
        read_tensors(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    return str(caught.value)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({3: torch.zeros(2)}, "it must hold names and tensors and nothing else"),
        ({("a", 1): torch.zeros(2)}, "it must hold names and tensors and nothing else"),
        ({"a": torch.zeros(2, 2).to_sparse()}, "'a' is no plain array of real numbers|damaged, or it holds more"),
        ({"a": torch.zeros(2, dtype=torch.complex64)}, "'a' is no plain array of real numbers"),
        ({"a": torch.zeros(1).expand(1 << 20, 1 << 20)}, "and the file does not hold as many numbers"),
        ({"x" * 5000: torch.zeros(1).expand(4, 4)}, "does not hold as many numbers"),
        (torch.zeros(3), "it must hold names and tensors and nothing else"),
        ({"a": 2**20_000}, "damaged, or it holds more than tensors"),
    ],
)
def test_odd_contents_are_one_sentence(tmp_path, content, sentence, zipped):
    assert re.search(sentence, refused(tmp_path / "a.pth", content, zipped=zipped))


def test_a_file_on_the_meta_device_has_no_numbers(tmp_path):
    assert "a.pth" in refused(tmp_path / "a.pth", {"a": torch.zeros(4, device="meta")})


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_what_is_no_regular_file_or_too_large_is_refused(tmp_path, monkeypatch, name):
    path = tmp_path / name
    os.mkfifo(path)
    with pytest.raises(BakeoffError, match="it is a pipe, socket or device, and only regular files are read"):
        read_tensors(path)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(BakeoffError, match="it is a pipe, socket or device, and only regular files are read"):
        read_tensors(path)
    path.unlink()
    monkeypatch.setenv("BAKEOFF_MAX_GIB", str(1 / 1024))
    tensors = {"a": torch.zeros(MIB)}
    save_file(tensors, path) if name.endswith("safetensors") else torch.save(tensors, path)
    with pytest.raises(BakeoffError, match=r"has 0\.0039\d GiB where up to 0\.000977 GiB are read"):
        read_tensors(path)


def test_a_compressed_archive_is_bounded_by_its_headers(tmp_path, monkeypatch):
    """4 MiB of zeros in 5 kB: an archive may be compressed, and PyTorch would unpack it."""
    monkeypatch.setenv("BAKEOFF_MAX_GIB", str(1 / 1024))
    buffer, path = io.BytesIO(), tmp_path / "a.pth"
    torch.save({"a": torch.zeros(MIB)}, buffer)
    with zipfile.ZipFile(buffer) as plain, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for member in plain.namelist():
            packed.writestr(member, plain.read(member))
    assert path.stat().st_size < MIB // 16
    with pytest.raises(BakeoffError, match=r"unpacked, it has 0\.0039\d GiB"):
        read_tensors(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_of_a_million_opcodes_is_refused(tmp_path, zipped):
    path = tmp_path / "a.pth"
    many = b"\x80\x02" + b"]0" * 600_000 + b"}."
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a/data.pkl", many)
    else:
        path.write_bytes(pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + many)
    with pytest.raises(BakeoffError, match="its pickle has more than 1,000,000 opcodes"):
        read_tensors(path)


@pytest.mark.parametrize("promise", [2**40, 2**63 - 1])
def test_a_header_that_promises_too_much_is_one_sentence(tmp_path, promise):
    header = f'{{"a":{{"dtype":"F32","shape":[{promise // 4}],"data_offsets":[0,{promise}]}}}}'.encode()
    path = tmp_path / "a.safetensors"
    for length in (len(header), promise):
        path.write_bytes(struct.pack("<Q", length) + header)
        with pytest.raises(BakeoffError, match=r"a\.safetensors: damaged"):
            read_tensors(path)


def test_ordinary_files_are_read(tmp_path):
    tensors = collections.OrderedDict(a=torch.arange(6.0).view(2, 3).t(), b=torch.tensor(3), c=torch.zeros(2).half())
    for zipped in (True, False):
        torch.save(tensors, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
        read = read_tensors(tmp_path / "a.pth")
        assert list(read) == ["a", "b", "c"]
        assert all(torch.equal(read[name], value) for name, value in tensors.items())
