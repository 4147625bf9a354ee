"""Runs are kept packed, and their pages, within a size."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from bakeoff import run_study

ROOT = Path(__file__).parent.parent
keep = runpy.run_path(str(ROOT / "bench/keep.py"))["keep"]
STUDY = """
title = "Tiny"
question = "Which of two?"
dataset = "digits"
images = 200
seeds = 1
[recipe]
epochs = 1
[contenders.slow]
model = "logistic"
lr = 0.001
[contenders.quick]
model = "logistic"
lr = 0.02
"""
REPORT = """# Which?

![league](figures/league.svg)

Best first.

![large](figures/large.svg)

All pairs.
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study's directory with a figure that nothing shows, a large one, and a run."""
    files = {
        "summary.json": "{}",
        "report.md": REPORT,
        "report.html": "<p>page</p>",
        "manifest.json": "{}",
        "figures/league.svg": "<svg/>",
        "figures/large.svg": "x" * 5000,
        "figures/other.svg": "<svg/>",
        "../conv-seed0-12345678/run.json": "{}",
    }
    folder = tmp_path / "runs" / "small-cnn" / "laptop"
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def kept(target: Path) -> list[str]:
    return sorted(file.relative_to(target).as_posix() for file in target.rglob("*") if file.is_file())


def test_what_the_report_shows_is_kept(folder: Path, tmp_path: Path) -> None:
    assert keep(folder, tmp_path / "kept") == []
    names = ["figures/large.svg", "figures/league.svg", "report.html", "report.md", "summary.json"]
    assert kept(tmp_path / "kept") == names
    assert (tmp_path / "kept/report.md").read_text() == REPORT


def test_what_passes_the_limit_is_left_out_and_not_linked(folder: Path, tmp_path: Path) -> None:
    keep(folder, tmp_path / "kept")
    assert keep(folder, tmp_path / "kept", 2000) == ["figures/large.svg"]
    assert "figures/large.svg" not in kept(tmp_path / "kept"), "what an earlier call left is gone"
    text = (tmp_path / "kept/report.md").read_text()
    assert "large.svg" not in text
    assert "![league](figures/league.svg)" in text
    assert "All pairs." in text


def test_the_command_packs_the_runs_of_one_scale_and_makes_their_pages(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny.toml").write_text(STUDY)
    run_study(str(tmp_path / "tiny.toml"), out=tmp_path / "runs", jobs=1)
    results = tmp_path / "results"
    command = [sys.executable, str(ROOT / "bench/keep.py"), "--out", str(results)]
    assert subprocess.run([*command, str(tmp_path / "runs"), "laptop"]).returncode == 2
    assert "no report of scale 'laptop' there" in capfd.readouterr().err
    subprocess.run([*command, str(tmp_path / "runs"), "full"], check=True)
    place = results / "tiny" / "full"
    assert len(list((place / "records").glob("*.run.xz"))) == 2
    pages = {file: file.read_bytes() for file in place.rglob("*") if file.is_file()}
    assert {"report.html", "report.md", "summary.json"} <= {file.name for file in pages}
    for file in pages:
        if file.parent.name != "records":
            file.unlink()
    subprocess.run(command, check=True)
    assert {file: file.read_bytes() for file in place.rglob("*") if file.is_file()} == pages
    measured, kept_summary = (
        json.loads((folder / "tiny" / "full" / "summary.json").read_text()) for folder in (tmp_path / "runs", results)
    )
    assert [c["test_accuracy"] for c in measured["contenders"]] == [
        c["test_accuracy"] for c in kept_summary["contenders"]
    ]


def test_a_kept_record_has_less_than_40_kilobytes_on_average() -> None:
    for records in ROOT.glob("results/*/*/records"):
        sizes = [file.stat().st_size for file in records.iterdir()]
        assert sum(sizes) / len(list(records.glob("*.run.xz"))) < 40_000, records
