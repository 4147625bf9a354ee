"""Whether a dataset that is loaded again is the one a run was trained on, and which images the run has seen."""

from __future__ import annotations

from bakeoff.data.dataset import Dataset, Images
from bakeoff.data.duplicates import image_digests
from bakeoff.data.sources import load_dataset
from bakeoff.errors import BakeoffError, UsageError
from bakeoff.record import Run, find_origin, read_run
from bakeoff.spec import RunSpec


def check_unchanged(run: Run, dataset: Dataset) -> None:
    """That `dataset`, drawn as the run's spec says, holds the very images, labels and splits the run was trained on.

    Raises:
        BakeoffError: it does not; the sentence says what differs.
    """
    if dataset.fingerprint == run.dataset["fingerprint"]:
        return
    before = ", ".join(f"{sum(counts):,} {split}" for split, counts in run.dataset["counts"].items())
    now = ", ".join(f"{len(part):,} {split}" for split, part in dataset.splits.items())
    raise BakeoffError(
        f"{run.path}: its data, {run.spec.dataset}, are not those it was trained on ({before} then; {now} now), so its "
        "splits may hold images of its training: put the former data back, or train anew"
    )


def check_parent(source: str, spec: RunSpec, dataset: Dataset) -> None:
    """That a run which a new one begins from or is taught by, and those that it came from, have seen none of the
    images the new one is judged by: neither trained on them nor chosen an epoch by them.

    Looks only where `source` is a run's directory, or its weights; of other data than the new run's only while they
    are at hand as they were.

    Args:
        spec, dataset: those of the new run.

    Raises:
        BakeoffError: the data have changed since the parent was trained.
        UsageError: the parent has seen validation or test images of the new run.
    """
    folder = find_origin(source)
    if folder is None:
        return
    parent = read_run(folder)
    before = [folder.parent / name for name in (*parent.needs, *([parent.pool["teacher"]] if parent.pool else []))]
    for earlier in filter(None, (*map(str, before), parent.spec.recipe.weights, parent.spec.recipe.teacher)):
        check_parent(earlier, spec, dataset)
    same_splits = all(
        getattr(parent.spec, field) == getattr(spec, field) for field in ("dataset", "validation", "images")
    )
    try:
        data = dataset if same_splits else _load(parent.spec)
        check_unchanged(parent, data)
    except BakeoffError:
        if parent.spec.dataset == spec.dataset:
            raise
        return
    declared = spec.recipe.trains_on_test or spec.recipe.selects_on_test  # such a run is marked as one itself
    knows_test = not declared and (parent.spec.recipe.trains_on_test or parent.spec.recipe.selects_on_test)
    if same_splits and not knows_test:
        return
    seen = {*image_digests(data.train.images), *(image_digests(data.test.images) if knows_test else ())}
    seen -= set(image_digests(dataset.train.images))
    for name, split in (("validation", dataset.validation), ("test", dataset.test)):
        if shared := sum(digest in seen for digest in image_digests(split.images)):
            raise UsageError(
                f"{source}: was trained on, or chosen by, {shared:,} of the {len(split):,} {name} images: choose "
                f"another run, other data, or that run's validation = {parent.spec.validation:g}"
            )


def count_trained_on(run: Run, images: Images) -> int | None:
    """How many of `images` (N, C, H, W) the run was trained on, pixel by pixel; None where its own data are no longer
    at hand or have changed."""
    try:
        data = _load(run.spec)
        check_unchanged(run, data)
    except BakeoffError:
        return None
    seen = set(image_digests(data.train.images))
    return sum(digest in seen for digest in image_digests(images))


def _load(spec: RunSpec) -> Dataset:
    return load_dataset(spec.dataset, validation=spec.validation, images=spec.images)
