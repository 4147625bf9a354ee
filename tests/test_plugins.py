"""Plug-ins from end to end: the example package as pip installs it, and files given with --plugin."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import bakeoff
from bakeoff.record import find_runs, read_run
from bakeoff.spec import plugins
from bakeoff.testing import check_dataset, check_model

EXAMPLE = Path(__file__).parents[1] / "examples" / "plugin"
SHORT = ("--epochs", 1, "--schedule", "constant", "--threads", 1, "--device", "cpu")
MINE = """
from torch import nn
import numpy as np
from bakeoff.data.dataset import Contents, Split

def net(channels, classes, size, *, bias: bool = True) -> nn.Module:
    'Linear.'
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * size[0] * size[1], classes, bias=bias))

def bars(*, count: int = 60) -> Contents:
    labels = np.arange(count) % 2
    images = np.zeros((count, 1, 4, 4), np.uint8)
    images[labels == 1, :, 1:3] = np.arange(100, 100 + count // 2, dtype=np.uint8)[:, None, None, None]
    return Contents("bars", ("none", "bar"), {"train": Split(images, labels)})

def wrong(logits, labels):
    return (logits.argmax(1) != labels).mean()

def half(logits, targets, weight, smoothing, reduction, *, part: float = 0.5):
    return part * nn.functional.cross_entropy(logits, targets, weight, reduction=reduction)

def count_of_runs(context):
    'How many contenders there are.'
    from bakeoff.report.render.blocks import Paragraph
    return [Paragraph(f"{len(context.study.contenders)} contenders, said the plug-in.")]

MODELS, DATASETS, LOSSES = {"net": net}, {"bars": bars}, {"half": half}
METRICS, SECTIONS = {"wrong": wrong}, {"runs": count_of_runs}
"""


STUDY = """
title = 'a'
question = 'b?'
dataset = 'mine:bars'
seeds = 1
[recipe]
epochs = 1
schedule = 'constant'
[contenders.one]
model = 'mine:net'
[contenders.two]
model = 'mine:net'
parameters = { bias = false }
"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    options = ("--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--no-build-isolation")
    command = (sys.executable, "-m", "pip", "install", *options, "--target", str(folder), str(EXAMPLE))
    subprocess.run(command, check=True)
    return folder


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(site)


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(plugins, "FILES", {})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path / "mine.py"


@pytest.mark.usefixtures("installed")
def test_the_example_keeps_the_contracts() -> None:
    check_model("bakeoff-shapes:tiny")
    assert check_dataset("bakeoff-shapes:shapes:count=90").classes == ("disc", "square", "cross")


@pytest.mark.usefixtures("installed")
def test_the_example_is_trained_and_its_version_recorded(call, tmp_path: Path) -> None:
    choices = ("bakeoff-shapes:shapes:count=90", "bakeoff-shapes:tiny:width=2", "--augment", "bakeoff-shapes:invert")
    code, out, err = call("train", *choices, *SHORT, "--out", tmp_path, "--json")
    assert code == 0, err
    run = read_run(Path(json.loads(out)["run"]))
    assert run.environment["plugins"] == run.decides["plugins"] == {"bakeoff-shapes": "0.1"}
    assert run.spec.dataset == "bakeoff-shapes:shapes:count=90"
    code, out, _ = call("list", "datasets")
    assert code == 0
    assert "Discs, squares and crosses in noise" in " ".join(out.split())
    code, out, _ = call("predict", run.path, "--split", "test")
    assert (code, len(out.splitlines())) == (0, 16)


def test_a_file_is_handed_on_to_workers_and_recorded(mine: Path, call, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("study.toml").write_text(STUDY)
    options = ("--jobs", 2, "--threads", 1, "--device", "cpu")
    code, _, err = call("run", "study.toml", *options, "--plugin", mine)
    assert code == 0, err
    runs = [read_run(path) for path in find_runs(Path("runs"))]
    version = {"mine": f"sha256:{hashlib.sha256(mine.read_bytes()).hexdigest()}"}
    assert [run.environment["plugins"] for run in runs] == [run.decides["plugins"] for run in runs] == [version] * 2
    monkeypatch.setattr(plugins, "FILES", {})
    code, _, err = call("report", "runs/study")
    assert code == 0, err
    (page,) = Path("runs/study").rglob("report.md")
    assert "said the plug-in" not in page.read_text()
    assert call("report", "runs/study", "--plugin", mine)[0] == 0
    assert "2 contenders, said the plug-in." in page.read_text()
    plugins.FILES.clear()
    code, _, err = call("run", "study.toml", *options)
    assert code == 2
    assert "there is no plug-in 'mine': give its file with --plugin mine.py, or install the package mine" in err


def test_a_verb_that_needs_an_absent_or_another_plug_in_says_so(mine: Path, call) -> None:
    loss = ("--loss", "mine:half:part=0.25")
    code, out, err = call("train", "mine:bars", "mine:net", *loss, *SHORT, "--plugin", mine, "--json")
    assert code == 0, err
    run = json.loads(out)["run"]
    version = hashlib.sha256(mine.read_bytes()).hexdigest()[:12]
    verbs = (
        ("predict", run, "--split", "test"),
        ("evaluate", run),
        ("verify", run, "--rerun"),
        ("train", "--from", run),
    )
    mine.write_text(f"{MINE}# changed")
    changed = hashlib.sha256(mine.read_bytes()).hexdigest()[:12]
    needs = f"{run} needs the plug-in mine of SHA-256 {version}..., and"
    for verb in verbs:
        plugins.FILES.clear()
        code, out, err = call(*verb)
        assert code in (1, 2)
        assert f"{needs} none is here: give it with --plugin mine.py" in out + err or "no plug-in 'mine'" in out + err
        code, out, err = call(*verb, "--plugin", mine)
        assert (code, f"{needs} the one here is SHA-256 {changed}..." in out + err) == (1, True), out + err
    mine.write_text(MINE)
    code, out, _ = call("evaluate", run, "--plugin", mine, "--json")
    figures = json.loads(out)
    assert figures["mine:wrong"] == pytest.approx(1 - figures["accuracy"]["mean"])
    assert call("predict", run, "--split", "test", "--plugin", mine)[0] == 0


@pytest.mark.parametrize("verb", ["report", "compare", "export"])
def test_a_study_that_needs_an_absent_plug_in_says_so(verb: str, mine: Path, call) -> None:
    """Models and datasets it does not need: only what it reads again of a study's settings, such as a loss."""
    text = f"{STUDY}[contenders.three]\nmodel = 'logistic'\nloss = 'mine:half'\n"
    Path("study.toml").write_text(text)
    assert call("run", "study.toml", "--jobs", 1, "--device", "cpu", "--plugin", mine)[0] == 0
    plugins.FILES.clear()
    words = (verb, "runs/study", *(("--to", "csv") if verb == "export" else ()))
    code, _, err = call(*words)
    sentence = "loss: unknown choice 'mine:half': there is no plug-in 'mine': give its file with --plugin mine.py"
    assert (code, sentence in err) == (1, True), err
    code, _, err = call(*words, "--plugin", mine)
    assert code == 0, err


def test_models_of_a_file_are_listed_and_shown(mine: Path, call) -> None:
    code, out, _ = call("show", "mine:net", "--size", 8, "--plugin", mine, "--json")
    assert (code, json.loads(out)["parameters"]) == (0, 650)
    code, out, _ = call("list", "models", "--plugin", mine, "--json")
    assert {"model": "mine:net", "about": "Linear."}.items() <= json.loads(out)[-1].items()
    code, _, err = call("show", "mine:nett", "--plugin", mine)
    assert (code, "model: unknown choice 'mine:nett' (closest: mine:net" in err) == (2, True)


def test_python_gives_a_file_as_the_command_line_does(mine: Path) -> None:
    bakeoff.load_plugin(mine)
    run = bakeoff.train("mine:bars:count=40", "mine:net", epochs=1, schedule="constant", threads=1, device="cpu")
    assert run.environment["plugins"].keys() == {"mine"}
