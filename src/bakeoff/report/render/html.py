"""Pages as HTML: Jinja's templates with the style that all pages share."""

from __future__ import annotations

import base64
import functools
import io
import re
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray
from PIL import Image

from bakeoff.report.render import figures, svg

FOLDER = Path(__file__).parent


def page(template: str, **values: Any) -> str:
    """A template with its values."""
    style = svg.STYLE + (FOLDER / "page.css").read_text(encoding="utf-8")
    return _environment().get_template(template).render(**values, style=style)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"held": _held, "source": _source}
    environment.globals |= {"dots_row": figures.dots_row, "dots_axis": figures.dots_axis, "key_mark": svg.key_mark}
    environment.tests["kind"] = lambda block, name: type(block).__name__ == name
    return environment


def _held(words: str) -> Markup:
    """The words with no line break before a % sign, within `n = 3`, an interval, `ResNet-34` or `1e-05`, and one
    allowed within `loss=cross_entropy`."""
    held = re.sub(r" (?=%)|(?<=\bn) (?==)|(?<=\bn =) |(?<=\d,) (?=[−+]?[\d.]+\])", "\u00a0", words)
    broken = re.sub(r"(?<=[_=,])(?=[A-Za-z])", "<wbr>", str(escape(held)))
    return Markup(re.sub(r"\b\w+-\d[\w.]*", r'<span class="whole">\g<0></span>', broken))


def _source(image: NDArray[np.uint8]) -> str:
    """(C, H, W) as the address of a PNG: three channels as colour, else their first as grey."""
    buffer = io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0) if len(image) == 3 else image[0]).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
