"""The page as a reader meets it: in Chromium, wide and on a phone, light and dark."""

import io
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from bakeoff.report import page as report
from bakeoff.report.context import Context
from bakeoff.report.render import figures
from bakeoff.report.render.figures import Series, Spot
from bakeoff.report.render.raster import png
from bakeoff.report.render.svg import Dot, Key, linear, standalone

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found on this machine")


@pytest.fixture(scope="module")
def address(study, runs, tmp_path_factory) -> str:
    out = tmp_path_factory.mktemp("report")
    report.Page(Context.of(study, runs, "bakeoff run small-digits")).write(out)
    return (out / "report.html").as_uri()


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET.split())
        yield chromium
        chromium.close()


def visit(browser: Browser, address: str, width: int = 1280, scheme: str = "light") -> tuple[Page, list[str]]:
    """The page, and everything that it complained of or asked for."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    events: list[str] = []
    page.on("console", lambda message: events.append(message.text))
    page.on("pageerror", lambda error: events.append(str(error)))
    page.on("request", lambda request: events.append(request.url))
    page.goto(address)
    return page, [event for event in events if event != address and not event.startswith("data:")]


def test_every_section_is_there_and_nothing_is_said_or_fetched(browser, address, parts):
    page, events = visit(browser, address)
    assert events == []
    shown = page.locator("main > section")
    assert [section.get_attribute("id") for section in shown.all()] == [part.anchor for part in parts]
    assert all(section.bounding_box()["height"] > 80 for section in shown.all())
    assert page.locator("nav").is_visible()
    assert page.locator("svg").count() > 30
    assert page.locator("img").evaluate_all("all => all.every(image => image.naturalWidth > 0)")
    page.close()


@pytest.mark.parametrize("width", [1280, 768, 390, 320])
def test_nothing_overflows_the_page(browser, address, width):
    page, _ = visit(browser, address, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    outside = page.evaluate(
        """() => [...document.querySelectorAll('main p, main h1, main h2, figure, .scroll, li')]
            .filter(node => node.getBoundingClientRect().right > innerWidth + 1).map(node => node.outerHTML)"""
    )
    assert outside == []
    page.close()


@pytest.mark.parametrize("width", [1200, 1000, 390])
def test_contents_tables_and_their_last_columns_are_at_hand(browser, address, width):
    """On every width a list of sections; where a row is too wide, its verdict and its plot stand below its name."""
    page, _ = visit(browser, address, width)
    assert page.locator("nav a").first.is_visible()
    assert (page.locator("nav").bounding_box()["width"] < width / 4) == (width == 1200), (
        "beside the text where there is room"
    )
    row = page.locator("#leaderboard tbody tr").first
    cells = [row.locator("th"), row.locator("td.plot svg.row"), row.locator("td").last]
    boxes = [cell.bounding_box() for cell in cells]
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)
    assert (boxes[2]["y"] > boxes[0]["y"] + 20) == (width < 1000)
    unlabelled = "all => all.filter(node => !node.getAttribute('aria-label')).length"
    assert page.locator("svg[role=img]").evaluate_all(unlabelled) == 0
    assert page.locator("table").count() == page.locator("table > caption").count()
    page.close()


@pytest.mark.parametrize(("scheme", "paper"), [("light", range(240, 256)), ("dark", range(40))])
def test_the_page_follows_the_readers_scheme(browser, address, scheme, paper):
    page, _ = visit(browser, address, scheme=scheme)
    colour = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    red, green, blue = (int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(", "))
    assert {red, green, blue} <= set(paper)
    worst = page.evaluate(CONTRAST)
    assert worst >= 4.5
    page.close()


CONTRAST = """() => {
  const light = colour => colour.match(/\\d+/g).slice(0, 3).map(Number).map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const paper = light(getComputedStyle(document.documentElement).backgroundColor);
  return Math.min(...[...document.querySelectorAll('p, h1, h2, td, th, figcaption, svg text')].map(node => {
    const style = getComputedStyle(node), ink = light(node.tagName == 'text' ? style.fill : style.color);
    return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
  }));
}"""


MARK = Key("", "s1", "circle")
PICTURES = {
    "sweep": figures.sweep("", "lr", ["0.1", "1"], [Dot(0.9, 0.88, 0.92, MARK, ""), None], [0.95, None]),
    "scatter": figures.scatter(
        [Spot(f"c{i}", i, 10**i, Dot(i / 9, i / 9, i / 8, MARK, "")) for i in range(1, 8)], "cost"
    ),
    "dots": figures.dots([("a", [Dot(0.5, 0.3, 0.9, MARK, "")] * 2)], linear([0, 1], "x"), ""),
    "curves": figures.curves(
        [Series(f"c{i}", [1, 2, 3], [i, i / 2, 1], [i / 2, i / 3, 1], [i, i, i], f"s{i % 7}") for i in range(1, 9)],
        "epoch",
        "loss",
    ),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_png_is_what_chromium_draws(browser, name):
    """All but the letters, which are of another font: the two differ by the smoothing of edges only."""
    drawn = re.sub(r"<text.*?</text>", "", PICTURES[name])
    ours = Image.open(io.BytesIO(png(drawn))).convert("RGB")
    page = browser.new_page(viewport={"width": ours.width // 2, "height": ours.height // 2}, device_scale_factor=2)
    page.set_content(f"<style>body {{ margin: 0 }} svg {{ display: block }}</style>{standalone(drawn)}")
    reference = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    page.close()
    drawn, expected = (np.asarray(image.crop((0, 0, *reference.size)), float) for image in (ours, reference))
    assert np.abs(255 - expected).mean() > 0.5
    assert np.abs(drawn - expected).mean() < 0.04 * np.abs(255 - expected).mean()


def test_print_shows_every_row_on_white(browser, address):
    page, _ = visit(browser, address, 794, "dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("nav").is_hidden()
    cut = "all => all.filter(node => node.scrollHeight > node.clientHeight + 1).length"
    assert page.locator(".scroll").evaluate_all(cut) == 0
    page.close()
