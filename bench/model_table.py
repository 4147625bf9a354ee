"""Every model: parameters, multiply-adds at four sizes, and images/s of training and inference on this CPU.

    python bench/model_table.py             # measure, and write all
    python bench/model_table.py --render    # write docs/models.md again from the record

Grey images and 10 classes. The speed is that of bakeoff's own step (bf16 where the CPU multiplies it, channels-last,
SGD) at 32x32 or the smallest larger side that a model takes, batches of 64, all cores, the median of three stretches
of half a second. Writes results/bench/models.json, docs/models.md and the table that
`bakeoff list models` shows.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from bakeoff.models import MODELS, count_multiply_adds, count_parameters, create_model
from bakeoff.models.table import TABLE, describe_model
from bakeoff.record import environment, write_atomic, write_json
from bakeoff.report.render.svg import short
from bakeoff.training.device import find_precision

SIZES = (28, 32, 64, 128)
BATCH, STRETCHES, SECONDS = 64, 3, 0.5
ROOT = Path(__file__).parents[1]


def speed(step: Callable[[], Any]) -> float:
    """Images/s of a step over one batch."""
    step()
    rates = []
    for _ in range(STRETCHES):
        steps, began = 0, time.perf_counter()
        while time.perf_counter() - began < SECONDS:
            step()
            steps += 1
        rates.append(BATCH * steps / (time.perf_counter() - began))
    return statistics.median(rates)


def measure(name: str) -> dict[str, Any]:
    entry = MODELS[name]
    adds = {}
    for size in SIZES:
        if size >= entry.smallest:
            with torch.device("meta"):
                model = create_model(name, channels=1, classes=10, size=size)
            adds[str(size)] = count_multiply_adds(model, (1, size, size))
    size = max(32, entry.smallest)
    model = create_model(name, channels=1, classes=10, size=size).to(memory_format=torch.channels_last)
    images = torch.rand(BATCH, 1, size, size).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(BATCH) % 10
    optimizer = torch.optim.SGD(model.parameters(), 1e-4, fused=True)
    precision = find_precision("auto", torch.device("cpu"))

    def logits() -> torch.Tensor:
        with torch.autocast("cpu", precision, enabled=precision is not None):
            return model(images).float()

    def train() -> None:
        optimizer.zero_grad()
        F.cross_entropy(logits(), labels).backward()
        optimizer.step()

    training = speed(train)
    model.eval()
    with torch.no_grad():
        inference = speed(logits)
    return {
        "model": name,
        "parameters": count_parameters(model),
        "multiply_adds": adds,
        "size": size,
        "training": round(training, 1),
        "inference": round(inference, 1),
    }


def table(rows: list[dict[str, Any]], machine: dict[str, Any]) -> str:
    head = ["model", "parameters", *(f"at {size}" for size in SIZES), "training", "inference", "what it is"]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 2) + "---|"]
    for row in rows:
        adds = [short(row["multiply_adds"][str(s)]) if str(s) in row["multiply_adds"] else "–" for s in SIZES]
        rates = [f"{row[key]:,.0f}" + ("" if row["size"] == 32 else f" ({row['size']})") for key in SPEEDS]
        lines.append(
            "| "
            + " | ".join([row["model"], f"{row['parameters']:,}", *adds, *rates, MODELS[row["model"]].about])
            + " |"
        )
    place = f"{machine['processor']}, {machine['cores']} cores, PyTorch {machine['torch']}"
    return (
        "# Models\n\n"
        "Written by `python bench/model_table.py`; `bakeoff list models` shows each one's own options, "
        "`bakeoff show MODEL` its layers.\n\n"
        "For grey images and 10 classes: parameters at 32x32; multiply-adds of one image, forward, at a side of 28, "
        "32, 64 and 128 pixels (–: too small for it); images/s of training and inference at 32x32 (or the side in "
        f"brackets, the smallest the model takes) in batches of {BATCH}. Measured on: {place}; a shared machine, so "
        "compare magnitudes. `timm:NAME` is any model of timm's, where that package is installed.\n\n"
        + "\n".join(lines)
        + "\n"
    )


SPEEDS = ("training", "inference")


def main() -> int:
    record = ROOT / "results" / "bench" / "models.json"
    if "--render" not in sys.argv:
        rows = []
        for name in MODELS.builtin:
            rows.append(measure(name))
            print(f"{name}: {rows[-1]['training']:,.0f} images/s in training", flush=True)
        write_json(record, {"models": rows, "environment": environment()})
    measured = json.loads(record.read_text())
    write_atomic(ROOT / "docs" / "models.md", table(measured["models"], measured["environment"]).encode())
    write_json(TABLE, [describe_model(name) for name in MODELS.builtin])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
