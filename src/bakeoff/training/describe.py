"""What a record holds of a run besides its results."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from bakeoff import record
from bakeoff.data.dataset import Dataset
from bakeoff.spec import RunSpec
from bakeoff.training.checkpoint import Checkpoint
from bakeoff.training.digest import deciding, package_versions
from bakeoff.training.setup import TrainingSetup

UNCHANGED = ("name", "fingerprint", "test_fingerprint", "classes", "shape", "header", "drawn")
"""Fields of a dataset that a record holds as they are."""


def describe_run(
    spec: RunSpec,
    dataset: Dataset,
    setup: TrainingSetup,
    threads: int,
    needs: Sequence[Path],
    checkpoint: Checkpoint | None = None,
) -> dict[str, Any]:
    """A record's spec, all that decides the result, data, environment, and the processes that train the run: those
    before `checkpoint`, and this one after it."""
    device = setup.device
    environment = {
        **record.environment(),
        **package_versions(spec),
        "threads": threads,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "precision": "bf16" if setup.precision else "fp32",
        "evaluation_precision": "fp32",
        "deterministic": device.type == "cpu",
    }
    step, earlier = (checkpoint.counters["step"], checkpoint.segments) if checkpoint else (0, ())
    started = datetime.now(UTC).isoformat(timespec="seconds")
    return {
        "spec": spec.model_dump(mode="json"),
        "decides": deciding(spec, dataset, needs),
        "dataset": {
            **{name: getattr(dataset, name) for name in UNCHANGED},
            "mean": setup.mean.tolist(),
            "std": setup.std.tolist(),
            "counts": {name: counts.tolist() for name, counts in dataset.counts().items()},
            "train_sample": len(setup.measured["train"]),
            "duplicates": dataclasses.asdict(dataset.duplicates),
        },
        "environment": environment,
        "segments": [*earlier, {"started": started, "step": step, "environment": environment}],
    }
