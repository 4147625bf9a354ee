"""The exported contracts: what breaks one is found, and named."""

import numpy as np
import pytest
import torch
from torch import nn

from bakeoff.data.dataset import Contents, Split
from bakeoff.errors import BakeoffError, UsageError
from bakeoff.models import Model
from bakeoff.testing import check_dataset, check_model


class Net(nn.Module):
    """Linear, with one fault."""

    def __init__(self, channels: int, classes: int, size: tuple[int, int], fault: str) -> None:
        super().__init__()
        self.fault = fault
        self.linear = nn.Linear(channels * size[0] * size[1], 7 if fault == "classes" else classes)
        self.norm = nn.BatchNorm1d(classes)
        self.scale = torch.rand(1)
        self.register_buffer("calls", torch.zeros(1))
        if fault == "unused":
            self.spare = nn.Linear(2, 2)
        if fault == "seed":
            nn.init.constant_(self.linear.bias, np.random.default_rng().random())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, K)."""
        logits = self.norm(self.linear(images.flatten(1)))
        if self.fault == "softmax":
            return logits.softmax(1)
        if self.fault == "noise":
            return logits + torch.randn_like(logits)
        if self.fault == "state":
            return logits * self.scale
        if self.fault == "neighbours":
            return logits - logits.mean(0)
        if self.fault == "memory":
            self.calls += 1
        return logits.double() if self.fault == "double" else logits


def faulty(fault: str):
    def build(channels: int, classes: int, size: tuple[int, int]) -> nn.Module:
        return Net(channels, classes, size, fault)

    return build


def test_a_sound_model_passes() -> None:
    check_model(faulty(""))
    check_model("small_cnn", width=2)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("unused", "no gradient reaches spare.weight, spare.bias"),
        ("seed", "the same seed gives another linear.bias"),
        ("softmax", "leave the softmax out"),
        ("noise", "in evaluation mode it is random"),
        ("state", "its state_dict does not hold all that decides its answers"),
        ("memory", "evaluation changes calls"),
        ("double", "logits must be float32, not torch.float64"),
        ("neighbours", "an image's answer depends on those beside it"),
    ],
)
def test_a_fault_of_a_model_is_named(fault: str, sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_model(faulty(fault))


def test_parameters_of_a_model_are_checked() -> None:
    def needs(channels: int, classes: int, size: tuple[int, int], *, width: int) -> nn.Module: ...

    with pytest.raises(AssertionError, match=r"parameter .'width'. has no default"):
        check_model(needs)
    with pytest.raises(AssertionError, match=r"must return an nn\.Module, not NoneType"):
        check_model(lambda *_: None)
    with pytest.raises(UsageError, match="model: unknown key 'wdth'"):
        check_model("small_cnn", wdth=2)
    with pytest.raises(AssertionError, match="images of 1 x 5 x 5 fail: "):
        check_model(Model("bakeoff.models.small_cnn:conv", smallest=5))


def contents(labels: np.ndarray | None = None, pixels: np.ndarray | None = None, ids: np.ndarray | None = None):
    labels = np.arange(60) % 2 if labels is None else labels
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (60, 1, 4, 4), dtype=np.uint8) if pixels is None else pixels
    return Contents("c", ("a", "b"), {"train": Split(images, labels, ids)})


def drawn_anew() -> Contents:
    return contents(labels=np.random.permutation(60) % 2)  # noqa: NPY002


def test_a_sound_dataset_passes() -> None:
    assert check_dataset(contents).shape == (1, 4, 4)
    check_dataset("digits")
    check_dataset("largest-digit:digits=digits,count=120,test_count=60")
    check_dataset("highest-digit:digits=digits,count=120,test_count=60,min_digits=1,max_digits=1")


@pytest.mark.parametrize(
    ("read", "error", "sentence"),
    [
        (drawn_anew, AssertionError, "reading it again gives other data"),
        (lambda: contents(pixels=np.zeros((60, 1, 4, 4), np.uint8)), AssertionError, "all pixels are equal"),
        (lambda: contents(ids=np.zeros(60, np.int64)), AssertionError, "two images have the same id"),
        (lambda: contents(pixels=np.zeros((60, 1, 4, 4))), BakeoffError, "images are float64"),
        (lambda: 3, UsageError, "its function must return Contents, not int"),
    ],
)
def test_a_fault_of_a_dataset_is_named(read, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        check_dataset(read)


def test_every_dataset_at_hand_keeps_the_contract(mnist) -> None:
    assert check_dataset("mnist").fingerprint == mnist.fingerprint
