"""What a section is made of: plain data, which render/ turns into HTML, Markdown, LaTeX, CSV and SVG."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bakeoff.report.render.svg import Axis, Dot, Key


@dataclasses.dataclass(frozen=True)
class Paragraph:
    """A paragraph. `tone`: `lead`, for the first sentence; `note`, for what must be seen; `quiet`, for a remark."""

    text: str
    tone: str = ""


@dataclasses.dataclass(frozen=True)
class Items:
    """Sentences, or `small` facts, that stand in a list."""

    lines: Sequence[str]
    small: bool = False


@dataclasses.dataclass(frozen=True)
class Heading:
    """A heading over the next blocks; a section's own title has level 2."""

    text: str
    level: int = 3


@dataclasses.dataclass(frozen=True)
class Column:
    """A table's column. `align`: text, word (never broken) or number. With an `axis` its cells are plots on it; `key`
    is the mark that stands for this column in such plots."""

    label: str
    align: str = "number"
    axis: Axis | None = None
    key: Key | None = None


def columns(*labels: str, text: int = 1, words: int = 0) -> list[Column]:
    """Columns of which the first are `text`, the last `words`, and those between numbers."""
    aligns = ["text"] * text + ["number"] * (len(labels) - text - words) + ["word"] * words
    return [Column(label, align) for label, align in zip(labels, aligns, strict=True)]


@dataclasses.dataclass(frozen=True)
class Cell:
    """A table's cell: text, or `dots` in a column of plots. `tone`: good, bad, equal or quiet. `heat`, from 0 to 1: how
    deeply the cell has the tone's colour."""

    text: str = ""
    dots: Sequence[Dot] = ()
    title: str = ""
    tone: str = ""
    heat: float = 0.0


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of cells below their columns; the first cell of a row names it. `note` stands below. `name` is that of its
    files and `title` its caption: a section's table gets both from the section. `matrix`: of narrow coloured cells."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    name: str = ""
    title: str = ""
    matrix: bool = False

    @property
    def plot(self) -> int | None:
        """The place of the column of plots, if there is one."""
        return next((i for i, column in enumerate(self.columns) if column.axis), None)

    @property
    def written(self) -> list[int]:
        """The places of the columns that are text."""
        return [i for i, column in enumerate(self.columns) if not column.axis]


@dataclasses.dataclass(frozen=True)
class Figure:
    """A picture that also becomes the file figures/`name`.svg."""

    name: str
    svg: str
    caption: str = ""


@dataclasses.dataclass(frozen=True)
class Figures:
    """Pictures side by side where there is room."""

    figures: Sequence[Figure]


@dataclasses.dataclass(frozen=True)
class Thumbnail:
    """A small image, (C, H, W), with the lines below it."""

    image: NDArray[np.uint8]
    lines: Sequence[str]


@dataclasses.dataclass(frozen=True)
class Gallery:
    """Thumbnails. Those with a title are small, and stand side by side where there is room."""

    items: Sequence[Thumbnail]
    title: str = ""


@dataclasses.dataclass(frozen=True)
class Code:
    """Text to be copied as it is."""

    text: str


Block = Paragraph | Items | Heading | Table | Figures | Gallery | Code
