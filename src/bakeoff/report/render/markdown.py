"""Blocks as Markdown."""

from __future__ import annotations

import re

from bakeoff.report.render.blocks import Block, Code, Figures, Gallery, Heading, Items, Paragraph, Table

BLOCK_START = re.compile(r"^\s*(?=>|#{1,6}(\s|$)|[+-](\s|$)|(=+|-+)\s*$)|^\s*\d+(?=[.)](\s|$))")
"""Before the sign that would make of a line a heading, a quotation or an item of a list."""


def escaped(text: str) -> str:
    """Plain text as Markdown that shows it as it is, on one line."""
    text = re.sub(r"[\\|*_`<\[\]&~$]", r"\\\g<0>", text.replace("\n", " "))
    return BLOCK_START.sub(r"\g<0>\\", text)


def _picture(name: str, caption: str = "") -> str:
    return f"![{escaped(name)}](figures/{name}.svg)" + (f"\n\n{escaped(caption)}" if caption else "")


def _table(table: Table) -> str:
    columns = [table.columns[i] for i in table.written]
    lines = [
        "| " + " | ".join(escaped(column.label) for column in columns) + " |",
        "|" + "|".join("---:" if column.align == "number" else "---" for column in columns) + "|",
        *("| " + " | ".join(escaped(row[i].text) for i in table.written) + " |" for row in table.rows),
    ]
    parts = ["\n".join(lines), escaped(table.note), _picture(table.name) if table.plot is not None else ""]
    return "\n\n".join(part for part in parts if part)


def markdown(block: Block) -> str:
    """The block as Markdown; pictures are links to their files, galleries are lists of their lines."""
    match block:
        case Paragraph():
            return ("> " if block.tone == "note" else "") + escaped(block.text)
        case Items():
            lines = [escaped(line) for line in block.lines]
            return " · ".join(lines) if block.small else "\n".join(f"- {line}" for line in lines)
        case Heading():
            return f"{'#' * block.level} {escaped(block.text)}"
        case Table():
            return _table(block)
        case Figures():
            return "\n\n".join(_picture(figure.name, figure.caption) for figure in block.figures)
        case Gallery():
            lines = ["; ".join(item.lines) for item in block.items]
            lines = [f"{block.title}: {', '.join(lines)}"] if block.title else lines
            return "\n".join(f"- {escaped(line)}" for line in lines)
        case Code():
            fence = "`" * max(3, 1 + max(map(len, re.findall("`+", block.text)), default=0))
            return f"{fence}\n{block.text}\n{fence}"
