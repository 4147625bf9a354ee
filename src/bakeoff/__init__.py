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
    from bakeoff.data import Dataset as Dataset, load_dataset as load_dataset
    from bakeoff.errors import BakeoffError as BakeoffError, UsageError as UsageError
    from bakeoff.models import create_model as create_model
    from bakeoff.record import Run as Run, read_run as read_run
    from bakeoff.spec import Recipe as Recipe
    from bakeoff.spec.plugins import load_plugin as load_plugin
    from bakeoff.spec.study_file import StudyFile as StudyFile, load_study as load_study
    from bakeoff.studies.runner import run_study as run_study
    from bakeoff.studies.train import train as train

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

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that the command line's help need not wait for PyTorch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'bakeoff' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
