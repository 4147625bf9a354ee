"""Write README's results from the records in results/.

python bench/readme.py
"""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
SHOWN = ("base", "momentum=0.9", "adam", "l2=0.1", "best-as-reported", "best-repaired")


def percent(value: float) -> str:
    return f"{value:.2%}".replace("%", " %")


def results() -> str:
    """The part of README between its two marks."""
    summary = json.loads((ROOT / "results/small-cnn/full/summary.json").read_text())
    contenders = {c["name"]: c for c in summary["contenders"]}
    reported = {name: _reported(c, summary) for name, c in contenders.items()}
    lines = ["| contender | reported | measured, 95 % interval | n |", "|---|---|---|---|"]
    for name in SHOWN:
        accuracy = contenders[name]["test_accuracy"]
        interval = f"{percent(accuracy['mean'])} [{percent(accuracy['low'])}, {percent(accuracy['high'])}]"
        mark = " †" if contenders[name]["selects_on_test"] else ""
        lines.append(f"| {name}{mark} | {reported[name]} | {interval} | {contenders[name]['n']} |")
    lines += ["", "† the epoch is chosen on the test set, as the report did.", "", *_bench()]
    return "\n".join(lines)


def _reported(contender: dict[str, Any], summary: dict[str, Any]) -> str:
    """The report's figure for a contender, or for the sweep point that it stands for."""
    figures = [contender["reported"]]
    for sweep in summary["sweeps"]:
        figures += [point["reported"] for point in sweep["points"] if point["contender"] == contender["name"]]
    key = "best_test_accuracy" if contender["selects_on_test"] else "test_accuracy"
    return next((percent(figure[key]) for figure in figures if figure.get(key) is not None), "–")


def _bench() -> list[str]:
    """A line for each record in results/bench."""
    said = {file.stem: json.loads(file.read_text()) for file in sorted((ROOT / "results/bench").glob("*.json"))}
    lines = []
    if "keras_speed" in said:
        ratio = said["keras_speed"]["ratio_to_keras"]
        low, high = ratio["bakeoff"]["low"], ratio["bakeoff"]["high"]
        cores = said["keras_speed"]["environment"]["cores"]
        lines.append(
            f"- Training `conv` on MNIST at batch 128, {cores} CPU cores: {ratio['bakeoff']['median']:.1f} times the "
            f"images/s of Keras {said['keras_speed']['environment']['keras']} on TensorFlow "
            f"(median; {low:.1f} to {high:.1f} over the rounds on a noisy machine; "
            f"{ratio['bakeoff fp32']['median']:.1f} times in fp32)."
        )
    if "augment_speed" in said:
        faster = said["augment_speed"]["times_as_fast"]
        share = statistics.median(said["augment_speed"]["share_of_a_conv_step"])
        lines.append(
            f"- Rotation, zoom and shift of 28x28 images: {faster['torchvision on Pillow images']:.0f} times the "
            f"images/s of torchvision, image by image; {100 * share:.0f} % of a training step of `conv`."
        )
    if "composite_speed" in said:
        tasks = said["composite_speed"]["tasks"]
        rates = [f"{tasks[name]['median']['all at once']:,} {name}" for name in ("largest-digit", "highest-digit")]
        lines.append(f"- Composites made a second on one core: {rates[0]}, {rates[1]} images.")
    for name in ("house", "house-largest-digit"):
        if name in said:
            house, (low, high) = said[name], said[name]["interval"]
            lines.append(
                f"- Our own contender on `{house['benchmark'].partition(':')[0]}`: {percent(house['test_accuracy'])} "
                f"[{percent(low)}, {percent(high)}] of {house['test_images']:,} test images, one seed, after "
                f"{house['seconds']:.0f} s on {house['environment']['cores']} CPU cores."
            )
    if "memory" in said:
        arguments = said["memory"]["command"].removeprefix("python bench/memory.py ")
        lines.append(
            f"- Peak memory of `bakeoff run {arguments}`, all processes: {said['memory']['peak_bytes'] / 1e9:.2f} GB."
        )
    if "startup" in said:
        lines.append(f"- `bakeoff --help`: {said['startup']['median_seconds']['bakeoff --help']:.2f} s.")
    return lines


def updated(text: str) -> str:
    """README with its results renewed."""
    pattern = r"(<!-- results: [^>]*-->\n).*?(<!-- end of results -->)"
    return re.sub(pattern, lambda match: f"{match[1]}{results()}\n{match[2]}", text, flags=re.DOTALL)


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(updated(readme.read_text()))
