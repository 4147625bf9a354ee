"""The contact sheet: a picture with some images of each class of a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bakeoff.data.dataset import Dataset
from bakeoff.errors import UsageError
from bakeoff.record import atomic_file

if TYPE_CHECKING:  # Pillow is loaded when a sheet is drawn
    from PIL.Image import Image

MARGIN, GAP, HEADER = 32, 3, 92
TILE, TILE_MAX = 56, 96
LONGEST_LABEL = 24
"""Characters."""
PAPER, INK, FAINT = "#ffffff", "#1a1a1a", "#6b6b6b"


def contact_sheet(dataset: Dataset, split: str = "train", columns: int = 20) -> Image:
    """An RGB picture with a row per class: name, count and up to `columns` images, spread over the split.

    Images under 96 pixels are enlarged by a whole factor to about 56, larger ones reduced to 96. Deterministic.
    """
    from PIL import Image, ImageDraw, ImageFont

    counts = dataset.counts()[split].tolist()
    name_font, count_font = ImageFont.load_default(15), ImageFont.load_default(12)
    names = [name if len(name) <= LONGEST_LABEL else name[: LONGEST_LABEL - 1] + "…" for name in dataset.classes]
    label = round(max(name_font.getlength(name) for name in [*names, "0,000 images"])) + 24
    height, width = _tile_size(dataset.size)
    row = max(height, 40) + GAP
    columns = min(columns, max(counts))
    sheet = Image.new(
        "RGB",
        (2 * MARGIN + max(label + columns * (width + GAP) - GAP, 560), HEADER + len(names) * row - GAP + MARGIN),
        PAPER,
    )
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN - 8), dataset.name, INK, ImageFont.load_default(22))
    draw.text((MARGIN, MARGIN + 24), _summary(dataset, split), FAINT, ImageFont.load_default(13))
    for index, (name, count) in enumerate(zip(names, counts, strict=True)):
        top = HEADER + index * row
        middle = top + (row - GAP) // 2
        draw.text((MARGIN, middle - 1), name, INK, name_font, anchor="ls")
        draw.text((MARGIN, middle + 15), f"{count:,} image{'s' * (count > 1)}", FAINT, count_font, anchor="ls")
        for column, image in enumerate(_spread(dataset, split, index, columns)):
            tile = _tile(image, (width, height))
            sheet.paste(tile, (MARGIN + label + column * (width + GAP), middle - height // 2))
    return sheet


def write_sheet(dataset: Dataset, file: Path, split: str = "train") -> None:
    """The contact sheet as a picture in `file`, whole or not at all.

    Raises:
        UsageError: an ending that is not a picture's.
        BakeoffError: it cannot be written.
    """
    from PIL import Image

    kind = Image.registered_extensions().get(file.suffix.lower())
    if kind not in Image.SAVE:
        raise UsageError(f"{file}: name a file that ends in .png, .jpg or the like")
    with atomic_file(file) as stream:
        contact_sheet(dataset, split).save(stream, kind)


def _summary(dataset: Dataset, split: str) -> str:
    sizes = ", ".join(f"{name} {len(part):,}" for name, part in dataset.splits.items())
    height, width = dataset.size
    colour = "grey" if dataset.channels == 1 else "colour"
    return f"{split} split  ·  {len(dataset.classes)} classes  ·  {height}x{width} {colour}  ·  images: {sizes}"


def _spread(dataset: Dataset, split: str, label: int, count: int) -> NDArray[np.uint8]:
    """Up to `count` images (n, C, H, W) of one class, evenly spaced over the split."""
    part = dataset.splits[split]
    members = np.flatnonzero(part.labels == label)
    count = min(count, len(members))
    return part.images[members[np.arange(count) * len(members) // count]]


def _tile_size(size: tuple[int, int]) -> tuple[int, int]:
    longer = max(size)
    factor = TILE_MAX / longer if longer > TILE_MAX else max(1, round(TILE / longer))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _tile(image: NDArray[np.uint8], size: tuple[int, int]) -> Image:
    from PIL import Image

    picture = Image.fromarray(image[0] if len(image) == 1 else np.moveaxis(image, 0, 2)).convert("RGB")
    enlarge = size[0] >= picture.width
    return picture.resize(size, Image.Resampling.NEAREST if enlarge else Image.Resampling.LANCZOS)
