"""A trained run at work: the record's own logits again, and sentences for what does not fit."""

from pathlib import Path

import numpy as np
import pytest

from bakeoff import train
from bakeoff.errors import BakeoffError, UsageError
from bakeoff.record import Run, read_run
from bakeoff.ship.predict import csv_text, evaluate, logits_of, predict_rows


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Batch normalisation, dropout, averaged weights and standardised pixels: all that a reload could lose."""
    return train("digits", "resnet8:width=4", epochs=2, images=300, ema=0.9, out=tmp_path_factory.mktemp("ship"))


def test_a_reloaded_run_gives_its_own_logits(run: Run) -> None:
    from bakeoff import load_dataset

    dataset = load_dataset("digits", images=300)
    np.testing.assert_allclose(logits_of(run, dataset.test.images), run.logits("test"), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(
        logits_of(run, dataset.validation.images), run.logits("validation"), rtol=1e-3, atol=1e-3
    )


def test_evaluate_equals_the_record(run: Run) -> None:
    for split in ("validation", "test"):
        assert evaluate(run, None, split)["accuracy"]["mean"] == pytest.approx(run.metrics[f"{split}_accuracy"])


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
    with pytest.raises(UsageError, match=r"trained on images of \(1, 28, 28\).* not \(1, 8, 8\)"):
        logits_of(run, np.zeros((1, 1, 8, 8), np.uint8))


def test_a_dataset_with_other_classes_is_refused(run: Run, tmp_path: Path) -> None:
    images, labels = np.zeros((60, 28, 28), np.uint8), np.arange(60) % 3
    np.savez(tmp_path / "three.npz", images=images, labels=labels)
    with pytest.raises(UsageError, match="its classes are not those of"):
        evaluate(run, str(tmp_path / "three.npz"), "test")


def test_damaged_weights_are_named(run: Run, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(run.path, tmp_path / "copy")
    (tmp_path / "copy" / "weights.safetensors").write_bytes(b"rubbish")
    with pytest.raises(BakeoffError, match=r"weights\.safetensors: damaged"):
        read_run(tmp_path / "copy")
