"""A run's data, loaded again: nothing is measured on, taught by or compared with other images than is said."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bakeoff import BakeoffError, UsageError, read_run, run_study, train
from bakeoff.data import load_dataset
from bakeoff.record import Run, find_runs
from bakeoff.spec.study_file import parse_study

Change = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
Call = Callable[..., tuple[int, str, str]]


def images_and_labels() -> tuple[np.ndarray, np.ndarray]:
    """600 images that are all different."""
    images = np.random.default_rng(1).integers(0, 256, (600, 8, 8), dtype=np.uint8)
    return images, np.arange(600) % 3


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Trained on an .npz without splits, so that all three are drawn."""
    folder = tmp_path_factory.mktemp("own")
    images, labels = images_and_labels()
    np.savez(folder / "own.npz", images=images, labels=labels)
    return train(str(folder / "own.npz"), "logistic", epochs=1, threads=1, out=folder)


@pytest.fixture
def data(run: Run) -> Path:
    """The run's own file, written anew for each test."""
    file = Path(run.spec.dataset)
    images, labels = images_and_labels()
    np.savez(file, images=images, labels=labels)
    return file


CHANGES: dict[str, Change] = {
    "three images in front": lambda x, y: (np.concatenate([x[:3] // 2, x]), np.concatenate([y[:3], y])),
    "another order": lambda x, y: (x[::-1], y[::-1]),
    "one other label": lambda x, y: (x, np.concatenate([[2], y[1:]])),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_data_are_not_taken_for_the_runs_own(
    call: Call, run: Run, data: Path, tmp_path: Path, change: str
) -> None:
    """Each split is drawn by places, so that one image in front would put trained images into the test split."""
    before = load_dataset(str(data))
    images, labels = CHANGES[change](*images_and_labels())
    np.savez(data, images=images, labels=labels)
    if change == "three images in front":
        trained_on = {image.tobytes() for image in before.train.images}
        assert sum(image.tobytes() in trained_on for image in load_dataset(str(data)).test.images) > 50
    train_on = ["train", data, "logistic", "--epochs", "1", "--out", tmp_path]
    for command in (
        ["evaluate", run.path, "--split", "test"],
        ["evaluate", run.path],
        ["predict", run.path, "--split", "test"],
        ["train", "--from", run.path, "--out", tmp_path],
        [*train_on, "--weights", run.path],
        [*train_on, "--weights", run.path / "weights.safetensors"],
        [*train_on, "--teacher", run.path, "--pool", "test:confidence=0.1"],
    ):
        code, out, err = call(*command)
        assert (code, out) == (1, ""), command
        assert f"{run.path}: its data, {data}, are not those it was trained on" in err
        assert "417 train, " in err
        assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_training_images_in_other_data_are_counted(call: Call, run: Run, data: Path, tmp_path: Path) -> None:
    """Where they are measured, and where they are predicted, on standard error: the predictions are CSV."""

    def trained_on(file: Path) -> tuple[int | None, str]:
        command = ["evaluate", run.path, "--dataset", file, "--split", "all"]
        code, rows, warnings = call("predict", *command[1:])
        assert (code, rows.splitlines()[0]) == (0, "id,label")
        lines = call(*command)[1].splitlines()
        assert warnings == "".join(f"bakeoff: {line}\n" for line in lines[2:])
        return json.loads(call(*command, "--json")[1])["trained_on"], warnings

    split = load_dataset(str(data))
    new = np.random.default_rng(2).integers(0, 256, (5, 8, 8), dtype=np.uint8)
    mixed = np.concatenate([split.train.images[:7, 0], new])
    np.savez(tmp_path / "mixed.npz", images=mixed, labels=np.arange(12) % 3)
    assert trained_on(tmp_path / "mixed.npz") == (7, "bakeoff: the run was trained on 7 of these images\n")
    np.savez(tmp_path / "new.npz", images=new, labels=np.arange(5) % 3)
    assert trained_on(tmp_path / "new.npz") == (0, "")
    images, labels = CHANGES["three images in front"](*images_and_labels())
    np.savez(tmp_path / "changed.npz", images=images, labels=labels)
    count, warnings = trained_on(tmp_path / "changed.npz")
    assert count is not None
    assert count > 50
    assert f"trained on {count} of these" in warnings
    data.unlink()
    count, warnings = trained_on(tmp_path / "new.npz")
    assert (count, "nobody can tell" in warnings) == (None, True)


def test_the_runs_own_data_by_name_are_its_own(call: Call, run: Run, data: Path) -> None:
    """Named with --dataset, a reading of its test split is counted all the same."""
    reads = [
        json.loads(call("evaluate", run.path, "--split", "test", *more, "--json")[1])["test_reads"]
        for more in ([], ["--dataset", data])
    ]
    assert reads[1] == reads[0] + 1


@pytest.mark.parametrize(("own", "parents", "leaks"), [(0.4, 0.2, True), (0.2, 0.4, False)])
def test_a_parent_that_has_seen_the_validation_images_is_refused(
    data: Path, tmp_path: Path, own: float, parents: float, leaks: bool
) -> None:
    parent = train(str(data), "logistic", epochs=1, validation=parents, threads=1, out=tmp_path / "parent")
    settings = {"epochs": 1, "weights": str(parent.path), "threads": 1, "out": tmp_path / "child"}
    if leaks:
        with pytest.raises(
            UsageError, match=r"was trained on, or chosen by, \d+ of the 200 validation images: .* validation = 0.2"
        ):
            train(str(data), "logistic", validation=own, **settings)
    else:
        assert train(str(data), "logistic", validation=own, **settings).status == "finished"


def test_a_parent_that_has_seen_the_test_images_under_another_name_is_refused(data: Path, tmp_path: Path) -> None:
    """Three images in front, in a file of another name: the places of the test split hold trained images."""
    parent = train(str(data), "logistic", epochs=1, threads=1, out=tmp_path / "parent")
    images, labels = CHANGES["three images in front"](*images_and_labels())
    np.savez(tmp_path / "more.npz", images=images, labels=labels)
    settings = {"epochs": 1, "threads": 1, "out": tmp_path / "child"}
    for key, more in (("weights", {}), ("teacher", {"pool": "test:confidence=0.1"})):
        with pytest.raises(UsageError, match=r"chosen by, \d+ of the \d+ validation images: choose another run"):
            train(str(tmp_path / "more.npz"), "logistic", **{key: str(parent.path)}, **more, **settings)
    new = np.random.default_rng(3).integers(0, 256, (90, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "new.npz", images=new, labels=np.arange(90) % 3)
    assert train(str(tmp_path / "new.npz"), "logistic", weights=str(parent.path), **settings).status == "finished"


@pytest.mark.parametrize("fault", ["trained", "chosen", "of its parent"])
def test_a_parent_that_learnt_from_the_test_images_is_refused(data: Path, tmp_path: Path, fault: str) -> None:
    """What begins from it would be judged by images it has seen, and nothing on a page would tell."""
    settings = {"epochs": 1, "threads": 1, "out": tmp_path}
    if fault == "chosen":
        parent = train(str(data), "logistic", keep="best:monitor=test_accuracy", **settings)
    else:
        teacher = train(str(data), "logistic", **settings)
        taught = {"teacher": str(teacher.path), "pool": "test:confidence=0.1"}
        parent = train(str(data), "logistic", **taught, **settings)
        if fault == "of its parent":
            parent = train(str(data), "logistic", **taught, **{**settings, "weights": str(parent.path)})
    with pytest.raises(UsageError, match=r"was trained on, or chosen by, (\d+) of the \1 test images"):
        train(str(data), "logistic", weights=str(parent.path), **settings)


def test_a_student_taught_by_test_images_says_so_where_it_is_measured_on_them(
    call: Call, data: Path, tmp_path: Path
) -> None:
    settings = {"epochs": 1, "threads": 1, "out": tmp_path}
    teacher = train(str(data), "logistic", **settings)
    taught = train(str(data), "logistic", teacher=str(teacher.path), pool="test:confidence=0.1", **settings)
    assert taught.pool
    assert taught.pool["taken"] > 0
    out = call("evaluate", taught.path, "--split", "test")[1]
    assert f"the run was trained on {taught.pool['taken']} of these images" in out
    assert "trained on" not in call("evaluate", teacher.path, "--split", "test")[1]
    other = train(str(data), "small_cnn:width=2", **settings)
    pairs = json.loads(call("compare", taught.path, other.path, "--json")[1])
    assert "logistic (trained on test)" in json.dumps(pairs)


@pytest.mark.parametrize("verb", ["weights", "file", "from"])
def test_a_damaged_run_gives_no_weights(call: Call, data: Path, tmp_path: Path, verb: str) -> None:
    parent = train(str(data), "logistic", epochs=1, threads=1, out=tmp_path / "parent")
    file = parent.path / "weights.safetensors"
    content = bytearray(file.read_bytes())
    content[-5] ^= 4
    file.write_bytes(content)
    command = {
        "weights": ["train", data, "logistic", "--weights", parent.path],
        "file": ["train", data, "logistic", "--weights", file],
        "from": ["train", "--from", parent.path],
    }[verb]
    code, out, err = call(*command, "--epochs", "1", "--out", tmp_path / "child")
    assert (code, out) == (1, "")
    assert "weights.safetensors: damaged" in err
    assert len(err.splitlines()) == 1


# compare


@pytest.fixture
def runs(data: Path, tmp_path: Path) -> Callable[..., Run]:
    def make(model: str, seed: int, **more: object) -> Run:
        return train(str(data), model, seed=seed, epochs=1, threads=1, out=tmp_path / "runs", **more)

    return make


def pairs(call: Call, *paths: object) -> dict[tuple[str, str], dict]:
    code, out, err = call("compare", *paths, "--json")
    assert code == 0, err
    return {(row["a"], row["b"]): row for row in json.loads(out)["comparisons"]}


def test_runs_of_two_widths_are_two_contenders(call: Call, data: Path, tmp_path: Path) -> None:
    """A study changed from width 2 to 4 leaves runs of both under one name; seed 0 of one is not the other's."""
    for width in (2, 4):
        text = f"""
title = "t"
question = "q"
dataset = "{data}"
seeds = 2
recipe = {{ epochs = 1 }}
[contenders.net]
model = "small_cnn"
parameters = {{ width = {width}, dense_layers = 1, hidden = 4 }}
"""
        run_study(parse_study(text, "net", "net.toml"), out=tmp_path, jobs=1)
    runs_made = [read_run(path) for path in find_runs(tmp_path)]
    ((names, row),) = pairs(call, *(run.path for run in runs_made)).items()
    assert set(names) == {"net width=2", "net width=4"}
    right = {
        f"net width={width}": np.mean(
            [run.test_metrics()["test_accuracy"] for run in runs_made if run.spec.parameters["width"] == width]
        )
        for width in (2, 4)
    }
    assert row["difference"] == pytest.approx(right[row["a"]] - right[row["b"]])
    code, _, err = call("compare", tmp_path / "net")
    assert code == 2, "a study's folder means the runs of its last command"
    assert "two contenders with the same test images: net on own" in err


def test_what_differs_is_in_the_name(call: Call, runs: Callable[..., Run]) -> None:
    compared = pairs(
        call,
        runs("logistic", 0).path,
        runs("logistic", 1, lr=0.01).path,
        runs("logistic", 0, images=200).path,
        runs("logistic", 0, validation=0.3).path,
    )
    names = {name for pair in compared for name in pair}
    assert len(names) == 4
    assert len(compared) == 6
    assert any("lr=0.01" in name and "images=None" in name and "validation=0.1666" in name for name in names)
    assert any("images=200" in name for name in names)
    assert any("validation=0.3" in name for name in names)


def test_two_ways_to_write_a_path_are_one_dataset(
    call: Call, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a comparison's contenders, and for a study's families."""
    monkeypatch.chdir(data.parent)
    text = """
title = "t"
question = "q"
dataset = "./own.npz"
seeds = 1
recipe = { epochs = 1 }
contenders.one = { model = "logistic", dataset = "own.npz" }
contenders.two = { model = "logistic", lr = 0.01 }
[scales.small]
dataset = ".//own.npz"
"""
    study = parse_study(text, "t", "t.toml")
    for out, more in enumerate(({}, {"scale": "small"}, {"datasets": "./own.npz"})):
        summary = run_study(study, out=tmp_path / str(out), jobs=1, **more)
        assert {c["dataset"] for c in summary["contenders"]} == {"own.npz"}
    runs_made = [
        train(name, "logistic", epochs=1, seed=seed, lr=lr, threads=1, out=tmp_path)
        for seed, name in enumerate(("own.npz", "./own.npz"))
        for lr in (0.01, 0.1)
    ]
    ((_, row),) = pairs(call, *(run.path for run in runs_made)).items()
    assert row["runs"] == [2, 2]


def test_a_run_given_twice_counts_once(call: Call, runs: Callable[..., Run]) -> None:
    first, other = runs("logistic", 0).path, runs("small_cnn:width=2,dense_layers=1,hidden=4", 0).path
    assert pairs(call, first, other, first, first.parent) == pairs(call, first, other)


def test_runs_with_other_test_images_are_not_compared(call: Call, runs: Callable[..., Run], data: Path) -> None:
    first = runs("logistic", 0)
    images, labels = images_and_labels()
    np.savez(data, images=images[::-1], labels=labels[::-1])
    other = runs("small_cnn:width=2,dense_layers=1,hidden=4", 0)
    code, out, err = call("compare", first.path, other.path)
    assert (code, out) == (2, "")
    assert "two contenders with the same test images: " in err
    with pytest.raises(BakeoffError):
        train(str(data), "logistic", epochs=1, weights=str(first.path), threads=1)
