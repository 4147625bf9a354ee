"""Pictures as PNG, for slides and documents that take no SVG: drawn by resvg, in the light colours."""

from __future__ import annotations

import functools
import io
import re
import tempfile
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
    in_font = light.replace("…", "").isascii()
    with tempfile.TemporaryDirectory() as folder:
        font = Path(folder) / "font.ttf"
        font.write_bytes(_font())
        return resvg_py.svg_to_bytes(
            light,
            background="white",
            zoom=SCALE,
            skip_system_fonts=in_font,
            font_files=[str(font)],
            sans_serif_family="Aileron",
        )


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
    return re.sub(r"var\(--(\w+)\)", lambda match: colours[match[1]], light)
