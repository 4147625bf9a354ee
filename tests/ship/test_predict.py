"""A trained run at work: the record's own logits again, and sentences for what does not fit."""

import csv
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bakeoff import train
from bakeoff.errors import BakeoffError, UsageError
from bakeoff.record import Run, read_run
from bakeoff.ship.predict import csv_text, evaluate, find_part, predict_files, predict_rows, predict_split
from bakeoff.training.inference import logits_of


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Batch normalisation, dropout, averaged weights and standardised pixels: all that a reload could lose."""
    out = tmp_path_factory.mktemp("ship")
    return train("digits", "resnet8:width=4", epochs=2, images=300, ema=0.9, threads=1, out=out)


def test_a_reloaded_run_gives_its_own_logits(run: Run) -> None:
    from bakeoff import load_dataset

    dataset = load_dataset("digits", images=300)
    np.testing.assert_allclose(logits_of(run, dataset.test.images), run.logits("test"), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(
        logits_of(run, dataset.validation.images), run.logits("validation"), rtol=1e-3, atol=1e-3
    )


def test_evaluate_equals_the_record(run: Run) -> None:
    for split in ("validation", "test"):
        assert evaluate(run, None, split)["accuracy"]["mean"] == pytest.approx(
            (run.metrics | run.test_metrics())[f"{split}_accuracy"]
        )


def test_rows_are_class_names_and_probabilities(run: Run) -> None:
    images = np.zeros((3, 1, 28, 28), np.uint8)
    rows = predict_rows(run, images, ["a", "b", "c"])
    assert [row["id"] for row in rows] == ["a", "b", "c"]
    assert all(row["label"] in run.dataset["classes"] and 0.1 <= row["confidence"] <= 1 for row in rows)


def test_csv_quotes_what_needs_it() -> None:
    rows = [{"id": 'x,"y"', "label": "a b", "confidence": 0.5}]
    assert csv_text(rows, "Id", "Label", confidence=False) == 'Id,Label\n"x,""y""",a b\n'
    with pytest.raises(UsageError, match="both called 'Id'"):
        csv_text(rows, "Id", "Id", confidence=False)


def test_images_of_another_shape_are_refused(run: Run) -> None:
    with pytest.raises(UsageError, match=r"images of 1x28x28 \(channels x height x width\), not 1x8x8"):
        logits_of(run, np.zeros((1, 1, 8, 8), np.uint8))


def test_a_dataset_with_other_classes_or_without_the_split_is_refused(run: Run, tmp_path: Path) -> None:
    images, labels = np.zeros((60, 28, 28), np.uint8), np.arange(60) % 3
    np.savez(tmp_path / "three.npz", images=images, labels=labels)
    for split in ("validation", "test"):
        with pytest.raises(UsageError, match=f"three: brings no {split} split: choose another split, or all"):
            evaluate(run, str(tmp_path / "three.npz"), split)
    np.savez(tmp_path / "words.npz", images=images, labels=np.array(["0", "nine"] * 30))
    with pytest.raises(UsageError, match="words: class 'nine' is not one of the model's"):
        evaluate(run, str(tmp_path / "words.npz"))


def digits(count: int) -> tuple[np.ndarray, np.ndarray]:
    from bakeoff import load_dataset

    test = load_dataset("digits").test
    return test.images[:count, 0], test.labels[:count]


def test_other_data_without_a_test_split_are_measured_whole(run: Run, tmp_path: Path) -> None:
    """Even where a class has one image and another none, for nothing is drawn from them."""
    images, labels = digits(8)
    assert np.bincount(labels).tolist().count(1) > 0
    np.savez(tmp_path / "new.npz", images=images, labels=labels)
    result = evaluate(run, str(tmp_path / "new.npz"))
    assert (result["split"], result["n"]) == ("all", 8)
    assert result["accuracy"]["mean"] == pytest.approx((run.logits("test")[:8].argmax(1) == labels).mean())
    assert evaluate(run, str(tmp_path / "new.npz"), "all") == result


def test_other_data_with_a_test_split_are_measured_on_it(run: Run, tmp_path: Path) -> None:
    images, labels = digits(300)
    parts = {"x_train": images[:200], "y_train": labels[:200], "x_test": images[200:], "y_test": labels[200:]}
    np.savez(tmp_path / "new.npz", **parts)
    result = evaluate(run, str(tmp_path / "new.npz"))
    assert (result["split"], result["n"]) == ("test", 100)
    assert result["accuracy"]["mean"] == pytest.approx((run.logits("test")[200:].argmax(1) == labels[200:]).mean())
    assert evaluate(run, str(tmp_path / "new.npz"), "all")["n"] == 300
    assert evaluate(run, str(tmp_path / "new.npz"), "train")["n"] == 200


def test_the_runs_own_data_are_measured_split_by_split(run: Run) -> None:
    assert evaluate(run, None)["split"] == "validation"
    with pytest.raises(UsageError, match="was trained on part of its own data: choose one split, or other data"):
        evaluate(run, None, "all")
    with pytest.raises(UsageError, match="digits: brings no images without labels"):
        find_part(run, None, "unlabelled")


def test_other_data_of_another_size_say_how_to_fit(run: Run, tmp_path: Path) -> None:
    images, labels = digits(8)
    np.savez(tmp_path / "wide.npz", images=np.pad(images, ((0, 0), (0, 0), (0, 4))), labels=labels)
    remedy = "say PATH:size=28x28,resize=pad,channels=1"
    with pytest.raises(UsageError, match=rf"wide: its images are 1x28x32 .* takes 1x28x28: {remedy}"):
        evaluate(run, str(tmp_path / "wide.npz"))
    assert evaluate(run, f"{tmp_path}/wide.npz:size=28x28,resize=crop,channels=1")["n"] == 8


@pytest.fixture
def competition(tmp_path: Path) -> Path:
    """A competition's folder of the run's own test images: 290 with labels, 10 without."""
    images, labels = digits(300)
    (tmp_path / "train_images.pkl").write_bytes(pickle.dumps(images[:290].astype(float)))
    (tmp_path / "test_images.pkl").write_bytes(pickle.dumps(images[290:], 2))
    with (tmp_path / "train_labels.csv").open("w", newline="") as out:
        csv.writer(out).writerows([("Id", "Category"), *enumerate(labels[:290])])
    return tmp_path


def test_images_without_labels_are_predicted_in_the_competitions_form(run: Run, competition: Path) -> None:
    rows, header = predict_split(run, str(competition), "unlabelled")
    assert header == ("Id", "Category")
    assert [row["id"] for row in rows] == list(range(10))
    assert [int(row["label"]) for row in rows] == run.logits("test")[290:].argmax(1).tolist()
    assert predict_files(run, competition / "test_images.pkl")[0] == rows
    with pytest.raises(UsageError, match="its unlabelled images cannot be measured without labels: predict them"):
        evaluate(run, str(competition), "unlabelled")


def test_a_row_carries_the_images_own_id(run: Run, tmp_path: Path) -> None:
    """A file's name, or the place in the array that a drawn split's image comes from."""
    from PIL import Image

    from bakeoff import load_dataset

    assert [row["id"] for row in predict_split(run, None, "validation")[0]] == load_dataset(
        "digits", images=300
    ).validation.ids.tolist()
    assert run.image_name("test", 0).endswith(" (from 0) before the split"), (
        "no image of the test split is a train image"
    )
    images, labels = digits(40)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        (tmp_path / "new" / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / "new" / str(label) / f"{number}.png")
    rows, _ = predict_split(run, str(tmp_path / "new"), "all")
    result = dict(
        zip((f"{label}/{number}.png" for number, label in enumerate(labels)), run.logits("test"), strict=False)
    )
    assert {row["id"]: int(row["label"]) for row in rows} == {name: int(row.argmax()) for name, row in result.items()}
    parts = {"x_train": images[:30], "y_train": labels[:30], "x_test": images[30:], "y_test": labels[30:]}
    np.savez(tmp_path / "two.npz", **parts)
    ids = [row["id"] for row in predict_split(run, str(tmp_path / "two.npz"), "all")[0]]
    assert ids == [f"train/{i}" for i in range(30)] + [f"test/{i}" for i in range(10)]


def test_the_header_is_that_of_the_runs_data(run: Run, competition: Path) -> None:
    assert predict_files(run, competition / "test_images.pkl")[1] == ("id", "label")
    trained = replace(run, dataset={**run.dataset, "header": ["Id", "Label"]})
    assert predict_files(trained, competition / "test_images.pkl")[1] == ("Id", "Label")
    assert predict_split(trained, "digits", "test")[1] == ("Id", "Label")


def test_damaged_weights_are_named(run: Run, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(run.path, tmp_path / "copy")
    (tmp_path / "copy" / "weights.safetensors").write_bytes(b"rubbish")
    with pytest.raises(BakeoffError, match=r"weights\.safetensors: damaged"):
        read_run(tmp_path / "copy")


def test_a_run_of_several_views_takes_them_everywhere(tmp_path: Path) -> None:
    trained = train("digits", "conv", epochs=1, images=300, tta="several", precision="fp32", threads=1, out=tmp_path)
    images = digits(300)[0][:, None]
    np.testing.assert_allclose(logits_of(trained, images), trained.logits("test"), rtol=1e-3, atol=1e-3)
    assert evaluate(trained, None, "test")["accuracy"]["mean"] == pytest.approx(trained.test_metrics()["test_accuracy"])
    recipe = trained.spec.recipe.model_copy(update={"tta": "one"})
    single = replace(trained, spec=trained.spec.model_copy(update={"recipe": recipe}))
    assert not np.allclose(logits_of(single, images), trained.logits("test"), rtol=1e-3, atol=1e-3)


def test_preprocessing_is_done_to_new_images_too(tmp_path: Path) -> None:
    steps = ("threshold:at=100", "upscale:times=2", "repeat:channels=3")
    trained = train("digits", "logistic", epochs=1, images=300, preprocess=steps, threads=1, out=tmp_path)
    images = digits(300)[0][:, None]
    np.testing.assert_allclose(logits_of(trained, images), trained.logits("test"), rtol=1e-3, atol=1e-3)
    marks = np.where(images >= 100, 255, 0).astype(np.uint8)
    np.testing.assert_allclose(logits_of(trained, marks), trained.logits("test"), rtol=1e-3, atol=1e-3)
