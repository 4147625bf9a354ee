"""One contract for every model of the table, and the published parameter counts."""

import pytest
import torch
from safetensors.torch import load, save

from bakeoff.errors import UsageError
from bakeoff.models import (
    MODELS,
    check_parameters,
    count_multiply_adds,
    count_parameters,
    create_model,
    parameter_schema,
)
from bakeoff.models.blocks import PoolReLU, glorot_


def make(name: str, *, channels: int = 1, classes: int = 10, size=28, seed: int = 0, **parameters):
    torch.manual_seed(seed)
    return create_model(name, channels=channels, classes=classes, size=size, **parameters)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", ["smallest", 28, 33, (32, 40)])
def test_shapes(name: str, channels: int, size) -> None:
    """(N, C, H, W) -> (N, K), at the smallest size the table promises, odd sizes and oblong ones."""
    size = MODELS[name].smallest if size == "smallest" else size
    height, width = (size, size) if isinstance(size, int) else size
    model = make(name, channels=channels, classes=7, size=size).eval()
    with torch.no_grad():
        logits = model(torch.rand(2, channels, height, width))
    assert logits.shape == (2, 7)
    assert logits.isfinite().all()
    assert not torch.allclose(logits.sum(1), torch.ones(2)), "logits, not probabilities"


@pytest.mark.parametrize("name", [name for name, entry in MODELS.items() if entry.smallest > 1])
def test_a_smaller_image_is_refused(name: str) -> None:
    smallest = MODELS[name].smallest
    with pytest.raises(UsageError, match=rf"model {name}: .*too small.* {smallest} pixels"):
        make(name, size=smallest - 1)


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    model = make(name).train()
    generator = torch.Generator().manual_seed(0)
    logits = model(torch.rand(16, 1, 28, 28, generator=generator))
    torch.nn.functional.cross_entropy(logits, torch.arange(16) % 10).backward()
    without = [key for key, value in model.named_parameters() if value.grad is None or not value.grad.any()]
    assert not without


@pytest.mark.parametrize("name", MODELS)
def test_the_seed_decides_the_weights(name: str) -> None:
    first, again, other = (make(name, seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("name", MODELS)
def test_weights_survive_a_file(name: str) -> None:
    model, other = make(name, seed=0).eval(), make(name, seed=1).eval()
    other.load_state_dict(load(save(model.state_dict())))
    images = torch.rand(3, 1, 28, 28)
    with torch.no_grad():
        assert torch.equal(model(images), other(images))


@pytest.mark.parametrize("name", MODELS)
def test_glorot_fills_convolutions_and_linear_layers(name: str) -> None:
    """Uniform within sqrt(6 / (fan in + fan out)), close to that bound at the largest, and zero biases."""
    model = make(name)
    glorot_(model)
    for layer in model.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            field = layer.weight[0, 0].numel() if layer.weight.ndim == 4 else 1
            bound = (6 / (field * (layer.weight.shape[0] + layer.weight.shape[1]))) ** 0.5
            largest = float(layer.weight.detach().abs().max())
            assert 0.8 * bound < largest <= bound
            assert layer.bias is None or not layer.bias.any()


@pytest.mark.parametrize(
    ("name", "channels", "size", "count"),
    [
        ("conv", 1, 28, 93_322),
        ("drop", 1, 28, 93_322),
        ("baseline_cnn", 1, 28, 92_498),
        ("logistic", 1, 28, 7_850),
        # 269,722 at 3 channels with option A: the count of the field's reimplementations of the paper's 0.27 M
        ("resnet20", 3, 32, 269_722),
    ],
)
def test_published_parameter_counts(name: str, channels: int, size: int, count: int) -> None:
    assert count_parameters(make(name, channels=channels, size=size)) == count


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
        ("resnet21", {}, r"no model 'resnet21' \(closest: resnet20"),
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


@pytest.mark.parametrize("name", MODELS)
def test_parameters_from_text_are_typed(name: str) -> None:
    """What the command line gives as text builds the same model as the defaults."""
    defaults = {key: field.default for key, field in parameter_schema(name).model_fields.items()}
    assert check_parameters(name, {key: str(value) for key, value in defaults.items()}) == defaults
