"""Pictures and arrays from files, brought to one size and one number of channels."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, model_validator

from bakeoff.arrays import read_arrays
from bakeoff.data.dataset import Images, by
from bakeoff.data.pickled import is_pickle, read_array
from bakeoff.errors import BakeoffError, UsageError, closest
from bakeoff.files import check_bytes, opened, reading
from bakeoff.spec.settings import Frozen, validate

if TYPE_CHECKING:  # Pillow is imported where it is used: names of datasets must come quickly
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
"""What Pillow may take a file for, by its content: none of these starts another program, as EPS does."""
MOST_PIXELS = 1 << 26
"""Of one picture: 8192 x 8192. Opening one takes up to about 20 bytes of memory a pixel."""
MOST_PICTURES = 2_000_000
"""In one folder or CSV file."""
NAMED_FAULTS = 5
LARGEST = 1024
"""Pixels of a side that may be asked for."""


def _height_and_width(size: object) -> object:
    """`28` -> (28, 28), `28x32` -> (28, 32); a tuple, and None, as they are."""
    if not isinstance(size, str | int):
        return size
    match = re.fullmatch(r"(\d{1,4})(?:x(\d{1,4}))?", str(size), re.ASCII)
    if not match or not all(1 <= int(side) <= LARGEST for side in match.groups(match[1])):
        raise ValueError(f"must be a side or height x width, 1 to {LARGEST} pixels, as in 28 or 28x32")
    return int(match[1]), int(match[2] or match[1])


class Shaping(Frozen):
    """What images must become; None: as they are."""

    size: Annotated[tuple[int, int] | None, BeforeValidator(_height_and_width)] = None
    """Height x width in pixels; one number for a square."""
    resize: Literal["stretch", "pad", "crop"] | None = None
    """Rule for other sizes."""
    channels: Annotated[Literal[1, 3] | None, BeforeValidator(lambda text: {"1": 1, "3": 3}.get(text, text))] = None
    """1 (grey) or 3 (RGB)."""

    @model_validator(mode="after")
    def _has_size(self) -> Shaping:
        if self.resize is not None and self.size is None:
            raise UsageError(f"resize={self.resize} needs a size to resize to: add size=PIXELS")
        return self


def load_images(
    path: Path, *, size: int | tuple[int, int] | None, channels: int | None, resize: str | None
) -> tuple[Images, list[str] | list[int]]:
    """Unlabelled images (N, C, H, W) uint8 and their names, in the names' natural order: 2 before 10.

    `path` is a picture, a folder of pictures (searched through), an .npy array, an .npz with `images` or a
    pickled array. Names are the files' own, without folder and ending where they still differ, or the index in
    an array. `size` (H, W) or side in pixels. Raises BakeoffError for anything unreadable and for sizes other
    than `size` without a `resize` rule, UsageError for an unknown rule.
    """
    shaping = validate(Shaping, {"size": size, "resize": resize, "channels": channels}, str(path))
    with reading(path):
        if is_pickle(path) or path.suffix.lower() in (".npy", ".npz"):
            arrays = {"images": read_array(path)} if is_pickle(path) else read_arrays(path)
            if "images" not in arrays:
                raise BakeoffError(f"{path} has no array `images`{closest('images', arrays)}")
            images = shape_array(as_images(arrays["images"], path), shaping, path)
            return images, list(range(len(images)))
        if path.is_dir():
            files = sorted(find_pictures(path), key=lambda file: _natural(file.relative_to(path).as_posix()))
            if not files:
                raise BakeoffError(f"{path} holds no picture ({', '.join(FORMATS)})")
            names = [file.stem for file in files]
            if len(set(names)) < len(names):
                names = [file.relative_to(path).as_posix() for file in files]
        else:
            files, names = [path], [path.stem]
        return shape_pictures(open_pictures(files), shaping), names


def _natural(name: str) -> list[str | int]:
    """A key that sorts numbers in names by value."""
    return [int(part) if place % 2 else part for place, part in enumerate(re.split(r"([0-9]+)", name))]


def find_pictures(folder: Path) -> list[Path]:
    """All files below `folder` that Pillow can read by their ending, sorted; hidden ones are left out.

    Raises:
        BakeoffError: there are too many, or a folder cannot be read.
    """
    from PIL import Image

    def fail(error: OSError) -> NoReturn:
        raise error

    endings, files = tuple(Image.registered_extensions()), list[Path]()
    with reading(folder):
        for place, folders, names in os.walk(folder, onerror=fail):
            folders[:] = [name for name in folders if not name.startswith(".")]
            named = (name for name in (*folders, *names) if name.lower().endswith(endings))
            files += [Path(place, name) for name in named if not name.startswith(".")]
            if len(files) > MOST_PICTURES:
                raise BakeoffError(f"{folder} holds more than {MOST_PICTURES:,} pictures, as many as are valid")
    return sorted(files)


def open_pictures(files: Collection[Path]) -> Iterator[tuple[str, Image]]:
    """The files' names and pictures; see `open_picture`.

    Raises BakeoffError, once all are tried, that names the first NAMED_FAULTS of those that cannot be read.
    """
    faults: list[str] = []
    for file in files:
        try:
            picture = open_picture(file)
        except BakeoffError as fault:
            faults.append(str(fault))
        else:
            if not faults:  # else it is only tried whether it can be read
                yield str(file), picture
    if faults:
        raise BakeoffError(
            f"{len(faults)} of {len(files)} pictures cannot be used: {'; '.join(faults[:NAMED_FAULTS])}"
            if len(files) > 1
            else faults[0]
        )


def open_picture(file: Path) -> Image:
    """The picture upright, 8-bit "L" where it shows only greys, else "RGB"; transparency becomes white.

    Raises BakeoffError for what is none of FORMATS, damaged, or larger than MOST_PIXELS.
    """
    from PIL import UnidentifiedImageError

    with opened(file) as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of damaged dates and the like, and of sizes checked below
        try:
            picture = _decoded(stream, file)
        except BakeoffError:
            raise
        except UnidentifiedImageError as error:
            raise BakeoffError(f"{file} is damaged or none of {', '.join(FORMATS)}") from error
        except Exception as error:  # damage makes Pillow's decoders raise whatever their code runs into
            raise BakeoffError(f"{file} cannot be read as an image ({error or type(error).__name__})") from error
    if picture.mode in ("I", "F"):
        raise BakeoffError(f"{file} has 32-bit pixels where 8 or 16 bits are valid")
    if picture.mode in ("1", "L"):
        return picture.convert("L")
    picture = picture.convert("RGB")
    red, green, blue = np.moveaxis(np.asarray(picture), 2, 0)
    return picture.convert("L") if (red == green).all() and (red == blue).all() else picture


def _decoded(stream: BinaryIO, file: Path) -> Image:
    """The picture upright, with nothing transparent in it, of any of Pillow's modes."""
    from PIL import Image, ImageOps

    with Image.open(stream, formats=FORMATS) as opened_file:
        width, height = opened_file.size
        if width * height > MOST_PIXELS:
            raise BakeoffError(f"{file} has {width} x {height} pixels where up to {MOST_PIXELS:,} are valid")
        check_bytes(4 * width * height, f"{file}: decoded, it has")
        picture = ImageOps.exif_transpose(opened_file)
    if picture.mode.startswith("I;16"):  # Pillow would clip at 255
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture


def shape_pictures(pictures: Iterable[tuple[str, Image]], shaping: Shaping) -> Images:
    """Named pictures as (N, C, H, W); without `channels`, 1 where all are grey, else 3.

    Raises BakeoffError for pictures of several sizes without a rule, and for more of them than the bound.
    """
    arrays: list[NDArray[np.uint8]] = []
    wanted, channels, size = shaping.size, shaping.channels or 1, 0
    for name, picture in pictures:
        if shaping.channels is not None:
            picture = picture.convert("L" if shaping.channels == 1 else "RGB")
        if shaping.resize is not None and shaping.size is not None:
            picture = _resize(picture, shaping.resize, shaping.size)
        wanted = wanted or (picture.height, picture.width)
        if (picture.height, picture.width) != wanted:
            raise BakeoffError(
                f"{name} is {picture.height}x{picture.width} pixels (height x width) where {by(wanted)} is valid: "
                "choose a size, and a resize rule (valid: stretch, pad, crop)"
            )
        array = np.asarray(picture)
        arrays.append(array)
        channels, size = max(channels, 1 if array.ndim == 2 else 3), size + array.nbytes
        check_bytes(size, f"{name}: with it the pictures have")
    assert wanted is not None, "no picture"
    check_bytes(len(arrays) * channels * wanted[0] * wanted[1], "the pictures have")
    images = np.empty((len(arrays), channels, *wanted), np.uint8)
    for image in images[::-1]:  # from the end, each array given up at once: all of them twice could fill memory
        array = arrays.pop()
        image[:] = array if array.ndim == 2 else np.moveaxis(array, 2, 0)
    return images


def shape_array(images: Images, shaping: Shaping, file: Path) -> Images:
    """`images` (N, C, H, W), resized and recoloured where `shaping` asks for something else."""
    from PIL import Image

    count, channels, *size = images.shape
    if shaping.size in (None, tuple(size)) and shaping.channels in (None, channels):
        return images
    height, width = shaping.size or size
    check_bytes(count * (shaping.channels or channels) * height * width, f"{file}: so resized, its images have")
    pictures = (image[0] if channels == 1 else np.moveaxis(image, 0, 2) for image in images)
    return shape_pictures(((f"{file}[{n}]", Image.fromarray(p)) for n, p in enumerate(pictures)), shaping)


def as_images(array: NDArray[Any], file: Path) -> Images:
    """(N, H, W), (N, C, H, W) or (N, H, W, C), C 1 or 3, as (N, C, H, W) uint8.

    Values are 0 to 255; those between whole numbers are rounded. Raises BakeoffError for others, and for
    floating-point images within 0 to 1, which are a matter of another scale.
    """
    shape = array.shape
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4 and array.shape[1] not in (1, 3):
        array = np.moveaxis(array, 3, 1)
    if array.ndim != 4 or array.shape[1] not in (1, 3) or 0 in array.shape:
        raise BakeoffError(
            f"{file}: images have the shape {shape} where (N, H, W), (N, C, H, W) or (N, H, W, C) "
            "with 1 or 3 channels is valid"
        )
    if array.dtype.kind not in "uif":
        raise BakeoffError(f"{file}: images are {array.dtype} where numbers from 0 to 255 are valid")
    low, high = array.min(), array.max()
    fractions = array.dtype.kind == "f" and 0 < high <= 1
    if fractions or not (low >= 0 and high <= 255):  # nan is neither
        raise BakeoffError(
            f"{file}: images hold {array.dtype} values from {low:g} to {high:g} where 0 to 255 are valid (fractions of "
            "1: multiply them by 255)"
        )
    if array.dtype.kind != "f":
        return np.ascontiguousarray(array, np.uint8)
    images = np.empty(array.shape, np.uint8)
    for image, values in zip(images, array, strict=True):  # one at a time: wide floats of many images fill memory
        image[:] = np.rint(values)
    return images


def _resize(picture: Image, rule: Literal["stretch", "pad", "crop"], size: tuple[int, int]) -> Image:
    """The picture at (H, W): all of it, whatever becomes of the proportions; all of it in its proportions, on the
    median colour of its border; or its largest centred part with the wanted proportions.
    """
    from PIL import Image, ImageOps

    height, width = size
    if rule == "stretch":
        return picture.resize((width, height), Image.Resampling.BICUBIC)
    if rule == "crop":
        return ImageOps.fit(picture, (width, height), Image.Resampling.BICUBIC)
    scale = min(height / picture.height, width / picture.width)
    inner = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    pixels = np.asarray(picture)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    colour = np.median(border, axis=0).astype(np.uint8)
    canvas = Image.fromarray(np.full((*size, *pixels.shape[2:]), colour, np.uint8))
    place = round((width - inner[0]) / 2), round((height - inner[1]) / 2)
    canvas.paste(picture.resize(inner, Image.Resampling.BICUBIC), place)
    return canvas
