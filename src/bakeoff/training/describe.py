"""What a record says of a run besides its results."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from bakeoff import record
from bakeoff.data.dataset import Dataset
from bakeoff.models import TIMM
from bakeoff.spec import RunSpec
from bakeoff.training.digest import deciding, plugin_versions
from bakeoff.training.setup import TrainingSetup, sample_size

PLAIN = ("name", "fingerprint", "test_fingerprint", "classes", "shape", "header", "drawn")
"""Of a dataset, what a record has as it is."""


def segment(description: record.Row, step: int) -> record.Row:
    """An entry of a record's `segments`: this process, training from `step` on."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    return {"started": started, "step": step, "environment": description["environment"]}


def describe_run(
    spec: RunSpec, dataset: Dataset, setup: TrainingSetup, threads: int, needs: Sequence[Path]
) -> dict[str, Any]:
    """What a record says of its spec, of all that decides it, of its data and of the machine."""
    device = setup.device
    return {
        "spec": spec.model_dump(mode="json"),
        "decides": deciding(spec, dataset, needs),
        "dataset": {
            **{name: getattr(dataset, name) for name in PLAIN},
            "mean": setup.mean.tolist(),
            "std": setup.std.tolist(),
            "counts": {name: counts.tolist() for name, counts in dataset.counts().items()},
            "train_sample": sample_size(dataset),
            "duplicates": dataclasses.asdict(dataset.duplicates),
        },
        "environment": {
            **record.environment(),
            **({"timm": importlib.metadata.version("timm")} if spec.model.startswith(TIMM) else {}),
            **({"plugins": versions} if (versions := plugin_versions(spec)) else {}),
            "threads": threads,
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
            "precision": "bf16" if setup.precision else "fp32",
            "evaluation_precision": "fp32",
            "deterministic": device.type == "cpu",
        },
    }
