"""The same picture more than once: counted against a comparison of every image with every other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bakeoff import run_study, train
from bakeoff.cli import main
from bakeoff.data import Dataset, Split, load_dataset
from bakeoff.data.duplicates import NEAR, Duplicates


def noise(count: int, seed: int, shape=(3, 9, 7)) -> Split:
    draw = np.random.default_rng(seed)
    return Split(draw.integers(0, 256, (count, *shape), np.uint8), np.arange(count, dtype=np.int64) % 2)


def changed(image: np.ndarray, level: int) -> np.ndarray:
    """`image` with `level` added or taken away everywhere."""
    up = np.where(np.arange(image.size).reshape(image.shape) % 2 == 0, level, -level)
    return np.clip(image.astype(int) + up, 0, 255).astype(np.uint8)


def slow_counts(first: Split, second: Split) -> tuple[int, int]:
    """Of `second`: images that are in `first`, and further ones that nearly are, by the definition alone."""
    exact = near = 0
    for image in second.images.astype(float):
        differences = [np.abs(image - other).mean() for other in first.images.astype(float)]
        bound = NEAR * np.abs(image - image.mean()).mean()
        exact += min(differences) == 0
        near += 0 < min(differences) <= bound
    return exact, near


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 7), (1, 3, 2), (1, 28, 28)])
def test_counts_are_those_of_a_comparison_of_all_with_all(shape):
    train, validation, test = noise(60, 1, shape), noise(30, 2, shape), noise(40, 3, shape)
    validation.images[:4] = train.images[10:14]
    test.images[5:9] = [changed(train.images[place], level) for place, level in enumerate((1, 1, 4, 9))]
    test.images[9] = train.images[20]
    test.images[9, 0, 0, 0] ^= 255
    test.images[10:12] = validation.images[[0, 7]]
    dataset = Dataset("d", ("a", "b"), train, validation, test)
    splits, duplicates = dataset.splits, dataset.duplicates
    for pair in duplicates.exact:
        first, second = pair.split(", ")
        assert (duplicates.exact[pair], duplicates.near[pair]) == slow_counts(splits[first], splits[second])
    assert duplicates.exact == {"train, validation": 4, "train, test": 1, "validation, test": 2}
    assert duplicates.near["train, test"] >= 2
    assert duplicates.repeated == {"train": 0, "validation": 0, "test": 0}


def test_repeated_images_and_two_labels_of_one_are_counted():
    train = noise(20, 1)
    train.images[3:6] = train.images[0]  # labels 0, then 1, 0, 1
    duplicates = Dataset("d", ("a", "b"), train, noise(6, 2), noise(6, 3)).duplicates
    assert duplicates.repeated == {"train": 3, "validation": 0, "test": 0}
    assert duplicates.conflicting == 4
    assert duplicates.sentences() == [
        "images of the train split that repeat an earlier one: 3",
        "images of which an exact copy has another label: 4",
    ]


def test_one_array_three_times_is_reported(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    split = noise(10, 1)
    pixels = {f"x_{name}": split.images for name in ("train", "val", "test")}
    np.savez("a.npz", **pixels, **{f"y_{name[2:]}": split.labels for name in pixels})
    with pytest.raises(SystemExit):
        main(["data", "show", "a.npz"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "images of the test split that are in the train split too: 10" in printed
    assert "images of the validation split that are in the train split too: 10" in printed
    with pytest.raises(SystemExit):
        main(["data", "show", "a.npz", "--json"])
    assert json.loads(capsys.readouterr().out)["duplicates"]["exact"]["train, test"] == 10


def test_a_page_reports_duplicates_and_which_image_a_mistake_is(tmp_path):
    split = noise(60, 1, (1, 8, 8))
    pixels, labels = split.images // 2, split.labels
    pixels[labels == 1, :, :4] += 120
    wrong = labels.copy()
    wrong[[7, 8]] = 1 - wrong[[7, 8]]
    np.savez(tmp_path / "a.npz", x_train=pixels, y_train=labels, x_test=pixels, y_test=wrong)
    contenders = "".join(
        f'[contenders.{name}]\nmodel = "logistic"\nlr = {lr}\n' for name, lr in [("a", 0.1), ("b", 0.2)]
    )
    text = f'title = "t"\nquestion = "q?"\ndataset = "{tmp_path}/a.npz"\nseeds = 1\n[recipe]\nepochs = 20\n{contenders}'
    (tmp_path / "s.toml").write_text(text)
    run_study(str(tmp_path / "s.toml"), out=tmp_path / "out", jobs=1)
    (page,) = tmp_path.rglob("report.html")
    assert "images of the test split that are in the validation split too: 10" in page.read_text()
    assert "images of the test split that are in the train split too: 50" in page.read_text()
    assert "images of which an exact copy has another label: 4" in page.read_text()
    assert "image 7 (from 0) of the test data" in page.read_text()


def test_mnists_ones_are_no_duplicates(mnist):
    """Each of them was written by somebody; the two most alike differ by 0.047 of their contrast."""
    duplicates = mnist.duplicates
    assert sum(duplicates.exact.values()) == sum(duplicates.near.values()) == sum(duplicates.repeated.values()) == 0


def test_a_record_holds_duplicates_and_which_file_each_image_is(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    for name in ("ant", "bee"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(12):
            pixels = draw.integers(0, 256, (8, 8), np.uint8) // (1 + (name == "bee"))
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{number}.png")
    (tmp_path / "data" / "bee" / "copy.png").write_bytes((tmp_path / "data" / "ant" / "0.png").read_bytes())
    reference = str(tmp_path / "data")
    run = train(reference, "logistic", epochs=1, out=tmp_path / "runs")
    dataset = load_dataset(reference)
    assert run.dataset["drawn"] == ["validation", "test"]
    assert Duplicates(**run.dataset["duplicates"]) == dataset.duplicates
    assert dataset.duplicates.conflicting == 2
    for split in ("validation", "test"):
        ids = run.ids(split)
        assert ids is not None
        for name, label, image in zip(ids, run.labels(split), dataset.splits[split].images, strict=True):
            assert name.startswith(("ant/", "bee/")[label])
            assert (np.asarray(Image.open(tmp_path / "data" / str(name))) == image[0]).all()


def test_places_in_an_array_are_its_own_even_where_a_split_is_drawn(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (60, 4, 4), np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(60) % 3)
    dataset = load_dataset(f"{tmp_path}/a.npz", images=20)
    for split in dataset.splits.values():
        assert (split.images[:, 0] == images[split.ids]).all()
    (tmp_path / "pictures").mkdir()
    rows = [f"pictures/{place}.png,{place % 3}" for place in range(60)]
    for place, pixels in enumerate(images):
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{place}.png")
    (tmp_path / "a.csv").write_text("\n".join(["path,label", *rows]))
    for split in load_dataset(f"{tmp_path}/a.csv").splits.values():
        assert (split.images[:, 0] == [images[int(Path(name).stem)] for name in split.ids.tolist()]).all()
