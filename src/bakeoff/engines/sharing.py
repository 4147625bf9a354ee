"""A dataset that lies in memory once, for several processes."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from multiprocessing.context import SpawnContext
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bakeoff.data.dataset import Dataset, Split
from bakeoff.data.duplicates import Duplicates

K = TypeVar("K")


@dataclasses.dataclass(frozen=True)
class SharedArray:
    """An array in anonymous memory: a new process is given it without a copy, and no kill leaves it behind."""

    memory: Any
    shape: tuple[int, ...]
    dtype: str

    @classmethod
    def copy(cls, array: NDArray[Any], context: SpawnContext) -> SharedArray:
        shared = cls(context.RawArray("B", max(1, array.nbytes)), array.shape, array.dtype.str)
        shared.array()[...] = array
        return shared

    def array(self) -> NDArray[Any]:
        return np.ndarray(self.shape, self.dtype, self.memory)


@dataclasses.dataclass(frozen=True)
class SharedDataset:
    """What a process needs to have the dataset: its fields, with shared arrays in them."""

    fields: dict[str, Any]
    splits: dict[str, tuple[SharedArray, ...]]
    """Images, labels and ids."""
    duplicates: Duplicates

    @classmethod
    def copy(cls, dataset: Dataset, context: SpawnContext) -> SharedDataset:
        fields = {field.name: getattr(dataset, field.name) for field in dataclasses.fields(dataset) if field.init}
        for name, value in fields.items():
            if isinstance(value, np.ndarray):
                fields[name] = SharedArray.copy(value, context)
        splits = {
            name: tuple(SharedArray.copy(array, context) for array in (split.images, split.labels, split.ids))
            for name, split in dataset.splits.items()
        }
        return cls({name: value for name, value in fields.items() if name not in splits}, splits, dataset.duplicates)

    def dataset(self) -> Dataset:
        """The dataset, checked and fingerprinted like any other."""
        fields: dict[str, Any] = {
            k: value.array() if isinstance(value, SharedArray) else value for k, value in self.fields.items()
        }
        fields |= {name: Split(*(array.array() for array in arrays)) for name, arrays in self.splits.items()}
        dataset = Dataset(**fields)
        vars(dataset)["duplicates"] = self.duplicates  # of the cached property: no process works them out again
        return dataset


def share(data: dict[K, Dataset], context: SpawnContext) -> dict[K, SharedDataset]:
    """Shared copies of the datasets, each taken out of `data`. Those that would not fit into the folder of temporary
    files, where the memory may come from, stay."""
    shared = {}
    for key, dataset in tuple(data.items()):
        images = [split.images for split in dataset.splits.values()]
        if sum(array.nbytes for array in images) < shutil.disk_usage(tempfile.gettempdir()).free / 2:
            shared[key] = SharedDataset.copy(data.pop(key), context)
    return shared
