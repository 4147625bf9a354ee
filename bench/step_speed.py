"""What makes a training step fast on this CPU: images/s of the small-cnn base at batch 128, each way in turn.

    python bench/step_speed.py

Ways: plain PyTorch (fp32, default layout, ReLU before pooling, all cores); channels-last; bf16 as well; pooling
before ReLU as well, which is what bakeoff does; and that with one single-thread worker a core instead of one worker.
Writes results/bench/step_speed.json.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

STEP = """
import json, sys, time, torch
from torch import nn
import torch.nn.functional as F
from bakeoff.models.blocks import PoolReLU
way, threads = json.loads(sys.argv[1])
torch.set_num_threads(threads)
activation = [PoolReLU()] if way["pool_first"] else [nn.ReLU(), nn.MaxPool2d(2)]
model = nn.Sequential(nn.Conv2d(1, 50, 3, padding=1), *activation, nn.Conv2d(50, 100, 3, padding=1), *activation,
    nn.Flatten(), nn.Linear(4900, 10))
layout = torch.channels_last if way["channels_last"] else torch.contiguous_format
model = model.to(memory_format=layout)
images = torch.rand(128, 1, 28, 28).contiguous(memory_format=layout)
labels = torch.arange(128) % 10
optimizer = torch.optim.SGD(model.parameters(), 0.01)
def step():
    with torch.autocast("cpu", torch.bfloat16, enabled=way["bf16"]):
        logits = model(images)
    optimizer.zero_grad()
    F.cross_entropy(logits.float(), labels).backward()
    optimizer.step()
for _ in range(5): step()
began, steps = time.perf_counter(), 0
while time.perf_counter() - began < 3:
    step(); steps += 1
print(128 * steps / (time.perf_counter() - began))
"""


def measure(way: dict[str, bool], workers: int, threads: int) -> float:
    """Images/s of all workers together."""
    command = [sys.executable, "-c", STEP, json.dumps([way, threads])]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(workers)]
    return sum(float(process.communicate()[0]) for process in started)


def main() -> int:
    from bakeoff.record import environment, write_json

    cores = int(environment()["cores"])
    plain = {"channels_last": False, "bf16": False, "pool_first": False}
    ways = {
        "plain": (plain, 1, cores),
        "channels-last": ({**plain, "channels_last": True}, 1, cores),
        "and bf16": ({**plain, "channels_last": True, "bf16": True}, 1, cores),
        "and pooling before ReLU": (dict.fromkeys(plain, True), 1, cores),
        "and a worker a core": (dict.fromkeys(plain, True), cores, 1),
    }
    rounds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(5):
        for name, (way, workers, threads) in ways.items():
            rounds[name].append(round(measure(way, workers, threads), 1))
    ratios = {
        name: statistics.median(a / b for a, b in zip(values, rounds["plain"], strict=True))
        for name, values in rounds.items()
    }
    record = {
        "benchmark": "training images/s of small_cnn (kernel 3) at batch 128, each way in turn",
        "command": "python bench/step_speed.py",
        "images_per_second": rounds,
        "ratio_to_plain": {name: round(ratio, 3) for name, ratio in ratios.items()},
        "environment": environment(),
    }
    write_json(Path("results/bench/step_speed.json"), record)
    for name, ratio in ratios.items():
        print(f"{name}: {ratio:.2f} times plain PyTorch (median of 5 rounds)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
