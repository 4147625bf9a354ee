"""Rotation, zoom and shift of 28x28 images: bakeoff a batch at a time, against pipelines that go image by image.

    python3 -m venv .torchvision && .torchvision/bin/pip install torch torchvision
    .venv/bin/python bench/augment_speed.py --torchvision .torchvision/bin/python

Rotation by up to 10 degrees, zoom of 0.9 ... 1.1 and shifts by up to 0.1, bilinear, MNIST, one thread each, in turn in
one run: bakeoff's recipe on batches of 128; torchvision's RandomAffine on a Pillow image, and on a uint8 tensor, as its
users write it; and one call an image of scipy's affine_transform or of Pillow's transform, the bare minimum without a
library around it. Each ends in float or uint8 pixels, before they are normalised.

Also the share of a training step of CONV at batch 128 that augmentation takes: steps with it and without it, in turn,
one thread. Writes results/bench/augment_speed.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

STEPS = ("rotate:degrees=10", "zoom:by=0.1", "shift:by=0.1")

BEGIN = """
import json, math, random, sys, time
import numpy as np
images = np.load(sys.argv[1])
def speed(function, items):
    for item in items[: max(1, len(items) // 20)]: function(item)
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        for item in items: function(item)
        seconds.append(time.perf_counter() - began)
    return len(images) / min(seconds)
def drawn():
    angle = math.radians(random.uniform(-10, 10))
    return angle, random.uniform(0.9, 1.1), random.uniform(-2.8, 2.8), random.uniform(-2.8, 2.8)
"""
TORCHVISION = """
import torch
from torchvision.transforms import v2
from torchvision.transforms.functional import InterpolationMode, pil_to_tensor
from PIL import Image
torch.set_num_threads(1)
affine = v2.RandomAffine(10, (0.1, 0.1), (0.9, 1.1), interpolation=InterpolationMode.BILINEAR)
"""
WAYS = {
    "bakeoff": """
import torch
from bakeoff.data.augment import Batch, augmenter
torch.set_num_threads(1)
augment, generator = augmenter(json.loads(sys.argv[2])), torch.Generator()
zeros = torch.zeros(128, dtype=torch.int64)
batches = torch.from_numpy(images).split(128)
print(speed(lambda batch: augment(Batch(batch, zeros, zeros), generator.manual_seed(1)).images, batches))
""",
    "torchvision on Pillow images": TORCHVISION
    + "print(speed(lambda image: pil_to_tensor(affine(image)), [Image.fromarray(image[0]) for image in images]))",
    "torchvision on tensors": TORCHVISION + "print(speed(affine, list(torch.from_numpy(images))))",
    "scipy alone": """
from scipy.ndimage import affine_transform
def affine(image):
    angle, factor, down, across = drawn()
    cosine, sine = math.cos(angle) / factor, math.sin(angle) / factor
    matrix = np.array([[cosine, -sine], [sine, cosine]])
    return affine_transform(image, matrix, 13.5 - matrix @ [13.5 + down, 13.5 + across], order=1, output=np.float32)
print(speed(affine, list(images[:, 0])))
""",
    "Pillow alone": """
from PIL import Image
def affine(image):
    angle, factor, down, across = drawn()
    c, s = math.cos(angle) / factor, math.sin(angle) / factor
    x, y = 14 + across, 14 + down
    way = (c, s, 14 - c * x - s * y, -s, c, 14 + s * x - c * y)
    return np.asarray(image.transform((28, 28), Image.Transform.AFFINE, way, Image.Resampling.BILINEAR))
print(speed(affine, [Image.fromarray(image[0]) for image in images]))
""",
}

STEP = """
import json, sys, time, torch
from bakeoff.data import load_dataset
from bakeoff.data.dataset import mean_and_std
from bakeoff.spec import Recipe, RunSpec
from bakeoff.training.loop import new_state, train
from bakeoff.training.setup import build_model, make_setup
torch.set_num_threads(1)
data = load_dataset("mnist", images=128 * 80)
def loop(steps):
    recipe = Recipe(epochs=1000, augment=tuple(steps))
    spec = RunSpec(contender="conv", model="conv", dataset="mnist", recipe=recipe)
    setup = make_setup(spec, data, torch.device("cpu"))
    return train(setup, new_state(build_model(spec, data).to(memory_format=torch.channels_last), recipe))
sides = [loop([]), loop(json.loads(sys.argv[1]))]
spent = [[], []]
for turn in range(70):
    for side, times in zip(sides, spent):
        began = time.perf_counter()
        next(side)
        times.append(time.perf_counter() - began)
print(json.dumps([times[10:] for times in spent]))
"""


def result_of(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torchvision", help="a Python with torch and torchvision; without it they are left out")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    import numpy as np

    from bakeoff.data import load_dataset
    from bakeoff.record import environment, write_json

    file = Path("/tmp/bakeoff-augment-speed.npy")
    np.save(file, load_dataset("mnist", images=128 * 40).train.images)
    pythons = {name: options.torchvision if "torchvision" in name else sys.executable for name in WAYS}
    commands = {
        name: [python, "-c", BEGIN + WAYS[name], str(file), json.dumps(STEPS)]
        for name, python in pythons.items()
        if python
    }
    rounds: dict[str, list[float]] = {name: [] for name in commands}
    shares = []
    for number in range(options.rounds):
        for name, command in commands.items():
            rounds[name].append(round(float(result_of(command)), 1))
            print(f"round {number + 1}, {name}: {rounds[name][-1]:,.0f} images/s", flush=True)
        plain, augmented = json.loads(result_of([sys.executable, "-c", STEP, json.dumps(STEPS)]))
        shares.append(1 - statistics.median(plain) / statistics.median(augmented))
        print(f"round {number + 1}, share of a step: {shares[-1]:.1%}", flush=True)
    ours = rounds.pop("bakeoff")
    ratios = {
        name: statistics.median(a / b for a, b in zip(ours, theirs, strict=True)) for name, theirs in rounds.items()
    }
    record = {
        "benchmark": "rotation, zoom and shift of 28x28 images, images/s, one thread, each round in turn",
        "command": "python bench/augment_speed.py --torchvision PYTHON",
        "images_per_second": {"bakeoff": ours, **rounds},
        "times_as_fast": {name: round(ratio, 2) for name, ratio in ratios.items()},
        "share_of_a_conv_step": [round(share, 4) for share in shares],
        "environment": environment(),
    }
    write_json(Path("results/bench/augment_speed.json"), record)
    file.unlink()
    for name, ratio in ratios.items():
        print(f"bakeoff: {ratio:.1f} times as fast as {name} (median of {options.rounds} rounds)")
    print(f"share of a CONV step at batch 128: {statistics.median(shares):.1%} (median of {options.rounds} rounds)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
