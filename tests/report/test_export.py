"""Tables for other programs: read back with readers that are not ours."""

import csv
import json
import re
import shutil
import subprocess

import pytest

from bakeoff.report.page import write_report
from bakeoff.report.render.blocks import Cell, Head, Table
from bakeoff.report.render.export import escaped, latex


@pytest.fixture(scope="module")
def folder(study, runs, tmp_path_factory):
    out = tmp_path_factory.mktemp("export")
    write_report(study, runs, out, command="bakeoff run small-digits")
    return out


def test_csv_holds_the_numbers_of_the_summary(folder):
    summary = json.loads((folder / "summary.json").read_text())
    with (folder / "tables" / "contenders.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [c["name"] for c in summary["contenders"]]
    for row, contender in zip(rows, summary["contenders"], strict=True):
        mean = contender["test_accuracy"]["mean"]
        assert row["test_accuracy_mean"] == ("" if mean is None else repr(mean))
        assert row["reported_seconds"] == str(contender["reported"].get("seconds", ""))
    with (folder / "tables" / "comparisons.csv").open(newline="") as file:
        pairs = list(csv.DictReader(file))
    assert [float(pair["p_adjusted"]) for pair in pairs] == [p["p_adjusted"] for p in summary["comparisons"]]


def test_every_table_of_the_page_is_there_in_latex(folder):
    page = (folder / "report.html").read_text()
    files = sorted((folder / "tables").glob("*.tex"))
    assert len(files) == page.count("</table>")
    for file in files:
        body = re.search(r"midrule\n(.*)\\bottomrule", file.read_text(), re.DOTALL)[1]
        columns = len(re.search(r"tabular}{(.*)}", file.read_text())[1])
        rows = body.strip().split("\n")
        assert all(len(re.findall(r"(?<!\\)&", row)) == columns - 1 and row.endswith(r"\\") for row in rows), file


def test_special_signs_are_escaped():
    assert escaped("50 % of a_b & c#d {x} ~^\\") == (
        r"50 \% of a\_b \& c\#d \{x\} \textasciitilde{}\textasciicircum{}\textbackslash{}"
    )


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX on this machine")
def test_latex_takes_it(tmp_path):
    table = latex(Table([Head("a_b", "text"), Head("n")], [[Cell("50 % †"), Cell("−1")]], "said"))
    text = r"\documentclass{article}\usepackage{booktabs,amssymb}\begin{document}" + table + r"\end{document}"
    (tmp_path / "t.tex").write_text(text)
    subprocess.run(["pdflatex", "-halt-on-error", "t.tex"], cwd=tmp_path, check=True, capture_output=True)
