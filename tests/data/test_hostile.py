"""Files that mean harm: nothing in them runs, memory stays bounded, and the user reads one sentence."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import stat
import struct
import tarfile
import tracemalloc
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bakeoff import load_study, read_run, train
from bakeoff.data import images, load_dataset, load_images
from bakeoff.data.dataset import Dataset, Split
from bakeoff.errors import LONGEST, BakeoffError, UsageError

MIB = 1 << 20
SQUARE = {"size": 8, "channels": 1, "resize": None}


@pytest.fixture
def bound(monkeypatch) -> None:
    """Files, arrays and datasets may have 1 MiB."""
    monkeypatch.setenv("BAKEOFF_MAX_GIB", str(1 / 1024))


def sentence(reference: str, kind: type[BakeoffError] = BakeoffError) -> str:
    with pytest.raises(kind) as caught:
        load_dataset(reference)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= LONGEST + len(" ... ")
    return str(caught.value)


def save_class_folders(folder: Path, names=("ant", "bee"), count=6) -> Path:
    for place, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            Image.new("L", (6, 6), 100 * place + number).save(folder / name / f"{number}.png")
    return folder


@pytest.mark.parametrize("ending", ["png", "eps", "jpg"])
@pytest.mark.parametrize("dos", [b"", b"\xc5\xd0\xd3\xc6" + struct.pack("<6I", 30, 400, 0, 0, 0, 0) + b"\xff\xff"])
def test_a_picture_starts_no_program(tmp_path, monkeypatch, ending, dos):
    """Pillow goes by content, and for PostScript it starts Ghostscript."""
    mark, programs = tmp_path / "mark", tmp_path / "bin"
    programs.mkdir()
    for name in ("gs", "gswin32c", "gswin64c"):
        (programs / name).write_text(f"#!/bin/sh\ntouch {mark}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    save_class_folders(tmp_path / "data")
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 6 6\n%%EndComments\n0 0 6 6 rectfill\nshowpage\n%%EOF\n"
    (tmp_path / "data" / "ant" / f"x.{ending}").write_bytes(dos + script)
    assert f"x.{ending} is damaged or none of PNG, JPEG" in sentence(str(tmp_path / "data"))
    with pytest.raises(BakeoffError, match="none of PNG, JPEG"):
        load_images(tmp_path / "data" / "ant" / f"x.{ending}", **SQUARE)
    assert not mark.exists()


def test_a_folder_that_cannot_be_read_is_not_taken_for_empty(tmp_path, monkeypatch):
    folder = save_class_folders(tmp_path / "data")
    save_class_folders(folder / "bee", names=("young",))

    def scan(place):
        if Path(place).name == "young":
            raise PermissionError(13, "Permission denied", str(place))
        return scandir(place)

    scandir = os.scandir
    assert len(load_dataset(str(folder)).train.images) > 0
    monkeypatch.setattr(os, "scandir", scan)
    assert "bee cannot be read (Permission denied)" in sentence(str(folder))


@pytest.mark.parametrize("name", ["a.png", "a.npy", "a.npz", "a.csv", "a.pkl"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_only_regular_files_are_read(tmp_path, name, kind):
    """A named pipe would block for ever; /dev/zero would fill memory."""
    data = save_class_folders(tmp_path / "data")
    file = data / "ant" / name
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "device":
        file.symlink_to("/dev/zero")
    else:
        (tmp_path / "there").mkdir()
        file.symlink_to(tmp_path / "there")
    what = "a folder" if kind == "folder" else "a pipe, socket or device"
    if kind != "folder":
        with pytest.raises(
            BakeoffError, match=f"it is {what}, and only regular files are read|none of the valid kinds"
        ):
            load_images(file, **SQUARE)
        with pytest.raises(
            BakeoffError, match=f"it is {what}, and only regular files are read|none of the valid kinds"
        ):
            load_dataset(str(file))
    if name == "a.png":
        assert what in sentence(str(data))
    (tmp_path / "table.csv").write_text(f"path,label\ndata/ant/{name},a\n")
    assert what in sentence(str(tmp_path / "table.csv"))


def idx(*shape: int, content: bytes = b"") -> bytes:
    return bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + content


def npy(descr: str, shape: str, content: bytes = b"", version: int = 1) -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode("latin1")
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + content


def npz(method=zipfile.ZIP_STORED, **members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def png(width: int, height: int, rows: bytes = b"") -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def bomb(size: int) -> bytes:
    """An .npz of an array that is large only when it is unpacked."""
    return npz(zipfile.ZIP_DEFLATED, images=npy("'|u1'", f"({size}, 1, 1)", bytes(size)), labels=npy("'|u1'", "(2,)"))


def tar(size: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo("cifar-10-batches-bin/data_batch_1.bin")
        member.size = size
        archive.addfile(member, io.BytesIO(bytes(size)))
    return buffer.getvalue()


LONG_TEXT = npy("'<U999999'", "(1,)")
HUGE = {
    "an array's header promises 2^40": (npz(images=npy("'<f8'", "(137438953472, 1, 1)")), "promises 1.02e.03 GiB"),
    "32 sides of 18 digits": (npz(images=npy("'|u1'", f"({('9' * 18 + ', ') * 32})")), "promises 1.18e.21 GiB"),
    "its shape has 1,900 sides": (npz(images=npy("'|u1'", f"({'1, ' * 1900})")), "it has 0 bytes where its header"),
    "a side has 5,000 digits": (npz(images=npy("'|u1'", f"({'9' * 5000},)")), "its header is not one of NumPy's"),
    "its header has a gigabyte": (npz(images=b"\x93NUMPY\x02\x00\x00\x00\x00\x40"), "its header is not one of NumPy's"),
    "an .npz unpacks to 20 MiB": (bomb(20 * MIB), "its arrays have 0.0195 GiB where up to 0.000977 GiB are read"),
    "labels of a million letters": (npz(images=npy("'|u1'", "(1, 1, 1)", b"0"), labels=LONG_TEXT), "promises"),
}


@pytest.mark.usefixtures("bound")
@pytest.mark.parametrize("name", HUGE)
def test_what_a_header_promises_is_bounded_before_it_is_read(tmp_path, name):
    content, expected = HUGE[name]
    file = "a.npz"
    (tmp_path / file).write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(BakeoffError, match=expected):
            load_dataset(str(tmp_path / file))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 * MIB


def test_the_list_of_arrays_is_bounded(tmp_path):
    (tmp_path / "a.npz").write_bytes(npz(**{f"{n:020}": b"" for n in range(60_000)}))
    assert "is damaged: one" in sentence(str(tmp_path / "a.npz"))


@pytest.mark.usefixtures("bound")
@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("shape", [(20 * MIB, 1, 1), (2**31, 2**31, 2**31), (1 << 10, 1 << 10, 1 << 10)])
def test_an_idx_header_is_bounded_before_its_images_are_unpacked(tmp_path, zipped, shape):
    content = idx(*shape, content=bytes(min(20 * MIB, np.prod(shape, dtype=object))))
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(content) if zipped else content[: MIB // 2])
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(idx(2, content=b"01"))
    tracemalloc.start()
    try:
        assert "its header promises" in sentence(str(tmp_path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * MIB


def test_the_bound_can_be_raised_and_must_be_a_number(tmp_path, monkeypatch):
    np.savez(tmp_path / "a.npz", images=np.zeros((2000, 28, 28), np.uint8), labels=np.arange(2000) % 2)
    monkeypatch.setenv("BAKEOFF_MAX_GIB", "0.001")
    assert "set BAKEOFF_MAX_GIB to allow more" in sentence(str(tmp_path / "a.npz"))
    monkeypatch.setenv("BAKEOFF_MAX_GIB", "0.01")
    assert load_dataset(str(tmp_path / "a.npz")).shape == (1, 28, 28)
    for text in ("much", "-1", "0", "nan", "inf"):
        monkeypatch.setenv("BAKEOFF_MAX_GIB", text)
        assert f"BAKEOFF_MAX_GIB = '{text}': must be a number" in sentence(str(tmp_path / "a.npz"), UsageError)


def test_one_picture_is_held_to_the_bound_too(tmp_path, monkeypatch):
    for label in ("a", "b"):
        (tmp_path / "pictures" / label).mkdir(parents=True)
        Image.new("L", (700, 700)).save(tmp_path / "pictures" / label / "large.png")
    monkeypatch.setenv("BAKEOFF_MAX_GIB", str(1 / 1024))
    assert "large.png: decoded, it has 0.00183 GiB where up to 0.000977 GiB are read" in sentence(
        f"{tmp_path / 'pictures'}:size=8,resize=pad"
    )


@pytest.mark.parametrize(("width", "height"), [(13_300, 13_300), (10**8, 1), (1, 10**8), (2**31 - 1, 2**31 - 1)])
def test_a_picture_of_too_many_pixels_is_refused_by_its_header(tmp_path, width, height):
    file = save_class_folders(tmp_path / "data") / "ant" / "x.png"
    file.write_bytes(png(width, height))
    tracemalloc.start()
    try:
        with pytest.raises(BakeoffError, match=r"x\.png (has \d+ x \d+ pixels where up to|cannot be read as an image)"):
            load_dataset(str(tmp_path / "data"))
        assert tracemalloc.get_traced_memory()[1] < 4 * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.usefixtures("bound")
def test_pictures_together_are_bounded(tmp_path):
    """One small file in many rows, and small arrays that are to become large ones."""
    Image.new("L", (200, 200)).save(tmp_path / "a.png")
    (tmp_path / "a.csv").write_text("path,label\n" + "a.png,0\na.png,1\n" * 20)
    assert "the images of its 40 rows have" in sentence(str(tmp_path / "a.csv"))
    np.savez(tmp_path / "a.npz", images=np.zeros((40, 2, 2), np.uint8), labels=np.arange(40) % 2)
    assert "so resized, its images have" in sentence(f"{tmp_path}/a.npz:size=1024,resize=pad")


@pytest.mark.parametrize("layout", ["many files", "one long header", "one long file"])
def test_an_archive_of_cifar10_is_bounded(tmp_path, monkeypatch, layout):
    monkeypatch.setenv("BAKEOFF_DATA", str(tmp_path))
    monkeypatch.setattr("bakeoff.data.cifar.UNPACKED", MIB)
    (tmp_path / "cifar10").mkdir()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        for number in range(200 if layout == "many files" else 1):
            member = tarfile.TarInfo(f"{number}")
            member.pax_headers = {"comment": "x" * 20 * MIB} if layout == "one long header" else {}
            member.size = 20 * MIB if layout == "one long file" else 0
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    (tmp_path / "cifar10" / "cifar-10-binary.tar.gz").write_bytes(buffer.getvalue())
    tracemalloc.start()
    try:
        assert "cifar-10-binary.tar.gz" in sentence("cifar10")
        assert tracemalloc.get_traced_memory()[1] < 8 * MIB
    finally:
        tracemalloc.stop()


def test_many_rows_take_time_in_proportion_and_too_many_are_refused(tmp_path, monkeypatch):
    """20,000 rows of two pictures: each is opened once."""
    Image.new("L", (2, 2)).save(tmp_path / "a.png")
    Image.new("L", (2, 2), 9).save(tmp_path / "b.png")
    (tmp_path / "a.csv").write_text("path,label\n" + "a.png,0\nb.png,1\n" * 10_000)
    opened = []
    monkeypatch.setattr(
        images, "open_picture", lambda file, read=images.open_picture: opened.append(file) or read(file)
    )
    dataset = load_dataset(str(tmp_path / "a.csv"))
    assert sum(len(split) for split in dataset.splits.values()) == 20_000
    assert len(opened) == 2
    monkeypatch.setattr("bakeoff.data.table.MOST_PICTURES", 19_999)
    assert "a.csv has more than 19,999 rows" in sentence(str(tmp_path / "a.csv"))


NAMES = {
    "escape": "a\x1b[31m",
    "line": "a\nb",
    "half a character": "caf\udce9",
    "next line": "a\x85",
    "separator": "a\u2028b",
    "turned": "a\u202eb",
    "no character": "a\uffff",
    "long": "x" * 20_000,
}


@pytest.mark.parametrize("name", NAMES)
def test_class_names_that_no_report_can_show_are_refused_before_training(tmp_path, name):
    text = NAMES[name]
    pixels, labels = np.zeros((12, 6, 6), np.uint8), np.arange(12) % 2
    if name != "half a character":  # NumPy cannot save it
        np.savez(tmp_path / "a.npz", images=pixels, labels=np.array(["ant", text])[labels])
        assert "rename it" in sentence(str(tmp_path / "a.npz"))
        np.savez(tmp_path / "b.npz", images=pixels, labels=labels, classes=["ant", text])
        assert "rename it" in sentence(str(tmp_path / "b.npz"))
    if name != "long":
        save_class_folders(tmp_path / "data", ("ant", text))
        message = sentence(str(tmp_path / "data"))
        assert "holds a control character, is not in UTF-8" in message
        assert message.isascii()
        assert message.isprintable()
    with pytest.raises(BakeoffError, match="rename it"):
        Dataset("d", ("ant", text), *(Split(pixels[:, None], labels) for _ in range(3)))


def test_folders_in_latin_1_and_names_with_nul_are_refused(tmp_path):
    folder = tmp_path / os.fsdecode(b"d\xe9")
    save_class_folders(folder)
    assert "d\\udce9: holds a control character, or is not in UTF-8" in sentence(str(folder), UsageError)
    sentence("a\0b", UsageError)
    sentence("x" * 5000, UsageError)
    (tmp_path / "a.csv").write_text("path,label\na\0b.png,0\n" + "x" * 5000 + ".png,1\n")
    sentence(str(tmp_path / "a.csv"))


def test_too_many_classes_are_refused(tmp_path):
    labels = np.arange(12_000) % 6_000
    np.savez(tmp_path / "a.npz", images=np.zeros((12_000, 2, 2), np.uint8), labels=labels)
    assert "6,000 classes where up to 5,000 are valid" in sentence(str(tmp_path / "a.npz"))


def test_file_names_in_latin_1_are_shown_in_ascii(tmp_path):
    folder = save_class_folders(tmp_path / "data")
    (folder / "ant" / "0.png").rename(folder / "ant" / os.fsdecode(b"\xe9\x1b.png"))
    ids = [name for split in load_dataset(str(folder)).splits.values() for name in split.ids.tolist()]
    assert r"ant/\udce9\x1b.png" in ids


@pytest.mark.parametrize("content", [b"\n\n\n", b"Id,Category\n0,1,2\n", b"Id,Category\n" + b"0,1\n" * 9])
def test_faulty_label_files_of_a_competition_are_one_sentence(tmp_path, content):
    (tmp_path / "train_images").write_bytes(pickle.dumps(np.zeros((6, 8, 8), np.float32)))
    (tmp_path / "train_labels.csv").write_bytes(content)
    assert "train_labels.csv must have a header and 6 rows" in sentence(str(tmp_path))


def test_columns_of_a_competition_are_shown_in_ascii(tmp_path):
    (tmp_path / "train_images").write_bytes(pickle.dumps(np.zeros((12, 8, 8), np.uint8)))
    rows = "".join(f"{place},{place % 2}\n" for place in range(12))
    (tmp_path / "train_labels.csv").write_text(f"\x1b[2JId,{'x' * 5000}\n{rows}")
    first, second = load_dataset(str(tmp_path)).header
    assert first == r"\x1b[2JId"
    assert len(second) == 200


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        (b"just text", "array 'images' is damaged: its header is not one of NumPy's"),
        (b"\x93NUMPY\x01\x00", "its header is not one of NumPy's"),
        (b"\x93NUMPY\x09\x00\x10\x00" + bytes(20), "its header is not one of NumPy's"),
        (npy("'|O'", "(2,)"), "holds Python objects, which are never loaded"),
        (npy("[('a', '<f8')]", "(2,)", bytes(16)), "holds neither numbers nor text"),
        (npy("'<M8'", "(2,)", bytes(16)), "holds neither numbers nor text"),
        (npy("'<f3'", "(2,)", bytes(6)), "its header is not one of NumPy's"),
        (npy("'|u1'", "(-2,)", b"00"), "it has 2 bytes where its header promises -2"),
        (npy("'|u1'", "(2, 2, 2)", b"0" * 7), "it has 7 bytes where its header promises 8"),
        (npy("'|u1'", "(2, 2, 2)", b"0" * 9), "it has 9 bytes where its header promises 8"),
        (npy("'|u1'", "(" * 4000, b"0"), "its header is not one of NumPy's"),
    ],
)
def test_members_of_an_npz_with_bad_headers_are_one_sentence(tmp_path, member, expected):
    (tmp_path / "a.npz").write_bytes(npz(images=member, labels=npy("'|u1'", "(2,)", b"01")))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert expected in sentence(str(tmp_path / "a.npz"))
    if member[:6] == b"\x93NUMPY":
        (tmp_path / "a.npy").write_bytes(member)
        with pytest.raises(BakeoffError, match=r"a\.npy"):
            load_images(tmp_path / "a.npy", **SQUARE)


def test_arrays_are_read_as_numpy_reads_them(tmp_path):
    """Whatever NumPy saves of numbers and text: every order, version of the format and compression."""
    draw = np.random.default_rng(0)
    arrays = {
        "plain": draw.integers(0, 9, (3, 4, 5)),
        "columns": np.asfortranarray(draw.random((3, 4))),
        "big": draw.integers(0, 9, 7).astype(">i2"),
        "text": np.array(["a", "bé", "c"]),
        "bytes": np.array([b"a", b"bc"]),
        "truth": np.array([True, False]),
        "none": np.zeros((0, 3)),
        "one": np.array(3.5),
        "half": np.array([0.5], np.float16),
    }
    from bakeoff.arrays import read_arrays

    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **arrays)
        for name, array in read_arrays(tmp_path / "a.npz").items():
            np.testing.assert_array_equal(array, arrays[name], strict=True)
            assert array.flags.writeable
    for version in [(1, 0), (2, 0), (3, 0)]:
        with (tmp_path / "a.npy").open("wb") as out:
            np.lib.format.write_array(out, arrays["plain"], version)
        np.testing.assert_array_equal(read_arrays(tmp_path / "a.npy")["images"], arrays["plain"], strict=True)


def test_the_first_five_unreadable_pictures_are_named(tmp_path):
    folder = save_class_folders(tmp_path / "data", count=10)
    for number in range(3):
        (folder / "bee" / f"{number}.png").write_bytes(b"no picture")
    message = sentence(str(folder))
    assert message.startswith("3 of 20 pictures cannot be used: ")
    assert [f"bee/{number}.png is damaged" in message for number in range(4)] == [True, True, True, False]
    with pytest.raises(BakeoffError, match="3 of 10 pictures cannot be used"):
        load_images(folder / "bee", size=6, channels=1, resize=None)
    for number in range(10):
        (folder / "ant" / f"{number}.png").write_bytes(b"")
    message = sentence(str(folder))
    assert message.startswith("13 of 20 pictures cannot be used: ")
    assert message.count(".png") == 5


def test_members_of_an_archive_stay_in_it(tmp_path):
    """Names that lead out of a folder are names and no more: nothing is written."""
    before = stat.S_IMODE(tmp_path.stat().st_mode)
    (tmp_path / "in").mkdir()
    with zipfile.ZipFile(tmp_path / "in" / "a.npz", "w") as archive:
        archive.writestr("../images.npy", npy("'|u1'", "(2, 2, 2)", b"0" * 8))
        archive.writestr("/tmp/labels.npy", npy("'|u1'", "(2,)", b"01"))
    assert "has no array 'images'" in sentence(str(tmp_path / "in" / "a.npz"))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.npz", "in"]
    assert stat.S_IMODE(tmp_path.stat().st_mode) == before


@pytest.mark.parametrize("kind", ["npz", "idx", "competition"])
def test_memory_stays_below_three_times_the_bound(tmp_path, monkeypatch, kind):
    monkeypatch.setenv("BAKEOFF_MAX_GIB", str(4 / 1024))
    count = 3_900 * 1024 // 256
    pixels, labels = np.random.default_rng(0).integers(0, 256, (count, 16, 16), np.uint8), np.arange(count) % 10
    reference = str(tmp_path)
    if kind == "npz":
        np.savez_compressed(reference := str(tmp_path / "a.npz"), images=pixels, labels=labels.astype(np.uint8))
    elif kind == "idx":
        (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(*pixels.shape, content=pixels.tobytes()))
        (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(count, content=labels.astype(np.uint8).tobytes()))
    else:
        (tmp_path / "train_images").write_bytes(pickle.dumps(pixels))
        rows = "".join(f"{place},{label}\n" for place, label in enumerate(labels))
        (tmp_path / "train_labels.csv").write_text(f"Id,Category\n{rows}")
    del pixels
    tracemalloc.start()
    try:
        assert load_dataset(reference).shape == (1, 16, 16)
        assert tracemalloc.get_traced_memory()[1] < 3 * 4 * MIB + 8 * MIB  # labels and words are some of it
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["study.toml", "run/run.json", "run/predictions.npz"])
def test_studies_and_records_are_regular_files(tmp_path, name):
    """A named pipe would block for ever."""
    run = train("digits", "logistic", epochs=1, images=60, out=tmp_path / "runs").path
    run.rename(tmp_path / "run")
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(BakeoffError, match="it is a pipe, socket or device, and only regular files are read"):
        load_study(tmp_path / name) if name == "study.toml" else read_run(tmp_path / "run")
