"""The fuzz run, short: every reader, a few dozen hostile files each."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parent.parent / "bench" / "fuzz.py"


def test_no_mutated_file_does_more_than_be_refused(tmp_path, monkeypatch, capfd):
    out, kept = tmp_path / "fuzz.json", tmp_path / "kept"
    monkeypatch.setattr(sys, "argv", ["fuzz.py", "--executions", "25", "--out", str(out), "--keep", str(kept)])
    monkeypatch.setenv("BAKEOFF_MAX_GIB", "1")  # the run sets its own, to be undone after it
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(BENCH), run_name="__main__")
    rows = json.loads(out.read_text())["readers"]
    assert ended.value.code == 0, capfd.readouterr().err
    assert not kept.exists()
    assert len(rows) >= 26
    for row in rows:
        assert row["executions"] == row["read"] + row["refused"] == 25, row
