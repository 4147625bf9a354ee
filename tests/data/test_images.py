from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from bakeoff.data.images import load_images
from bakeoff.errors import BakeoffError, UsageError

SQUARE = {"size": 8, "channels": 1, "resize": None}


def picture(width=8, height=8, mode="L", seed=0) -> Image.Image:
    shape = (height, width) if mode == "L" else (height, width, 3)
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, np.uint8))


def load_one(file, **changes) -> np.ndarray:
    return load_images(file, **SQUARE | changes)[0][0]


@pytest.mark.parametrize("ending", ["png", "bmp", "tiff", "webp"])
def test_pictures_come_as_they_were_saved(tmp_path, ending):
    picture(mode="RGB").save(tmp_path / f"a.{ending}", lossless=True)
    images, names = load_images(tmp_path / f"a.{ending}", size=8, channels=3, resize=None)
    assert (images.shape, images.dtype, names) == ((1, 3, 8, 8), np.uint8, ["a"])
    assert (images[0].transpose(1, 2, 0) == np.asarray(picture(mode="RGB"))).all()


def test_a_folder_is_searched_through_in_natural_order(tmp_path):
    for place, name in enumerate(["b10.png", "a/z.JPG", "b9.png", "a/y.png", ".hidden/x.png", "c/.thumb.png"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (8, 8), place).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not an image")
    images, names = load_images(tmp_path, **SQUARE)
    assert names == ["y", "z", "b9", "b10"]
    assert images[:, 0, 0, 0].tolist() == [3, 1, 2, 0]
    Image.new("L", (8, 8)).save(tmp_path / "y.bmp")  # two files of one stem: their whole names tell them apart
    assert load_images(tmp_path, **SQUARE)[1] == ["a/y.png", "a/z.JPG", "b9.png", "b10.png", "y.bmp"]


def test_grey_and_colour_become_each_other(tmp_path):
    picture().save(tmp_path / "grey.png")
    picture(mode="RGB").save(tmp_path / "colour.png")
    grey = load_one(tmp_path / "grey.png", channels=3)
    assert (grey == np.asarray(picture())).all()
    assert grey.shape == (3, 8, 8)
    red, green, blue = np.moveaxis(np.asarray(picture(mode="RGB")).astype(float), 2, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue  # ITU-R BT.601
    np.testing.assert_allclose(load_one(tmp_path / "colour.png")[0], luma, atol=0.51)


def test_unusual_pictures_keep_their_meaning(tmp_path):
    deep = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert (load_one(tmp_path / "deep.png")[0] == deep // 256).all()
    ink = Image.new("LA", (8, 8), (0, 0))
    ink.putpixel((3, 2), (0, 255))
    ink.save(tmp_path / "transparent.png")
    expected = np.full((8, 8), 255)
    expected[2, 3] = 0
    assert (load_one(tmp_path / "transparent.png")[0] == expected).all()
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it turned by 90 degrees clockwise
    picture().save(tmp_path / "turned.png", exif=exif)
    assert (load_one(tmp_path / "turned.png")[0] == np.rot90(np.asarray(picture()), -1)).all()
    Image.new("1", (8, 8), 1).save(tmp_path / "bits.png")
    assert (load_one(tmp_path / "bits.png") == 255).all()
    Image.fromarray(np.zeros((8, 8), np.float32)).save(tmp_path / "float.tiff")
    with pytest.raises(BakeoffError, match=r"float.tiff has 32-bit pixels where 8 or 16 bits are valid"):
        load_one(tmp_path / "float.tiff")


@pytest.mark.parametrize("shape", [(30, 20), (20, 30), (5, 3), (64, 64), (300, 2)])
@pytest.mark.parametrize("rule", ["stretch", "pad", "crop"])
def test_resize_rules_are_pillows(tmp_path, rule, shape):
    source = picture(*shape)
    source.save(tmp_path / "a.png")
    image = load_images(tmp_path / "a.png", size=(10, 12), channels=1, resize=rule)[0][0, 0]
    pixels = np.asarray(source)
    border = int(np.median(np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])))
    if rule == "stretch":
        expected = source.resize((12, 10), Image.Resampling.BICUBIC)
    elif rule == "crop":
        expected = ImageOps.fit(source, (12, 10), Image.Resampling.BICUBIC)
    elif shape == (300, 2):  # too thin for Pillow's own: a line of one pixel remains
        assert (np.delete(image, 4, axis=0) == border).all()
        return
    else:
        expected = ImageOps.pad(source, (12, 10), Image.Resampling.BICUBIC, color=border)
    assert (image == np.asarray(expected)).all()


def test_the_border_of_a_padded_picture_goes_on(tmp_path):
    canvas = Image.new("RGB", (20, 10), (200, 10, 30))
    canvas.putpixel((0, 0), (0, 0, 0))
    canvas.save(tmp_path / "a.png")
    image = load_one(tmp_path / "a.png", channels=3, resize="pad")
    assert image[:, [0, 1, 6, 7]].reshape(3, -1).T.tolist() == [[200, 10, 30]] * 32


@pytest.mark.parametrize("layout", ["NHW", "NCHW", "NHWC"])
@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_arrays_are_read_in_every_layout(tmp_path, layout, ending):
    images = np.random.default_rng(0).integers(0, 256, (5, 1 if layout == "NHW" else 3, 8, 8))
    stored = {"NHW": images[:, 0], "NCHW": images.astype(np.uint8), "NHWC": images.transpose(0, 2, 3, 1)}[layout]
    if ending == "npy":
        np.save(tmp_path / "a.npy", stored)
    else:
        np.savez_compressed(tmp_path / "a.npz", images=stored)
    loaded, names = load_images(tmp_path / f"a.{ending}", size=8, channels=images.shape[1], resize=None)
    assert (loaded == images).all()
    assert (loaded.dtype, names) == (np.uint8, [0, 1, 2, 3, 4])


def test_arrays_are_resized_and_recoloured_like_pictures(tmp_path):
    pixels = np.stack([np.asarray(picture(9, 7, "RGB", seed)) for seed in range(3)])
    np.save(tmp_path / "a.npy", pixels)
    for number, frame in enumerate(pixels):
        Image.fromarray(frame).save(tmp_path / f"{number}.png")
    for wanted in (
        {"size": 8, "resize": "crop", "channels": 1},
        {"size": (7, 9), "resize": None, "channels": 1},
    ):
        resized = load_images(tmp_path / "a.npy", **wanted)[0]
        assert (resized == [load_one(tmp_path / f"{number}.png", **wanted) for number in range(3)]).all()


@pytest.mark.parametrize("kind", ["f2", "f4", ">f8"])
def test_floats_are_rounded_to_whole_numbers(tmp_path, kind):
    values = np.random.default_rng(0).uniform(0, 255, (3, 8, 8)).astype(kind)
    np.save(tmp_path / "a.npy", values)
    images = load_images(tmp_path / "a.npy", **SQUARE)[0]
    expected = [[[round(float(value)) for value in row] for row in image] for image in values]
    assert images[:, 0].tolist() == expected


def test_sizes_need_a_rule(tmp_path):
    picture(8, 8).save(tmp_path / "a.png")
    picture(9, 7).save(tmp_path / "b.png")
    rules = "stretch, pad, crop"
    size = r"b.png is 7x9 pixels \(height x width\) where"
    with pytest.raises(BakeoffError, match=rf"{size} 8x8 is valid: choose .*{rules}"):
        load_images(tmp_path, **SQUARE)
    with pytest.raises(BakeoffError, match=rf"{size} 8x8 is valid: .*{rules}"):
        load_images(tmp_path, **SQUARE | {"size": None})
    with pytest.raises(UsageError, match=r"resize = 'padd': must be 'stretch', 'pad' or 'crop'"):
        load_images(tmp_path, **SQUARE | {"resize": "padd"})
    with pytest.raises(UsageError, match=r"resize=pad needs a size"):
        load_images(tmp_path, **SQUARE | {"size": None, "resize": "pad"})


def damaged_png() -> bytes:
    buffer = io.BytesIO()
    picture(64, 64).save(buffer, "PNG")
    return buffer.getvalue()[:2000]


def saved(**arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.png", b"", "a.png is empty"),
        ("a.png", b"hello", "a.png is damaged or none of PNG, JPEG, BMP"),
        ("a.png", damaged_png(), "a.png cannot be read as an image .*truncated"),
        ("none.png", None, "none.png cannot be read .*No such file"),
        ("a.npz", b"", "a.npz is empty"),
        ("a.npz", saved(images=np.zeros((2, 8, 8), np.uint8))[:-30], "a.npz is not a readable NumPy file"),
        (
            "a.npz",
            saved(picture=np.zeros((2, 8, 8), np.uint8)),
            r"a.npz has no array `images` \(valid: picture\)",
        ),
        (
            "a.npz",
            saved(names=np.zeros(3), images=np.array([{}])),
            r"a.npz: array 'images' holds Python objects, which are never loaded: save it as numbers or",
        ),
        ("a.npz", saved(images=np.zeros((2, 8), np.uint8)), r"a.npz: images have the shape \(2, 8\) where"),
        (
            "a.npz",
            saved(images=np.zeros((2, 8, 8, 2), np.uint8)),
            r"a.npz: images have the shape \(2, 8, 8, 2\)",
        ),
        ("a.npz", saved(images=np.zeros((0, 8, 8), np.uint8)), r"a.npz: images have the shape \(0, 8, 8\)"),
        ("a.npy", b"\x80\x04N.", "a.npy is not a readable pickle of numeric arrays"),
        ("a.npy", b"hello", r"a.npy is not a readable NumPy file \(it is neither .npy nor .npz\)"),
        ("a.npz", saved(), "a.npz holds no array"),
        ("a.npz", saved(images=np.array([["a"]])[None]), "a.npz: images are <U1 where numbers from 0 to 255"),
        (
            "a.npz",
            saved(images=np.linspace(0, 1, 128).reshape(2, 8, 8)),
            "images hold float64 values from 0 to 1 where 0 to 255 are valid .fractions of 1: multiply them by 255",
        ),
        (
            "a.npz",
            saved(images=np.arange(128).reshape(2, 8, 8) * 10),
            "images hold int64 values from 0 to 1270 where 0 to 255 are valid",
        ),
        ("a.npz", saved(images=np.full((2, 8, 8), -1)), "images hold int64 values from -1 to -1 where"),
        ("a.npz", saved(images=np.full((2, 8, 8), np.nan)), "images hold float64 values from nan to nan where"),
    ],
)
def test_faulty_files_are_one_sentence(tmp_path, name, content, sentence):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BakeoffError, match=sentence):
        load_images(tmp_path / name, **SQUARE)


def test_a_folder_without_pictures_is_one_sentence(tmp_path):
    with pytest.raises(BakeoffError, match="holds no picture"):
        load_images(tmp_path, **SQUARE)


def test_damage_never_ends_in_another_error(tmp_path):
    """Bits flipped and ends cut off at random: a sentence, or an image where the damage does not show."""
    draw, file = np.random.default_rng(0), tmp_path / "a.png"
    for ending in ("png", "jpeg", "gif", "webp", "npz"):
        file = tmp_path / f"a.{ending}"
        if ending == "npz":
            np.savez_compressed(file, images=np.asarray(picture())[None])
        else:
            picture().save(file)
        whole = np.frombuffer(file.read_bytes(), np.uint8)
        refused = 0
        for _ in range(60):
            data = whole[: draw.integers(1, len(whole) + 1)].copy()
            data[draw.integers(0, len(data), 3)] = draw.integers(0, 256, 3, np.uint8)
            file.write_bytes(data)
            try:
                load_images(file, **SQUARE)
            except BakeoffError:
                refused += 1
        assert refused > 20, ending
