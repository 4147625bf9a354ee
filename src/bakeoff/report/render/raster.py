"""Pictures as PNG, for slides and documents that take no SVG: drawn by resvg, in the light colours."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import resvg_py
from PIL import ImageFont

from bakeoff.report.render.svg import STYLE, styled

SCALE = 2
"""Pixels of a PNG for each of the picture's own."""
PLAIN = str.maketrans({"−": "-", "–": "-", "\u00a0": " "})
"""Signs that Pillow's font lacks, and what stands for them."""


def png(drawn: str) -> bytes:
    """A picture for a page, as `svg.picture` makes it, as PNG on white.

    The text is set in the font that comes with Pillow, so that the bytes depend on no machine's fonts; names that it
    has no letters for take them from the machine.
    """
    light = styled(drawn.translate(PLAIN), _light_style())
    own = light.replace("…", "").isascii()
    with _font_file() as font:
        return resvg_py.svg_to_bytes(
            light,
            background="white",
            zoom=SCALE,
            skip_system_fonts=own,
            font_files=[font],
            sans_serif_family="Aileron",
        )


@contextlib.contextmanager
def _font_file() -> Iterator[str]:
    """Within: a path to the font; in memory where the system can, so that no kill leaves a file behind."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("font"), "wb") as file:
            file.write(_font())
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
        return
    with tempfile.TemporaryDirectory() as folder:
        font = Path(folder) / "font.ttf"
        font.write_bytes(_font())
        yield str(font)


@functools.cache
def _font() -> bytes:
    """Aileron, the TrueType font within Pillow."""
    font = ImageFont.load_default(12)
    assert isinstance(font, ImageFont.FreeTypeFont)
    assert isinstance(font.path, io.BytesIO)
    return font.path.getvalue()


@functools.cache
def _light_style() -> str:
    """figure.css in its light colours and without variables, which resvg does not know."""
    light = re.sub(r"@media.*?\n}", "", STYLE, flags=re.DOTALL)
    colours = dict(re.findall(r"--(\w+): ([^;]+);", light))
    return re.sub(r"var\(--(\w+)\)", lambda found: colours[found[1]], light)
