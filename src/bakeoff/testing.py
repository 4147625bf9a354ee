"""The contracts of models and datasets as functions, for the tests of plug-ins; bakeoff's own tests call them too.

from bakeoff.testing import check_dataset, check_model

def test_my_model() -> None:
    check_model(my_model, width=16)
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from bakeoff.data.dataset import Contents, Dataset
from bakeoff.data.sources import Source, draw_splits, load_dataset
from bakeoff.errors import UsageError
from bakeoff.models import Model, find_model
from bakeoff.spec.settings import validate

BATCH, CLASSES = 8, 7


def check_model(model: str | Model | Callable[..., nn.Module], **parameters: Any) -> None:
    """That a model is what training, evaluation and records take it for; seconds, on the CPU.

    It maps images (N, C, H, W) to logits (N, K) for any C and K and any size from its smallest side on; its weights
    come from PyTorch's generator alone; every parameter gets a gradient; in evaluation mode an image's answer depends
    on nothing but the image and the weights, which can be saved and loaded; bfloat16 autocast and channels-last
    memory work.

    Args:
        model: a name (of a plug-in, after `bakeoff.load_plugin`), a function, or an entry with its smallest side.
        parameters: its own, to check it with others than the defaults, such as a smaller width.

    Raises:
        AssertionError: it breaks the contract; the message says how.
        UsageError: no such model, or a parameter that it refuses.
    """
    entry = find_model(model) if isinstance(model, str) else model if isinstance(model, Model) else Model(model)
    _check_parameters(entry)
    settings = validate(entry.settings, parameters, "model").model_dump()

    def make(channels: int, size: tuple[int, int], seed: int = 0) -> nn.Module:
        torch.manual_seed(seed)
        module = entry.function(channels, CLASSES, size, **settings)
        assert isinstance(module, nn.Module), f"the function must return an nn.Module, not {type(module).__name__}"
        return module

    _check_shapes(make, entry.smallest)
    side = max(28, entry.smallest)
    _check_training(make, (side, side))
    _check_evaluation(make, (side, side))


def _check_parameters(entry: Model) -> None:
    """The defaults are valid, also as text, which is what the command line gives."""
    fields = entry.settings.model_fields
    required = [name for name, field in fields.items() if field.is_required()]
    assert not required, f"parameter {required[:1]} has no default"
    defaults = entry.settings().model_dump()
    texts = {name: str(value) for name, value in defaults.items()}
    assert validate(entry.settings, texts, "model").model_dump() == defaults, "a default given as text is another value"


def _check_shapes(make: Callable[..., nn.Module], smallest: int) -> None:
    """Shapes alone, at the smallest size that is promised, at odd ones and oblong ones."""
    sizes = {(smallest, smallest), *((max(h, smallest), max(w, smallest)) for h, w in ((28, 28), (33, 33), (32, 40)))}
    for channels in (1, 3):
        for size in sorted(sizes):
            where = f"{channels} x {size[0]} x {size[1]}"
            try:
                with torch.device("meta"):
                    shape = make(channels, size).eval()(torch.rand(2, channels, *size)).shape
            except RuntimeError as error:
                raise AssertionError(f"images of {where} fail: {error}") from error
            assert shape == (2, CLASSES), f"images of {where} give {tuple(shape)}, not {(2, CLASSES)}"


def _images(size: tuple[int, int]) -> Tensor:
    return torch.rand(BATCH, 1, *size, generator=torch.Generator().manual_seed(0))


def _check_training(make: Callable[..., nn.Module], size: tuple[int, int]) -> None:
    """Weights from the seed alone, and one step."""
    model, same_seed, other_seed = (make(1, size, seed) for seed in (0, 0, 1))
    weights, other_weights = dict(same_seed.named_parameters()), dict(other_seed.named_parameters())
    assert weights, "it has no parameters"
    for name, value in model.named_parameters():
        assert torch.equal(value, weights[name]), f"the same seed gives another {name}: use PyTorch's generator"
    assert any(not torch.equal(value, other_weights[name]) for name, value in weights.items()), (
        "another seed changes nothing"
    )
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    logits = model.train()(_images(size))
    assert logits.dtype == torch.float32, f"logits must be float32, not {logits.dtype}"
    assert logits.isfinite().all(), "logits of a fresh model are not finite"
    probabilities = (logits >= 0).all() and torch.allclose(logits.sum(1), torch.ones(BATCH), atol=1e-3)
    assert not probabilities, "it must end in logits: leave the softmax out"
    nn.functional.cross_entropy(logits, torch.arange(BATCH) % CLASSES).backward()
    named = [(name, value.grad) for name, value in model.named_parameters() if value.requires_grad]
    without = [name for name, gradient in named if gradient is None or not gradient.any()]
    assert not without, f"no gradient reaches {', '.join(without)}"
    with torch.autocast("cpu", torch.bfloat16):
        assert model(_images(size)).isfinite().all(), "logits under bfloat16 autocast are not finite"


def _check_evaluation(make: Callable[..., nn.Module], size: tuple[int, int]) -> None:
    """One answer for one image, and the same after a file."""
    model, images = make(1, size).eval(), _images(size)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        logits = model(images)
        assert torch.equal(logits, model(images)), "in evaluation mode it is random"
        alone = torch.cat([model(image[None]) for image in images[:2]])
        assert torch.allclose(alone, logits[:2], rtol=1e-3, atol=1e-4), "an image's answer depends on those beside it"
        for name, value in model.state_dict().items():
            assert torch.equal(value, before[name]), f"evaluation changes {name}"
        again = make(1, size, seed=1)
        again.load_state_dict(load(save({name: value.contiguous() for name, value in before.items()})))
        assert torch.equal(again.eval()(images), logits), "its state_dict does not hold all that decides its answers"


def check_dataset(dataset: str | Source | Callable[..., Contents], **options: Any) -> Dataset:
    """That a dataset is what training and records take it for; it is read twice, and returned.

    Images are uint8 (N, C, H, W) of one shape, labels int64 within the classes, every split has every class, each image
    of a split an id of its own; reading again, whatever random generators have done, gives the same bytes; and it can
    be handed to a worker process.

    Args:
        dataset: a reference such as `mine:shapes`, a function that returns Contents, or an entry.
        options: of the function or entry.

    Raises:
        AssertionError: it breaks the contract; the message says how.
        BakeoffError, UsageError: no such dataset or option, or what no dataset may hold.
    """
    if isinstance(dataset, str) and options:
        raise UsageError(f"dataset {dataset}: write options into the reference: {dataset}:key=value")
    np.random.seed(0)  # noqa: NPY002 - to find a reader that draws from the global generator
    first = _read(dataset, options)
    np.random.seed(1)  # noqa: NPY002
    second = _read(dataset, options)
    assert first.fingerprint == second.fingerprint, "reading it again gives other data: seed a generator of its own"
    for name, split in first.splits.items():
        assert len(np.unique(split.ids)) == len(split), f"{name} split: two images have the same id"
        assert split.images.min() < split.images.max(), f"{name} split: all pixels are equal"
    assert pickle.loads(pickle.dumps(first)).fingerprint == first.fingerprint, "it changes on its way to a worker"
    return first


def _read(dataset: str | Source | Callable[..., Contents], options: dict[str, Any]) -> Dataset:
    if isinstance(dataset, str):
        return load_dataset(dataset)
    source = dataset if isinstance(dataset, Source) else Source(dataset)
    return draw_splits(source.read("checked", validate(source.settings, options, "dataset")))
