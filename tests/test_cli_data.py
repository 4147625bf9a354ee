"""What `predict`, `evaluate` and `data` print and refuse, where the data are the user's."""

import csv
import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bakeoff.cli import bakeoff, exit_code
from bakeoff.data import load_dataset
from bakeoff.record import find_runs, read_run

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs")
    command = ["train", "digits", "logistic", "--epochs", "1", "--images", "300", "--out", str(out)]
    assert exit_code(lambda: bakeoff.main(command, "bakeoff", standalone_mode=False)) == 0
    return find_runs(out)[0]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """The first twelve test images of `digits` as 0.png ... 11.png, in a folder."""
    (tmp_path / "pictures").mkdir()
    for number, image in enumerate(load_dataset("digits").test.images[:12, 0]):
        Image.fromarray(image).save(tmp_path / "pictures" / f"{number}.png")
    return tmp_path / "pictures"


def write_csv(file: Path, rows: list[tuple[object, ...]]) -> Path:
    with file.open("w", newline="") as out:
        csv.writer(out).writerows(rows)
    return file


def test_pictures_are_numbered_by_their_names(call: Call, run: Path, pictures: Path) -> None:
    code, out, _ = call("predict", run, pictures)
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["id"] for row in rows] == [str(number) for number in range(12)]
    assert [int(row["label"]) for row in rows] == read_run(run).logits("test")[:12].argmax(1).tolist()


def test_new_pictures_are_measured_all(call: Call, run: Path, pictures: Path) -> None:
    labels = load_dataset("digits").test.labels[:12].tolist()
    rows = [("path", "label"), *((f"pictures/{number}.png", label) for number, label in enumerate(labels))]
    file = write_csv(pictures.parent / "new.csv", rows)
    code, out, _ = call("evaluate", run, "--dataset", file)
    assert code == 0
    assert "n = 12 images of new, all that are labelled: they bring no test split" in out
    code, out, _ = call("evaluate", run, "--dataset", file, "--split", "all", "--json")
    result = json.loads(out)
    assert (result["n"], result["split"]) == (12, "all")
    right = read_run(run).logits("test")[:12].argmax(1) == labels
    assert result["accuracy"]["mean"] == pytest.approx(right.mean())
    assert "n = 300 images of digits, test split\n" in call("evaluate", run, "--split", "test")[1]


def test_a_competition_from_its_files_to_its_submission(call: Call, tmp_path: Path) -> None:
    """Train on the folder, predict the images without labels, and get the competition's own CSV."""
    digits = load_dataset("digits").train
    (tmp_path / "train_max_x").write_bytes(pickle.dumps(digits.images[:600, 0], 4))
    (tmp_path / "test_max_x").write_bytes(pickle.dumps(digits.images[600:620, 0], 4))
    write_csv(tmp_path / "train_max_y.csv", [("Id", "Label"), *enumerate(digits.labels[:600].tolist())])
    command = ("train", tmp_path, "logistic", "--epochs", 1, "--out", tmp_path / "runs")
    assert call(*command)[0] == 0
    (trained,) = find_runs(tmp_path / "runs")
    code, out, _ = call("predict", trained, "--split", "unlabelled", "--csv", tmp_path / "out.csv")
    assert (code, out) == (0, f"20 predictions: {tmp_path / 'out.csv'}\n")
    rows = list(csv.reader((tmp_path / "out.csv").read_text().splitlines()))
    assert rows[0] == ["Id", "Label"]
    assert [row[0] for row in rows[1:]] == [str(place) for place in range(20)]
    columns = ("--id-column", "a", "--label-column", "b")
    assert call("predict", trained, "--split", "unlabelled", *columns)[1].startswith("a,b\n0,")
    code, out, _ = call("predict", trained, tmp_path / "test_max_x")
    assert (code, list(csv.reader(io.StringIO(out)))[1:]) == (0, rows[1:])
    code, out, _ = call("data", "show", tmp_path, "--sheet", tmp_path / "sheet.png")
    assert "28x28 pixels (height x width), 1 channel(s)" in out
    assert "without labels: 20 images" in out
    result = json.loads(call("data", "show", tmp_path, "--sheet", tmp_path / "sheet.png", "--json")[1])
    assert (result["unlabelled"], result["mirror"]) == (20, False)


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["predict", "RUN", "PICTURES", "--dataset", "digits"], 2, "--dataset goes with --split; IMAGES are"),
        (["predict", "RUN", "PICTURES", "--split", "test"], 2, "give either IMAGES or --split"),
        (["predict", "RUN", "--dataset", "digits"], 2, "give either IMAGES or --split"),
        (["predict", "RUN", "--split", "test", "--resize", "pad"], 2, "--resize goes with IMAGES"),
        (["predict", "RUN", "--split", "unlabelled"], 2, "digits: brings no images without labels"),
        (["predict", "RUN", "--split", "all"], 2, "was trained on part of its own data: choose one split"),
        (["evaluate", "RUN", "--split", "all"], 2, "was trained on part of its own data: choose one split"),
        (["predict", "RUN", "nowhere.pkl"], 1, "nowhere.pkl cannot be read (No such file"),
        (["data", "show", "digits", "--sheet", "no/folder.png"], 1, "no/folder.png: cannot be written: no such file"),
        (["data", "fetch", "highest-digit"], 2, "dataset 'highest-digit' is not one that is downloaded"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(
    call: Call, run: Path, pictures: Path, arguments: list[str], code: int, sentence: str
) -> None:
    places = {"RUN": run, "PICTURES": pictures}
    ended, _, err = call(*(places.get(argument, argument) for argument in arguments))
    assert ended == code
    assert err.count("\n") == 1
    assert sentence in err


def test_pictures_of_another_size_ask_for_a_rule(call: Call, run: Path, pictures: Path) -> None:
    Image.new("L", (50, 40)).save(pictures / "wide.png")
    code, _, err = call("predict", run, pictures)
    assert code == 1
    assert "wide.png is 40x50 pixels (height x width) where 28x28 is valid: choose a size, and a resize rule" in err
    assert call("predict", run, pictures, "--resize", "crop")[0] == 0


def test_a_pickle_that_would_run_is_refused(call: Call, run: Path, tmp_path: Path) -> None:
    (tmp_path / "images.pkl").write_bytes(pickle.dumps((np.zeros(3), print)))
    code, out, err = call("predict", run, tmp_path / "images.pkl")
    assert (code, out) == (1, "")
    assert "images.pkl asks for builtins.print, which numeric NumPy arrays do not need: it is refused" in err
