"""Errors that a user can mend, each one sentence, and the names closest to a mistaken one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any

from bakeoff.characters import displayable

LONGEST = 2_000
"""Characters of a sentence for the user."""


class BakeoffError(Exception):
    """A sentence for the user: what is wrong, where, and what is valid.

    It is one line with nothing in it that a terminal obeys, whatever a file has put into it; the middle of what is
    longer than LONGEST is left out.
    """

    exit_code = 1

    def __init__(self, sentence: str) -> None:
        sentence = re.sub(r"\s*\n\s*", " ", sentence)
        if len(sentence) > LONGEST:
            sentence = f"{sentence[: LONGEST // 2]} ... {sentence[-LONGEST // 2 :]}"
        super().__init__(displayable(sentence))


class UsageError(BakeoffError):
    """Bad usage or configuration."""

    exit_code = 2


class Damaged(BakeoffError):
    """A file of ours that is not what was written: its checksum or its form says so."""


class MissingData(BakeoffError):
    """Published data are missing."""


class RunsFailed(BakeoffError):
    """Runs of a study could not be trained; `summary` is that of its report, which has the others."""

    def __init__(self, sentence: str, summary: dict[str, Any]) -> None:
        super().__init__(sentence)
        self.summary = summary


def closest(name: str, valid: Iterable[str]) -> str:
    """` (closest: a, b)`, or all valid names where none is near."""
    valid = sorted(valid)
    near = difflib.get_close_matches(name, valid, n=3, cutoff=0.5)
    return f" (closest: {', '.join(near)})" if near else f" (valid: {', '.join(valid)})"


class Interrupted(Exception):
    """Work was asked to stop; what is needed to go on is written."""

    exit_code = 130
