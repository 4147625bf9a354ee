"""What is known of each model before it is built: a table that is kept, for to count parameters takes PyTorch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bakeoff.models import MODELS, count_parameters, create_model, find_model

TABLE = Path(__file__).with_suffix(".json")
"""Of the package's own models; written by `python bench/model_table.py --render`, and held to the truth by a test."""


def describe_models() -> list[dict[str, Any]]:
    """A row a model, as `describe_model` makes it; only those of plug-ins are built."""
    rows: list[dict[str, Any]] = json.loads(TABLE.read_text(encoding="utf-8"))
    return rows + [describe_model(name) for name in MODELS if name not in MODELS.builtin]


def describe_model(name: str) -> dict[str, Any]:
    """Smallest side, parameters for 10 classes of grey images (28x28 or the smallest side), options, what it is."""
    import torch

    entry = find_model(name)
    with torch.device("meta"):
        model = create_model(name, channels=1, classes=10, size=max(28, entry.smallest))
    options = {key: field.default for key, field in entry.settings.model_fields.items()}
    row = {"model": name, "smallest_side": entry.smallest, "parameters": count_parameters(model)}
    return {**row, "options": options, "about": entry.about}
