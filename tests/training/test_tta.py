"""Views against SciPy's shifts, and the mean of their logits against a plain loop over them."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from bakeoff.data import Dataset
from bakeoff.errors import UsageError
from bakeoff.models import create_model
from bakeoff.spec import Recipe, RunSpec
from bakeoff.spec.registry import Entry
from bakeoff.spec.tta import TTAS, SeveralViews, Tta, View
from bakeoff.training.measure import infer, views_of
from bakeoff.training.options import RunOptions
from bakeoff.training.run import check_spec, train_run
from bakeoff.training.setup import make_setup


def views_by_scipy(images: np.ndarray, shift: int, *, mirror: bool) -> list[bytes]:
    """Every view as SciPy makes it, in no order."""
    moves = [(y, x) for y in (-shift, 0, shift) for x in (-shift, 0, shift)] if shift else [(0, 0)]
    moved = [ndimage.shift(images, (0, 0, *move), order=0, mode="nearest") for move in moves]
    return sorted(view.tobytes() for view in moved + [view[..., ::-1] for view in moved if mirror])


@pytest.mark.parametrize(("shift", "mirror"), [(0, False), (1, False), (3, False), (0, True), (2, True)])
def test_views_are_the_image_its_shifts_and_their_mirror_images(shift: int, mirror: bool) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 2, 5, 7), dtype=np.uint8)
    choice = SeveralViews(shift=shift, mirror=mirror)
    views = [view.numpy() for view in views_of(torch.from_numpy(images), choice)]
    assert np.array_equal(views[0], images)
    assert sorted(view.tobytes() for view in views) == views_by_scipy(images, shift, mirror=mirror)
    assert len(views) == len(choice.views())


def spec_of(**recipe) -> RunSpec:
    return RunSpec(contender="c", model="baseline_cnn", recipe=Recipe(epochs=2, **recipe), dataset="blocks", seed=3)


def test_the_answer_is_the_mean_of_the_logits(blocks: Dataset) -> None:
    """Also of images that are changed when loaded and copied afterwards: a pixel of the data is what is moved."""
    steps = ("threshold:at=100", "upscale:times=2")
    spec = spec_of(tta="several:shift=2,mirror=true", preprocess=steps, pixels="unit", precision="fp32")
    setup = make_setup(spec, blocks, torch.device("cpu"))
    model = create_model("baseline_cnn", channels=1, classes=3, size=16)
    sharp = np.where(blocks.test.images >= 100, 255, 0).astype(np.uint8)
    inputs = [np.frombuffer(view, np.uint8).reshape(sharp.shape) for view in views_by_scipy(sharp, 2, mirror=True)]
    model.eval()
    with torch.no_grad():
        expected = sum(model(torch.from_numpy(np.kron(view / 255, np.ones((2, 2)))).float()) for view in inputs) / 18
    images, tta = setup.measured["test"].images, spec.recipe.tta_choice
    assert torch.allclose(infer(model, images, setup.normalise, tta=tta), expected, atol=1e-5)
    assert not torch.allclose(infer(model, images, setup.normalise), expected, atol=1e-3)


def test_a_run_with_several_views_trains_alike_and_answers_otherwise(blocks: Dataset, tmp_path: Path) -> None:
    """Same weights and epochs; the record's logits and cost are those of nine views."""
    plain = train_run(spec_of(), blocks, tmp_path / "plain", RunOptions(threads=1))
    with_views = train_run(spec_of(tta="several"), blocks, tmp_path / "with_views", RunOptions(threads=1))
    assert (plain.path / "weights.safetensors").read_bytes() == (with_views.path / "weights.safetensors").read_bytes()
    losses = [[row["validation_loss"] for row in run.history] for run in (plain, with_views)]
    assert losses[0] == losses[1]
    assert with_views.multiply_adds == 9 * plain.multiply_adds
    for split in ("train", "validation", "test"):
        assert not np.array_equal(plain.logits(split), with_views.logits(split))


def test_views_moved_out_of_the_image_are_refused_whatever_their_direction(
    blocks: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Moved(Tta):
        """Each image, and what is left of it once it is moved."""

        down: int = 0
        right: int = 0

        def views(self) -> list[View]:
            return [(False, 0, 0), (False, self.down, self.right)]

    monkeypatch.setitem(TTAS.builtin, "moved", Entry(Moved))
    for tta in ("moved:down=8", "moved:down=-8", "moved:right=8", "moved:right=-9"):
        with pytest.raises(UsageError, match=f"tta: {tta} is too much for images of 8x8 pixels"):
            check_spec(spec_of(tta=tta), blocks)
    check_spec(spec_of(tta="moved:down=-7,right=7"), blocks)


@pytest.mark.parametrize(
    ("tta", "sentence"),
    [
        (
            "several:mirror=true",
            "tta: several:mirror=true would change what images of blocks mean: mirrored, they lose",
        ),
        ("several:shift=8", "tta: several:shift=8 is too much for images of 8x8 pixels"),
    ],
)
def test_views_that_do_not_fit_the_data_are_refused(blocks: Dataset, tta: str, sentence: str) -> None:
    not_mirrored = dataclasses.replace(blocks, mirror=False)
    with pytest.raises(UsageError, match=sentence):
        check_spec(spec_of(tta=tta), not_mirrored)
    check_spec(spec_of(tta="several:shift=7"), not_mirrored)
