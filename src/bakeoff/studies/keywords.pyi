"""Written by `python bench/keywords.py` from the fields of Execution and Recipe."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypedDict

from bakeoff.training.options import Progress

class RunKeywords(TypedDict, total=False):
    out: Path | str
    device: str
    threads: int | None
    checkpoint_seconds: float
    show: Callable[[Progress], None]
    begin: Callable[[int, int], None]
    epochs: int
    batch_size: int
    optimizer: str
    lr: float
    momentum: float
    nesterov: bool
    l2: float
    l2_on: Literal["all", "hidden"]
    weight_decay: float
    schedule: str
    loss: str
    label_smoothing: float
    stop: str
    keep: str
    rounds: int
    fallback: str
    gradient_clip: float
    ema: float
    precision: Literal["auto", "fp32", "bf16"]
    init: Literal["torch", "glorot"]
    task: str
    teacher: str
    pool: str
    weights: str
    freeze: str
    pixels: Literal["unit", "standardise"]
    preprocess: Sequence[str]
    augment: Sequence[str]
    tta: str

class StudyKeywords(RunKeywords, total=False):
    engine: str | None
    jobs: int | None
    restart: bool
    minutes: float | None
    done: Callable[[str], None]
