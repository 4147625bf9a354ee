"""What a section is made of, and each of these as Markdown. page.html.j2 shows them as HTML."""

from __future__ import annotations

import base64
import dataclasses
import re
from collections.abc import Sequence
from typing import ClassVar


@dataclasses.dataclass(frozen=True)
class Words:
    """A paragraph; `quiet`: a remark; `heading`: what stands over the next blocks, `inner`: below another heading."""

    kind: ClassVar = "words"
    text: str
    quiet: bool = False
    heading: bool = False
    inner: bool = False


@dataclasses.dataclass(frozen=True)
class Cell:
    """A table's cell. `drawn` is SVG shown in place of the text; `tone`: good, bad or quiet."""

    text: str
    drawn: str = ""
    title: str = ""
    tone: str = ""


@dataclasses.dataclass(frozen=True)
class Head:
    """A table's column. `align`: text, word (never broken), number or plot; `drawn` is SVG below the label."""

    label: str
    align: str = "number"
    drawn: str = ""


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of cells below their heads; the first cell of a row names it."""

    kind: ClassVar = "table"
    heads: Sequence[Head]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""


@dataclasses.dataclass(frozen=True)
class Figure:
    """A picture that also becomes the files figures/`name`.svg and .png."""

    name: str
    svg: str
    caption: str = ""


@dataclasses.dataclass(frozen=True)
class Figures:
    """Pictures side by side where there is room. `wide`: at their own size, each scrolling within itself.
    `only_file`: the page has the same drawn elsewhere."""

    kind: ClassVar = "figures"
    figures: Sequence[Figure]
    wide: bool = False
    only_file: bool = False


@dataclasses.dataclass(frozen=True)
class Thumbnail:
    """A small PNG with the lines below it."""

    png: bytes
    lines: Sequence[str]

    @property
    def source(self) -> str:
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"


@dataclasses.dataclass(frozen=True)
class Gallery:
    """Thumbnails."""

    kind: ClassVar = "gallery"
    items: Sequence[Thumbnail]


@dataclasses.dataclass(frozen=True)
class Group:
    """Thumbnails under one title."""

    title: str
    items: Sequence[Thumbnail]


@dataclasses.dataclass(frozen=True)
class Groups:
    """Groups of small thumbnails, side by side where there is room."""

    kind: ClassVar = "groups"
    groups: Sequence[Group]


@dataclasses.dataclass(frozen=True)
class Code:
    """Text to be copied as it is."""

    kind: ClassVar = "code"
    text: str


Block = Words | Table | Figures | Gallery | Groups | Code


BLOCK_START = re.compile(r"^\s*(?=>|#{1,6}(\s|$)|[+-](\s|$)|(=+|-+)\s*$)|^\s*\d+(?=[.)](\s|$))")
"""Before the sign that would make of a line a heading, a quotation or an item of a list."""


def escaped(text: str) -> str:
    """Plain text as Markdown that shows it as it is, on one line."""
    text = re.sub(r"[\\|*_`<\[\]&~$]", r"\\\g<0>", text.replace("\n", " "))
    return BLOCK_START.sub(r"\g<0>\\", text)


def _table(table: Table) -> str:
    shown = [i for i, head in enumerate(table.heads) if head.align != "plot"]
    lines = [
        "| " + " | ".join(escaped(table.heads[i].label) for i in shown) + " |",
        "|" + "|".join("---" if table.heads[i].align in ("text", "word") else "---:" for i in shown) + "|",
        *("| " + " | ".join(escaped(row[i].text) for i in shown) + " |" for row in table.rows),
    ]
    return "\n".join(lines) + (f"\n\n{escaped(table.caption)}" if table.caption else "")


def _in_words(group: Group) -> str:
    return f"{group.title}: {', '.join('; '.join(item.lines) for item in group.items)}"


def markdown(block: Block) -> str:
    """The block as Markdown; pictures are links to their files, galleries are lists of their lines."""
    match block:
        case Words():
            sign = ("#### " if block.inner else "### ") if block.heading else ""
            return f"{sign}{escaped(block.text)}"
        case Table():
            return _table(block)
        case Figures():
            lines = [(f"![{escaped(f.name)}](figures/{f.name}.svg)", escaped(f.caption)) for f in block.figures]
            return "\n\n".join(line for pair in lines for line in pair if line)
        case Gallery():
            return "\n".join(f"- {escaped('; '.join(item.lines))}" for item in block.items)
        case Groups():
            return "\n".join(f"- {escaped(_in_words(group))}" for group in block.groups)
        case Code():
            fence = "`" * max(3, 1 + max(map(len, re.findall("`+", block.text)), default=0))
            return f"{fence}\n{block.text}\n{fence}"
