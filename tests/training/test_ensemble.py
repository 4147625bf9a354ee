"""Averaged records against NumPy and SciPy, and against members trained with the ensemble's views."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from bakeoff.data import Dataset
from bakeoff.errors import BakeoffError, UsageError
from bakeoff.record import Run, check_weights, read_run, status
from bakeoff.spec import RESULTS, Recipe, RunSpec
from bakeoff.training import digest as naming, setup
from bakeoff.training.digest import run_directory
from bakeoff.training.inference import mean_answer
from bakeoff.training.options import RunOptions
from bakeoff.training.run import train_run

VIEWS = "several:shift=1"


def trained(blocks: Dataset, folder: Path, seed: int, model: str = "small_cnn", **recipe) -> Run:
    parameters = {"width": 4} if model == "small_cnn" else {}
    spec = RunSpec(contender=model, model=model, parameters=parameters, recipe=Recipe(**recipe), dataset="blocks")
    spec = spec.model_copy(update={"seed": seed})
    return train_run(spec, blocks, folder / run_directory(spec, blocks), RunOptions(threads=1))


def averaged(blocks: Dataset, folder: Path, members: list[Run], name: str = "team", **recipe) -> Run:
    spec = RunSpec(
        contender=name, members=tuple(m.spec.contender for m in members), recipe=Recipe(**recipe), dataset="x"
    )
    needs = [member.path for member in members]
    path = folder / run_directory(spec, blocks, needs)
    return train_run(spec, blocks, path, RunOptions(device="cpu", threads=1), needs)


@pytest.fixture(scope="module")
def members(blocks: Dataset, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Two networks after a step or two, which make mistakes, in one folder."""
    folder = tmp_path_factory.mktemp("members")
    return [
        trained(blocks, folder, 0, "small_cnn", epochs=1, lr=0.01),
        trained(blocks, folder, 1, "logistic", epochs=1, pixels="unit", batch_size=32),
    ]


def stored(run: Run) -> dict[str, NDArray]:
    with np.load(run.path / "predictions.npz") as archive:
        return dict(archive)


def test_the_record_is_the_mean_of_its_members(blocks: Dataset, members: list[Run]) -> None:
    team = averaged(blocks, members[0].path.parent, members)
    first, second, both = (stored(run) for run in (*members, team))
    for split, part in {"train": blocks.train, "validation": blocks.validation, "test": blocks.test}.items():
        mean = np.log((softmax(first[f"{split}_logits"], axis=1) + softmax(second[f"{split}_logits"], axis=1)) / 2)
        np.testing.assert_allclose(both[f"{split}_logits"], mean, rtol=1e-5, atol=1e-6)
        assert (both[f"{split}_labels"] == part.labels).all()
        figures = team.metrics | team.test_metrics()
        assert figures[f"{split}_accuracy"] == (mean.argmax(1) == part.labels).mean()
        loss = -log_softmax(mean, axis=1)[np.arange(len(part)), part.labels].mean()
        assert figures[f"{split}_loss"] == pytest.approx(loss, rel=1e-5)
    wrong = np.flatnonzero(both["test_logits"].argmax(1) != blocks.test.labels)
    assert len(wrong)
    assert {*both["mistake_index"]} <= {*wrong}
    assert len(both["mistake_index"]) == min(24, len(wrong))
    assert (both["mistake_images"] == blocks.test.images[both["mistake_index"]]).all()


def test_the_record_sums_what_its_members_cost(blocks: Dataset, members: list[Run]) -> None:
    folder = members[0].path.parent
    team, with_views = averaged(blocks, folder, members), averaged(blocks, folder, members, tta=VIEWS)
    for run in (team, with_views):
        assert run.parameters == sum(member.parameters for member in members)
        assert run.seconds == pytest.approx(sum(member.seconds for member in members))
        assert run.history == ()
        assert run.needs == tuple(member.path.name for member in members)
        assert sorted(file.name for file in run.path.iterdir()) == ["history.jsonl", "predictions.npz", "run.json"]
    assert team.multiply_adds == sum(member.multiply_adds for member in members)
    assert with_views.multiply_adds == 9 * team.multiply_adds
    above = averaged(blocks, folder, [with_views, members[0]], tta="several:shift=2")
    assert above.multiply_adds == 9 * (team.multiply_adds + members[0].multiply_adds)


def test_views_are_those_of_a_member_trained_with_them(blocks: Dataset, members: list[Run], tmp_path: Path) -> None:
    """Views change the last evaluation only, so the same networks trained with them say what the ensemble finds."""
    with_views = [
        trained(blocks, tmp_path, 0, "small_cnn", epochs=1, lr=0.01, tta=VIEWS),
        trained(blocks, tmp_path, 1, "logistic", epochs=1, pixels="unit", batch_size=32, tta=VIEWS),
    ]
    for chosen in (slice(1), slice(2)):
        ensemble = averaged(blocks, members[0].path.parent, members[chosen], tta=VIEWS)
        expected = averaged(blocks, tmp_path, with_views[chosen])
        for name, array in stored(expected).items():
            assert (stored(ensemble)[name] == array).all(), name
        assert ensemble.metrics == expected.metrics
        assert (
            ensemble.logits("test") != averaged(blocks, members[0].path.parent, members[chosen]).logits("test")
        ).any()


def test_an_ensemble_of_ensembles_looks_through_them(blocks: Dataset, members: list[Run]) -> None:
    folder = members[0].path.parent
    pair = averaged(blocks, folder, members, "pair")
    above = averaged(blocks, folder, [pair, members[0]], "above", tta=VIEWS)
    first, second = (averaged(blocks, folder, [member], tta=VIEWS).logits("test") for member in members)
    expected = np.log(softmax(first, axis=1) * 0.75 + softmax(second, axis=1) * 0.25)
    np.testing.assert_allclose(above.logits("test"), expected, rtol=1e-5, atol=1e-6)


def test_a_member_with_larger_logits_counts_no_more_than_another() -> None:
    """Two members are 60 % sure of class 0; a third, whose logits are a thousand times larger, is sure of class 1.
    The mean of the logits would be class 1; that of the probabilities is finite even where a member leaves none."""
    mild = np.log(np.array([[0.6, 0.2, 0.2]], np.float32))
    sure = np.array([[-1000.0, 1000.0, -1000.0]], np.float32)
    mean = mean_answer([mild, mild, mild, sure])
    np.testing.assert_allclose(np.exp(mean), [[0.45, 0.4, 0.15]], rtol=1e-5)
    alone = mean_answer([sure])
    assert np.isfinite(alone).all()
    assert alone.argmax() == 1


def test_members_of_an_earlier_version_answer_again_under_the_present_rules(
    blocks: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That version measured twenty training images, and these are not the ones that are measured now."""
    new = trained(blocks, tmp_path / "new", 0, epochs=1)
    monkeypatch.setattr(setup, "TRAIN_SAMPLE", 20)
    monkeypatch.setattr(naming, "RESULTS", RESULTS - 1)
    old = trained(blocks, tmp_path / "old", 0, epochs=1)
    monkeypatch.undo()
    assert (old.results, old.measured("train")) == (RESULTS - 1, 20)
    ensemble, expected = averaged(blocks, tmp_path / "old", [old]), averaged(blocks, tmp_path / "new", [new])
    for name, array in stored(expected).items():
        assert (stored(ensemble)[name] == array).all(), name
    assert ensemble.metrics == expected.metrics


def test_other_members_are_another_record(blocks: Dataset) -> None:
    spec = RunSpec(contender="team", members=("a", "b"), dataset="x")
    names = {run_directory(spec, blocks, [Path(f"a-{x}"), Path(f"b-{y}")]) for x in "12" for y in "12"}
    assert len(names) == 4


def test_a_member_that_is_missing_diverged_or_damaged(blocks: Dataset, members: list[Run], tmp_path: Path) -> None:
    with pytest.raises(BakeoffError, match=r"^needs a-seed0, which has no finished record$"):
        train_run(
            RunSpec(contender="c", members=("a",), dataset="x"),
            blocks,
            tmp_path / "c",
            RunOptions(device="cpu", threads=1),
            [tmp_path / "a-seed0"],
        )
    bad = trained(blocks, tmp_path, 0, optimizer="sgd", lr=1000.0, l2=100.0, precision="fp32", epochs=9)
    assert bad.status == "diverged"
    with pytest.raises(BakeoffError, match=rf"^needs {bad.path.name}, which diverged$"):
        averaged(blocks, tmp_path, [members[0], bad])
    assert status(tmp_path / "c") == "absent"
    good = trained(blocks, tmp_path, 1, epochs=1)
    weights = good.path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(BakeoffError, match="damaged: its checksum"):
        averaged(blocks, tmp_path, [good])


def test_an_ensemble_names_the_runs_that_have_weights(blocks: Dataset, members: list[Run]) -> None:
    check_weights(members[0])
    team = averaged(blocks, members[0].path.parent, members)
    with pytest.raises(UsageError, match=rf"no weights of its own; its members have: {', '.join(team.needs)}$"):
        check_weights(read_run(team.path))
