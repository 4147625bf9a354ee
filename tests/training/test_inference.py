"""A finished run's answers for any images: of its own weights, or of an ensemble's members."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.special import softmax

from bakeoff.data import Dataset
from bakeoff.errors import BakeoffError
from bakeoff.models import create_model
from bakeoff.record import Run
from bakeoff.spec import Recipe, RunSpec
from bakeoff.spec.registry import Entry
from bakeoff.spec.tta import TTAS, Tta, View
from bakeoff.training.inference import logits_of
from bakeoff.training.options import RunOptions
from bakeoff.training.run import train_run


@pytest.fixture(scope="module")
def members(blocks: Dataset, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """One of several views and one of a single one."""
    folder, runs = tmp_path_factory.mktemp("members"), []
    for seed, tta in enumerate(("several:shift=2", "one")):
        recipe = Recipe(epochs=1, batch_size=32, precision="fp32", tta=tta)
        spec = RunSpec(contender="c", model="baseline_cnn", recipe=recipe, dataset="blocks", seed=seed)
        runs.append(train_run(spec, blocks, folder / f"c-seed{seed}", RunOptions(threads=1)))
    return runs


@pytest.mark.parametrize("tta", ["one", "several:mirror=true"])
def test_an_ensemble_answers_as_its_record_does(blocks: Dataset, members: list[Run], tta: str) -> None:
    folder = members[0].path.parent
    spec = RunSpec(contender="both", members=("c",), over_seeds=True, recipe=Recipe(tta=tta), dataset="blocks")
    paths = [member.path for member in members]
    ensemble = train_run(spec, blocks, folder / f"both-{tta[:3]}", RunOptions(device="cpu", threads=1), paths)
    for split in ("validation", "test"):
        answers = logits_of(ensemble, blocks.splits[split].images)
        assert np.array_equal(answers, ensemble.logits(split))
    mean = np.mean([softmax(member.logits("test"), axis=1) for member in members], axis=0)
    assert np.allclose(np.exp(ensemble.logits("test")), mean, atol=1e-5) is (tta == "one")


def test_an_ensemble_takes_another_tta(blocks: Dataset, members: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    class Mirror(Tta):
        """Each image and its mirror image."""

        def views(self) -> list[View]:
            return [(False, 0, 0), (True, 0, 0)]

    monkeypatch.setitem(TTAS.builtin, "mirror", Entry(Mirror))
    folder, paths, made = members[0].path.parent, [member.path for member in members], []
    for tta in ("mirror", "several:shift=0,mirror=true"):
        spec = RunSpec(contender="both", members=("c",), over_seeds=True, recipe=Recipe(tta=tta), dataset="blocks")
        options = RunOptions(device="cpu", threads=1)
        made.append(train_run(spec, blocks, folder / f"same-{tta[:3]}", options, paths))
    assert np.array_equal(made[0].logits("test"), made[1].logits("test"))
    images = blocks.test.images
    assert np.array_equal(logits_of(made[0], images), made[1].logits("test"))


def test_an_ensemble_whose_member_is_gone_says_so(blocks: Dataset, members: list[Run], tmp_path: Path) -> None:
    spec = RunSpec(contender="both", members=("c",), over_seeds=True, dataset="blocks")
    paths = [member.path for member in members]
    ensemble = train_run(spec, blocks, tmp_path / "both", RunOptions(device="cpu", threads=1), paths)
    with pytest.raises(BakeoffError, match="needs c-seed0, which has no finished record"):
        logits_of(ensemble, blocks.test.images)


def test_final_logits_are_float32_and_come_back_bit_for_bit(blocks: Dataset, tmp_path: Path) -> None:
    """Of a run trained in bfloat16: against its stored weights in plain float32, and whatever the caller's threads."""
    recipe = Recipe(epochs=1, batch_size=32, precision="bf16", pixels="unit")
    spec = RunSpec(contender="c", model="baseline_cnn", recipe=recipe, dataset="blocks")
    run = train_run(spec, blocks, tmp_path, RunOptions(threads=1))
    model = create_model("baseline_cnn", channels=1, classes=3, size=8).eval()
    model.load_state_dict(load_file(run.path / "weights.safetensors"))
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for name, split in blocks.splits.items():
            with torch.no_grad():
                expected = model(torch.from_numpy(split.images / np.float32(255)))
            np.testing.assert_allclose(run.logits(name), expected.numpy(), rtol=1e-5, atol=1e-6)
            assert np.array_equal(logits_of(run, split.images), run.logits(name))
    finally:
        torch.set_num_threads(threads)
