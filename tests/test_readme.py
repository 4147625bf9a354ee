"""README: its commands run, its map is the tree, its figures come from results/."""

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from bakeoff.cli import bakeoff

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_it_is_short() -> None:
    assert len(README.splitlines()) < 150


def commands() -> list[str]:
    """Every `bakeoff ...` line of README's code blocks, without its comment."""
    lines = re.findall(r"^    (bakeoff .*)$", README, re.MULTILINE)
    return [line.split("#")[0].strip() for line in lines]


def test_every_command_exists_with_its_options() -> None:
    assert len(commands()) >= 10
    for line in commands():
        words = line.split()[1:]
        context = bakeoff.make_context("bakeoff", words[:], resilient_parsing=True)
        _, command, rest = bakeoff.resolve_command(context, words)
        while hasattr(command, "commands"):
            _, command, rest = command.resolve_command(context, rest)
        assert command is not None
        known = {option for p in command.get_params(context) for option in getattr(p, "opts", [])}
        assert {word for word in rest if word.startswith("--")} <= known, line


def test_its_python_runs(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    code = code.replace(
        'run_study("quickstart", seeds=5)', 'run_study("quickstart", seeds=1, only=["logistic"], jobs=1)'
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120, env=os.environ
    )
    assert done.returncode == 0, done.stderr
    assert "runs/small_cnn-width=16-seed0-" in done.stdout


def test_the_map_is_the_tree() -> None:
    """Every name in the file map exists, and every file and folder of the package is in it."""
    block = README.split("## Where things are")[1].split("An import")[0]
    named = re.findall(r"^ {4,6}(\S+)  ", block, re.MULTILINE)
    inside = {name for name in named if (ROOT / "src/bakeoff" / name).exists()}
    assert [n for n in named if n not in inside and not (ROOT / n).exists()] == []
    package = {p.name + "/" * p.is_dir() for p in (ROOT / "src/bakeoff").iterdir()}
    assert package - {"__init__.py", "__pycache__/", "py.typed"} == inside


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_its_results_come_from_the_records() -> None:
    updated = runpy.run_path(str(ROOT / "bench/readme.py"))["updated"]
    assert updated(README) == README
    assert "| base |" in README


@pytest.mark.parametrize("path", sorted((ROOT / "results").rglob("summary.json")), ids=str)
def test_results_are_summaries_of_packaged_studies(path: Path) -> None:
    """Each committed summary is of a study that is there, with the contenders that study has now."""
    from bakeoff.studies.runner import find_study
    from bakeoff.study import at_scale

    summary = json.loads(path.read_text())
    study = at_scale(find_study(summary["study"]), summary["scale"])
    assert [c["name"] for c in summary["contenders"]] == [c.name for c in study.contenders]
    assert all(c["n"] + c["failed"] == study.seeds for c in summary["contenders"])


@pytest.mark.parametrize("path", sorted((ROOT / "results").glob("*/full/summary.json")), ids=str)
def test_a_studys_first_lines_say_what_came_out(path: Path) -> None:
    """`NAME reaches NN.NN %` is that contender's mean at full scale, `NN core-minutes` the sum of all seconds."""
    from bakeoff.studies.runner import find_study

    summary = json.loads(path.read_text())
    about = " ".join(find_study(summary["study"]).about.split())
    means = {c["name"]: c["test_accuracy"]["mean"] for c in summary["contenders"]}
    said = re.findall(r"(\S+) reaches (\d+\.\d+) %", about)
    assert said
    assert all(f"{100 * means[name]:.2f}" == value for name, value in said)
    minutes = sum(c["seconds"] * c["n"] for c in summary["contenders"]) / 60
    (told,) = re.findall(r"(\d+) core-minutes", about)
    assert int(told) == round(minutes)
