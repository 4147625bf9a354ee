"""How often the test split of a run was read: test_reads.jsonl in its directory, one line a reading, only appended to.

    {"time": "2025-11-21T15:40:00+00:00", "by": "bakeoff evaluate"}
    {"time": "2025-11-21T15:41:00+00:00", "by": "study tiny", "page": "0f3c..."}

A study's page counts once for the same set of runs, however often it is rendered.
"""

from __future__ import annotations

import json
import os
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FILE = "test_reads.jsonl"


def count_reading(run: Path, by: str, page: str = "") -> None:
    """Note in the directory `run` that its test split was read; a warning where that cannot be written.

    Args:
        by: what read it, in words.
        page: names a page and its runs, or training; what is noted already is not noted again.
    """
    if page and page in _pages(run):
        return
    line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "by": by} | ({"page": page} if page else {})
    file = run / FILE
    try:
        with file.open("ab") as stream:
            cut_off = stream.tell() and not file.read_bytes().endswith(b"\n")  # by a kill
            stream.write(b"\n" * bool(cut_off) + json.dumps(line).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        warnings.warn(
            f"{file}: cannot be written ({error.strerror}), so this reading of the test split is not counted",
            stacklevel=2,
        )


def count_readings(run: Path) -> int:
    """How often the test split of the run in this directory was read; 0 for a run copied without the file.

    A line that was cut off by a kill is a reading, too; the same page noted by two processes at once is one.
    """
    pages = _pages(run)
    return pages.count("") + len({*pages} - {""})


def _pages(run: Path) -> list[str]:
    """The page of each line, empty where it names none."""
    try:
        text = (run / FILE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [_page(line) for line in text.splitlines() if line.strip()]


def _page(line: str) -> str:
    try:
        entry: Any = json.loads(line)
    except ValueError:
        return ""
    return str(entry.get("page", "")) if isinstance(entry, dict) else ""
