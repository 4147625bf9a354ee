"""Training speed of CONV on MNIST at batch 128: bakeoff against Keras 3 on TensorFlow, in turn in one run.

    python3 -m venv .keras && .keras/bin/pip install -r bench/keras-requirements.txt
    .venv/bin/python bench/keras_speed.py --keras .keras/bin/python

Same model (93,322 parameters), same data, Adam, batch 128, the same number of steps after a warm-up, all cores, each
side with what its users would write: `model.fit` on an in-memory array in Keras, `bakeoff train` here. bakeoff's
default precision on this CPU may be bf16; `--precision fp32` is measured as well.
Writes results/bench/keras_speed.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

KERAS = """
import json, os, sys, time
os.environ["KERAS_BACKEND"] = "tensorflow"; os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras, numpy as np
from keras import layers
with np.load(sys.argv[1]) as file: images, labels = file["images"], file["labels"]
images = images.transpose(0, 2, 3, 1).astype("float32") / 255
model = keras.Sequential([keras.Input((28, 28, 1)), layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(),
    layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(), layers.Conv2D(64, 3, activation="relu"),
    layers.Flatten(), layers.Dense(64, activation="relu"), layers.Dense(10)])
assert model.count_params() == 93322
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
model.fit(images[:2560], labels[:2560], batch_size=128, verbose=0)
began = time.perf_counter(); model.fit(images, labels, batch_size=128, verbose=0)
print(json.dumps({"images_per_second": len(images) / (time.perf_counter() - began), "keras": keras.__version__}))
"""

OURS = """
import json, sys, time, torch
from bakeoff.data import load_dataset
from bakeoff.data.dataset import mean_and_std
from bakeoff.spec import Recipe, RunSpec
from bakeoff.training.loop import new_state, train
from bakeoff.training.setup import build_model, make_setup
torch.set_num_threads(int(sys.argv[2]))
dataset = load_dataset("mnist", images=int(sys.argv[3]))
def timed(images, precision):
    spec = RunSpec(contender="conv", model="conv", dataset="mnist", recipe=Recipe(epochs=1, precision=precision))
    data = load_dataset("mnist", images=images)
    setup = make_setup(spec, data, torch.device("cpu"))
    state = new_state(build_model(spec, dataset).to(memory_format=torch.channels_last), spec.recipe)
    ticks = [time.perf_counter() for _ in train(setup, state)]
    return 128 * (len(ticks) - 1) / (ticks[-1] - ticks[0])
timed(2560, sys.argv[1])
print(json.dumps({"images_per_second": timed(int(sys.argv[3]), sys.argv[1])}))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keras", required=True, help="a Python with keras and tensorflow")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=128 * 156)
    options = parser.parse_args()
    from bakeoff.data import load_dataset
    from bakeoff.record import environment, write_json

    data = Path("/tmp/bakeoff-keras-speed.npz")
    train = load_dataset("mnist", images=options.images).train
    import numpy as np

    np.savez(data, images=train.images, labels=train.labels)
    cores = str(environment()["cores"])
    sides = {
        "keras": [options.keras, "-c", KERAS, str(data)],
        "bakeoff": [sys.executable, "-c", OURS, "auto", cores, str(options.images)],
        "bakeoff fp32": [sys.executable, "-c", OURS, "fp32", cores, str(options.images)],
    }
    rounds: dict[str, list[float]] = {name: [] for name in sides}
    keras = ""
    for number in range(options.rounds):
        for name, command in sides.items():
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
            measured = json.loads(done.stdout.splitlines()[-1])
            keras = measured.get("keras", keras)
            rounds[name].append(round(measured["images_per_second"], 1))
            print(f"round {number + 1}, {name}: {rounds[name][-1]:,.0f} images/s", flush=True)
    ratios = {
        name: sorted(a / b for a, b in zip(rounds[name], rounds["keras"], strict=True))
        for name in sides
        if name != "keras"
    }
    record = {
        "benchmark": "CONV on MNIST, batch 128, training images/s, each round in turn",
        "command": "python bench/keras_speed.py --keras PYTHON",
        "images": options.images,
        "images_per_second": rounds,
        "ratio_to_keras": {name: {"median": r[len(r) // 2], "low": r[0], "high": r[-1]} for name, r in ratios.items()},
        "environment": {**environment(), "keras": keras},
    }
    write_json(Path("results/bench/keras_speed.json"), record)
    data.unlink()
    for name, ratio in record["ratio_to_keras"].items():
        print(f"{name}: {ratio['median']:.2f} times Keras (median of {options.rounds} rounds)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
