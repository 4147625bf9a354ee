"""Pictures and arrays from files, brought to one size and one number of channels."""

from __future__ import annotations

import io
import re
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.data.dataset import Images
from bakeoff.data.idx import read_bytes
from bakeoff.data.pickled import is_pickle, read_array
from bakeoff.errors import BakeoffError, UsageError, closest

if TYPE_CHECKING:  # Pillow is imported where it is used: names of datasets must come quickly
    from PIL.Image import Image

ARRAYS = (".npy", ".npz")

DAMAGED_ARRAYS = (
    EOFError,
    MemoryError,  # a header that promises more than there is memory
    OSError,
    RuntimeError,  # zip features that Python does not read, encryption among them
    ValueError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What NumPy raises for damaged files, found by damaging some."""


@dataclass(frozen=True)
class Shaping:
    """What images must become: `size` (H, W) by the rule `resize`, `channels` 1 or 3. None: as they are."""

    size: tuple[int, int] | None = None
    resize: str | None = None
    channels: int | None = None
    remedy: str = "add size=PIXELS and resize=RULE behind the path"
    """What to do about images of another size."""

    def __post_init__(self) -> None:
        if self.resize is not None and self.resize not in RESIZE:
            raise UsageError(f"unknown resize rule {self.resize!r}{closest(self.resize, RESIZE)}")
        if self.resize is not None and self.size is None:
            raise UsageError(f"resize={self.resize} needs a size to resize to: add size=PIXELS")


def load_images(
    path: Path, *, size: int | tuple[int, int] | None, channels: int, resize: str | None
) -> tuple[Images, list[str] | list[int]]:
    """Unlabelled images (N, C, H, W) uint8 and their names, in the names' natural order: 2 before 10.

    `path` is a picture, a folder of pictures (searched through), an .npy array, an .npz with `images` or a
    pickled array. Names are the files' own, without folder and ending where they still differ, or the index in
    an array. `size` (H, W) or side in pixels. Raises BakeoffError for anything unreadable and for sizes other
    than `size` without a `resize` rule.
    """
    remedy = "choose a rule with --resize"
    shaping = Shaping((size, size) if isinstance(size, int) else size, resize, channels, remedy)
    if is_pickle(path):
        images = shape_array(as_images(read_array(path), path), shaping, path)
        return images, list(range(len(images)))
    if path.suffix.lower() in ARRAYS:
        arrays = read_arrays(path)
        if "images" not in arrays:
            raise BakeoffError(f"{path} has no array `images`{closest('images', arrays)}")
        images = shape_array(as_images(arrays["images"], path), shaping, path)
        return images, list(range(len(images)))
    if path.is_dir():
        files = sorted(find_pictures(path), key=lambda file: _natural(file.relative_to(path).as_posix()))
        if not files:
            raise BakeoffError(f"{path} holds no picture (PNG, JPEG or another format of Pillow)")
        names = [file.stem for file in files]
        if len(set(names)) < len(names):
            names = [file.relative_to(path).as_posix() for file in files]
    else:
        files, names = [path], [path.stem]
    return shape_pictures(((str(file), open_picture(file)) for file in files), shaping), names


def _natural(name: str) -> list[str | int]:
    """A key that sorts numbers in names by value."""
    return [int(part) if place % 2 else part for place, part in enumerate(re.split(r"([0-9]+)", name))]


def find_pictures(folder: Path) -> list[Path]:
    """All files below `folder` that Pillow can read by their ending, sorted; hidden ones are left out."""
    from PIL import Image

    endings = Image.registered_extensions()
    return sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in endings and not any(p.startswith(".") for p in file.relative_to(folder).parts)
    )


def open_picture(file: Path) -> Image:
    """The picture upright, 8-bit "L" where it shows only greys, else "RGB"; transparency becomes white."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(file) as opened:
            picture = ImageOps.exif_transpose(opened)
        if picture.mode.startswith("I;16"):  # Pillow would clip at 255
            picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
        if picture.has_transparency_data:
            picture = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    except UnidentifiedImageError as error:
        raise BakeoffError(f"{file} is empty, damaged or no image at all") from error
    except (
        OSError,
        SyntaxError,
        ValueError,
        IndexError,
        struct.error,
        Image.DecompressionBombError,
    ) as error:
        raise BakeoffError(f"{file} cannot be read as an image ({error})") from error
    if picture.mode in ("I", "F"):
        raise BakeoffError(f"{file} has 32-bit pixels where 8 or 16 bits are valid")
    if picture.mode in ("1", "L"):
        return picture.convert("L")
    picture = picture.convert("RGB")
    red, green, blue = np.moveaxis(np.asarray(picture), 2, 0)
    return picture.convert("L") if (red == green).all() and (red == blue).all() else picture


def shape_pictures(pictures: Iterable[tuple[str, Image]], shaping: Shaping) -> Images:
    """Named pictures as (N, C, H, W); without `channels`, 1 where all are grey, else 3."""
    arrays: list[NDArray[np.uint8]] = []
    first, wanted = "", shaping.size
    for name, picture in pictures:
        if shaping.channels is not None:
            picture = picture.convert("L" if shaping.channels == 1 else "RGB")
        if shaping.resize is not None and shaping.size is not None:
            picture = RESIZE[shaping.resize](picture, shaping.size)
        first, wanted = first or name, wanted or (picture.height, picture.width)
        if (picture.height, picture.width) != wanted:
            asked = f"{first} is" if shaping.size is None else "asked for is"
            raise BakeoffError(
                f"{name} is {picture.height}x{picture.width} pixels (height x width) and {asked} "
                f"{wanted[0]}x{wanted[1]}: {shaping.remedy} (valid: {', '.join(RESIZE)})"
            )
        arrays.append(np.asarray(picture))
    assert wanted is not None, "no picture"
    channels = shaping.channels or max(1 if array.ndim == 2 else 3 for array in arrays)
    images = np.empty((len(arrays), channels, *wanted), np.uint8)
    for image, array in zip(images, arrays, strict=True):
        image[:] = array if array.ndim == 2 else np.moveaxis(array, 2, 0)
    return images


def shape_array(images: Images, shaping: Shaping, file: Path) -> Images:
    """`images` (N, C, H, W), resized and recoloured where `shaping` asks for something else."""
    from PIL import Image

    _, channels, *size = images.shape
    if shaping.size in (None, tuple(size)) and shaping.channels in (None, channels):
        return images
    pictures = (image[0] if channels == 1 else np.moveaxis(image, 0, 2) for image in images)
    return shape_pictures(((f"{file}[{n}]", Image.fromarray(p)) for n, p in enumerate(pictures)), shaping)


def as_images(array: NDArray[Any], file: Path) -> Images:
    """(N, H, W), (N, C, H, W) or (N, H, W, C), C 1 or 3, as (N, C, H, W) uint8.

    Values are 0 to 255; those between whole numbers are rounded. Raises BakeoffError for others, and for
    floating-point images within 0 to 1, which are a matter of another scale.
    """
    given = array.shape
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4 and array.shape[1] not in (1, 3):
        array = np.moveaxis(array, 3, 1)
    if array.ndim != 4 or array.shape[1] not in (1, 3) or 0 in array.shape:
        raise BakeoffError(
            f"{file}: images have the shape {given} where (N, H, W), (N, C, H, W) or (N, H, W, C) "
            "with 1 or 3 channels is valid"
        )
    if array.dtype.kind not in "uif":
        raise BakeoffError(f"{file}: images are {array.dtype} where numbers from 0 to 255 are valid")
    low, high = array.min(), array.max()
    if not (low >= 0 and high <= 255):  # nan is neither
        raise BakeoffError(
            f"{file}: images hold {array.dtype} values from {low:g} to {high:g} where 0 to 255 are valid: scale them"
        )
    if array.dtype.kind == "f" and 0 < high <= 1:
        raise BakeoffError(
            f"{file}: images hold {array.dtype} values from {low:g} to {high:g} where 0 to 255 are valid: "
            "multiply them by 255"
        )
    if array.dtype.kind != "f":
        return np.ascontiguousarray(array, np.uint8)
    images = np.empty(array.shape, np.uint8)
    for image, values in zip(images, array, strict=True):  # one at a time: wide floats of many images fill memory
        image[:] = np.rint(values)
    return images


def read_arrays(file: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an .npz, or the one of an .npy as `images`. Pickled objects are refused, never run."""
    data = io.BytesIO(read_bytes(file))
    name = ""
    arrays: dict[str, NDArray[Any]] = {}
    try:
        loaded = np.load(data, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"images": loaded}
        for name in loaded:
            arrays[name] = loaded[name]
    except DAMAGED_ARRAYS as error:
        if "Object arrays" in str(error):
            raise BakeoffError(
                f"{file}: {f'array {name!r}' if name else 'its array'} holds Python objects, which are never loaded: "
                "save it as numbers or, for labels, as text (`.astype(str)`)"
            ) from error
        reason = "it is neither .npy nor .npz" if "pickle" in str(error) else error
        raise BakeoffError(f"{file} is not a readable NumPy file ({reason})") from error
    if not arrays:
        raise BakeoffError(f"{file} holds no array")
    return arrays


def _stretch(picture: Image, size: tuple[int, int]) -> Image:
    from PIL.Image import Resampling

    return picture.resize((size[1], size[0]), Resampling.BICUBIC)


def _pad(picture: Image, size: tuple[int, int]) -> Image:
    from PIL import Image

    scale = min(size[0] / picture.height, size[1] / picture.width)
    inner = max(1, round(picture.height * scale)), max(1, round(picture.width * scale))
    pixels = np.asarray(picture)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    colour = np.median(border, axis=0).astype(np.uint8)
    canvas = Image.fromarray(np.full((*size, *pixels.shape[2:]), colour, np.uint8))
    canvas.paste(_stretch(picture, inner), (round((size[1] - inner[1]) / 2), round((size[0] - inner[0]) / 2)))
    return canvas


def _crop(picture: Image, size: tuple[int, int]) -> Image:
    from PIL import ImageOps
    from PIL.Image import Resampling

    return ImageOps.fit(picture, (size[1], size[0]), Resampling.BICUBIC)


RESIZE: dict[str, Callable[[Image, tuple[int, int]], Image]] = {
    "stretch": _stretch,  # to the size, whatever becomes of the proportions
    "pad": _pad,  # the whole picture, proportions kept, on the border's median colour
    "crop": _crop,  # the largest centred part with the wanted proportions
}
