"""Composite images/s: bakeoff on one thread, beside Pillow pasting the same digits one by one, in turn.

    python bench/composite_speed.py

Digits are MNIST's. Batches: 10,240 images at once, and 128 as a training step takes them. Pillow transforms,
thresholds and pastes each digit at the place and angle that bakeoff chose; choosing costs it nothing here. A processor
second counts only the time this process had a core, which busy neighbours change less.
Writes results/bench/composite_speed.json.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from bakeoff.data import load_dataset
from bakeoff.data.composite.digit_shapes import INK
from bakeoff.data.composite.drawing import Composite
from bakeoff.data.composite.options import CompositeOptions, HighestDigit
from bakeoff.data.composite.textures import texture

IMAGES, BATCH, ROUNDS = 10_240, 128, 7


def pillow(composite: Composite, digits: np.ndarray, count: int) -> Callable[[], None]:
    """The function that makes the first `count` composites, one digit at a time."""
    parts, size = composite.render(range(count))[2], composite.options.size
    sheets = [Image.fromarray(texture(kind)) for kind in composite.options.backgrounds]
    present, white = parts.values >= 0, Image.new("L", (size, size), 255)

    def make() -> None:
        for index in range(count):
            top, left = parts.crops[index].tolist()
            image = sheets[parts.kinds[index]].crop((left, top, left + size, top + size))
            for slot in np.flatnonzero(present[index]).tolist():
                row, column, bottom, right = parts.boxes[index, slot].tolist()
                scale, angle = parts.scales[index, slot], np.radians(parts.angles[index, slot])
                cosine, sine = np.cos(angle) / scale, np.sin(angle) / scale
                y, x = (bottom - row) / 2, (right - column) / 2
                matrix = (cosine, -sine, 14 - cosine * x + sine * y, sine, cosine, 14 - sine * x - cosine * y)
                digit = Image.fromarray(digits[parts.sources[index, slot]])
                turned = digit.transform(
                    (right - column, bottom - row), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
                )
                mask = turned.point(lambda grey: 255 if grey >= INK else 0)
                image.paste(white.crop((0, 0, *mask.size)), (column, row), mask)
            np.asarray(image)

    return make


def main() -> int:
    from bakeoff.record import environment, write_json

    mnist = load_dataset("mnist").train
    digits, tasks = mnist.images[:, 0], {}
    for task, options in {"largest-digit": CompositeOptions(), "highest-digit": HighestDigit()}.items():
        composite = Composite(options, digits, mnist.labels)
        one_by_one = pillow(composite, digits, IMAGES // 10)
        ways: dict[str, tuple[int, Callable[[], object]]] = {
            "all at once": (IMAGES, lambda made=composite: made.render(range(IMAGES))),
            f"{BATCH} at a time": (
                IMAGES,
                lambda made=composite: [made.render(range(i, i + BATCH)) for i in range(0, IMAGES, BATCH)],
            ),
            "Pillow, one by one": (IMAGES // 10, one_by_one),
        }
        rounds: dict[str, list[float]] = {name: [] for name in ways}
        busy: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, (count, work) in ways.items():
                began, began_busy = time.perf_counter(), time.process_time()
                work()
                rounds[name].append(round(count / (time.perf_counter() - began)))
                busy[name].append(round(count / (time.process_time() - began_busy)))
        medians = {name: statistics.median(values) for name, values in rounds.items()}
        busy_medians = {name: statistics.median(values) for name, values in busy.items()}
        against = {
            name: round(statistics.median(a / b for a, b in zip(values, rounds["Pillow, one by one"], strict=True)), 2)
            for name, values in rounds.items()
        }
        tasks[task] = {
            "images_per_second": rounds,
            "images_per_processor_second": busy,
            "median": medians,
            "median_per_processor_second": busy_medians,
            "ratio_to_pillow": against,
        }
        for name, median in medians.items():
            print(
                f"{task}, {name}: {median:,.0f} images/s, {busy_medians[name]:,.0f} a processor second, "
                f"{against[name]} times Pillow (medians of {ROUNDS})"
            )
    record = {
        "benchmark": "composite images/s, each way in turn",
        "command": "python bench/composite_speed.py",
        "tasks": tasks,
        "environment": environment(),
    }
    write_json(Path("results/bench/composite_speed.json"), record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
