"""What many tests share: a tiny dataset, and the real MNIST where it is at hand."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bakeoff as package
from bakeoff.cli import bakeoff, exit_code
from bakeoff.data import Dataset, Split, load_dataset
from bakeoff.spec.study_file import parse_study

if (worker := os.environ.get("PYTEST_XDIST_WORKER")) and hasattr(os, "sched_setaffinity"):
    # one core a test process: OpenMP threads that share cores with a busy neighbour can be slower tenfold
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})


def make_split(count: int, seed: int, *, classes: int = 3, shape: tuple[int, int, int] = (1, 8, 8)) -> Split:
    """Noise with one bright block a class: learnable in a few steps."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % classes
    images = generator.integers(0, 120, (count, *shape), dtype=np.uint8)
    for index, label in enumerate(labels):
        images[index, :, 2 * label : 2 * label + 2, 2:6] += 130
    return Split(images, labels)


@pytest.fixture(scope="session")
def blocks() -> Dataset:
    """Three classes, 8x8, 90 / 30 / 45 images."""
    return Dataset("blocks", ("top", "middle", "bottom"), make_split(90, 0), make_split(30, 1), make_split(45, 2))


@pytest.fixture(scope="session")
def mnist() -> Dataset:
    """The published MNIST."""
    if not (Path(os.environ.get("BAKEOFF_DATA", "/nowhere")) / "mnist").is_dir():
        pytest.skip("MNIST is not at hand: BAKEOFF_DATA names no folder with mnist/")
    return load_dataset("mnist")


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Exit code, standard output and standard error of `bakeoff ARGUMENTS`."""

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = exit_code(lambda: bakeoff.main([str(a) for a in arguments], "bakeoff", standalone_mode=False))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def run_text(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Runs a study that is given as text in `tmp_path`, one run at a time; its summary."""

    def run_text(text: str, name: str = "tiny", **options: Any) -> dict[str, Any]:
        return package.run_study(parse_study(text, name, f"{name}.toml"), **{"out": tmp_path, "jobs": 1, **options})

    return run_text
