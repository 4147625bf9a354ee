"""The forms in which `bakeoff export` writes a report for other programs. To add one: a function that makes files of a
page, whose docstring says what they hold, and its name in FORMS. What draws them is imported when they are made."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bakeoff.report.page import Page

Files = dict[str, bytes]
"""What files hold, by their names."""


def png(page: Page) -> Files:
    """The figures."""
    from bakeoff.report.render.raster import png as rasterised

    return {f"{figure.name}.png": rasterised(figure.svg) for figure in page.figures}


def latex(page: Page) -> Files:
    """The tables."""
    from bakeoff.report.render.tables import latex as typeset

    return {f"{table.name}.tex": typeset(table).encode() for table in page.tables}


def csv(page: Page) -> Files:
    """The numbers of all contenders and comparisons, fractions as in summary.json."""
    from bakeoff.report.render.tables import rows_csv

    return {f"{name}.csv": rows_csv(page.summary[name]).encode() for name in ("contenders", "comparisons")}


FORMS: dict[str, Callable[[Page], Files]] = {"png": png, "latex": latex, "csv": csv}
