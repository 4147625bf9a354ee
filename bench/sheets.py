"""Draw the contact sheets of docs/sheets/: every dataset that is at hand, and every augmentation.

    BAKEOFF_DATA=... python bench/sheets.py

The sheet of augmentations shows a few training images as they are, then eight draws of each step with its defaults.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bakeoff.data import SOURCES, load_dataset
from bakeoff.data.augment import Batch, augmenter
from bakeoff.data.contact import contact_sheet
from bakeoff.data.dataset import Dataset
from bakeoff.errors import BakeoffError
from bakeoff.spec.steps import AUGMENTATIONS

FOLDER = Path(__file__).parents[1] / "docs" / "sheets"
DRAWS, SIDE, GAP, LABEL = 8, 64, 4, 130


def pixels(image: NDArray[np.float32]) -> Image.Image:
    """(C, H, W) of 0..255 as a tile."""
    shown = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    picture = Image.fromarray(shown[0] if len(shown) == 1 else np.moveaxis(shown, 0, 2)).convert("RGB")
    return picture.resize((SIDE, SIDE), Image.Resampling.NEAREST)


def augmentations(datasets: dict[str, Dataset]) -> Image.Image:
    """Rows: a step each, on images of each dataset; the first column is the image as it is."""
    steps = [*AUGMENTATIONS.builtin, "rotate, zoom, shift"]
    block = (DRAWS + 1) * (SIDE + GAP) + 3 * GAP
    width, height = LABEL + len(datasets) * block, len(steps) * (SIDE + GAP) + 60
    sheet = Image.new("RGB", (width, height), "#ffffff")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for column, (name, dataset) in enumerate(datasets.items()):
        left = LABEL + column * block
        draw.text((left, 20), f"{name}: as it is, then {DRAWS} draws", "#1a1a1a", font)
        images = torch.from_numpy(dataset.train.images[:32])
        labels = torch.from_numpy(dataset.train.labels[:32])
        for row, step in enumerate(steps):
            top = 50 + row * (SIDE + GAP)
            draw.text((8, top + SIDE // 2 - 8), step, "#1a1a1a", font)
            chosen = row % 16
            augment = augmenter(step.split(", "))
            sheet.paste(pixels(images[chosen].float().numpy()), (left, top))
            for i in range(DRAWS):
                batch = Batch(images, labels, torch.arange(len(images)) + i)
                drawn = augment(batch, torch.Generator().manual_seed(i)).images[chosen]
                sheet.paste(pixels(drawn.float().numpy()), (left + (i + 1) * (SIDE + GAP) + GAP, top))
    return sheet


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    datasets: dict[str, Dataset] = {}
    for name in SOURCES.builtin:
        try:
            datasets[name] = load_dataset(name)
        except BakeoffError as error:
            print(f"left out: {error}")
            continue
        contact_sheet(datasets[name], columns=10).quantize(64).save(FOLDER / f"{name}.png", optimize=True)
        print(FOLDER / f"{name}.png")
    shown = {name: datasets[name] for name in ("mnist", "cifar10") if name in datasets} or {
        "digits": datasets["digits"]
    }
    augmentations(shown).quantize(128).save(FOLDER / "augmentations.png", optimize=True)
    print(FOLDER / "augmentations.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
