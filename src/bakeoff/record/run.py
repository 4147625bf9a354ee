"""A run's record, as a value: what run.json, history.jsonl and predictions.npz tell."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import pydantic.dataclasses
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, model_validator
from pydantic_core import core_schema

from bakeoff.arrays import read_arrays
from bakeoff.errors import Damaged
from bakeoff.spec import RunSpec

Row = dict[str, Any]
Count = Annotated[int, Field(ge=0)]
LISTED = Field(strict=False)
"""Of a tuple: JSON has lists."""


class Part(BaseModel, strict=True, extra="allow"):
    """A table of run.json: what is read of it; a version may have written more."""


@dataclasses.dataclass(frozen=True)
class Table:
    """Annotates a dictionary that is checked as a model is."""

    model: type[Part]

    def __get_pydantic_core_schema__(self, _source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        schema = handler.generate_schema(self.model)
        return core_schema.no_info_after_validator_function(lambda part: part.model_dump(exclude_unset=True), schema)


class Counts(Part):
    train: list[Count]
    validation: list[Count]
    test: list[Count]


class Data(Part):
    """Of the dataset that a run was trained on."""

    name: str
    fingerprint: str
    classes: list[str]
    shape: Annotated[list[int], Field(min_length=3, max_length=3)]
    counts: Counts
    mean: list[float]
    std: list[float]
    train_sample: Count
    test_fingerprint: str | None = None
    drawn: list[str] = []

    @model_validator(mode="after")
    def _sizes(self) -> Self:
        if not len(self.mean) == len(self.std) == self.shape[0]:
            raise ValueError("mean and std must have a number for each channel")
        counts = (self.counts.train, self.counts.validation, self.counts.test)
        if any(len(images) != len(self.classes) or not any(images) for images in counts):
            raise ValueError("counts must have a number for each class, and not 0 for all")
        return self


class Environment(Part):
    threads: Annotated[int, Field(ge=1)]


class Decides(Part):
    results: int


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(strict=True, extra="ignore"))
class Run:
    """One contender, one dataset, one seed, as it lies on disk. Made by `read_run`."""

    path: Path
    spec: RunSpec
    status: Literal["finished", "diverged"]
    """`finished`, or `diverged`: the loss became non-finite, and there are no predictions."""
    dataset: Annotated[dict[str, Any], Table(Data)]
    environment: Annotated[dict[str, Any], Table(Environment)]
    metrics: dict[str, float]
    """`{train,validation}_{accuracy,loss}`; those of the test split are asked for by `test_metrics`."""
    parameters: Count
    multiply_adds: Count
    seconds: float
    images_per_second: float
    history: Annotated[tuple[Row, ...], LISTED]
    ended: str | None = None
    """When, in ISO 8601 and UTC; None in a record of an earlier version."""
    fallback_epoch: int | None = None
    """The epoch after which training restarted with the recipe's fallback."""
    pool: dict[str, Any] | None = None
    """What a teacher added to the training split: {"teacher": its run, "images": in the pool, "taken": added}."""
    needs: Annotated[tuple[str, ...], LISTED] = ()
    """Directory names of the runs beside it that an ensemble averages."""
    weights: dict[str, str] | None = None
    """Where training began from weights of a file: {"file": its path, "sha256": of its content}."""
    segments: Annotated[tuple[dict[str, Any], ...], LISTED] = ()
    """One for each process that trained it: {"started": UTC, "step": its first, "environment": its own}."""
    decides: Annotated[dict[str, Any], Table(Decides)] | None = None
    """All that decides the result, its defaults spelled out: what the directory is named by. None: of format 1."""
    packed: bool = False
    """It was packed and unpacked: no weights, rounded probabilities, no logits of training images."""
    notes: Annotated[tuple[str, ...], LISTED] = ()
    """What a reader should know of a record that this version would not have written so."""

    @property
    def results(self) -> int:
        """The rules that the result follows (`spec.RESULTS`)."""
        return int(self.decides["results"]) if self.decides else 3

    @functools.cached_property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """predictions.npz: `{train,validation,test}_{logits,labels}`, `mistake_{index,images}` (the surest wrong test
        predictions) and `confused_{index,images}` (some of each of the most frequent confusions), and
        `{validation,test}_ids`, see `ids`."""
        file, classes = self.path / "predictions.npz", len(self.dataset["classes"])
        arrays = read_arrays(file)
        for split in {name.removesuffix("_logits") for name in arrays if name.endswith("_logits")} | {"test"}:
            logits, labels = (arrays.get(f"{split}_{what}", np.empty(0)) for what in ("logits", "labels"))
            if logits.dtype != np.float32 or labels.dtype != np.int64 or logits.shape != (len(labels), classes):
                raise Damaged(f"{file}: damaged: it has no logits and labels of {classes} classes for {split}")
            if ((labels < 0) | (labels >= classes)).any():
                raise Damaged(f"{file}: damaged: a label of {split} is outside 0..{classes - 1}")
        return arrays

    def ids(self, split: str) -> NDArray[Any] | None:
        """(N,) which image of the data each of `validation` or `test` is: its file's name, or its place from 0 in the
        array that it comes from, the training images' where the split was drawn; None in records of older versions."""
        return self.arrays.get(f"{split}_ids")

    def image_name(self, split: str, place: int) -> str | None:
        """How a person finds image `place` of `validation` or `test` in the data; None in records of older versions."""
        ids = self.ids(split)
        if ids is None:
            return None
        if ids.dtype.kind == "U":
            return str(ids[place])
        drawn = split in self.dataset.get("drawn", ())
        return f"image {ids[place]} (from 0) " + ("before the split" if drawn else f"of the {split} data")

    def test_metrics(self) -> dict[str, float]:
        """`test_accuracy` (a fraction) and `test_loss` (mean cross-entropy, nats), from the stored logits."""
        from scipy.special import log_softmax  # names of datasets must come quickly, and SciPy does not

        logits, labels = self.logits("test"), self.labels("test")
        chances = log_softmax(logits.astype(np.float64), axis=1)
        return {
            "test_accuracy": float((logits.argmax(axis=1) == labels).mean()),
            "test_loss": float(-chances[np.arange(len(labels)), labels].mean()),
        }

    def measured(self, split: str) -> int:
        """How many images of `train`, `validation` or `test` its metrics were measured on."""
        return int(self.dataset["train_sample"] if split == "train" else sum(self.dataset["counts"][split]))

    def logits(self, split: str) -> NDArray[np.float32]:
        """(N, K) logits of `train` (its sample), `validation` or `test`."""
        return self.arrays[f"{split}_logits"]

    def labels(self, split: str) -> NDArray[np.int64]:
        """(N,) labels of `train` (its sample), `validation` or `test`."""
        return self.arrays[f"{split}_labels"]
