"""What a network is taught, and on which images: tasks, whose code is in training/tasks/, and pools of images that a
teacher labels."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from bakeoff.spec import renamed
from bakeoff.spec.registry import Entry, Registry
from bakeoff.spec.settings import Frozen

CROPS = 6
"""Crops of each generated image, all within one epoch."""

Shape = tuple[int, int, int]


class TaskSettings(Frozen):
    """The classes of the images of the training split."""

    def epoch_size(self, images: int) -> int:
        """Images in an epoch, for a training split of so many."""
        return images

    def image_shape(self, shape: Shape) -> Shape:
        """(C, H, W) of the images that are trained on, for a dataset of images of `shape`."""
        return shape

    def outputs(self, classes: int) -> int:
        """How many logits the training loss is over, for a dataset of so many classes."""
        return classes


class GeneratedSettings(TaskSettings):
    """The classes of generated images that are never the same twice."""

    times: Annotated[
        int, Field(ge=1, le=10_000, description="images an epoch, as a multiple of the training split's")
    ] = 1

    def epoch_size(self, images: int) -> int:
        return self.times * images


class CropsSettings(GeneratedSettings):
    """The classes of crops of generated images: one digit in the middle of each, or none."""

    size: int = Field(41, ge=8, le=256, description="height and width of a crop in pixels")
    jitter: float = Field(3.0, ge=0, le=64, description="how far the digit's middle may be off, in pixels")
    apart: float = Field(6.0, gt=0, le=64, description="from every digit, of a crop that shows none")

    def epoch_size(self, images: int) -> int:
        return self.times * images // CROPS * CROPS

    def image_shape(self, shape: Shape) -> Shape:
        return shape[0], self.size, self.size

    def outputs(self, classes: int) -> int:
        return classes + 1


class HeatmapSettings(GeneratedSettings):
    """Class and place in generated images: of the digit that an image's label comes from."""

    cells: int = Field(8, ge=1, le=64, description="places that are told apart, in height and in width")

    def outputs(self, classes: int) -> int:
        return classes * self.cells**2


TASKS: Registry[Entry[TaskSettings]] = Registry(
    "task",
    {
        "images": Entry("bakeoff.training.tasks.base:Task", TaskSettings),
        "generated": Entry("bakeoff.training.tasks.generated:GeneratedTask", GeneratedSettings),
        "crops": Entry("bakeoff.training.tasks.crops:CropsTask", CropsSettings),
        "heatmap": Entry("bakeoff.training.tasks.heatmap:HeatmapTask", HeatmapSettings),
    },
    renamed=renamed.TASKS,
)


class Pool(Frozen):
    """The images without labels that the data bring, such as a competition's: a teacher labels them, and those it is
    sure of join the training split."""

    of_test: ClassVar[bool] = False
    """They are the images of the test split."""
    confidence: float = Field(0.95, ge=0, le=1, description="lowest probability that the teacher gives its label")


class PoolOfTest(Pool):
    """The images of the test split."""

    of_test: ClassVar[bool] = True


POOLS: Registry[Entry[Pool]] = Registry("pool", {"unlabelled": Entry(Pool), "test": Entry(PoolOfTest)})
