"""Studies, datasets, models and runs as rows of plain values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bakeoff import record
from bakeoff.data import SOURCES
from bakeoff.errors import BakeoffError, Damaged
from bakeoff.models.table import describe_models
from bakeoff.record.readings import count_readings
from bakeoff.studies.packaged import packaged_studies

Rows = list[dict[str, Any]]


def list_studies(_out: Path) -> Rows:
    """The packaged studies."""
    return [
        {
            "study": name,
            "dataset": study.dataset,
            "contenders": len(study.contenders),
            "seeds": study.seeds,
            "scales": list({**study.scales, "full": None}),
            "title": study.title,
        }
        for name, study in packaged_studies().items()
    ]


def list_datasets(_out: Path) -> Rows:
    """The datasets that have a name."""
    return [
        {"dataset": name, "classes": len(source.classes) or None, "about": source.about}
        for name, source in SOURCES.items()
    ]


def list_runs(out: Path) -> Rows:
    """The runs under `out`: status, validation accuracy, and how often their test split was read."""
    rows = []
    for path in record.find_runs(out):
        row: dict[str, Any] = {"run": str(path), "status": "unfinished"}
        row |= dict.fromkeys(("dataset", "validation_accuracy", "ended", "seconds", "test_reads"))
        try:
            if record.status(path) != "running":
                run = record.read_run(path)
                row |= {"status": run.status, "dataset": run.spec.dataset, "ended": run.ended, "seconds": run.seconds}
                row["validation_accuracy"] = run.metrics.get("validation_accuracy")
                row["test_reads"] = count_readings(path)
        except Damaged:
            row["status"] = "damaged"
        except BakeoffError:
            row["status"] = "unreadable"
        rows.append(row)
    return rows


LISTS: dict[str, Callable[[Path], Rows]] = {
    "studies": list_studies,
    "datasets": list_datasets,
    "models": lambda _out: describe_models(),
    "runs": list_runs,
}
