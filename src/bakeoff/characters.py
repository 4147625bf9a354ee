"""Characters that a terminal obeys, or that no page can show."""

from __future__ import annotations

import unicodedata

UNFIT = ("Cc", "Cs", "Zl", "Zp")
"""Unicode's categories of control characters, halves of characters, and breaks of lines and paragraphs."""
REORDERING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""What makes a terminal or a page show the letters in another order."""


def fit_for_display(text: str) -> bool:
    """Whether no character of `text` controls a terminal, breaks the line, turns the order of letters, or cannot be
    written in UTF-8 or XML."""
    return (text.isascii() and text.isprintable()) or not any(map(_unfit, text))


def _unfit(letter: str) -> bool:
    return unicodedata.category(letter) in UNFIT or letter in REORDERING or ord(letter) & 0xFFFE == 0xFFFE


def displayable(text: str) -> str:
    """`text` with each unfit character written as Python writes it: ESC as `\\x1b`."""
    return text if fit_for_display(text) else "".join(ascii(c)[1:-1] if _unfit(c) else c for c in text)
