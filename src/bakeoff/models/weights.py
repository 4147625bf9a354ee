"""Initial weights from files, and stages whose weights are kept while the rest is trained."""

from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from bakeoff.errors import BakeoffError, MissingData, UsageError, closest
from bakeoff.files import sha256
from bakeoff.models.tensors import read_tensors
from bakeoff.record import check_weights, data_folders, find_origin, read_run

ADDRESS = "https://download.pytorch.org/models/"
"""Where torchvision publishes its weights."""

IMAGENET: dict[str, str] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
"""torchvision's first ImageNet weights by model: the file, whose name ends in the first 8 hex digits of its SHA-256.

Only these digits are published and checked; a run's record and its directory's name cover all 64."""


def published_weights(model: str) -> dict[str, str]:
    """The published file for a model, and what its SHA-256 begins with.

    Raises:
        UsageError: nothing is published for this model.
    """
    if model not in IMAGENET:
        raise UsageError(f"weights 'imagenet': none are published for {model}{closest(model, IMAGENET)}")
    name = IMAGENET[model]
    return {name: name.removesuffix(".pth").rpartition("-")[2]}


def find_weights(source: str, model: str) -> Path:
    """The file that `source` means: `imagenet` for what is published for `model`, a path, or a run's directory.

    Raises:
        UsageError: nothing is published for this model, or it is no kind of file that can be read.
        MissingData: the published file is not at hand.
        BakeoffError: the file is not there, it is not the published one, or the run's record is damaged.
    """
    if source != "imagenet":
        if run := find_origin(source):
            check_weights(read_run(run))
        path = Path(source) / "weights.safetensors" if Path(source).is_dir() else Path(source)
        if path.suffix not in (".pth", ".pt", ".safetensors"):
            raise UsageError(f"weights {source!r}: must be 'imagenet', a .safetensors, .pth or .pt file, or a run")
        if not path.is_file():
            raise BakeoffError(f"weights {source!r}: there is no file {path}")
        return path
    ((name, checksum),) = published_weights(model).items()
    folders = data_folders("weights")
    paths = [path for folder in folders if (path := folder / name).is_file()]
    if not paths:
        raise MissingData(
            f"weights 'imagenet': there is no {name} in {' or '.join(map(str, folders))}: run `bakeoff data fetch "
            f"weights/{model}`, or put {ADDRESS}{name} there"
        )
    if not sha256(paths[0]).startswith(checksum):
        raise BakeoffError(f"{paths[0]}: damaged, its SHA-256 does not begin with {checksum}: fetch it again")
    return paths[0]


def load_weights(model: nn.Module, path: Path) -> str:
    """Put the weights of a file into `model`; returns the file's SHA-256, for the record.

    The file holds a table of named tensors in the model's own names (torchvision's, for the families it has). Two
    things may differ. Where the number of classes does, the last layer keeps its fresh weights. Where the model takes
    1 channel and the file 3, the first convolution gets the sum over them, so that a grey image gives what the same
    image three times over gave. Published files expect standardised pixels.

    Raises:
        BakeoffError: the file is damaged, holds anything but tensors, or is not of this network.
    """
    fresh = model.state_dict()
    loaded = {
        _modern(name): value for name, value in read_tensors(path).items() if not name.endswith("num_batches_tracked")
    }
    layers = [f"{name}.weight" for name, layer in model.named_modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    stem, head = layers[0], layers[-1]
    grey = stem in loaded and fresh[stem].shape[1] == 1
    if grey and loaded[stem].shape == (len(fresh[stem]), 3, *fresh[stem].shape[2:]):
        loaded[stem] = loaded[stem].sum(1, keepdim=True)
    same_features = head in loaded and loaded[head].shape[1:] == fresh[head].shape[1:]
    if same_features and len(loaded[head]) != len(fresh[head]):
        loaded |= {name: value for name, value in fresh.items() if name.startswith(head.removesuffix("weight"))}
    try:
        model.load_state_dict(loaded)
    except RuntimeError as error:
        fault = str(error).splitlines()[1].strip()[:200]
        raise BakeoffError(
            f"{path}: must be of the same network, where only the classes may differ, and 3 channels become 1: {fault}"
        ) from None
    return sha256(path)


def _modern(name: str) -> str:
    """The name that torchvision gives today to a tensor of its first DenseNet files."""
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)", r"\1\2", name)


class FixedBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation by the statistics it has, in training too; it gathers none."""

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        return F.batch_norm(images, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


def freeze(model: nn.Module, choice: str) -> None:
    """Keep the first stages of a model as they are: `stages:4` keeps four.

    Stages are the paper's: in a residual network the first is the stem (conv1 and bn1), the second layer1, and so on.
    Their parameters require no gradient, and their batch normalisation keeps its statistics, whatever `model.train()`
    says. An optimiser must be given only the parameters that require a gradient.

    A model says in `stages` which of its parts, by name, make up each stage.

    Raises:
        UsageError: more stages than the model has.
    """
    stages, count = getattr(model, "stages", ()), int(choice.removeprefix("stages:"))
    if count > len(stages):
        raise UsageError(f"freeze = {choice!r}: this model has {len(stages)} stages that can be frozen")
    for part in itertools.chain(*stages[:count]):
        for layer in model.get_submodule(part).requires_grad_(False).modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.__class__ = FixedBatchNorm2d
