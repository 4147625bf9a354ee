"""The command line as a user meets it: what it prints, its exit codes, and its one-sentence errors."""

import contextlib
import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bakeoff.cli import bakeoff, exit_code
from bakeoff.data import load_dataset
from bakeoff.record import find_runs, read_run, status
from bakeoff.spec import Recipe

Call = Callable[..., tuple[int, str, str]]
RunText = Callable[..., dict[str, Any]]
STUDY = (Path(__file__).parent / "tiny.toml").read_text().replace("epochs = 1", "epochs = 2")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run of a linear model on digits, and its study."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "tiny.toml").write_text(STUDY)
    command = ["run", str(folder / "tiny.toml"), "--out", str(folder / "out"), "--jobs", "1", "--json"]
    assert exit_code(lambda: bakeoff.main(command, "bakeoff", standalone_mode=False)) == 0
    return folder


@pytest.fixture
def run(trained: Path) -> Path:
    return next(path for path in find_runs(trained / "out") if path.name.startswith("quick-seed0"))


# errors


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["rum", "quickstart"], "No such command 'rum'. Did you mean 'run'?"),
        (["run", "quickstrat"], "no study 'quickstrat' (closest: quickstart)"),
        (["run", "nowhere.toml"], "nowhere.toml: no such file"),
        (["run", "quickstart", "--scale", "huge"], "study quickstart: no scale 'huge'"),
        (["run", "quickstart", "--only", "cnov"], "no contender 'cnov' (closest: conv"),
        (["run", "quickstart", "--only", ","], "--only: no contender is named"),
        (["run", "quickstart", "--seeds", "0"], "seeds = 0: must be 1 or more"),
        (["run", "quickstart", "--jobs", "0"], "options: jobs = '0': must be greater than or equal to 1"),
        (["run", "quickstart", "--engine", "work"], "engine: unknown choice 'work' (closest: workers"),
        (["run", "quickstart", "--device", "tpu9"], "device 'tpu9': not on this machine"),
        (["train", "digist", "conv"], "unknown dataset 'digist' (closest: digits"),
        (["train", "digits", "conv", "--feed", "fresh"], "recipe: feed is now called task"),
        (["run", "quickstart", "--views", "several"], "views is now called tta"),
        (["train", "digits", "conv", "--task", "placed"], "recipe: task: 'placed' is now called 'heatmap'"),
        (["train", "digits", "cnov"], "model: unknown choice 'cnov' (closest: conv"),
        (["train", "digits", "small_cnn:widht=3"], "model small_cnn: unknown key 'widht' (closest: width"),
        (["train", "digits", "conv", "--epoch", "2"], "No such option '--epoch'"),
        (["train", "digits", "conv", "--epochs", "two"], "recipe: epochs = 'two': must be a valid integer"),
        (["train", "digits", "conv", "--lr", "-1"], "recipe: lr = '-1': must be greater than 0"),
        (["train", "digits", "conv", "--optimizer", "sdg"], "recipe: optimizer: unknown choice 'sdg' (closest: sgd"),
        (["train", "digits", "conv", "--schedule", "stp"], "recipe: schedule: unknown choice 'stp' (closest: step"),
        (["train", "digits", "conv", "--augment", "spin"], "augment: unknown choice 'spin'"),
        (["train", "digits", "conv", "--images", "3"], "a subset of 3 images"),
        (["train", "digits", "conv", "--validation", "2"], "validation = 2.0: must be less than 1"),
        (["report", "nowhere"], "nowhere: not a study's directory"),
        (["compare", "nowhere"], "nowhere: no finished run there"),
        (["evaluate", "nowhere"], "nowhere: not a run"),
        (["predict", "nowhere"], "give either IMAGES or --split"),
        (["list", "modles"], "'modles' is not one of"),
        (["data", "shwo", "digits"], "No such command 'shwo'. Did you mean 'show'?"),
        (["data", "fetch", "digits"], "digits"),
        (["data", "show", "digist"], "unknown dataset 'digist'"),
    ],
)
def test_bad_usage_exits_2_with_one_line(call: Call, tmp_path: Path, arguments: list[str], sentence: str) -> None:
    if arguments[0] in ("run", "train"):
        arguments = [*arguments, "--out", str(tmp_path)]
    code, out, err = call(*arguments)
    assert code == 2, err
    assert sentence in err
    assert out == ""
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err


def test_data_that_are_missing_exit_1_and_say_where_they_go(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BAKEOFF_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    code, _, err = call("train", "mnist", "conv", "--out", tmp_path)
    assert code == 1
    assert "bakeoff data fetch mnist" in err
    assert "train-images-idx3-ubyte.gz" in err
    assert len(err.splitlines()) == 1


# help and lists


def test_every_recipe_field_is_an_option_of_train_and_nothing_else_is(call: Call) -> None:
    code, out, _ = call("train", "--help")
    assert code == 0
    offered = {word.strip(",") for word in out.split() if word.startswith("--")}
    offered = {option for group in offered for option in group.split("/") if not option.startswith("--no-")}
    fields = {"--" + name.replace("_", "-") for name in Recipe.model_fields}
    beside = {"--seed", "--validation", "--images", "--threads", "--device", "--out", "--json", "--help", "--from"}
    assert offered == fields | beside | {"--checkpoint-seconds", "--plugin"}


def test_help_does_not_import_torch() -> None:
    """`bakeoff --help` answers at once because nothing heavy is imported."""
    code = "import sys, bakeoff.cli; print([m for m in ('torch', 'pydantic', 'rich', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("what", ["studies", "datasets", "models", "runs"])
def test_lists(call: Call, trained: Path, what: str) -> None:
    code, out, _ = call("list", what, "--out", trained / "out", "--json")
    assert code == 0
    first = [next(iter(row.values())) for row in json.loads(out)]
    expected = {"studies": "quickstart", "datasets": "digits", "models": "conv"}
    assert expected[what] in first if what in expected else len(first) == 4
    code, table, _ = call("list", what, "--out", trained / "out")
    assert code == 0
    assert all(name in table for name in first)


@pytest.mark.parametrize("what", ["studies", "models", "runs"])
def test_a_piped_table_is_of_readable_width_and_breaks_no_name(
    call: Call, trained: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.chdir(trained)
    _, out, _ = call("list", what, "--out", "out", "--json")
    names = [str(next(iter(row.values()))) for row in json.loads(out)]
    _, table, _ = call("list", what, "--out", "out")
    assert max(len(line.rstrip()) for line in table.splitlines()) <= 120
    for name in names:
        assert any(line.startswith(f"{name} ") for line in table.splitlines()), name


# run, report, compare


def test_run_prints_the_leaderboard_and_the_report_last(call: Call, trained: Path) -> None:
    code, out, err = call("run", trained / "tiny.toml", "--out", trained / "out", "--jobs", "1")
    assert code == 0
    assert "4 runs, 4 of them finished already" in err
    assert out.splitlines()[-1] == f"report: {trained / 'out' / 'tiny' / 'full' / 'report.html'}"
    assert "Which of two linear models?" in out
    assert (trained / "out" / "tiny" / "full" / "report.html").exists()


def test_run_takes_recipe_fields_and_restarts(call: Call, tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(STUDY)
    command = ["run", tmp_path / "tiny.toml", "--out", tmp_path, "--jobs", "1", "--seeds", "1", "--epochs", "1"]
    code, out, _ = call(*command, "--json")
    assert code == 0
    assert "epochs = 1 in every recipe" in json.loads(out)["overrides"]
    runs = find_runs(tmp_path)
    assert {len((path / "history.jsonl").read_text().splitlines()) for path in runs} == {1}
    page = (tmp_path / "tiny" / "full" / "report.html").read_text()
    assert "--seeds 1 --epochs 1" in page
    before = {path: (path / "run.json").stat().st_mtime_ns for path in runs}
    weights = [(path / "weights.safetensors").read_bytes() for path in runs]
    assert call(*command)[0] == 0
    assert {path: (path / "run.json").stat().st_mtime_ns for path in runs} == before
    assert call(*command, "--restart")[0] == 0
    assert all((path / "run.json").stat().st_mtime_ns > then for path, then in before.items())
    assert [(path / "weights.safetensors").read_bytes() for path in runs] == weights


def test_run_json_is_the_summary(call: Call, trained: Path) -> None:
    code, out, _ = call("run", trained / "tiny.toml", "--out", trained / "out", "--json")
    assert code == 0
    assert json.loads(out) == json.loads((trained / "out" / "tiny" / "full" / "summary.json").read_text())
    assert {c["name"]: c["n"] + c["failed"] for c in json.loads(out)["contenders"]} == {"slow": 2, "quick": 2}


def test_report_renders_the_same_summary(call: Call, trained: Path) -> None:
    before = (trained / "out" / "tiny" / "full" / "summary.json").read_text()
    code, out, _ = call("report", trained / "out" / "tiny", "--json")
    assert code == 0
    assert json.loads(out) == json.loads(before)


def test_compare_of_a_study_gives_the_verdicts_of_its_page(call: Call, run_text: RunText, tmp_path: Path) -> None:
    """A hypothesis weighs more than other pairs: the study's page and `compare` must not disagree on it."""
    text = (Path(__file__).parent / "tiny.toml").read_text().replace("images = 200", "").replace("0.0001", "0.001")
    text += '[contenders.middle]\nmodel = "logistic"\nlr = 0.003\n'
    stated = '[[hypotheses]]\nsays = "Faster is better"\nsource = "ours"\nbetter = "quick"\nworse = "middle"\n'
    summary = run_text(text + stated, seeds=3)
    for folder in (tmp_path / "tiny", tmp_path / "tiny" / "full"):
        code, out, _ = call("compare", folder, "--json")
        assert code == 0
        assert json.loads(out)["comparisons"] == summary["comparisons"]
    _, out, _ = call("compare", *sorted((tmp_path / "tiny").glob("*-seed*")), "--json")
    alone = {frozenset((p["a"], p["b"])): p["p_adjusted"] for p in json.loads(out)["comparisons"]}
    assert any(alone[frozenset((p["a"], p["b"]))] != p["p_adjusted"] for p in summary["comparisons"])


def test_compare_pairs_the_contenders(call: Call, trained: Path) -> None:
    code, out, _ = call("compare", trained / "out" / "tiny", "--json")
    assert code == 0
    (pair,) = json.loads(out)["comparisons"]
    runs = [read_run(path) for path in find_runs(trained / "out" / "tiny")]
    means = {
        name: np.mean(
            [(r.logits("test").argmax(1) == r.labels("test")).mean() for r in runs if r.spec.contender == name]
        )
        for name in ("slow", "quick")
    }
    assert pair["difference"] == pytest.approx(means[pair["a"]] - means[pair["b"]])
    assert (pair["runs"], pair["images"]) == ([2, 2], 300)
    code, table, _ = call("compare", trained / "out" / "tiny", "--margin", "0.9")
    assert code == 0
    assert pair["verdict"] in ("better", "worse")
    assert pair["verdict"] in table, "a shown difference comes before equivalence"
    assert call("compare", trained / "out" / "tiny", "--margin", "1.5")[0] == 2


def test_a_damaged_record_is_trained_again_and_the_others_are_kept(call: Call, trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "out", tmp_path / "out")
    victim, *others = find_runs(tmp_path / "out")
    (victim / "predictions.npz").write_bytes(b"rubbish")
    before = {path: (path / "run.json").read_bytes() for path in others}
    code, out, err = call("report", tmp_path / "out" / "tiny")
    assert code == 1, "the page is written, and lacks a run"
    assert "written without 1 of the records" in err
    assert "predictions.npz: damaged" in (tmp_path / "out" / "tiny" / "full" / "report.md").read_text()
    code, out, err = call("run", trained / "tiny.toml", "--out", tmp_path / "out", "--jobs", "1", "--json")
    assert code == 0
    assert "predictions.npz: damaged" in err
    assert "set aside" in err
    assert all(c["n"] + c["failed"] == 2 for c in json.loads(out)["contenders"])
    assert before == {path: (path / "run.json").read_bytes() for path in others}
    assert any(".damaged-" in path.name for path in (tmp_path / "out" / "tiny").iterdir())


def test_processes_train_the_same_bits_as_one(call: Call, trained: Path, tmp_path: Path) -> None:
    """Two workers side by side, or one after another in the parent."""
    code, _, err = call("run", trained / "tiny.toml", "--out", tmp_path, "--jobs", "2")
    assert code == 0, err
    for path in find_runs(trained / "out"):
        beside = tmp_path / "tiny" / path.name
        assert (beside / "weights.safetensors").read_bytes() == (path / "weights.safetensors").read_bytes()
    assert len(find_runs(tmp_path)) == 4


def test_a_diverged_contender_leaves_the_others(call: Call, tmp_path: Path) -> None:
    text = STUDY.replace("lr = 0.0001", 'optimizer = "sgd"\nbatch_size = 8\nlr = 1000\nl2 = 100\nprecision = "fp32"')
    (tmp_path / "tiny.toml").write_text(text)
    code, out, _ = call("run", tmp_path / "tiny.toml", "--out", tmp_path, "--jobs", "1", "--json")
    assert code == 0
    counts = {c["name"]: (c["n"], c["failed"]) for c in json.loads(out)["contenders"]}
    assert counts == {"slow": (0, 2), "quick": (2, 0)}


# train, evaluate, predict, data


def test_train_json(call: Call, tmp_path: Path) -> None:
    command = ["train", "digits", "logistic", "--epochs", "2", "--lr", "0.01", "--out", tmp_path, "--json"]
    code, out, _ = call(*command)
    assert code == 0
    result = json.loads(out)
    assert {"run", "train_accuracy", "validation_accuracy", "parameters", "seconds"} <= set(result)
    assert not any("test" in key for key in result), "a trial shows validation; the test split is asked for apart"
    assert result["parameters"] == 7850
    run = read_run(Path(result["run"]))
    assert run.spec.recipe == Recipe(epochs=2, lr=0.01)
    right = run.logits("validation").argmax(1) == run.labels("validation")
    assert result["validation_accuracy"] == pytest.approx(right.mean())
    assert call(*command)[1] == out, "a finished run is not trained again"


def test_train_names_the_epoch_it_keeps(call: Call, tmp_path: Path) -> None:
    """Steps far too large from the second epoch on: the best validation loss is not the last one."""
    recipe = ["--epochs", "4", "--keep", "best", "--schedule", "one-cycle:warmup=0.9", "--lr", "30"]
    code, out, _ = call("train", "digits", "logistic", *recipe, "--out", tmp_path)
    assert code == 0
    (path,) = find_runs(tmp_path)
    losses = [json.loads(line)["validation_loss"] for line in (path / "history.jsonl").read_text().splitlines()]
    assert losses.index(min(losses)) < 3
    assert f"kept: the weights after epoch {losses.index(min(losses)) + 1}, best by validation loss" in out


def test_evaluate_measures_what_the_record_says(call: Call, run: Path) -> None:
    code, out, _ = call("evaluate", run, "--split", "test", "--json")
    assert code == 0
    result = json.loads(out)
    assert result["accuracy"]["mean"] == pytest.approx(read_run(run).test_metrics()["test_accuracy"])
    assert result["accuracy"]["low"] < result["accuracy"]["mean"] < result["accuracy"]["high"]
    assert result["n"] == 300
    assert "accuracy" in call("evaluate", run, "--split", "validation")[1]


def test_predict_a_split_for_a_competition(call: Call, run: Path, tmp_path: Path) -> None:
    file = tmp_path / "submission.csv"
    columns = ["--id-column", "Id", "--label-column", "Category"]
    code, out, _ = call("predict", run, "--split", "test", "--csv", file, *columns)
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    assert list(rows[0]) == ["Id", "Category"]
    assert [int(row["Id"]) for row in rows] == load_dataset("digits").test.ids.tolist()
    assert [int(row["Category"]) for row in rows] == read_run(run).logits("test").argmax(1).tolist()
    assert str(file) in out


def test_predict_images(call: Call, run: Path, tmp_path: Path) -> None:
    """PNG files of test images get the labels that the record's logits give them."""
    images = load_dataset("digits").test.images[:3, 0]
    for index, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{index}.png")
    code, out, _ = call("predict", run, tmp_path, "--confidence")
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [int(row["label"]) for row in rows] == read_run(run).logits("test")[:3].argmax(1).tolist()
    assert all(0 < float(row["confidence"]) <= 1 for row in rows)
    Image.fromarray(images[0]).resize((50, 40)).save(tmp_path / "0.png")
    assert call("predict", run, tmp_path)[0] in (1, 2)
    assert call("predict", run, tmp_path, "--resize", "pad")[0] == 0


def test_ids_count_from_where_the_competition_does(call: Call, run: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "new.npz", images=load_dataset("digits").test.images[:4, 0])
    ids = {
        first: [int(row["id"]) for row in csv.DictReader(io.StringIO(call(*command)[1]))]
        for first, command in {
            0: ["predict", run, tmp_path / "new.npz"],
            1: ["predict", run, tmp_path / "new.npz", "--first-id", "1"],
        }.items()
    }
    assert ids == {0: [0, 1, 2, 3], 1: [1, 2, 3, 4]}
    _, out, _ = call("predict", run, tmp_path / "new.npz", "--first-id", "1", "--json")
    assert [row["id"] for row in json.loads(out)] == ids[1]


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "standard output", "dash"])
def test_predictions_go_through_what_is_no_regular_file(call: Call, run: Path, tmp_path: Path, kind: str) -> None:
    """A link, a pipe and /dev/stdout stay what they are: `--csv /dev/stdout` as root must not replace the device."""
    _, expected, _ = call("predict", run, "--split", "validation")
    target = tmp_path / "out.csv"
    place = {"standard output": Path("/dev/stdout"), "dash": Path("-")}.get(kind, tmp_path / "place")
    read: list[str] = []
    if kind.endswith("link"):
        place.symlink_to(target)
        if kind == "link":
            target.write_text("before")
    if kind == "pipe":
        os.mkfifo(place)
        reader = threading.Thread(target=lambda: read.append(place.read_text()), daemon=True)
        reader.start()
    code, out, err = call("predict", run, "--split", "validation", "--csv", place)
    assert code == 0, err
    if kind.endswith("link"):
        assert place.is_symlink()
        assert target.read_text() == expected
    elif kind == "pipe":
        reader.join(timeout=30)
        assert read == [expected]
        assert place.is_fifo()
    else:
        assert out == expected
        assert Path("/dev/stdout").is_symlink()


def test_output_that_cannot_be_written_is_one_sentence(run: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bakeoff", "predict", str(run), "--split", "validation"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "bakeoff: while writing: No space left on device\n")
    done = subprocess.run([*command, "--csv", "/dev/full"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "bakeoff: /dev/full: cannot be written: No space left on device\n"
    done = subprocess.run([*command, "--csv", tmp_path / "no" / "x.csv"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "there is no folder" in done.stderr


def test_data_show_counts_and_draws(call: Call, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    code, out, _ = call("data", "show", "digits", "--sheet", sheet, "--json")
    assert code == 0
    result = json.loads(out)
    assert {part: sum(values) for part, values in result["counts"].items()} == {
        "train": 1247,
        "validation": 250,
        "test": 300,
    }
    with Image.open(sheet) as picture:
        assert picture.width > 200
    assert "contact sheet" in call("data", "show", "digits", "--sheet", sheet)[1]


# interruption


@contextlib.contextmanager
def started(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A `bakeoff` process, killed at the end if it still runs."""
    command = [sys.executable, "-m", "bakeoff.cli", *(str(a) for a in arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def children(parent: int) -> list[str]:
    """The /proc folders of a process's children."""
    folders = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(file.read_text().rpartition(")")[2].split()[1]) == parent:
                folders.append(str(file.parent))
    return folders


def wait_until(condition, process: subprocess.Popen[str], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited too long"
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


LONG = STUDY.replace("epochs = 2", "epochs = 400")


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_leaves_resumable_runs_and_exits_130(tmp_path: Path, jobs: int) -> None:
    (tmp_path / "tiny.toml").write_text(LONG)
    command = ["run", tmp_path / "tiny.toml", "--out", tmp_path, "--jobs", jobs, "--checkpoint-seconds", 0]
    with started(*command) as process:
        wait_until(lambda: list(tmp_path.glob("tiny/*/checkpoint/*.safetensors")), process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "the same command goes on" in err
    assert "Traceback" not in err
    begun = [path for path in find_runs(tmp_path) if status(path) == "running"]
    assert begun
    assert all(list((path / "checkpoint").glob("*.safetensors")) for path in begun)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_a_killed_study_leaves_no_worker_behind(tmp_path: Path) -> None:
    """SIGKILL of the parent: its workers end by themselves, and the same command goes on."""
    (tmp_path / "tiny.toml").write_text(LONG)
    command = ["run", tmp_path / "tiny.toml", "--out", tmp_path, "--jobs", 2, "--checkpoint-seconds", 0.1]
    with started(*command) as process:
        wait_until(lambda: len(list(tmp_path.glob("tiny/*/checkpoint/*.safetensors"))) == 2, process)
        workers = [path for path in map(Path, children(process.pid)) if path.exists()]
        assert len(workers) >= 2
        process.kill()
    until = time.monotonic() + 10
    while any(path.exists() for path in workers):
        assert time.monotonic() < until, "a worker outlives its parent"
        time.sleep(0.05)
    left = {file: file.stat().st_mtime_ns for file in tmp_path.glob("tiny/*/checkpoint/*.safetensors")}
    with started(*command) as again:
        wait_until(lambda: any(not f.exists() or f.stat().st_mtime_ns > then for f, then in left.items()), again)
        again.send_signal(signal.SIGINT)
        _, err = again.communicate(timeout=60)
    assert again.returncode == 130, err
    assert "another process" not in err
    assert "goes on in epoch" in err
