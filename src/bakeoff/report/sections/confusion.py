"""What is taken for what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bakeoff.evaluation import metrics
from bakeoff.report.context import Context
from bakeoff.report.format import plural
from bakeoff.report.render.blocks import Block, Cell, Gallery, Paragraph, Table, Thumbnail, columns
from bakeoff.report.sections.kind import Kind

PAIRS = 8
"""How many confusions are shown, the most frequent first."""
EXAMPLES = 6
"""Images of a confusion that are shown at most."""


def blocks(context: Context) -> Iterator[Block]:
    """Which class is taken for which, summed over the seeds."""
    for name in context.first(1):
        counts = metrics.confusion(*context.test(name), len(context.classes))
        note = (
            f"{name}, test predictions of {plural(len(context.finished[name]), 'seed')} summed: true class (row) by "
            "predicted class (column)."
        )
        rows = _matrix(counts, context.classes)
        yield Table(columns("", *context.classes), rows, note, name=name, matrix=True)
        yield from _examples(context, name, metrics.most_confused(counts, PAIRS))


def _matrix(counts: NDArray[np.int64], classes: Sequence[str]) -> list[list[Cell]]:
    """The deeper the colour, the larger the part of the true class's images; errors against the most frequent one."""
    parts = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    worst = float((parts * (1 - np.eye(len(classes)))).max()) or 1.0
    rows = []
    for i, true in enumerate(classes):
        cells = [Cell(true)]
        for j, predicted in enumerate(classes):
            heat, tone = (0.5 * parts[i, j], "good") if i == j else (0.65 * (parts[i, j] / worst) ** 0.5, "bad")
            title = f"{true} taken for {predicted}: {counts[i, j]}, {100 * parts[i, j]:.2f} %"
            cells.append(Cell(str(counts[i, j] or ""), title=title, tone=tone, heat=float(heat)))
        rows.append(cells)
    return rows


def _examples(context: Context, name: str, pairs: Sequence[tuple[int, int, int]]) -> list[Block]:
    """Test images of each confusion (true, taken for, how often), the surest first, each once."""
    surest: dict[tuple[int, int], dict[int, tuple[float, NDArray[np.uint8]]]] = {}
    for run in context.finished[name]:
        index = run.arrays.get("confused_index", np.zeros(0, np.int64))  # records of older versions have none
        confidences = metrics.softmax(run.logits("test")[index])
        for place, image, confidence in zip(index, run.arrays.get("confused_images", ()), confidences, strict=True):
            same = surest.setdefault((int(run.labels("test")[place]), int(confidence.argmax())), {})
            if place not in same or confidence.max() > same[place][0]:
                same[place] = (float(confidence.max()), image)
    galleries = []
    for true, taken, count in pairs:
        examples = sorted(surest.get((true, taken), {}).values(), key=lambda example: -example[0])[:EXAMPLES]
        title = f"{context.classes[true]} taken for {context.classes[taken]} ({plural(count, 'time')})"
        items = [Thumbnail(image, [f"{100 * sure:.2f} %"]) for sure, image in examples]
        galleries += [Gallery(items, title)] if items else []
    words = "The most frequent confusions; of each the surest images, with the confidence in the wrong class."
    return [Paragraph(words, tone="quiet"), *galleries] if galleries else []


SECTION = Kind(blocks, title="What is taken for what", least=1)
