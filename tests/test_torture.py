"""The short form of bench/torture.py: one kill of a run, and one of a study with two workers."""

import runpy
import sys
from pathlib import Path

import pytest

torture = runpy.run_path(str(Path(__file__).parent.parent / "bench/torture.py"))["torture"]


@pytest.mark.skipif(sys.platform != "linux", reason="looks for orphans in /proc")
@pytest.mark.parametrize("case", ["train-plateau", "study"])
def test_a_kill_at_a_random_instant_changes_no_bit(case: str) -> None:
    result = torture(case, 1, seed=3)
    assert (result["kills"], result["differences"], result["orphans"], result["stray"]) == (1, 0, 0, 0), result["amiss"]
