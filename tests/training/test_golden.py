"""Loss curves of twenty steps that no refactoring may change by a bit.

The bits depend on processor and library versions, so each machine class keeps its own curve: its key is
PyTorch's version and the processor's model. Where there is none for this machine, the curve must lie
within 2 % of the recorded ones, as rounding allows. `python tests/training/test_golden.py` records.
"""

import json
import sys
from pathlib import Path

import pytest
import torch

from bakeoff.data import load_dataset
from bakeoff.data.batches import INIT, derived_seed
from bakeoff.spec import Recipe, RunSpec
from bakeoff.training.loop import new_state, train
from bakeoff.training.setup import build_model, make_setup

FOLDER = Path(__file__).parent.parent / "golden"


def processor() -> str:
    """Name, family and model number of the processor: other models may round otherwise."""
    file = Path("/proc/cpuinfo")
    lines = [line.split(":") for line in file.read_text().splitlines() if ":" in line] if file.exists() else []
    computed = {key.strip(): value.strip() for key, value in reversed(lines)}
    return " ".join(computed.get(key, "") for key in ("model name", "cpu family", "model"))


MACHINE = f"torch {torch.__version__.split('+')[0]}, {processor()}, {torch.backends.cpu.get_cpu_capability()}"
RECIPES = {
    "sgd": {"optimizer": "sgd", "lr": 0.05, "momentum": 0.9, "l2": 5e-4, "precision": "fp32"},
    "adam": {
        "optimizer": "adam",
        "schedule": "cosine:warmup=0.1",
        "precision": "bf16",
        "ema": 0.9,
        "label_smoothing": 0.1,
        "augment": ("rotate:degrees=10", "zoom:by=0.1", "shift:by=0.1"),
    },
}


def curve(name: str) -> list[float]:
    """The running loss sum before each of twenty steps and after the last."""
    recipe = Recipe(epochs=1, batch_size=62, **RECIPES[name])
    spec = RunSpec(contender=name, model="drop", recipe=recipe, dataset="digits")
    dataset = load_dataset("digits", images=1240)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        setup = make_setup(spec, dataset, torch.device("cpu"))
        torch.manual_seed(derived_seed(0, INIT, 0))
        model = build_model(spec, dataset).to(memory_format=torch.channels_last)
        sums: list[float] = []
        state = new_state(model, recipe)
        for _ in train(setup, state):
            sums.append(float(state.loss_sum))
    finally:
        torch.set_num_threads(threads)
    return [*sums, state.history[0]["train_loss"] * 1240]


@pytest.mark.parametrize("name", RECIPES)
def test_twenty_steps(name: str) -> None:
    recorded = json.loads((FOLDER / f"{name}.json").read_text())
    computed = curve(name)
    assert len(computed) == 21
    if MACHINE in recorded:
        assert computed == recorded[MACHINE]
    else:
        for expected in recorded.values():
            assert computed == pytest.approx(expected, rel=0.02)


if __name__ == "__main__":
    for name in RECIPES:
        file = FOLDER / f"{name}.json"
        known = json.loads(file.read_text()) if file.exists() else {}
        file.write_text(json.dumps({**known, MACHINE: curve(name)}, indent=1) + "\n")
        print(f"{file}: {MACHINE}", file=sys.stderr)
