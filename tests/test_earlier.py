"""Records that version 0.1 wrote (format 1, results rules 3): they open and are used; none is silently trained again.

tests/earlier/ was made by `bakeoff train bars.npz logistic --epochs 1 --batch-size 16 --schedule constant --out runs`
and `bakeoff run study.toml --out studies`; tests/earlier/renamed/ by a later version (format 2), when the recipe's
fields `task`, `tta` and `rounds` were called feed, views and fits.
"""

import json
import shutil
from pathlib import Path

import pytest

from bakeoff.errors import BakeoffError
from bakeoff.record import find_runs, read_run
from bakeoff.spec import RESULTS
from bakeoff.studies.reports import report
from bakeoff.studies.runner import run_study
from bakeoff.studies.train import train

EARLIER = Path(__file__).parent / "earlier"
RECIPE = {"epochs": 1, "batch_size": 16, "schedule": "constant"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(EARLIER, tmp_path / "earlier")
    monkeypatch.chdir(tmp_path / "earlier")
    return tmp_path / "earlier"


def state(folder: Path) -> dict[str, bytes]:
    """Every file of every run, except for the count of readings of the test split."""
    files = [file for path in find_runs(folder) for file in sorted(path.iterdir())]
    return {str(file): file.read_bytes() for file in files if file.name != "test_reads.jsonl"}


@pytest.mark.parametrize("name", ["runs/logistic-seed0-7c09aea5", "studies/study/both-seed0-e71b81b2"])
def test_an_earlier_record_opens(name: str) -> None:
    run = read_run(EARLIER / name)
    assert (run.status, run.results, run.notes) == ("finished", 3, ())
    assert [part["environment"]["bakeoff"] for part in run.segments] == ["0.1.0"]
    assert run.logits("test").shape == (15, 3)


def test_a_call_of_train_uses_it_and_says_so(folder: Path) -> None:
    before = state(folder / "runs")
    with pytest.warns(UserWarning, match=rf"^1 run was made by an earlier version \(results rules 3; now {RESULTS}\)"):
        run = train("bars.npz", "logistic", **RECIPE, threads=1)
    assert run.path == Path("runs/logistic-seed0-7c09aea5")
    assert state(folder / "runs") == before


@pytest.mark.usefixtures("folder")
def test_another_seed_recipe_or_data_is_trained() -> None:
    assert train("bars.npz", "logistic", **RECIPE, seed=1, threads=1).results == RESULTS
    assert train("bars.npz", "logistic", **{**RECIPE, "lr": 0.1}, threads=1).results == RESULTS
    assert train("bars.npz", "logistic", **RECIPE, images=60, threads=1).results == RESULTS


def test_a_study_uses_them_and_the_page_says_so(folder: Path) -> None:
    before = state(folder / "studies")
    sentence = f"3 runs were made by an earlier version (results rules 3; now {RESULTS}): kept"
    with pytest.warns(UserWarning, match="made by an earlier version") as warned:
        run_study("study.toml", out="studies", jobs=1)
    assert sum(sentence in str(warning.message) for warning in warned) == 1
    assert state(folder / "studies") == before
    assert all(sentence in Path(f"studies/study/full/report.{kind}").read_text() for kind in ("html", "md"))


def test_restart_trains_them_again_beside(folder: Path) -> None:
    before = state(folder / "studies")
    run_study("study.toml", out="studies", jobs=1, restart=True, seeds=1)
    runs = json.loads(Path("studies/study/full/manifest.json").read_text())["plan"]["runs"]
    assert {read_run(folder / "studies/study" / run["directory"]).results for run in runs} == {RESULTS}
    after = state(folder / "studies")
    assert {name: after[name] for name in before} == before


def test_a_damaged_earlier_record_does_not_count(folder: Path) -> None:
    file = folder / "runs/logistic-seed0-7c09aea5/weights.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    assert train("bars.npz", "logistic", **RECIPE, threads=1).results == RESULTS
    assert file.exists()


def test_an_earlier_page_can_be_rendered(folder: Path) -> None:
    """After a run, which trains nothing: the report had another layout."""
    with pytest.raises(BakeoffError, match=r"study.json: not a study as this version .* writes it: the study's `bak"):
        report(folder / "studies" / "study")
    with pytest.warns(UserWarning, match="made by an earlier version"):
        run_study("study.toml", out="studies", jobs=1)
    with pytest.warns(UserWarning, match="made by an earlier version"):
        (summary,) = report(folder / "studies" / "study").values()
    assert [contender["n"] + contender["failed"] for contender in summary["contenders"]] == [1, 1, 1]


DIGITS = "largest-digit:digits=digits,count=60,test_count=30"
RENAMED = [
    ("logistic-seed0-249ee89d", ["bars.npz", "logistic"], {**RECIPE, "rounds": 2, "tta": "several"}),
    (
        "logistic-seed0-c2d67db7",
        [DIGITS, "logistic"],
        {"epochs": 2, "task": "generated:times=2", "fallback": "switch:after=1,gain=0.99"},
    ),
    (
        "locator-width=1,blocks=1-seed0-d6cb2937",
        [DIGITS, "heatmap_classifier:width=1,blocks=1"],
        {"task": "heatmap:cells=1"},
    ),
]


@pytest.mark.parametrize(("name", "what", "recipe"), RENAMED, ids=[name for name, *_ in RENAMED])
def test_a_record_of_when_fields_had_other_names_is_used(folder: Path, name: str, what: list, recipe: dict) -> None:
    before = state(folder / "renamed")
    if what[0] == DIGITS:
        recipe = {"epochs": 1, "batch_size": 32, "preprocess": ["downscale:times=8"], **recipe}
        recipe |= {"precision": "fp32"} if "heatmap" in recipe["task"] else {}
    run = train(*what, **recipe, threads=1, out="renamed")
    assert run.path == Path("renamed") / name
    assert run.notes == ()
    assert run.fallback_epoch == (1 if "fallback" in recipe else None)
    assert [row["round"] for row in run.history] == ([0, 1] if recipe.get("rounds") == 2 else [0] * len(run.history))
    assert state(folder / "renamed") == before
    assert train(*what, **{**recipe, "rounds": 3}, threads=1, out="renamed").path.name != name
