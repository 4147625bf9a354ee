"""What is taken for what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bakeoff.evaluation import metrics
from bakeoff.report.context import Context
from bakeoff.report.format import listing, plural
from bakeoff.report.render import figures
from bakeoff.report.render.blocks import Block, Figure, Figures, Galleries, Gallery, Paragraph, Thumbnail
from bakeoff.report.sections.kind import FEW, Kind

PAIRS = 8
"""How many confusions are told, the most frequent first."""
EXAMPLES = 6
"""Images of a confusion that are shown at most."""


def blocks(context: Context) -> Iterator[Block]:
    """Which class is taken for which, summed over the seeds."""
    for name in context.shown(FEW if context.only else 1):
        counts = metrics.confusion(*context.test(name), len(context.classes))
        pairs = metrics.most_confused(counts, PAIRS)
        caption = f"{name}, test predictions of {plural(len(context.finished[name]), 'seed')} summed."
        if pairs:
            most = [f"{context.classes[true]} for {context.classes[taken]} ({count})" for true, taken, count in pairs]
            caption += f" Most often taken, the one for the other: {listing(most)}."
        svg = figures.confusion(counts, context.classes, f"Confusion matrix of {name}")
        yield Figures([Figure(name, svg, caption)], wide=True)
        yield from _examples(context, name, pairs)


def _examples(context: Context, name: str, pairs: Sequence[tuple[int, int, int]]) -> list[Block]:
    """Test images of each confusion (true, taken for, how often), the surest first, each once."""
    surest: dict[tuple[int, int], dict[int, tuple[float, NDArray[np.uint8]]]] = {}
    for run in context.finished[name]:
        index = run.arrays.get("confused_index", np.zeros(0, np.int64))  # records of older versions have none
        sure = metrics.softmax(run.logits("test")[index])
        for place, image, chances in zip(index, run.arrays.get("confused_images", ()), sure, strict=True):
            same = surest.setdefault((int(run.labels("test")[place]), int(chances.argmax())), {})
            if place not in same or chances.max() > same[place][0]:
                same[place] = (float(chances.max()), image)
    galleries = []
    for true, taken, count in pairs:
        shown = sorted(surest.get((true, taken), {}).values(), key=lambda each: -each[0])[:EXAMPLES]
        title = f"{context.classes[true]} taken for {context.classes[taken]} ({plural(count, 'time')})"
        items = [Thumbnail(image, [f"{100 * sure:.2f} %"]) for sure, image in shown]
        galleries += [Gallery(items, title)] if items else []
    words = "Some of them, the surest of any seed first, with how sure it was of the wrong class."
    return [Paragraph(words, tone="quiet"), Galleries(galleries)] if galleries else []


SECTION = Kind(blocks, title="What is taken for what")
