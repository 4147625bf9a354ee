"""The worst mistakes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bakeoff.data.errata import published_errata
from bakeoff.evaluation import metrics
from bakeoff.findings.runs import all_correct
from bakeoff.report.context import Context
from bakeoff.report.format import plural
from bakeoff.report.render.blocks import Block, Gallery, Paragraph, Thumbnail
from bakeoff.report.sections.kind import Kind

SHOWN = 24
"""How many mistakes are shown."""


def blocks(context: Context) -> Iterator[Block]:
    """The selected contender's wrong test predictions, those that most seeds make first, then the surest."""
    for name in context.first(1):
        if items := _worst(context, name):
            yield Paragraph(
                f"{name}: {'the test image' if len(items) == 1 else f'the {len(items)} test images'} that it gets "
                "wrong in the most seeds, the surest first, with the confidence of the surest seed."
            )
            yield Gallery(items)


def _worst(context: Context, name: str) -> list[Thumbnail]:
    runs = context.finished[name]
    images = {
        int(i): image
        for run in runs
        for i, image in zip(run.arrays["mistake_index"], run.arrays["mistake_images"], strict=True)
    }
    right = all_correct({name: runs})[name]
    sure = np.where(right, 0.0, [metrics.softmax(run.logits("test")).max(axis=1) for run in runs])
    errata = published_errata(str(runs[0].dataset["name"]), runs[0].labels("test"))
    items = []
    for i in sorted(images, key=lambda i: (right[:, i].sum(), -sure[:, i].max()))[:SHOWN]:
        run = runs[int(sure[:, i].argmax())]
        true, taken = (context.classes[k] for k in (run.labels("test")[i], run.logits("test")[i].argmax()))
        lines = [f"{true}, taken for {taken}", f"{100 * sure[:, i].max():.2f} % sure"]
        lines.append(f"wrong: {(~right[:, i]).sum()} of {plural(len(runs), 'seed')}")
        lines += [f"label known to be wrong: {context.classes[errata[i].corrected]}"] if i in errata else []
        lines += [image_name] if (image_name := run.image_name("test", i)) else []
        items.append(Thumbnail(images[i], lines))
    return items


SECTION = Kind(blocks, title="The worst mistakes")
