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
    before = {split: sum(counts) for split, counts in run.dataset["counts"].items()}
    now = {split: len(part) for split, part in dataset.splits.items()}
    changed = [
        f"{now[split]:,} {split} images instead of {before[split]:,}" for split in now if now[split] != before[split]
    ]
    if list(dataset.classes) != run.dataset["classes"]:
        changed.append("other classes")
    raise BakeoffError(
        f"{run.path}: its data, {run.spec.dataset}, are not those it was trained on "
        f"({', '.join(changed) or 'as many images, but others, or in another order, or with other labels'}), so its "
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
    theirs = parent.spec
    before = [folder.parent / name for name in (*parent.needs, *([parent.pool["teacher"]] if parent.pool else []))]
    for earlier in filter(None, (*map(str, before), theirs.recipe.weights, theirs.recipe.teacher)):
        check_parent(earlier, spec, dataset)
    cut_alike = (theirs.dataset, theirs.validation, theirs.images) == (spec.dataset, spec.validation, spec.images)
    try:
        data = (
            dataset if cut_alike else load_dataset(theirs.dataset, validation=theirs.validation, images=theirs.images)
        )
        check_unchanged(parent, data)
    except BakeoffError:
        if theirs.dataset == spec.dataset:
            raise
        return
    declared = spec.recipe.trains_on_test or spec.recipe.selects_on_test  # such a run is marked as one itself
    knows_test = not declared and (theirs.recipe.trains_on_test or theirs.recipe.selects_on_test)
    if cut_alike and not knows_test:
        return
    seen = {*image_digests(data.train.images), *(image_digests(data.test.images) if knows_test else ())}
    seen -= set(image_digests(dataset.train.images))
    for name, split in (("validation", dataset.validation), ("test", dataset.test)):
        if shared := sum(digest in seen for digest in image_digests(split.images)):
            what = "was trained on, or chosen by," if knows_test else "was trained on"
            alike = theirs.dataset == spec.dataset and not knows_test
            mend = f"validation = {theirs.validation:g}, as that run did" if alike else "another run, or other data"
            raise UsageError(f"{source}: {what} {shared:,} of the {len(split):,} {name} images: choose {mend}")


def count_trained_on(run: Run, images: Images) -> int | None:
    """How many of `images` (N, C, H, W) the run was trained on, pixel by pixel; None where its own data are no longer
    at hand or have changed."""
    spec = run.spec
    try:
        data = load_dataset(spec.dataset, validation=spec.validation, images=spec.images)
    except BakeoffError:
        return None
    if data.fingerprint != run.dataset["fingerprint"]:
        return None
    seen = set(image_digests(data.train.images))
    return sum(digest in seen for digest in image_digests(images))
