"""One contract for every model of the table, and the published parameter counts."""

import pytest
import torch

from bakeoff.errors import UsageError
from bakeoff.models import (
    MODELS,
    count_multiply_adds,
    count_parameters,
    create_model,
    usual_size,
)
from bakeoff.models.blocks import PoolReLU, glorot_
from bakeoff.testing import check_model


def make(name: str, *, channels: int = 1, classes: int = 10, size=None, seed: int = 0, **parameters):
    """A model; `size` None: 28, or the smallest that it takes."""
    torch.manual_seed(seed)
    size = size or usual_size(name)
    return create_model(name, channels=channels, classes=classes, size=size, **parameters)


def parameters_of(name: str) -> int:
    with torch.device("meta"):
        return count_parameters(make(name))


SMALL = [name for name in MODELS.builtin if parameters_of(name) < 3e6]
"""Models that are made quickly; the others are of the same families."""


@pytest.mark.parametrize("name", MODELS.builtin)
def test_every_model_keeps_the_contract(name: str) -> None:
    """Narrow, where it can be: the same code with fewer channels."""
    narrow = {"width": 16, "hidden": 64}
    parameters = {key: value for key, value in narrow.items() if key in MODELS[name].settings.model_fields}
    check_model(name, **parameters)


@pytest.mark.parametrize("name", [name for name, entry in MODELS.builtin.items() if entry.smallest > 1])
def test_a_smaller_image_is_refused(name: str) -> None:
    smallest = MODELS[name].smallest
    with pytest.raises(UsageError, match=rf"model {name}: .*too small.* {smallest} pixels"):
        make(name, size=smallest - 1)


@pytest.mark.parametrize("name", SMALL)
def test_glorot_fills_convolutions_and_linear_layers(name: str) -> None:
    """Uniform within sqrt(6 / (fan in + fan out)), close to that bound at the largest, and zero biases."""
    model = make(name)
    glorot_(model)
    for layer in model.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            field = layer.weight[0, 0].numel() if layer.weight.ndim == 4 else 1
            bound = (6 / (field * (layer.weight.shape[0] + layer.weight.shape[1]))) ** 0.5
            largest = float(layer.weight.detach().abs().max())
            assert (0.8 if layer.weight.numel() > 100 else 0.3) * bound < largest <= bound * (1 + 1e-6), (
                "float32 rounds the bound"
            )
            assert layer.bias is None or not layer.bias.any()


@pytest.mark.parametrize(
    ("name", "channels", "size", "count"),
    [
        ("conv", 1, 28, 93_322),
        ("drop", 1, 28, 93_322),
        ("baseline_cnn", 1, 28, 92_498),
        ("logistic", 1, 28, 7_850),
        ("keras_cnn", 1, 128, 1_912_010),
        # 269,722 and 853,018 with option A: the counts of the field's reimplementations of the paper's 0.27 and 0.85 M
        ("resnet20", 3, 32, 269_722),
        ("resnet56", 3, 32, 853_018),
        ("densenet_bc", 3, 32, 769_162),
    ],
)
def test_published_parameter_counts(name: str, channels: int, size: int, count: int) -> None:
    with torch.device("meta"):
        assert count_parameters(make(name, channels=channels, size=size)) == count


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("resnet18", 11_689_512),
        ("resnet34", 21_797_672),
        ("resnet50", 25_557_032),
        ("resnet101", 44_549_160),
        ("resnet152", 60_192_808),
        ("wide_resnet50_2", 68_883_240),
        ("vgg11", 132_863_336),
        ("vgg13", 133_047_848),
        ("vgg16", 138_357_544),
        ("vgg19", 143_667_240),
        ("densenet121", 7_978_856),
        ("efficientnet_b0", 5_288_548),
    ],
)
def test_counts_of_imagenet_classifiers(name: str, count: int) -> None:
    """At 3 channels, 1,000 classes and 224 pixels, as torchvision publishes them."""
    with torch.device("meta"):
        assert count_parameters(make(name, channels=3, classes=1000, size=224)) == count


def test_the_reports_base_flattens_to_4900() -> None:
    """50 and 100 filters, 100 x 7 x 7 = 4,900 features into one linear layer."""
    model = make("small_cnn", width=50)
    assert model[-1][0].in_features == 4900


def test_multiply_adds_by_hand() -> None:
    """CONV at 28x28: 26^2 x 32 x 9 + 11^2 x 64 x 288 + 3^2 x 64 x 576 + 576 x 64 + 64 x 10."""
    by_hand = 26**2 * 32 * 9 + 11**2 * 64 * 288 + 3**2 * 64 * 576 + 576 * 64 + 64 * 10
    assert count_multiply_adds(make("conv"), (1, 28, 28)) == by_hand


def test_pooling_before_relu_changes_nothing() -> None:
    """Values and gradients are those of ReLU first, ties among zeros included."""
    images = torch.randn(2, 3, 8, 8).round(decimals=1)
    ours, plain = images.clone().requires_grad_(), images.clone().requires_grad_()
    weights = torch.randn(2, 3, 4, 4)
    out = PoolReLU()(ours)
    expected = torch.nn.functional.max_pool2d(torch.relu(plain), 2)
    (out * weights).sum().backward()
    (expected * weights).sum().backward()
    assert torch.equal(out, expected)
    assert torch.equal(ours.grad, plain.grad)


@pytest.mark.parametrize(
    ("name", "parameters", "sentence"),
    [
        ("resnet21", {}, r"model: unknown choice 'resnet21' \(closest: resnet\d"),
        ("small_cnn", {"kernle": 3}, r"unknown key 'kernle' \(closest: kernel"),
        ("small_cnn", {"kernel": 4}, r"kernel = 4: must be odd"),
        ("small_cnn", {"width": 0}, r"width = 0: must be greater than or equal to 1"),
        ("conv", {"width": 3}, r"model conv: takes no parameters, but 'width'"),
        ("resnet20", {"shortcut": "C"}, r"shortcut = 'C': must be 'A' or 'B'"),
    ],
)
def test_a_wrong_name_or_parameter_gets_one_sentence(name: str, parameters: dict, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as error:
        make(name, **parameters)
    assert "\n" not in str(error.value)
