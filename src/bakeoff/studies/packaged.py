"""The studies that come with bakeoff, and any study by its name or path."""

from __future__ import annotations

import functools
from pathlib import Path

from bakeoff.errors import UsageError, closest
from bakeoff.files import exists
from bakeoff.spec.study_file import StudyFile, load_study, parse_study

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The packaged studies' names, in order."""
    return sorted(file.stem for file in FOLDER.glob("*.toml"))


@functools.cache
def packaged_study(name: str) -> StudyFile:
    return parse_study((FOLDER / f"{name}.toml").read_text(encoding="utf-8"), name, f"{name}.toml")


def packaged_studies() -> dict[str, StudyFile]:
    """The studies that come with bakeoff, by name."""
    return {name: packaged_study(name) for name in names()}


def published_studies() -> list[str]:
    """Names of the packaged studies that re-run a published report: those that come in scales."""
    return [name for name, study in packaged_studies().items() if study.scales]


def find_study(name: str) -> StudyFile:
    """A packaged study by name, or one in a TOML file by path.

    Raises:
        UsageError: there is none, or it is not valid.
    """
    if name.endswith(".toml"):
        if not exists(name):
            raise UsageError(f"{name}: no such file")
        return load_study(Path(name))
    if name not in names():
        raise UsageError(f"no study {name!r}{closest(name, names())}; a study of your own is a path to a .toml file")
    return packaged_study(name)
