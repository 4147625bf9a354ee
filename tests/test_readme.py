"""README: its commands run, its map is the tree, its figures come from results/."""

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bakeoff.cli import bakeoff
from bakeoff.models import MODELS
from bakeoff.spec.plan import make_plan
from bakeoff.studies.packaged import find_study

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


def test_the_list_of_models_is_that_of_the_table() -> None:
    """Else: python bench/model_table.py (--render, where no model is new)."""
    record = json.loads((ROOT / "results/bench/models.json").read_text())
    table = runpy.run_path(str(ROOT / "bench/model_table.py"))["table"]
    assert [row["model"] for row in record["models"]] == list(MODELS.builtin)
    assert (ROOT / "docs/models.md").read_text() == table(record["models"], record["environment"])


@pytest.mark.parametrize(
    "page", [*sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name
)
def test_files_that_pages_name_exist(page: Path) -> None:
    places = re.findall(
        r"\b((?:tests|bench|docs|src|examples|results)/[\w./-]+\.(?:py|pyi|md|toml|json))\b", page.read_text()
    )
    assert [place for place in places if not (ROOT / place).exists()] == []


def test_the_findings_are_those_of_the_kept_pages() -> None:
    """Else: python bench/findings.py."""
    text = (ROOT / "docs/findings.md").read_text()
    assert text == runpy.run_path(str(ROOT / "bench/findings.py"))["page"](text)


def test_the_list_of_choices_is_that_of_the_tables() -> None:
    """Else: python bench/choices.py."""
    assert (ROOT / "docs/choices.md").read_text() == runpy.run_path(str(ROOT / "bench/choices.py"))["text"]()


def test_the_architecture_is_that_of_the_tree() -> None:
    """Every file that something is added to exists, and every package and module has its place in the drawing."""
    text = (ROOT / "docs/architecture.md").read_text()
    table = text.split("## Where do I add")[1].split("## Layers")[0]
    files = re.findall(r"`([\w/]+\.(?:py|toml))`", table)
    named = [file for file in files if not re.search("NAME|KIND|FAMILY|FORM|GROUP", file)]
    assert len(named) > 15
    assert [file for file in named if not (ROOT / "src/bakeoff" / file).exists()] == []
    places = [re.sub(r"[A-Z]+\.\w+$", "", file) for file in files if file not in named]
    assert [place for place in places if not (ROOT / "src/bakeoff" / place).is_dir()] == []
    layers = set(re.findall(r"\w+", text.split("## Layers")[1].split("An import")[0]))
    parts = {path.stem for path in (ROOT / "src/bakeoff").iterdir() if path.suffix in ("", ".py")}
    assert parts - {"__init__", "__main__", "__pycache__", "testing"} == layers


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def bench() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "bench/readme.py"))


def test_its_results_come_from_the_records() -> None:
    assert bench()["updated"](README) == README
    assert "[small-cnn](results/small-cnn/" in README


def contender(name: str, test: float, **other: Any) -> dict[str, Any]:
    """As in a summary: three seeds of one minute, validation accuracy a point above the test accuracy."""
    accuracies = {
        split: {"mean": a, "low": a - 0.01, "high": a + 0.01}
        for split, a in (("test", test), ("validation", test + 0.01))
    }
    plain = {"name": name, "model": "conv", "dataset": "mnist", "variant": "as reported", "selects_on_test": False}
    sizes = {"n": 3, "failed": 0, "parameters": 10, "seconds": 60.0, "reported": {}}
    return {**plain, **sizes, **{f"{split}_accuracy": value for split, value in accuracies.items()}, **other}


def write_summary(
    folder: Path,
    study: str,
    contenders: list[dict[str, Any]],
    scale: str = "full",
    lost: tuple[str, ...] = (),
    **other: Any,
) -> None:
    machine = {"processor": "Abacus", "cores": 2, "torch": "2.13", "device": "cpu", **other}
    summary = {"study": study, "scale": scale, "title": "Which?", "contenders": contenders, "environment": machine}
    summary["diagnoses"] = {"guessing": [{"contender": name} for name in lost]}
    (folder / study / scale).mkdir(parents=True)
    (folder / study / scale / "summary.json").write_text(json.dumps(summary))
    (folder / study / scale / "report.md").touch()


def cells(folder: Path, study: str, scale: str = "full") -> list[list[str]]:
    """The cells after the first of each of the study's rows."""
    lines = bench()["scale_block"](folder, scale).splitlines()
    return [line.strip("| ").split(" | ")[1:] for line in lines if line.startswith(f"| [{study}]")]


def test_a_row_for_each_dataset_with_the_choice_and_our_own(tmp_path: Path) -> None:
    """The report of deeper-networks prints no accuracy of a contender."""
    write_summary(
        tmp_path,
        "deeper-networks",
        [
            contender("conv", 0.90),
            contender("nin-repaired", 0.95, variant="repaired"),
            contender("ours", 0.94, variant="ours"),
            contender("conv-cifar10", 0.60, dataset="cifar10"),
        ],
    )
    assert cells(tmp_path, "deeper-networks") == [
        ["prints none", "–", "nin-repaired 95.00 % [94.00, 96.00]", "3", "ours 94.00 % [93.00, 95.00]"],
        ["prints none", "–", "conv-cifar10 60.00 % [59.00, 61.00]", "3", "–"],
    ]


def test_a_single_run_is_marked(tmp_path: Path) -> None:
    """Its interval is of its images alone, and tells nothing of other seeds."""
    write_summary(tmp_path, "small-cnn", [contender("base", 0.97), contender("ours-ensemble", 0.99, n=1)])
    ours = "ours-ensemble 99.00 % [98.00, 100.00] (one run)"
    assert cells(tmp_path, "small-cnn")[0][2:] == [ours, "1", ours]


def test_the_reports_best_is_its_best_of_all_it_ran(tmp_path: Path) -> None:
    """Ours stands beside it only where that network was run as published, and learned something."""
    base, best = contender("base", 0.97), contender("best-as-reported", 0.99, selects_on_test=True)
    write_summary(tmp_path / "a", "small-cnn", [base])
    assert cells(tmp_path / "a", "small-cnn")[0][:2] == ["best-as-reported: 98.32 %", "not run"]
    write_summary(tmp_path / "b", "small-cnn", [base, best])
    assert cells(tmp_path / "b", "small-cnn")[0][:2] == ["best-as-reported †: 98.32 %", "99.00 % (n = 3)"]
    write_summary(tmp_path / "one", "small-cnn", [contender("best-as-reported", 0.99, n=1)])
    assert cells(tmp_path / "one", "small-cnn")[0][1] == "99.00 % (n = 1)"
    write_summary(tmp_path / "c", "small-cnn", [base, best], scale="laptop")
    assert cells(tmp_path / "c", "small-cnn", "laptop")[0][:2] == ["best-as-reported †: 98.32 %", "cut at this scale"]
    write_summary(tmp_path / "d", "augmented-resnet", [contender("resnet34", 0.1)], lost=("resnet34",))
    assert cells(tmp_path / "d", "augmented-resnet")[0][:2] == ["resnet34: 99.45 %", "did not learn"]
    write_summary(tmp_path / "e", "highest-digit", [contender("keras-cnn", 0.95)])
    assert cells(tmp_path / "e", "highest-digit")[0][:2] == [
        "keras-cnn: 97.60 % in validation",
        "96.00 % in validation on images made anew (n = 3)",
    ]


def test_a_line_for_each_machine(tmp_path: Path) -> None:
    """The command, the runs of how many, their time without that of ensembles, and what they ran on."""
    cpu, gpu = ("deeper-networks", "small-cnn"), ("highest-digit",)
    own, both = contender("conv", 0.9), contender("both", 0.9, model="", n=1, seconds=600.0)
    write_summary(tmp_path, "deeper-networks", [own, contender("drop", 0.8, n=2, failed=1)])
    write_summary(tmp_path, "small-cnn", [own, both])
    write_summary(tmp_path, "highest-digit", [own], device="Loom 9", torch=["2.11", "2.12"])
    two, one = (sum(len(make_plan(find_study(name)).specs()) for name in names) for names in (cpu, gpu))
    *_, first, second = bench()["scale_block"](tmp_path, "full").splitlines()
    assert first == (
        f"- `bakeoff run deeper-networks` and `bakeoff run small-cnn`: 10 of {two} runs, of which those "
        "that trained took 8 minutes; 2 cores of Abacus, PyTorch 2.13."
    )
    assert second == (
        f"- `bakeoff run highest-digit`: 3 of {one} runs, of which those that trained took 3 minutes; Loom 9, "
        "PyTorch 2.11 and 2.12."
    )


def test_no_results_no_table(tmp_path: Path) -> None:
    assert bench()["scale_block"](tmp_path, "laptop") == ""


@pytest.mark.parametrize("path", sorted((ROOT / "results").rglob("summary.json")), ids=str)
def test_results_are_summaries_of_packaged_studies(path: Path) -> None:
    """Each committed summary is of a study that is there, with contenders that study has; its report names every run
    that is missing."""
    summary = json.loads(path.read_text())
    study = make_plan(find_study(summary["study"]), summary["scale"])
    seeds = {c.name: len(study.seeds_of(c)) for c in study.contenders}
    names = [c["name"] for c in summary["contenders"]]
    assert names == [name for name in seeds if name in names]
    partial = [c["name"] for c in summary["contenders"] if c["n"] + c["failed"] < seeds[c["name"]]]
    report = (path.parent / "report.md").read_text() if partial else ""
    sentences = {name: re.search(rf"{re.escape(name)}, seeds? .*: no finished record", report) for name in partial}
    assert all(sentences.values()), sentences


@pytest.mark.parametrize("path", sorted((ROOT / "results").glob("*/full/summary.json")), ids=str)
def test_a_studys_first_lines_say_what_came_out(path: Path) -> None:
    """`NAME reaches NN.NN %` is that contender's mean at full scale, `NN core-minutes` the time of what trained."""
    summary = json.loads(path.read_text())
    about = " ".join(find_study(summary["study"]).about.split())
    means = {c["name"]: c["test_accuracy"]["mean"] for c in summary["contenders"]}
    statements = re.findall(r"(\S+) reaches (\d+\.\d+) %", about)
    assert statements
    assert all(f"{100 * means[name]:.2f}" == value for name, value in statements)
    minutes = sum(c["seconds"] * c["n"] for c in summary["contenders"] if c["n"] and c["model"]) / 60
    (minutes_in_header,) = re.findall(r"(\d+) (?:core|GPU)-minutes", about)
    assert int(minutes_in_header) == round(minutes)
