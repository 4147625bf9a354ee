"""A dataset that lies in memory once, for several processes."""

from __future__ import annotations

import dataclasses
import pickle
import shutil
import tempfile
from multiprocessing.context import SpawnContext
from typing import Any, TypeVar

from bakeoff.data.dataset import Dataset

K = TypeVar("K")


@dataclasses.dataclass(frozen=True)
class SharedDataset:
    """A dataset whose arrays are in anonymous memory: a new process is given them without a copy, and no kill leaves
    them behind."""

    pickled: bytes
    """All of it but the arrays' bytes."""
    memory: tuple[Any, ...]
    """Of each array."""

    @classmethod
    def copy(cls, dataset: Dataset, context: SpawnContext) -> SharedDataset:
        _ = dataset.duplicates  # kept with it, so that no other process works them out again
        buffers: list[pickle.PickleBuffer] = []
        pickled = pickle.dumps(dataset, protocol=5, buffer_callback=buffers.append)
        memory = []
        for raw in (buffer.raw() for buffer in buffers):
            memory.append(context.RawArray("B", raw.nbytes) if raw.nbytes else bytearray())
            memoryview(memory[-1]).cast("B")[:] = raw
        return cls(pickled, tuple(memory))

    def dataset(self) -> Dataset:
        """The dataset, with its arrays in the shared memory."""
        dataset: Dataset = pickle.loads(self.pickled, buffers=self.memory)
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
