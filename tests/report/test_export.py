"""`bakeoff export`: figures, tables and numbers for other programs, read back with readers that are not ours."""

import csv
import json
import re
import shutil
import subprocess
from xml.etree import ElementTree

import click
import pytest
from PIL import Image

from bakeoff.cli import bakeoff, main
from bakeoff.errors import UsageError
from bakeoff.report.context import Context
from bakeoff.report.forms import FORMS
from bakeoff.report.page import Page
from bakeoff.report.render.blocks import Cell, Column, Table
from bakeoff.report.render.tables import escaped, latex
from bakeoff.studies.reports import export


@pytest.fixture(scope="module")
def page(study, runs):
    return Page(Context.of(study, runs, "bakeoff run small-digits"))


def test_csv_holds_the_numbers_of_the_summary(page):
    summary, files = page.summary, FORMS["csv"](page)
    rows = list(csv.DictReader(files["contenders.csv"].decode().splitlines()))
    assert [row["name"] for row in rows] == [c["name"] for c in summary["contenders"]]
    for row, contender in zip(rows, summary["contenders"], strict=True):
        mean = contender["test_accuracy"]["mean"]
        assert row["test_accuracy_mean"] == ("" if mean is None else repr(mean))
        assert row["reported_seconds"] == str(contender["reported"].get("seconds", ""))
    pairs = list(csv.DictReader(files["comparisons.csv"].decode().splitlines()))
    assert [float(pair["p_adjusted"]) for pair in pairs] == [p["p_adjusted"] for p in summary["comparisons"]]


def test_every_table_of_the_page_is_a_float_in_latex(page, tmp_path):
    page.write(tmp_path)
    files = FORMS["latex"](page)
    assert len(files) == (tmp_path / "report.html").read_text().count("</table>")
    for name, data in files.items():
        text = data.decode()
        body = re.search(r"midrule\n(.*)\\bottomrule", text, re.DOTALL)[1]
        columns = len(re.search(r"tabular}{(.*)}", text)[1])
        rows = body.strip().split("\n")
        assert all(len(re.findall(r"(?<!\\)&", row)) == columns - 1 and row.endswith(r"\\") for row in rows), name
        assert text.startswith("% \\usepackage{booktabs}")
        assert rf"\label{{tab:{name.removesuffix('.tex')}}}" in text
        assert re.search(r"\\caption\{\w", text)


def test_every_figure_of_the_page_is_there_as_png_of_twice_its_size(page, tmp_path):
    page.write(tmp_path)
    files = FORMS["png"](page)
    drawn = {file.stem: file for file in (tmp_path / "figures").iterdir()}
    assert {name.removesuffix(".png") for name in files} == drawn.keys()
    for name in ("leaderboard.png", "roc-resnet20.png"):
        (tmp_path / name).write_bytes(files[name])
        *_, width, height = ElementTree.parse(drawn[name.removesuffix(".png")]).getroot().get("viewBox").split()
        with Image.open(tmp_path / name) as image:
            assert image.size == pytest.approx((2 * float(width), 2 * float(height)), abs=1)


def test_an_unknown_form_is_refused_with_the_closest(tmp_path):
    with pytest.raises(UsageError, match=r"no form 'latx' \(closest: latex\)"):
        export(tmp_path, ["csv", "latx"], tmp_path)


def test_every_form_is_a_choice_and_explained_in_the_help():
    command = bakeoff.commands["export"]
    shown = " ".join(command.get_help(click.Context(command, terminal_width=100)).split())
    assert f"--to [{'|'.join(FORMS)}]" in shown
    for name, form in FORMS.items():
        assert f"{name}: {form.__doc__}" in shown


def test_special_signs_are_escaped():
    """A bracket after a row's end would be its distance to the next."""
    assert escaped("[1, 2]") == "{[}1, 2]"
    assert escaped("50 % of a_b & c#d {x} ~^\\") == (
        r"50 \% of a\_b \& c\#d \{x\} \textasciitilde{}\textasciicircum{}\textbackslash{}"
    )


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX on this machine")
def test_latex_takes_it(tmp_path):
    table = latex(
        Table(
            [Column("a_b", "text"), Column("n")],
            [[Cell("50 % †"), Cell("−1")], [Cell("[1, 2]"), Cell("<1")]],
            "note",
            "name",
            "title",
        )
    )
    text = r"\documentclass{article}\usepackage{booktabs}\begin{document}" + table + r"\end{document}"
    (tmp_path / "t.tex").write_text(text)
    subprocess.run(["pdflatex", "-halt-on-error", "t.tex"], cwd=tmp_path, check=True, capture_output=True)


STUDY = """
title = "t"
question = "q"
dataset = "digits"
seeds = 1
[recipe]
epochs = 1
[contenders.logistic]
model = "logistic"
"""


def test_the_verb_writes_what_is_asked_for(tmp_path, capsys):
    """And nothing else: a report has no PNG and no LaTeX beside its page."""
    (tmp_path / "s.toml").write_text(STUDY)
    with pytest.raises(SystemExit) as ended:
        main(["run", str(tmp_path / "s.toml"), "--out", str(tmp_path / "runs")])
    assert ended.value.code == 0
    folder = next((tmp_path / "runs").rglob("report.html")).parent
    assert not {file.suffix for file in folder.rglob("*")} & {".png", ".tex", ".csv"}
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["export", str(folder), "--to", "latex", "--to", "csv", "--json"])
    assert ended.value.code == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert {"leaderboard.tex", "contenders.csv", "comparisons.csv"} <= {file.rpartition("/")[2] for file in files}
    assert sorted(files) == sorted(map(str, (folder / "export").iterdir()))
    for arguments in (["export", str(tmp_path), "--to", "csv"], ["export", str(folder), "--to", "gif"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
