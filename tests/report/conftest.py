"""Synthetic studies: real run directories, as training writes them, from logits of a planted skill."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bakeoff.record import Run, read_run, write_finished
from bakeoff.report.context import Context
from bakeoff.report.sections import Part, compose
from bakeoff.spec import RESULTS, RunSpec
from bakeoff.spec.plan import Plan, make_plan
from bakeoff.spec.study_file import StudyFile, parse_study

STUDY = """
title = "Which network for small digits?"
question = "Does a residual network beat a plain one on small digits, and by how much?"
dataset = "digits"
seeds = 3
[recipe]
epochs = 8
lr = 0.001
[contenders.logistic]
model = "logistic"
variant = "floor"
[contenders.conv]
model = "conv"
reported = { test_accuracy = 0.95, parameters = 93322, seconds = 100 }
[contenders.baseline]
model = "baseline_cnn"
variant = "as reported"
keep = "best:monitor=test_accuracy"
reported = { best_test_accuracy = 0.999, test_accuracy = 0.5 }
note = "the epoch is chosen on the test set, as the report did"
[contenders.resnet20]
model = "resnet20"
[sweeps.learning-rate]
of = "conv"
question = "Which learning rate?"
points = [
  { lr = 0.001, reported = { test_accuracy = 0.95 } },
  { lr = 0.01, reported = { test_accuracy = 0.92 } },
  { lr = 100.0 },
]
[[hypotheses]]
source = "report"
says = "a residual network beats a plain one"
better = "resnet20"
worse = "conv"
[scales.small]
seeds = 2
images = 500
"""

SKILLS = {"logistic": 3.2, "conv": 5.6, "baseline": 5.2, "resnet20": 6.0, "lr=0.01": 4.6}
"""Planted; a contender that is not here gets one of its own from its name. `lr=100.0` diverges."""

ENVIRONMENT = {
    "python": "3.11.2",
    "bakeoff": "0.1.0",
    "torch": "2.13.0",
    "numpy": "2.3.1",
    "source": "0123456789ab",
    "system": "Linux x86_64",
    "processor": "A processor",
    "cores": 2,
    "threads": 2,
    "device": "cpu",
    "precision": "fp32",
}


def softmax_loss(logits: np.ndarray, labels: np.ndarray) -> float:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]))


def planted(skill: float, seed: int, labels: np.ndarray, salt: int) -> np.ndarray:
    """(M, K) logits: hard images are hard for all, and each seed errs a little on its own."""
    shared = np.random.default_rng(salt)
    hardness = shared.gamma(2.0, 0.8, len(labels))
    rng = np.random.default_rng([salt, seed, round(skill * 1000)])
    logits = shared.normal(0, 1.0, (len(labels), 10)) + rng.normal(0, 0.6, (len(labels), 10))
    logits[np.arange(len(labels)), labels] += skill - hardness
    return logits.astype(np.float32)


def drawing(label: int, size: int, channels: int, rng: np.random.Generator) -> np.ndarray:
    """Something to look at: a noisy arc whose place depends on the label."""
    y, x = np.mgrid[0:size, 0:size] / size
    ring = np.abs(np.hypot(x - 0.3 - 0.04 * label, y - 0.5) - 0.25) < 0.06
    return np.clip(220 * ring + rng.normal(15, 10, (channels, size, size)), 0, 255).astype(np.uint8)


def history(epochs: int, skill: float, seed: int, *, on_test: bool) -> list[dict[str, float]]:
    rows = []
    for epoch in range(1, epochs + 1):
        error = 0.9 * np.exp(-epoch * skill / 9) + 0.25 / skill**1.5 + 0.002 * np.cos(seed + 3 * epoch)
        row = {"epoch": epoch, "round": 1, "step": 10 * epoch, "lr": 0.001, "seconds": epoch * (0.5 + skill / 6)}
        row |= {"train_loss": 2.2 * error, "train_accuracy": 1 - 0.8 * error}
        row |= {"validation_loss": 2.5 * error, "validation_accuracy": 1 - error}
        row["curve"] = [[10 * epoch - 5, 2.4 * error, 1 - 0.85 * error], [10 * epoch, 2.0 * error, 1 - 0.75 * error]]
        rows.append(row | ({"test_accuracy": 1 - error} if on_test else {}))
    return rows


def write_run(
    spec: RunSpec,
    folder: Path,
    *,
    skill: float,
    test_skill: float | None = None,
    images: int = 1000,
    size: int = 12,
    channels: int = 1,
    classes: tuple[str, ...] = tuple("0123456789"),
    fingerprint: str = "f" * 64,
    test_labels: np.ndarray | None = None,
    test_truth: np.ndarray | None = None,
) -> Run:
    """A finished record, or a diverged one where `skill` is not positive; an ensemble has no history. Test labels may
    be given, and the classes that the model tends to say there."""
    digest = hashlib.sha256(f"{fingerprint} {spec.model_dump_json()}".encode()).hexdigest()[:8]
    path = folder / f"{spec.contender}-seed{spec.seed}-{digest}"
    path.mkdir(parents=True)
    shared = np.random.default_rng(7)
    labels = {"validation": shared.integers(0, 10, images // 2), "test": shared.integers(0, 10, images)}
    if test_labels is not None:
        labels["test"] = test_labels
    description = {
        "spec": spec.model_dump(mode="json"),
        "status": "finished" if skill > 0 else "diverged",
        "dataset": {
            "name": spec.dataset,
            "fingerprint": fingerprint,
            "classes": list(classes),
            "counts": {
                "train": [images // 5] * 10,
                **{split: np.bincount(split_labels, minlength=10).tolist() for split, split_labels in labels.items()},
            },
            "shape": [channels, size, size],
            "mean": [0.1] * channels,
            "std": [0.3] * channels,
            "train_sample": images // 5 * 10,
        },
        "environment": ENVIRONMENT,
        "decides": {"results": RESULTS},
        "parameters": round(900 * 6**skill / 10),
        "multiply_adds": round(4000 * 5**skill / 10),
        "seconds": 3.0 + skill + 0.1 * spec.seed,
        "images_per_second": 9000 / (1 + abs(skill)),
        "metrics": {},
    }
    rows = (
        []
        if spec.members
        else history(spec.recipe.epochs, max(skill, 1.0), spec.seed, on_test=spec.recipe.selects_on_test)
    )
    if skill <= 0:
        write_finished(path, description, rows[:2], None, None)
        return read_run(path)
    arrays = {}
    for salt, (split, split_labels) in enumerate(labels.items()):
        truth = split_labels if test_truth is None or split != "test" else test_truth
        logits = planted(test_skill or skill if split == "test" else skill, spec.seed, truth, salt)
        arrays |= {f"{split}_logits": logits, f"{split}_labels": split_labels}
        description["metrics"][f"{split}_accuracy"] = float(np.mean(logits.argmax(axis=1) == split_labels))
        description["metrics"][f"{split}_loss"] = softmax_loss(logits, split_labels)
    arrays |= {f"train_{what}": arrays[f"validation_{what}"] for what in ("logits", "labels")}
    accuracy = description["metrics"]["validation_accuracy"]
    description["metrics"] |= {"train_accuracy": 1 - (1 - accuracy) / 3, "train_loss": 0.05}
    wrong = np.flatnonzero(arrays["test_logits"].argmax(axis=1) != labels["test"])
    worst = wrong[np.argsort(-arrays["test_logits"][wrong].max(axis=1))][:24]
    drawn = [drawing(labels["test"][i], size, channels, np.random.default_rng(i)) for i in worst]
    arrays["mistake_index"] = worst
    arrays["mistake_images"] = np.stack(drawn) if drawn else np.zeros((0, channels, size, size), np.uint8)
    arrays["confused_index"], arrays["confused_images"] = worst[:12], arrays["mistake_images"][:12]
    write_finished(path, description, rows, arrays, b"weights")
    return read_run(path)


def write_runs(study: Plan, folder: Path, **sizes: int) -> list[Run]:
    """Every run of the study; those of a contender with lr = 100 diverge, and so does the last seed of baseline."""
    runs = []
    for spec in study.specs():
        rng = np.random.default_rng(list(spec.contender.encode()))
        skill = SKILLS.get(spec.contender, rng.uniform(3.0, 7.0))
        failed = spec.recipe.lr == 100 or (spec.contender == "baseline" and spec.seed == 2)
        runs.append(write_run(spec, folder, skill=0.0 if failed else skill, **sizes))
    return runs


@pytest.fixture(scope="session")
def text() -> str:
    """The study file that `study` is read from."""
    return STUDY


@pytest.fixture(scope="session")
def study_file() -> StudyFile:
    return parse_study(STUDY, "small-digits", "small-digits.toml")


@pytest.fixture(scope="session")
def study(study_file: StudyFile) -> Plan:
    return make_plan(study_file)


@pytest.fixture(scope="session")
def runs(study: Plan, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    return write_runs(study, tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def parts(study: Plan, runs: list[Run]) -> list[Part]:
    """The sections that show something of `study`; test_sections.py holds which do."""
    return compose(Context.of(study, runs, "bakeoff run small-digits"))


@pytest.fixture(scope="session", name="write_run")
def _write_run() -> Callable[..., Run]:
    return write_run


@pytest.fixture(scope="session", name="write_runs")
def _write_runs() -> Callable[..., list[Run]]:
    return write_runs
