"""Weights from a file instead of chance, and stages that keep theirs while the rest is trained."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from bakeoff.errors import BakeoffError, MissingData, UsageError, closest
from bakeoff.files import sha256
from bakeoff.models.tensors import read_tensors
from bakeoff.record import data_folders, find_origin, read_run

ADDRESS = "https://download.pytorch.org/models/"
"""Where torchvision publishes its weights."""

IMAGENET: dict[str, str] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
"""torchvision's first ImageNet weights by model: the file, whose name ends in the first 8 hex digits of its SHA-256.

No more of it is published, so no more is checked; a run's record and its directory's name hold the whole of it."""


_ALLOWED = "it must be of the same network: only the classes may differ, and 3 channels become 1"


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
            read_run(run)  # its checksums are those of its files
        path = Path(source) / "weights.safetensors" if Path(source).is_dir() else Path(source)
        if path.suffix not in (".pth", ".pt", ".safetensors"):
            raise UsageError(f"weights {source!r}: must be 'imagenet', a .safetensors, .pth or .pt file, or a run")
        if not path.is_file():
            why = f"{source} has no {path.name}" if Path(source).is_dir() else "there is no such file"
            raise BakeoffError(f"weights {source!r}: {why}")
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
    own = model.state_dict()
    loaded = {_modern(name): value for name, value in read_tensors(path).items()}
    layers = [f"{name}.weight" for name, layer in model.named_modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    stem, head = layers[0], layers[-1]
    if stem in loaded and own[stem].shape[1] == 1 and loaded[stem].shape[1:2] == (3,):
        loaded[stem] = loaded[stem].sum(1, keepdim=True)
    same_features = head in loaded and loaded[head].shape[1:] == own[head].shape[1:]
    if same_features and len(loaded[head]) != len(own[head]):
        loaded |= {name: value for name, value in own.items() if name.startswith(head.removesuffix("weight"))}
    for name, value in own.items():
        if name.endswith("num_batches_tracked"):  # older files do not count batches, and nothing here reads it
            loaded[name] = value
        elif name not in loaded:
            raise BakeoffError(f"{path}: it has no {name!r}; {_ALLOWED}")
        elif loaded[name].shape != value.shape:
            there, here = (tuple(tensor.shape) for tensor in (loaded[name], value))
            raise BakeoffError(f"{path}: {name!r} has shape {there}, and {here} in this model; {_ALLOWED}")
    if strange := next((name for name in loaded if name not in own), None):
        raise BakeoffError(f"{path}: {strange[:100]!r} is not in this model; {_ALLOWED}")
    model.load_state_dict(loaded)
    return sha256(path)


def _modern(name: str) -> str:
    """The name that torchvision gives today to a tensor of its first DenseNet files."""
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)", r"\1\2", name)


class FixedBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation by the statistics it has, in training too; it gathers none."""

    @classmethod
    def of(cls, layer: nn.BatchNorm2d) -> FixedBatchNorm2d:
        """The same layer, its tensors shared, with its statistics fixed."""
        fixed = cls(layer.num_features, layer.eps, layer.momentum)
        fixed.load_state_dict(layer.state_dict(), assign=True)
        return fixed

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        return F.batch_norm(images, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


def freeze(model: nn.Module, what: str) -> None:
    """Keep the first stages of a model as they are: `stages:4` keeps four.

    Stages are the paper's: in a residual network the first is the stem (conv1 and bn1), the second layer1, and so on.
    Their parameters require no gradient, and their batch normalisation keeps its statistics, whatever `model.train()`
    says. An optimiser must be given only the parameters that require a gradient.

    A model says in `stages` which of its parts, by name, make up each stage.

    Raises:
        UsageError: not of this form, or more stages than the model has.
    """
    stages: tuple[tuple[str, ...], ...] = getattr(model, "stages", ())
    match = re.fullmatch(r"stages:([1-9]\d*)", what)
    if not stages:
        raise UsageError(f"freeze = {what!r}: this model has no stages to freeze")
    if not match or int(match[1]) > len(stages):
        raise UsageError(f"freeze = {what!r}: must be stages:1 to stages:{len(stages)} for this model")
    for part in (part for stage in stages[: int(match[1])] for part in stage):
        norms = {
            f"{part}.{name}".removesuffix("."): layer
            for name, layer in model.get_submodule(part).named_modules()
            if isinstance(layer, nn.BatchNorm2d)
        }
        for name, layer in norms.items():
            model.set_submodule(name, FixedBatchNorm2d.of(layer))
        model.get_submodule(part).requires_grad_(False)
