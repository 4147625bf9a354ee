"""Contenders' names: what the page prints can be typed, and a sweep's point that is its base is not trained twice."""

import html
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import bakeoff
from bakeoff.record import find_runs
from bakeoff.spec.plan import make_plan, split_names
from bakeoff.spec.study_file import parse_study
from bakeoff.studies.packaged import find_study, packaged_studies
from bakeoff.studies.prepare import check_plan, load_datasets
from bakeoff.training.digest import resolved

GRID = """
title = "Grid"
question = "Which rate and batch?"
dataset = "digits"
images = 200
seeds = 1
[recipe]
epochs = 1
[contenders.linear]
model = "logistic"
[grid]
lr = [0.01, 0.1]
batch_size = [32, 64]
"""


@pytest.mark.parametrize(
    ("groups", "names"),
    [
        (["a,b"], ["a", "b"]),
        (["a", "b"], ["a", "b"]),
        (["x,lr=1", "b"], ["x,lr=1", "b"]),
        (["a,x,lr=1,size=2,x,lr=1,b"], ["a", "x,lr=1,size=2", "x,lr=1", "b"]),
        (["a,,b,"], ["a", "b"]),
        (["x,lr=3"], ["x", "lr=3"]),
    ],
)
def test_names_that_hold_commas_are_separated(groups: list[str], names: list[str]) -> None:
    tables = "".join(f'contenders."{name}" = {{ model = "conv" }}\n' for name in ("a", "b"))
    study = parse_study(f'title = "t"\nquestion = "q"\ndataset = "digits"\n{tables}', "t", "t.toml")
    base = study.contenders[0]
    more = [base.model_copy(update={"name": name}) for name in ("x,lr=1", "x,lr=1,size=2")]
    study = study.model_copy(update={"contenders": (*study.contenders, *more)})
    assert split_names(study, groups) == tuple(names)


def test_the_command_that_a_page_prints_makes_it_again(tmp_path: Path) -> None:
    """Typed exactly as printed: the same contenders, of which all are finished already."""
    (tmp_path / "my grid.toml").write_text(GRID)
    only = [
        "--only",
        "linear,lr=0.1,batch_size=32,linear,lr=0.01,batch_size=64",
        "--only",
        "linear,lr=0.1,batch_size=64",
    ]
    first = _bakeoff(tmp_path, "run", "my grid.toml", *only, "--epochs", "2")
    assert first.returncode == 0, first.stderr
    page = tmp_path / "runs" / "my grid" / "full" / "report.html"
    before = page.read_text()
    (printed,) = re.findall(r"<code>(bakeoff run .*?)</code>", before, re.DOTALL)
    program, *words = shlex.split(html.unescape(printed))
    assert program == "bakeoff"
    again = _bakeoff(tmp_path, *words)
    assert again.returncode == 0, again.stderr
    assert "3 runs, 3 of them finished already" in again.stderr
    assert page.read_text() == before


def _bakeoff(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bakeoff.cli", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


SWEEP = """
title = "Sweep"
question = "How wide?"
dataset = "digits"
images = 200
seeds = 1
[recipe]
epochs = 1
[contenders.base]
model = "small_cnn"
parameters = { hidden = 8 }
[contenders.both]
ensemble = ["width=50", "width=2"]
[sweeps.width]
of = "base"
points = [
  { parameters = { width = 50 }, reported = { test_accuracy = 0.9 } },
  { parameters = { width = 2 } },
  { parameters = { width = 2, dropout = 0.0 }, label = "no dropout" },
]
[sweeps.rate]
of = "base"
points = [{ lr = 0.003 }, { lr = 0.1 }, { schedule = "one-cycle:warmup=0.3" }]
[[hypotheses]]
source = "ours"
says = "Wide is better"
better = "width=50"
worse = "width=2"
[[sections]]
kind = "leaderboard"
of = ["width=50", "width=2"]
"""


def test_a_point_that_spells_out_a_default_is_the_base(tmp_path: Path) -> None:
    """width 50 and dropout 0 are small_cnn's own, lr and schedule the recipe's: each is trained once."""
    trained: list[str] = []
    study = parse_study(SWEEP, "sweep", "sweep.toml")
    summary = bakeoff.run_study(study, out=tmp_path, jobs=1, done=trained.append)
    assert sorted(name.rsplit("-seed", 1)[0] for name in trained) == ["base", "both", "lr=0.1", "width=2"]
    assert [c["name"] for c in summary["contenders"]] == ["base", "both", "width=2", "lr=0.1"]
    width, rate = summary["sweeps"]
    assert [(p["label"], p["contender"]) for p in width["points"]] == [
        ("width=50", "base"),
        ("width=2", "width=2"),
        ("no dropout", "width=2"),
    ]
    assert width["points"][0]["reported"] == {"test_accuracy": 0.9}
    assert [p["contender"] for p in rate["points"]] == ["base", "lr=0.1", "base"]
    assert next(c for c in summary["contenders"] if c["name"] == "both")["ensemble"] == ["base", "width=2"]
    kept = json.loads((tmp_path / "sweep" / "full" / "manifest.json").read_text())["plan"]
    assert (kept["hypotheses"][0]["better"], kept["sections"][0]["of"]) == ("base", ["base", "width=2"])
    only = bakeoff.run_study(study, out=tmp_path / "only", jobs=1, only=["width=50", "width=2"])
    assert [c["name"] for c in only["contenders"]] == ["width=50", "width=2"], "without its base a point is itself"
    assert len(find_runs(tmp_path / "only")) == 2


def test_contenders_that_the_study_lists_stay_although_they_are_the_same_run(tmp_path: Path) -> None:
    text = SWEEP.split("[contenders.both]")[0] + '[contenders.twin]\nmodel = "small_cnn"\nparameters = { hidden = 8 }\n'
    summary = bakeoff.run_study(parse_study(text, "twins", "twins.toml"), out=tmp_path, jobs=1)
    assert [c["name"] for c in summary["contenders"]] == ["base", "twin"]


@pytest.mark.filterwarnings("ignore::bakeoff.data.sources.DataWarning")
@pytest.mark.parametrize("scale", ["smoke", "laptop", "full"])
@pytest.mark.parametrize("name", [name for name, study in packaged_studies().items() if study.sweeps])
def test_no_packaged_sweep_trains_the_same_twice(name: str, scale: str) -> None:
    study = make_plan(find_study(name), scale)
    loaded, absent = load_datasets(study)
    if absent:
        pytest.skip("; ".join(map(str, absent.values())))
    checked = check_plan(study, loaded)
    points = {point.contender for sweep in checked.sweeps for point in sweep.points}
    runs = [spec for spec in checked.specs() if spec.seed == 0 and spec.contender in points]
    assert len({json.dumps([spec.dataset, resolved(spec)]) for spec in runs}) == len(points)
    assert all(len({point.contender for point in sweep.points}) > 1 for sweep in checked.sweeps)
