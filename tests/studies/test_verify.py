"""`bakeoff verify`: a flipped bit has its sentence, and a run trained again its first different step."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from safetensors.torch import load, save

from bakeoff import record
from bakeoff.cli import bakeoff, exit_code
from bakeoff.studies.train import train
from bakeoff.studies.verify import train_again

EARLIER = Path(__file__).parents[1] / "earlier"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("verify")
    return train(str(EARLIER / "bars.npz"), "logistic", epochs=2, batch_size=16, out=out, threads=1).path


def call(*arguments: object, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = exit_code(lambda: bakeoff.main([str(a) for a in arguments], standalone_mode=False))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_whole_run_is_whole_and_the_same_again(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call("verify", trained, "--rerun", capsys=capsys)
    assert (code, err) == (0, "")
    assert "4 files whole, and trained again it has the same bits" in out


@pytest.mark.parametrize("name", ["run.json", *record.FILES])
def test_a_flipped_bit_is_one_sentence_and_exit_status_1(
    trained: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = shutil.copytree(trained, tmp_path / "runs" / trained.name)
    data = bytearray((path / name).read_bytes())
    data[len(data) // 2] ^= 4
    (path / name).write_bytes(data)
    code, out, _ = call("verify", tmp_path / "runs", capsys=capsys)
    assert code == 1
    assert len([line for line in out.splitlines() if f"{name}: damaged" in line]) == 1
    code, out, _ = call("verify", path, "--json", capsys=capsys)
    (result,) = json.loads(out)["runs"]
    assert (code, result["whole"], len(result["faults"])) == (1, False, 1)


def rewritten(path: Path, history: list, weights: bytes) -> None:
    """The record with other content, and checksums that fit: as if another machine had trained it."""
    run, description = record.read_run(path), json.loads((path / "run.json").read_text())
    arrays = run.arrays
    for key in ("format", "checksum", "checksums", "ended"):
        del description[key]
    record.write_finished(path, description, history, arrays, weights)


def test_the_first_step_that_differs_is_named(trained: Path, tmp_path: Path) -> None:
    path = shutil.copytree(trained, tmp_path / trained.name)
    weights, rows = (path / "weights.safetensors").read_bytes(), [dict(row) for row in record.read_run(path).history]
    point = rows[1]["curve"][2]
    rows[1]["curve"] = [*rows[1]["curve"][:2], [point[0], point[1] + 1e-6, point[2]], *rows[1]["curve"][3:]]
    rewritten(path, rows, weights)
    assert f"differs by step {point[0]} (epoch 2): mean training loss" in train_again(path)


def test_other_weights_of_the_same_history_are_named(trained: Path, tmp_path: Path) -> None:
    path = shutil.copytree(trained, tmp_path / trained.name)
    tensors = load((path / "weights.safetensors").read_bytes())
    name = next(iter(tensors))
    tensors[name] = tensors[name].clone()
    tensors[name].view(-1)[0] += 1e-3
    rewritten(path, list(record.read_run(path).history), save(tensors))
    assert f"differs in its weights: {name}, SHA-256" in train_again(path)


def test_what_is_no_run_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call("verify", tmp_path, capsys=capsys)
    assert (code, err) == (2, f"bakeoff: {tmp_path}: no run there\n")
    assert CliRunner().invoke(bakeoff, ["verify"]).exit_code == 2


def test_a_run_of_earlier_rules_is_checked_but_not_trained_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("verify", EARLIER / "runs", capsys=capsys)[0] == 0
    code, _, err = call("verify", EARLIER / "runs", "--rerun", capsys=capsys)
    assert code == 1
    assert "follows results rules 3" in err
