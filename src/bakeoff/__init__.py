"""bakeoff: which image classifier should I use, and how sure can I be?

bakeoff.train("mnist", "conv", epochs=2)
bakeoff.run_study("quickstart")
bakeoff.load_dataset("digits")
bakeoff.create_model("resnet20", channels=1, classes=10, size=28)
bakeoff.read_run("runs/conv-seed0-...")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bakeoff.data import Dataset, load_dataset
    from bakeoff.errors import BakeoffError, UsageError
    from bakeoff.models import create_model
    from bakeoff.record import Run, read_run
    from bakeoff.spec import Recipe
    from bakeoff.spec.plugins import load_plugin
    from bakeoff.spec.study_file import StudyFile, load_study
    from bakeoff.studies.runner import run_study
    from bakeoff.studies.train import train

_HOMES = {
    "BakeoffError": "bakeoff.errors",
    "Dataset": "bakeoff.data",
    "Recipe": "bakeoff.spec",
    "Run": "bakeoff.record",
    "StudyFile": "bakeoff.spec.study_file",
    "UsageError": "bakeoff.errors",
    "create_model": "bakeoff.models",
    "load_dataset": "bakeoff.data",
    "load_plugin": "bakeoff.spec.plugins",
    "load_study": "bakeoff.spec.study_file",
    "read_run": "bakeoff.record",
    "run_study": "bakeoff.studies.runner",
    "train": "bakeoff.studies.train",
}

__all__ = [
    "BakeoffError",
    "Dataset",
    "Recipe",
    "Run",
    "StudyFile",
    "UsageError",
    "create_model",
    "load_dataset",
    "load_plugin",
    "load_study",
    "read_run",
    "run_study",
    "train",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that the command line's help need not wait for PyTorch."""
    if name not in _HOMES:
        now = ": it is now bakeoff.StudyFile" if name == "Study" else ""
        raise AttributeError(f"module 'bakeoff' has no attribute {name!r}{now}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
