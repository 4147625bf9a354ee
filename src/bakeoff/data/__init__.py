"""Data: from a name or a path to checked uint8 images, labels, class names and splits."""

from bakeoff.data.dataset import Dataset, Split
from bakeoff.data.images import load_images
from bakeoff.data.sources import SOURCES, DataWarning, load_dataset

__all__ = ["SOURCES", "DataWarning", "Dataset", "Split", "load_dataset", "load_images"]
