"""The page over all studies: it links to reports that are there, and says what they say."""

import json
import re

import pytest

from bakeoff.errors import BakeoffError
from bakeoff.report.context import Context
from bakeoff.report.index import write_index
from bakeoff.report.page import Page
from bakeoff.spec.plan import make_plan
from bakeoff.spec.study_file import parse_study


def test_the_index_links_every_report_and_repeats_its_answer(tmp_path, study, runs, write_run, text):
    other = make_plan(parse_study(text.replace("lr = 0.001", "lr = 0.002"), "other study", "other.toml"))
    others = [write_run(spec, tmp_path / "runs", skill=4.0) for spec in other.specs()]
    for plan, records in ((study, runs), (other, others)):
        (tmp_path / plan.name).mkdir()
        Page(Context.of(plan, records, "bakeoff run")).write(tmp_path / plan.name)
    index = write_index([tmp_path / study.name, tmp_path / other.name], tmp_path)
    page = index.read_text()
    links = re.findall('<a href="(.*?)">', page)
    assert links == ["small-digits/report.html", "other%20study/report.html"]
    assert all((tmp_path / link.replace("%20", " ")).exists() for link in links)
    summary = json.loads((tmp_path / study.name / "summary.json").read_text())
    assert summary["answer"].split("\n")[0] in page.replace("\u00a0", " ")
    assert page.count("<svg") > 2
    assert "http" not in page.replace("http-equiv", "")


def test_contenders_that_chose_on_the_test_set_are_marked(tmp_path, study, runs):
    Page(Context.of(study, runs)).write(tmp_path / "s")
    page = write_index([tmp_path / "s"], tmp_path).read_text()
    assert re.search(r">baseline †</text>", page)
    assert "† chose its epoch on the test set" in page
    assert "conv †" not in page


def test_an_answer_of_a_part_of_a_study_is_told_as_that(tmp_path, study_file, write_run):
    part = make_plan(study_file, "small")
    (tmp_path / "s").mkdir()
    records = [write_run(spec, tmp_path / "runs", skill=4.0) for spec in part.specs() if spec.contender == "conv"]
    Page(Context.of(part, records, "bakeoff run")).write(tmp_path / "s")
    page = write_index([tmp_path / "s"], tmp_path).read_text()
    assert "This is a part of the study: " in page
    assert "What it shows holds for this part." in page


def test_a_damaged_summary_is_named(tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "summary.json").write_text("{")
    with pytest.raises(BakeoffError, match=r"s/summary\.json: cannot be read as a summary"):
        write_index([tmp_path / "s"], tmp_path)


def test_studies_of_one_name_are_told_apart_by_their_folders(tmp_path, study, runs):
    """Two students' copies of one study, folders deep: a table across them, and each with its own folder and link."""
    folders = [tmp_path / who / "runs" / "small-digits" for who in ("ada", "bob")]
    for folder in folders:
        folder.mkdir(parents=True)
        Page(Context.of(study, runs, "bakeoff run")).write(folder)
    page = write_index(folders, tmp_path).read_text()
    rows = re.findall(r'<th class="text" scope="row"><span class="name">(.*?)</span>', page)
    assert rows == ["ada/runs/small-digits", "bob/runs/small-digits"]
    assert page.count("<caption>All studies</caption>") == 1
    for who in ("ada", "bob"):
        assert f'<p class="over">{who}/runs/small-digits</p>' in page
        assert f'href="{who}/runs/small-digits/report.html"' in page
