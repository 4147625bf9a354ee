"""The files of a report: whole, self-contained, the same every time, and safe to open."""

import html
import itertools
import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from bakeoff.record import read_run
from bakeoff.report.context import Context
from bakeoff.report.overrides import sentences
from bakeoff.report.page import Page
from bakeoff.spec.plan import Plan, make_plan
from bakeoff.spec.study_file import parse_study

COMMAND = "bakeoff run small-digits --scale small"
NOTE = "conv, seed 1: no finished record"


@pytest.fixture(scope="module")
def report(study, runs, tmp_path_factory):
    """(folder, summary) of a report on the synthetic study."""
    out = tmp_path_factory.mktemp("report")
    return out, Page(Context.of(study, runs, COMMAND), [NOTE]).write(out)


class Outline(HTMLParser):
    """What a page links to or loads, and whether its tags are balanced."""

    VOID = {"meta", "wbr", "link", "img", "br", "input", "hr"}

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.ids: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.loads += [value for key, value in attrs if key in ("src", "href", "srcset", "data", "action")]
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.scripts += tag == "script" or any(key.startswith("on") for key in attributes)
        self.open += [] if tag in self.VOID else [tag]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def outline(page: str) -> Outline:
    parser = Outline()
    parser.feed(page)
    assert parser.open == []
    return parser


def test_the_summary_is_written_as_it_is_returned(report):
    out, summary = report
    assert json.loads((out / "summary.json").read_text()) == summary


def test_the_page_is_one_file_with_every_section(report, parts):
    out, _ = report
    page = outline((out / "report.html").read_text())
    assert page.ids == [part.anchor for part in parts]
    assert [link for link in page.loads if link.startswith("#")] == [f"#{anchor}" for anchor in page.ids]
    assert all(link.startswith(("#", "data:")) for link in page.loads)
    assert page.scripts == 0
    style = re.search(r"<style>(.*?)</style>", (out / "report.html").read_text(), re.DOTALL)[1]
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize("name", ["report.html", "report.md"])
def test_question_answer_notes_and_command_are_there_and_in_this_order(report, parts, study, name):
    out, summary = report
    text = html.unescape((out / name).read_text()).replace("\u00a0", " ")
    text = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text) if name == "report.md" else text
    first, *others = summary["answer"].split("\n")
    places = [text.index(words) for words in (study.question, first, others[0], NOTE, COMMAND)]
    assert places == sorted(places)
    for part in parts:
        assert part.title in text


def test_markdown_shows_every_figure_file(report):
    out, _ = report
    text = (out / "report.md").read_text()
    files = {file.name for file in (out / "figures").glob("*.svg")}
    assert files == set(re.findall(r"\(figures/([^)]+)\)", text))
    for file in files:
        ElementTree.parse(out / "figures" / file)


def test_every_markdown_table_is_rectangular(report):
    lines = [line for line in (report[0] / "report.md").read_text().splitlines() if line.startswith("|")]
    assert len(lines) > 50
    width = 0
    for before, line in zip(["", *lines], lines, strict=False):
        columns = len(re.findall(r"(?<!\\)\|", line))
        if line.startswith("|---"):
            width = len(re.findall(r"(?<!\\)\|", before))
            assert columns == width
        assert columns > 2


def test_rendering_again_gives_the_same_bytes_and_leaves_no_old_figures(report, study, runs, tmp_path):
    out, _ = report
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "roc-gone.svg").write_text("old")
    (tmp_path / "files.json").write_text('["figures/roc-gone.svg"]')
    Page(Context.of(study, [read_run(run.path) for run in runs], COMMAND), [NOTE]).write(tmp_path)
    files = sorted(file.relative_to(out) for file in out.rglob("*") if file.is_file())
    assert files == sorted(file.relative_to(tmp_path) for file in tmp_path.rglob("*") if file.is_file())
    for file in files:
        assert (out / file).read_bytes() == (tmp_path / file).read_bytes()


def test_overrides_are_printed_on_the_page(study_file, runs, tmp_path):
    small = make_plan(study_file, "small")
    Page(Context.of(small, runs, COMMAND)).write(tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert len(sentences(small)) == 2
    assert f"Overridden here: {'; '.join(sentences(small))}." in text


def test_names_from_outside_are_text_and_nothing_else(study, tmp_path, write_run):
    hostile = ("<script>alert(1)</script>", "a|b", '"&', "*bold*", *"456789")
    runs = [write_run(spec, tmp_path, skill=5.0, classes=hostile) for spec in study.specs()[:6]]
    Page(Context.of(study, runs, "bakeoff run '<img src=x>'"), ["<b>note</b>"]).write(tmp_path)
    parsed = outline((tmp_path / "report.html").read_text())
    assert parsed.scripts == 0
    assert all(link.startswith(("#", "data:")) for link in parsed.loads)


def test_a_study_without_a_finished_run_still_has_a_page(study, runs, tmp_path):
    for some in ([], [run for run in runs if run.status == "diverged"]):
        summary = Page(Context.of(study, some, COMMAND), [NOTE]).write(tmp_path)
        assert summary["answer"].startswith("No answer yet")
        assert NOTE in outline_text(tmp_path)


def outline_text(folder) -> str:
    page = (folder / "report.html").read_text()
    outline(page)
    return page


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_one_run_of_one_contender_is_enough(study, tmp_path, write_run, channels):
    alone: Plan = study.model_copy(update={"contenders": study.contenders[1:2], "sweeps": (), "seeds": 1})
    run = write_run(alone.specs()[0], tmp_path, skill=5.0, channels=channels)
    summary = Page(Context.of(alone, [run], COMMAND)).write(tmp_path)
    assert summary["contenders"][0]["interval"] == "wilson"
    assert "this run alone" in outline_text(tmp_path)


def test_a_perfect_contender_has_a_page(study, tmp_path, write_run):
    runs = [write_run(spec, tmp_path, skill=60.0, images=300) for spec in study.specs()[:6]]
    summary = Page(Context.of(study, runs, COMMAND)).write(tmp_path)
    accuracy = summary["contenders"][0]["test_accuracy"]
    assert accuracy["mean"] == 1
    assert accuracy["high"] == pytest.approx(1)
    assert 0.98 < accuracy["low"] < 1, "nobody is shown to be perfect by 300 images"
    assert 'id="mistakes"' not in outline_text(tmp_path)


def test_thirty_five_contenders_stay_readable_and_small(text, tmp_path, write_runs):
    more = "".join(f'[contenders.c{i:02}]\nmodel = "conv"\nlr = {0.002 + i / 1e4:.4f}\n' for i in range(29))
    study = make_plan(parse_study(text + more, "large", "large.toml")).model_copy(update={"seeds": 2})
    assert len(study.contenders) == 35
    runs = write_runs(study, tmp_path / "runs", images=300, size=64)
    Page(Context.of(study, runs, COMMAND)).write(tmp_path)
    page = outline_text(tmp_path)
    assert len(page) < 4_000_000
    assert "The best 6 of 34 contenders have colours." in page


TWO = """
title = "Two datasets"
question = "Does depth pay on letters as on digits?"
dataset = "digits"
seeds = 3
[recipe]
epochs = 4
[contenders.conv]
model = "conv"
[contenders.deep]
model = "resnet20"
[contenders.conv-letters]
model = "conv"
dataset = "letters"
[contenders.deep-letters]
model = "resnet20"
dataset = "letters"
[sweeps.rate]
of = "conv-letters"
points = [{ lr = 0.003 }, { lr = 0.03 }]
"""


def test_datasets_are_told_apart(tmp_path, write_run):
    """Contenders on other data are never compared; each dataset has its leaderboard and its own answer, as in a
    study of that dataset alone."""
    study = make_plan(parse_study(TWO, "two", "two.toml"))
    assert study.datasets == ("digits", "letters")
    skills = {"conv": 3.0, "deep": 6.0, "conv-letters": 5.0, "deep-letters": 3.5, "lr=0.03": 4.0}
    prints = {"digits": "a" * 64, "letters": "b" * 64}
    runs = [
        write_run(spec, tmp_path, skill=skills[spec.contender], fingerprint=prints[spec.dataset])
        for spec in study.specs()
    ]
    summary = Page(Context.of(study, runs, "bakeoff run two")).write(tmp_path)
    of = {c["name"]: c["dataset"] for c in summary["contenders"]}
    assert list(of.values()) == ["digits"] * 2 + ["letters"] * 3
    pairs = [{p["a"], p["b"]} for p in summary["comparisons"]]
    assert pairs == [{"conv", "deep"}] + [{a, b} for a, b in itertools.combinations(list(of)[2:], 2)]
    digits, letters = (line for line in summary["answer"].split("\n") if line.startswith("On "))
    assert digits.startswith("On digits: deep is selected")
    assert letters.startswith("On letters: conv-letters is selected")
    alone = make_plan(parse_study(TWO.partition("[contenders.conv-letters]")[0], "two", "two.toml"))
    assert Page(Context.of(alone, runs)).summary["comparisons"] == summary["comparisons"][:1]
    page = (tmp_path / "report.html").read_text()
    outline(page)
    board = page.partition('id="leaderboard"')[2].partition("</section>")[0]
    assert re.findall("<h3>(.*?)</h3>", board) == ["On digits", "On letters"]
    assert (tmp_path / "figures" / "roc-letters-conv-letters.svg").exists()
    assert "### On letters" in (tmp_path / "report.md").read_text()


def test_class_names_of_an_older_record_are_written_out(study, tmp_path, write_run):
    """Control characters were not refused once: a page of such runs is whole, and well-formed."""
    names = ("\x1b[31mred", "nul\x00", "[/bold]", "<b>", *"abcdef")
    runs = [write_run(spec, tmp_path, skill=4.0, classes=names) for spec in study.specs()]
    Page(Context.of(study, runs, COMMAND)).write(tmp_path / "out")
    for file in (*(tmp_path / "out" / "figures").glob("*.svg"), tmp_path / "out" / "report.html"):
        text = file.read_text()
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text)
        if file.suffix == ".svg":
            ElementTree.fromstring(text)
    assert r"\\x1b\[31mred" in (tmp_path / "out" / "report.md").read_text()
