"""Studies end to end through the Python surface, on the embedded digits."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import softmax

import bakeoff
from bakeoff.data.preprocess import model_shape
from bakeoff.errors import BakeoffError
from bakeoff.models import create_model
from bakeoff.record import find_runs, read_run
from bakeoff.report.sections import SECTIONS
from bakeoff.ship.predict import evaluate as measure
from bakeoff.spec.plan import make_plan
from bakeoff.spec.study_file import parse_study
from bakeoff.studies import reports
from bakeoff.studies.comparing import compare
from bakeoff.studies.packaged import find_study, published_studies
from bakeoff.studies.prepare import check_plan, load_datasets
from bakeoff.studies.train import train_further

RunText = Callable[..., dict[str, Any]]
STUDY = (Path(__file__).parents[1] / "tiny.toml").read_text()


def test_only_what_changed_is_trained_again(run_text: RunText, tmp_path: Path) -> None:
    trained: list[str] = []
    run_text(STUDY, done=trained.append)
    assert len(trained) == 4
    trained.clear()
    summary = run_text(STUDY.replace("lr = 0.01", "lr = 0.02").replace('"Tiny"', '"Renamed"'), done=trained.append)
    assert [name.rsplit("-", 1)[0] for name in trained] == ["quick-seed0", "quick-seed1"]
    assert {c["name"]: c["n"] + c["failed"] for c in summary["contenders"]} == {"slow": 2, "quick": 2}
    assert len(find_runs(tmp_path)) == 6, "the old runs are kept"


def test_more_seeds_keep_the_first_ones(run_text: RunText) -> None:
    run_text(STUDY)
    trained: list[str] = []
    with pytest.warns(UserWarning, match="the report of `bakeoff run tiny` is replaced; its runs are kept"):
        summary = run_text(STUDY, seeds=3, done=trained.append)
    assert sorted(name.rsplit("-", 1)[0] for name in trained) == ["quick-seed2", "slow-seed2"]
    assert all(c["n"] + c["failed"] == 3 for c in summary["contenders"])


def test_a_contender_under_another_name_is_not_trained_again(run_text: RunText, tmp_path: Path) -> None:
    """Nor is the ensemble that it is a member of; the report has the new names."""
    text = STUDY + '[contenders.both]\nensemble = ["slow", "quick"]\n'
    before = run_text(text)
    trained: list[str] = []
    renamed = text.replace("quick", "fast").replace("both", "team")
    summary = run_text(renamed, done=trained.append)
    assert trained == []
    assert [c["name"] for c in summary["contenders"]] == ["slow", "fast", "team"]
    figures = [[c["test_accuracy"] for c in each["contenders"]] for each in (before, summary)]
    assert figures[0] == figures[1]
    assert "quick" not in (tmp_path / "tiny" / "full" / "report.md").read_text().replace("quick-seed", "")


@pytest.mark.filterwarnings("ignore:.*no better than guessing")
def test_scales_lie_side_by_side_and_share_their_runs(run_text: RunText, tmp_path: Path) -> None:
    """Both are rendered again, each by itself or both; compare takes the runs of the report written last."""
    text = STUDY + "[scales.small]\nseeds = 1\n"
    run_text(text)
    trained: list[str] = []
    assert [c["n"] + c["failed"] for c in run_text(text, scale="small", done=trained.append)["contenders"]] == [1, 1]
    assert trained == []
    folder = tmp_path / "tiny"
    assert [place.name for place in reports.report(folder)] == ["full", "small"]
    assert [place.name for place in reports.report(folder / "full")] == ["full"]
    for place, seeds in (("full", 2), ("small", 1), (".", 1)):
        (pair,) = compare([folder / place])
        assert pair["runs"] == [seeds, seeds]


def test_a_report_says_what_is_missing(run_text: RunText, tmp_path: Path) -> None:
    run_text(STUDY)
    gone = next(path for path in find_runs(tmp_path) if path.name.startswith("slow-seed1"))
    for file in gone.iterdir():
        file.unlink()
    gone.rmdir()
    with pytest.warns(UserWarning, match="slow, seed 1: no finished record"):
        summary = reports.report(tmp_path / "tiny")[tmp_path / "tiny" / "full"]
    assert {c["name"]: c["n"] + c["failed"] for c in summary["contenders"]} == {"slow": 1, "quick": 2}
    assert "slow, seed 1: no finished record" in (tmp_path / "tiny" / "full" / "report.md").read_text()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            ('model = "logistic"\nlr = 0.01', 'model = "logistc"'),
            "contender quick: model: unknown choice 'logistc'",
        ),
        (('model = "logistic"\nlr = 0.01', 'model = "conv"\nparameters = { width = 3 }'), "takes no parameters"),
        (("epochs = 1", 'epochs = 1\naugment = ["spin"]'), "contender slow: augment: unknown choice 'spin'"),
        (
            ("lr = 0.01\n", 'lr = 0.01\n[[sections]]\nkind = "leaderbord"\n'),
            r"no section 'leaderbord' \(closest: leaderboard",
        ),
        (("lr = 0.01\n", 'lr = 0.01\n[[sections]]\nkind = "league"\n'), "section 'league' is now called 'leaderboard'"),
        (('"digits"', '"digist"'), r"unknown dataset 'digist' \(closest: digits"),
    ],
)
def test_a_study_is_checked_before_anything_is_trained(
    run_text: RunText, tmp_path: Path, change: tuple[str, str], sentence: str
) -> None:
    with pytest.raises(bakeoff.UsageError, match=sentence):
        run_text(STUDY.replace(*change))
    assert find_runs(tmp_path) == []


def test_a_script_without_a_main_guard(tmp_path: Path) -> None:
    """Workers do not import the caller's script: it runs once, and the study ends."""
    (tmp_path / "tiny.toml").write_text(STUDY)
    (tmp_path / "script.py").write_text("import bakeoff\nprint('once')\nbakeoff.run_study('tiny.toml', jobs=2)\n")
    command = [sys.executable, "script.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "once\n"
    assert len(find_runs(tmp_path / "runs")) == 4


def test_train_returns_a_run(tmp_path: Path) -> None:
    run = bakeoff.train("digits", "small_cnn:width=4", epochs=1, images=200, out=tmp_path, threads=1)
    assert isinstance(run, bakeoff.Run)
    assert run.spec.parameters["width"] == 4
    assert read_run(run.path).metrics == run.metrics


def test_the_public_surface_is_what_it_says() -> None:
    for name in bakeoff.__all__:
        assert getattr(bakeoff, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        bakeoff.trian  # noqa: B018


@pytest.mark.parametrize("name", published_studies())
def test_published_studies_at_smoke_scale(name: str, tmp_path: Path) -> None:
    """On embedded data: every contender of the scale trains, and every section that has something to show is there."""
    summary = bakeoff.run_study(name, scale="smoke", out=tmp_path, jobs=1)
    study = find_study(name)
    small = make_plan(study, "smoke")
    assert {c["name"]: c["n"] + c["failed"] for c in summary["contenders"]} == {
        c.name: 1 if c.over_seeds else 2 for c in small.contenders
    }
    assert len(summary["sweeps"]) == len(study.sweeps)
    assert json.loads((tmp_path / name / "smoke" / "summary.json").read_text()) == summary
    page = (tmp_path / name / "smoke" / "report.html").read_text()
    optional = ("sweeps", "curves", "reported", "hypotheses", "diagnoses")
    expected = [k for k in SECTIONS if (k not in optional or name == "small-cnn") and k != "label_noise"]
    if not any(c["n"] for c in summary["contenders"]):  # no section that rests on results
        expected = ["leaderboard", "environment"]
    assert [kind for kind in expected if f'id="{kind.replace("_", "-")}"' not in page] == []
    assert f"instead of {study.dataset}" in page


@pytest.mark.filterwarnings("ignore::bakeoff.data.sources.DataWarning")
@pytest.mark.parametrize("name", published_studies())
def test_published_studies_could_run_at_laptop_scale(name: str) -> None:
    """Every model takes the size that the scale gives it, and every cut is a valid recipe: nothing is trained."""
    study = make_plan(find_study(name), "laptop")
    loaded, absent = load_datasets(study)
    if absent:
        pytest.skip("; ".join(map(str, absent.values())))
    assert len(check_plan(study, loaded).contenders) == len(study.contenders)


TEAM = """
title = "Team"
question = "Do networks gain by what others know?"
dataset = "digits"
images = 200
seeds = 2
[recipe]
epochs = 1
[contenders.team]
ensemble = ["student", "teacher"]
[contenders.student]
model = "logistic"
teacher = "teacher"
pool = "test:confidence=0.1"
[contenders.alone]
model = "logistic"
lr = 0.02
[contenders.teacher]
model = "logistic"
lr = 0.01
[contenders.all]
ensemble = ["alone", "teacher"]
over_seeds = true
"""


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_others_need_is_trained_first(tmp_path: Path, jobs: int) -> None:
    trained: list[str] = []
    study = parse_study(TEAM, "team", "team.toml")
    summary = bakeoff.run_study(study, out=tmp_path, jobs=jobs, done=trained.append)
    assert {c["name"]: c["n"] + c["failed"] for c in summary["contenders"]} == {
        "team": 2,
        "student": 2,
        "alone": 2,
        "teacher": 2,
        "all": 1,
    }
    runs = {path.name: read_run(path) for path in find_runs(tmp_path)}
    assert sorted(trained) == sorted(runs)
    by_name = {name.rsplit("-", 1)[0]: run for name, run in runs.items()}
    for seed in (0, 1):
        team, student, teacher = (by_name[f"{name}-seed{seed}"] for name in ("team", "student", "teacher"))
        assert student.pool is not None
        assert student.pool["teacher"] == teacher.path.name
        assert team.needs == (student.path.name, teacher.path.name)
        assert trained.index(teacher.path.name) < trained.index(student.path.name) < trained.index(team.path.name)
    members = [by_name[f"{name}-seed{seed}"] for name in ("alone", "teacher") for seed in (0, 1)]
    mean = np.log(np.mean([softmax(member.logits("test").astype(float), axis=1) for member in members], axis=0))
    np.testing.assert_allclose(by_name["all-seed0"].logits("test"), mean, rtol=1e-5, atol=1e-6)


def test_what_needs_something_that_changed_is_made_again(run_text: RunText, tmp_path: Path) -> None:
    """And the report is of the new runs, although the old ones lie beside them."""
    trained: list[str] = []
    run_text(TEAM, "team")
    for change, again in {
        "lr = 0.01": {"teacher", "student", "team", "all"},
        "lr = 0.02": {"alone", "all"},
        "confidence=0.1": {"student", "team"},
    }.items():
        trained.clear()
        study = parse_study(TEAM.replace(change, f"{change}5"), "team", "team.toml")
        summary = bakeoff.run_study(study, out=tmp_path, jobs=1, done=trained.append)
        assert {name.split("-seed")[0] for name in trained} == again
        new = {name for name in trained if name.startswith("all-")}
        ensemble = next(c for c in summary["contenders"] if c["name"] == "all")
        for name in new:
            assert (
                ensemble["test_accuracy"]["mean"] == read_run(tmp_path / "team" / name).test_metrics()["test_accuracy"]
            )
        trained.clear()
        bakeoff.run_study(study, out=tmp_path, jobs=1, done=trained.append)
        assert trained == []


def test_a_member_that_diverged_leaves_the_others(run_text: RunText, tmp_path: Path) -> None:
    bad = 'model = "logistic"\noptimizer = "sgd"\nbatch_size = 8\nlr = 1000\nl2 = 100\nprecision = "fp32"'
    sentence = r"^all-seed0-\w+: needs alone-seed0-\w+, which diverged; the other runs are in"
    with pytest.warns(UserWarning, match="all, seed 0: failed: needs alone-seed0"):  # noqa: SIM117 - the error comes last
        with pytest.raises(bakeoff.BakeoffError, match=sentence):
            run_text(TEAM.replace('model = "logistic"\nlr = 0.02', bad), "team")
    summary = json.loads((tmp_path / "team" / "full" / "summary.json").read_text())
    assert {c["name"]: (c["n"], c["failed"]) for c in summary["contenders"]} == {
        "team": (2, 0),
        "student": (1, 1),
        "alone": (0, 2),
        "teacher": (2, 0),
        "all": (0, 1),
    }


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            '"teacher"\npool',
            '"teachr"\npool',
            r"contender student: teacher 'teachr': neither a contender .* \(closest: tea",
        ),
        (
            "over_seeds = true",
            'over_seeds = true\ntta = "several:shift=40"',
            "contender all: tta: several:shift=40 is too much",
        ),
    ],
)
def test_ensembles_and_students_are_checked_first(
    run_text: RunText, tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    with pytest.raises(bakeoff.UsageError, match=sentence):
        run_text(TEAM.replace(old, new), "team")
    assert find_runs(tmp_path) == []


def test_a_teacher_of_other_images_is_refused(run_text: RunText, tmp_path: Path) -> None:
    np.savez(tmp_path / "wide.npz", images=np.zeros((400, 9, 9), np.uint8), labels=np.arange(400) % 10)
    text = TEAM.replace("lr = 0.01", f'dataset = "{tmp_path / "wide.npz"}"').replace(
        '"student", "teacher"', '"student"'
    )
    with pytest.raises(
        bakeoff.UsageError, match=r"contender student: teacher 'teacher': is trained on .*wide.*other classes or"
    ):
        run_text(text.replace('["alone", "teacher"]', '["alone"]'), "team")


def test_an_ensemble_answers_but_cannot_be_trained_further(run_text: RunText, tmp_path: Path) -> None:
    run_text(TEAM, "team", only=["alone", "teacher", "all"])
    path = next(path for path in find_runs(tmp_path) if path.name.startswith("all-"))
    run = read_run(path)
    sentence = measure(run, None, "test")
    assert sentence["accuracy"]["mean"] == run.test_metrics()["test_accuracy"]
    with pytest.raises(bakeoff.UsageError, match=rf"no weights of its own; its members have: {', '.join(run.needs)}$"):
        train_further(path, out=tmp_path)


def test_a_dataset_that_is_not_at_hand_is_left_out_of_several(
    run_text: RunText, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a warning, on the page, and with the way to get it; asked for, or alone, it is an error."""
    for name in ("BAKEOFF_DATA", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "nothing"))
    text = """
title = "t"
question = "q"
dataset = "digits"
images = 200
seeds = 1
recipe = { epochs = 1 }
contenders.near = { model = "logistic" }
contenders.far = { model = "logistic", dataset = "cifar10" }
"""
    with pytest.warns(UserWarning, match="two goes on without far: cifar10: there is no"):
        summary = run_text(text, "two")
    assert [c["name"] for c in summary["contenders"]] == ["near"]
    assert "cifar10: not at hand, `bakeoff data fetch cifar10` gets it" in summary["overrides"]
    assert "bakeoff data fetch cifar10" in (tmp_path / "two" / "full" / "report.md").read_text()
    for selection in ({"datasets": "cifar10"}, {"only": "far"}):
        with pytest.raises(BakeoffError, match="cifar10: there is no"):
            run_text(text, "two", **selection)


def test_a_study_s_folder_of_an_earlier_version(tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text("{}")
    with pytest.raises(BakeoffError, match=r"not a study as this version .* writes it: the study's `bakeoff run`"):
        reports.report(tmp_path)


@pytest.mark.parametrize("jobs", [1, 2])
def test_data_are_read_once(tmp_path: Path, jobs: int) -> None:
    """Workers are given what the study has loaded: the file may go away."""
    labels = np.arange(400) % 4
    file = tmp_path / "own.npz"
    np.savez(file, images=np.arange(400 * 25, dtype=np.uint8).reshape(400, 5, 5), labels=labels)
    study = parse_study(STUDY.replace('"digits"', f'"{file}"'), "tiny", "tiny.toml")
    summary = bakeoff.run_study(study, out=tmp_path, jobs=jobs, begin=lambda _total, _missing: file.unlink())
    assert [c["n"] + c["failed"] for c in summary["contenders"]] == [2, 2]


SPLIT = """
title = "Split"
question = "May a contender draw another part for validation?"
dataset = "digits"
seeds = 2
validation = 0.2
[recipe]
epochs = 1
[contenders.plain]
model = "logistic"
[contenders.more]
model = "logistic"
validation = 0.1
"""


def test_a_contender_with_a_validation_part_of_its_own(run_text: RunText, tmp_path: Path) -> None:
    """It is trained on more images, and compared on the same test images."""
    summary = run_text(SPLIT, "split")
    (pair,) = summary["comparisons"]
    assert {pair["a"], pair["b"]} == {"plain", "more"}
    counts = {}
    for path in (tmp_path / "split").glob("*-seed0-*"):
        run = read_run(path)
        counts[run.spec.contender] = {split: sum(images) for split, images in run.dataset["counts"].items()}
    assert counts["plain"]["test"] == counts["more"]["test"]
    assert counts["more"]["train"] > counts["plain"]["train"]
    assert counts["more"]["validation"] < counts["plain"]["validation"]


SHAPES = {"mnist": (1, 28, 28), "cifar10": (3, 32, 32), "largest-digit": (1, 64, 64), "highest-digit": (1, 128, 128)}


@pytest.mark.parametrize("name", published_studies())
def test_every_contender_of_a_published_study_can_be_built(name: str) -> None:
    """At full scale, which no test can train: each model takes its parameters and the size of its images."""
    study = find_study(name)
    for contender in study.contenders:
        if contender.ensemble:
            continue
        channels, height, width = model_shape(contender.recipe.preprocess, SHAPES[study.dataset_of(contender)])
        with torch.device("meta"):
            model = create_model(
                contender.model, channels=channels, classes=10, size=(height, width), **contender.parameters
            )
            images = torch.zeros(2, channels, height, width)
            if contender.model not in (
                "heatmap_classifier",
                "patch_classifier",
            ):  # these answer with places, not with classes
                assert model(images).shape == (2, 10), contender.name
