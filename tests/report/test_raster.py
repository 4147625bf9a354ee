"""PNG of a picture: its size, its colours, and text on a machine without fonts."""

import io

import numpy as np
from PIL import Image

from bakeoff.report.render import svg
from bakeoff.report.render.raster import png


def pixels(drawn: str) -> np.ndarray:
    """(H, W, 3) of the picture as PNG."""
    with Image.open(io.BytesIO(png(drawn))) as image:
        return np.asarray(image.convert("RGB"))


def test_every_series_has_its_light_colour_on_white():
    colours = ["b3b9c0", "0072b2", "d55e00", "00805d", "b0578f", "a86f00", "2b8ccb"]  # figure.css, Okabe and Ito
    for i, colour in enumerate(colours):
        drawn = pixels(svg.picture(40, 20, svg.mark("20", "10", "square", f"s{i}"), "a mark"))
        assert drawn.shape == (40, 80, 3)
        assert drawn[20, 40].tolist() == list(bytes.fromhex(colour))
        assert drawn[0, 0].tolist() == [255, 255, 255]


def test_lines_are_lines_and_not_areas():
    corner = [(5.0, 5.0), (35.0, 5.0), (35.0, 35.0)]
    for classes in ("line s1", "line front", "line diagonal", "grid", "whisker s2"):
        drawn = pixels(svg.picture(40, 40, svg.path(corner, classes), "a line"))
        assert (drawn[30:60, 20:60] == 255).all(), classes
        assert (drawn < 255).any(), classes


def test_text_is_drawn_without_the_machines_fonts_and_lacks_no_sign():
    """No font of the machine is read for these; a sign that Pillow's font lacks has a stand-in."""

    def words(letters: str) -> np.ndarray:
        return pixels(svg.picture(140, 20, svg.text(4, 14, letters, "strong"), "text"))

    assert (words("batch_size=512…") < 128).any()
    assert (words("−1.25 – 2") == words("-1.25 - 2")).all()
    assert (words("−1.25") != words("+1.25")).any()


def test_the_same_picture_is_the_same_bytes():
    drawn = svg.picture(90, 20, svg.text(4, 14, "conv − deep"), "text")
    assert png(drawn) == png(drawn)
