"""The protocol: nothing but the last measurement meets the test split, and each reading of it is counted and told."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import bakeoff as package
from bakeoff.record import find_runs, read_run
from bakeoff.record.readings import count_reading, count_readings

Call = Callable[..., tuple[int, str, str]]
STUDY = """
title = "Two"
question = "Which of two?"
dataset = "{data}"
seeds = 2
[recipe]
epochs = 2
keep = "best"
[contenders.slow]
model = "logistic"
lr = 0.001
[contenders.quick]
model = "logistic"
lr = 0.01
"""


def write_data(file: Path, *, poison: bool = False, count: int = 240) -> Path:
    """Four classes of 8x8 images, learnable, with a test split of its own; `poison`: its test labels are shuffled."""
    generator = np.random.default_rng(0)
    labels = np.arange(count) % 4
    images = generator.integers(0, 150, (count, 8, 8), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label : 2 * label + 2] += 100
    train, test = slice(0, count * 3 // 4), slice(count * 3 // 4, None)
    shuffled = generator.permutation(labels[test]) if poison else labels[test]
    np.savez(file, x_train=images[train], y_train=labels[train], x_test=images[test], y_test=shuffled)
    return file


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same study twice: on data as they are, and on data whose test labels are shuffled."""
    folders = []
    for poison in (False, True):
        folder = tmp_path_factory.mktemp("poisoned" if poison else "plain")
        data = write_data(folder / "own.npz", poison=poison)
        (folder / "two.toml").write_text(STUDY.format(data=data))
        package.run_study(str(folder / "two.toml"), out=folder / "out", jobs=1)
        folders.append(folder / "out" / "two")
    return folders[0], folders[1]


@pytest.fixture
def study(studies: tuple[Path, Path], tmp_path: Path) -> Path:
    """A copy of the plain study's directory, its page rendered once."""
    shutil.copytree(studies[0].parent, tmp_path / "out")
    return tmp_path / "out" / "two"


def bits(path: Path) -> dict[str, object]:
    """All of a run but its clocks, the name of its data, and what the test labels decide by right."""
    run = read_run(path)
    rows = [{key: value for key, value in row.items() if key != "seconds"} for row in run.history]
    by_right = ("test_labels", "mistake_index", "mistake_images", "confused_index", "confused_images")
    arrays = {key: value.tobytes() for key, value in run.arrays.items() if key not in by_right}
    assert {"test_logits", "validation_logits", "train_logits"} <= set(arrays)
    weights = (path / "weights.safetensors").read_bytes()
    return {"name": run.path.name.rpartition("-")[0], "history": rows, "metrics": run.metrics, "w": weights, **arrays}


def test_shuffled_test_labels_change_nothing_but_the_test_figures(studies: tuple[Path, Path]) -> None:
    plain, poisoned = ([bits(path) for path in find_runs(folder)] for folder in studies)
    assert len(plain) == 4
    assert sorted(plain, key=lambda run: str(run["name"])) == sorted(poisoned, key=lambda run: str(run["name"]))
    summaries = [json.loads((folder / "full" / "summary.json").read_text()) for folder in studies]
    choices = [summary["answer"].split(" ", 1)[0] for summary in summaries]
    assert choices[0] == choices[1]
    for key in ("validation_accuracy", "train_accuracy", "validation_loss"):
        assert [c[key] for c in summaries[0]["contenders"]] == [c[key] for c in summaries[1]["contenders"]]
    assert [c["test_accuracy"] for c in summaries[0]["contenders"]] != [
        c["test_accuracy"] for c in summaries[1]["contenders"]
    ]


# what is shown of a trial


def test_a_trial_shows_validation_and_never_test(call: Call, tmp_path: Path) -> None:
    data = write_data(tmp_path / "own.npz")
    command = ["train", data, "logistic", "--epochs", "1", "--out", tmp_path / "runs"]
    code, out, err = call(*command)
    assert code == 0, err
    assert "validation accuracy" in out
    assert "test" not in out.replace(str(tmp_path), "").lower()
    assert "test" not in call(*command, "--json")[1].replace(str(tmp_path), "")
    (path,) = find_runs(tmp_path / "runs")
    assert not any(key.startswith("test") for key in read_run(path).metrics)
    assert not any(key.startswith("test") for key in json.loads((path / "run.json").read_text())["metrics"])
    code, out, _ = call("list", "runs", "--out", tmp_path / "runs", "--json")
    (row,) = json.loads(out)
    assert row["validation_accuracy"] == read_run(path).metrics["validation_accuracy"]
    assert (row["dataset"], row["test_reads"]) == (str(data), 0)
    assert row["ended"][:2] == "20"
    assert "test_accuracy" not in row
    code, out, _ = call("evaluate", path, "--json")
    assert json.loads(out)["split"] == "validation", "the test split is read when it is asked for"
    assert count_readings(path) == 0


# readings are counted


def test_a_studys_page_is_one_reading_however_often_it_is_rendered(call: Call, study: Path) -> None:
    runs = find_runs(study)
    assert [count_readings(path) for path in runs] == [1] * 4
    assert "read more than once" not in (study / "full" / "report.md").read_text()
    for _ in range(2):
        assert call("report", study)[0] == 0
    assert [count_readings(path) for path in runs] == [1] * 4


def test_each_reading_is_counted_and_shown(call: Call, study: Path) -> None:
    run = next(path for path in find_runs(study) if path.name.startswith("quick-seed0"))
    _, out, _ = call("evaluate", run, "--split", "test", "--json")
    result = json.loads(out)
    assert result["accuracy"]["mean"] == pytest.approx(read_run(run).test_metrics()["test_accuracy"])
    assert result["test_reads"] == 2
    assert call("predict", run, "--split", "test")[0] == 0
    assert call("compare", study)[0] == 0
    assert call("compare", study)[0] == 0, "the same runs again are no new reading"
    assert "read 5 times" in call("evaluate", run, "--split", "test")[1]
    for split in ("validation", "train"):
        assert call("evaluate", run, "--split", split)[0] == 0
    assert call("predict", run, "--split", "validation")[0] == 0
    _, out, _ = call("list", "runs", "--out", study.parent, "--json")
    reads = {Path(row["run"]).name.rpartition("-")[0]: row["test_reads"] for row in json.loads(out)}
    assert reads == {"quick-seed0": 5, "quick-seed1": 2, "slow-seed0": 2, "slow-seed1": 2}
    assert call("report", study)[0] == 0
    for page in ("report.md", "report.html"):
        assert "quick 5 times" in (study / "full" / page).read_text()


def test_an_epoch_chosen_on_the_test_split_is_a_reading(tmp_path: Path) -> None:
    data = write_data(tmp_path / "own.npz")
    for keep, reads in (("best:monitor=test_accuracy", 1), ("best", 0)):
        run = package.train(str(data), "logistic", epochs=2, keep=keep, threads=1, out=tmp_path / "runs")
        assert count_readings(run.path) == reads


def test_a_run_trained_again_keeps_its_count(studies: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.copytree(studies[0].parent, tmp_path / "out")
    run = find_runs(tmp_path / "out" / "two")[0]
    count_reading(run, "evaluate")
    before = (run / "run.json").stat().st_mtime_ns
    study = studies[0].parent.parent / "two.toml"
    package.run_study(str(study), out=tmp_path / "out", jobs=1, restart=True)
    assert (run / "run.json").stat().st_mtime_ns > before
    assert count_readings(run) == 2


def test_a_run_without_the_file_was_never_read(tmp_path: Path) -> None:
    assert count_readings(tmp_path) == 0


def test_a_line_that_a_kill_cut_off_stays_a_reading(tmp_path: Path) -> None:
    count_reading(tmp_path, "evaluate")
    with (tmp_path / "test_reads.jsonl").open("a") as file:
        file.write('{"time": "2025-11')
    count_reading(tmp_path, "evaluate")
    assert count_readings(tmp_path) == 3
    assert json.loads((tmp_path / "test_reads.jsonl").read_text().splitlines()[-1])["by"] == "evaluate"


def test_a_reading_that_cannot_be_written_is_a_warning(
    call: Call, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = find_runs(study)[0]
    opened = Path.open

    def refuse(path: Path, mode: str = "r", *args: object, **more: object) -> object:
        if path.name == "test_reads.jsonl" and "a" in mode:
            raise OSError(30, "Read-only file system")
        return opened(path, mode, *args, **more)

    monkeypatch.setattr(Path, "open", refuse)
    code, out, err = call("evaluate", run, "--split", "test", "--json")
    assert code == 0
    assert json.loads(out)["accuracy"]["mean"] > 0
    assert "test_reads.jsonl: cannot be written (Read-only file system), so this reading" in err
    assert len(err.splitlines()) == 1
