"""Reports are kept without their runs, within a size."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
keep = runpy.run_path(str(ROOT / "bench/keep.py"))["keep"]
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


@pytest.mark.usefixtures("folder")
def test_the_command_takes_reports_of_one_scale(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    command = [sys.executable, str(ROOT / "bench/keep.py"), str(tmp_path / "runs")]
    done = subprocess.run([*command, "laptop", "--out", str(tmp_path / "results")], check=True)
    assert done.returncode == 0
    assert (tmp_path / "results/small-cnn/laptop/report.html").read_text() == "<p>page</p>"
    assert subprocess.run([*command, "full", "--out", str(tmp_path / "results")]).returncode == 2
    assert "no report of scale 'full' there" in capfd.readouterr().err
