"""Where runs are computed, and that calls from Python leave PyTorch's, NumPy's and Python's settings as they were."""

import contextlib
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import bakeoff
from bakeoff.errors import UsageError
from bakeoff.ship.predict import evaluate, predict_split
from bakeoff.spec import Recipe, RunSpec
from bakeoff.training.device import CUBLAS, computing, find_device, find_precision
from bakeoff.training.inference import logits_of
from bakeoff.training.options import RunOptions
from bakeoff.training.run import train_run

STUDY = """
title = "Two"
question = "Which?"
dataset = "digits"
seeds = 2
[recipe]
epochs = 1
[contenders.plain]
model = "logistic"
[contenders.both]
ensemble = ["plain"]
over_seeds = true
tta = "several:shift=1"
"""


def settings() -> dict[str, Any]:
    """Everything global that training needs to set, or draws from."""
    return {
        "threads": torch.get_num_threads(),
        "matmul": torch.get_float32_matmul_precision(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "cudnn": [getattr(torch.backends.cudnn, name) for name in ("enabled", "benchmark", "deterministic")],
        "tf32": torch.backends.cudnn.allow_tf32,
        "torch": torch.get_rng_state().tolist(),
        "numpy": repr(np.random.get_state()),  # noqa: NPY002 - the global generator is what is watched
        "python": random.getstate(),
        "gradients": torch.is_grad_enabled(),
    }


@pytest.fixture
def unusual() -> Iterator[None]:
    """Settings of a caller's own, none of which is PyTorch's default or what training sets."""
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(3)
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(77)
    yield
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.benchmark = False
    torch.set_rng_state(state)


@pytest.mark.usefixtures("unusual")
def test_calls_from_python_leave_global_settings_as_they_were(tmp_path: Path) -> None:
    before = settings()
    run = bakeoff.train("digits", "conv", epochs=1, batch_size=512, augment=["shift"], out=tmp_path / "one", threads=1)
    assert settings() == before, "train"
    (tmp_path / "two.toml").write_text(STUDY)
    bakeoff.run_study(str(tmp_path / "two.toml"), out=tmp_path / "study", jobs=1)
    assert settings() == before, "run_study"
    images = bakeoff.load_dataset("digits").test.images
    for name, call in {
        "logits_of": lambda: logits_of(run, images),
        "evaluate": lambda: evaluate(run, None),
        "predict": lambda: predict_split(run, None, "test"),
    }.items():
        call()
        assert settings() == before, name


@pytest.mark.usefixtures("unusual")
def test_settings_are_restored_after_an_error(tmp_path: Path) -> None:
    """That of a callback in the middle of training."""

    def fail(_progress: object) -> None:
        assert torch.get_num_threads() == 1
        assert torch.get_float32_matmul_precision() == "highest"
        raise KeyError

    before = settings()
    spec = RunSpec(contender="c", model="logistic", recipe=Recipe(epochs=1), dataset="digits")
    with pytest.raises(KeyError):
        train_run(spec, bakeoff.load_dataset("digits"), tmp_path, RunOptions(threads=1, progress=fail))
    assert settings() == before


@pytest.mark.usefixtures("unusual")
@pytest.mark.parametrize("configured", [None, ":16:8"])
def test_on_a_gpu_deterministic_kernels_are_asked_for(monkeypatch: pytest.MonkeyPatch, configured: str | None) -> None:
    """Its generators apart, which need one: what is set, and that it is set back, a caller's own choice included."""
    monkeypatch.setattr(torch.random, "fork_rng", lambda _: contextlib.nullcontext())
    monkeypatch.delenv(CUBLAS, raising=False)
    if configured:
        monkeypatch.setenv(CUBLAS, configured)
    before = settings()
    with computing(torch.device("cuda"), 1):
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
        assert torch.backends.cudnn.deterministic
        assert not torch.backends.cudnn.benchmark
        assert not torch.backends.cudnn.allow_tf32
        assert os.environ[CUBLAS] == (configured or ":4096:8")
    assert settings() == before
    assert os.environ.get(CUBLAS) == configured


@pytest.mark.parametrize("name", ["meta", "mps", "cudda", "cuda:99"])
def test_a_device_that_cannot_train_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=rf"device '{name}': .* \(valid: auto, cpu, cuda, cuda:N\)"):
        find_device(name)


@pytest.mark.parametrize(("precision", "expected"), [("fp32", None), ("bf16", torch.bfloat16)])
def test_the_precision_that_is_asked_for(precision: str, expected: torch.dtype | None) -> None:
    assert find_precision(precision, torch.device("cpu")) is expected
