"""The short form of bench/faults.py: a few of the system's calls fail in every verb that writes."""

import runpy
from pathlib import Path

import pytest

faults = runpy.run_path(str(Path(__file__).parent.parent / "bench/faults.py"))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return faults["prepared"](tmp_path_factory.mktemp("faults") / "source")


@pytest.mark.parametrize(("verb", "stride"), [("train", 25), ("run", 150), ("report", 60)])
@pytest.mark.parametrize("fault", ["ENOSPC", "short"])
def test_training_and_reports(source: Path, tmp_path: Path, verb: str, stride: int, fault: str) -> None:
    result = faults["sweep"](verb, source, tmp_path, stride, (fault,))
    assert result["failed"] >= 1
    assert result["amiss"] == []


@pytest.mark.parametrize("verb", ["predict", "make", "sheet"])
def test_single_files(source: Path, tmp_path: Path, verb: str) -> None:
    result = faults["sweep"](verb, source, tmp_path, 3, ("EIO",))
    assert result["failed"] >= 2
    assert result["amiss"] == []
