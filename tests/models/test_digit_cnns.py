"""The plain CNNs of the composite-digit reports against what the reports print."""

import pytest
import torch
from torch import nn

from bakeoff.models import count_parameters
from bakeoff.models.digit_cnns import custom_cnn, keras_cnn, pytorch_cnn

FIGURE_8 = [  # output (Keras: H, W, C) and values of each layer, as printed in the report `highest-digit`
    ((126, 126, 64), 640),
    ((124, 124, 64), 36_928),
    ((124, 124, 64), 256),
    ((62, 62, 64), 0),
    ((62, 62, 64), 0),
    ((58, 58, 128), 204_928),
    ((54, 54, 128), 409_728),
    ((54, 54, 128), 512),
    ((27, 27, 128), 0),
    ((27, 27, 128), 0),
    ((25, 25, 256), 295_168),
    ((23, 23, 256), 590_080),
    ((23, 23, 256), 1_024),
    ((11, 11, 256), 0),
    ((11, 11, 256), 0),
    ((9, 9, 128), 295_040),
    ((3, 3, 128), 0),
    ((1152,), 0),
    ((64,), 73_792),
    ((64,), 4_160),
    ((10,), 650),
]


def outputs(model: nn.Sequential, images: torch.Tensor) -> list[tuple[nn.Module, tuple[int, ...]]]:
    """The layers and the shapes that leave them, channels last as Keras prints them."""
    rows = []
    for layer in model:
        images = layer(images)
        shape = tuple(images.shape[1:])
        rows.append((layer, shape if len(shape) == 1 else (*shape[1:], shape[0])))
    return rows


def keras_values(layer: nn.Module) -> int:
    """What Keras counts: parameters and moving statistics; PyTorch's count of batches has no twin there."""
    return sum(v.numel() for name, v in layer.state_dict().items() if name != "num_batches_tracked")


def test_keras_cnn_is_figure_8_layer_by_layer() -> None:
    """Activations are no layers of Keras's table."""
    with torch.device("meta"):
        model = keras_cnn(1, 10, (128, 128)).eval()
        layers = outputs(model, torch.zeros(1, 1, 128, 128))
    table = [(shape, keras_values(layer)) for layer, shape in layers if not isinstance(layer, nn.ReLU)]
    assert table == FIGURE_8


def test_keras_cnn_has_both_printed_totals() -> None:
    with torch.device("meta"):
        model = keras_cnn(1, 10, (128, 128))
    assert count_parameters(model) == 1_912_010
    assert sum(map(keras_values, model)) == 1_912_906
    assert 1_912_906 - 1_912_010 == 896


def test_keras_cnn_normalises_as_keras_does() -> None:
    """moving = 0.99 x moving + 0.01 x batch, and 0.001 under the root."""
    torch.manual_seed(0)
    layer = next(layer for layer in keras_cnn(1, 10, (76, 76)) if isinstance(layer, nn.BatchNorm2d)).train()
    images = torch.randn(8, 64, 5, 5)
    out = layer(images)
    torch.testing.assert_close(layer.running_mean, 0.01 * images.mean((0, 2, 3)))
    mean, variance = images.mean((0, 2, 3), keepdim=True), images.var((0, 2, 3), correction=0, keepdim=True)
    torch.testing.assert_close(out, (images - mean) / (variance + 0.001).sqrt())


def test_pytorch_cnn_has_the_printed_sizes() -> None:
    """Each section: two convolutions, BN, pooling, ReLU, dropout; 18,432 features into the last layer."""
    with torch.device("meta"):
        model = pytorch_cnn(1, 10, (128, 128)).eval()
        layers = outputs(model, torch.zeros(1, 1, 128, 128))
    pooled = [shape for layer, shape in layers if isinstance(layer, nn.MaxPool2d)]
    assert pooled == [(62, 62, 32), (29, 29, 64), (12, 12, 128)]
    kinds = [type(layer).__name__ for layer in model]
    section = ["Conv2d", "Conv2d", "BatchNorm2d", "MaxPool2d", "ReLU", "Dropout"]
    assert kinds == [*3 * section, "Flatten", "Linear"]
    assert model[-1].in_features == 18_432
    assert {layer.p for layer in model if isinstance(layer, nn.Dropout)} == {0.3}


@pytest.mark.parametrize("build", [custom_cnn, keras_cnn, pytorch_cnn])
def test_a_narrower_network_has_the_same_layers_with_fewer_filters(build) -> None:
    """Every convolution has a quarter of the filters, and what follows sees a quarter of the features."""
    normal = {custom_cnn: 32, keras_cnn: 64, pytorch_cnn: 32}[build]
    with torch.device("meta"):
        whole, narrow = (build(1, 10, (128, 128), width=width) for width in (normal, normal // 4))
        same = build(1, 10, (128, 128))
    assert [type(layer) for layer in whole] == [type(layer) for layer in narrow]
    assert [tuple(p.shape) for p in same.parameters()] == [tuple(p.shape) for p in whole.parameters()]
    for wide, slim in zip(whole, narrow, strict=True):
        if isinstance(wide, nn.Conv2d):
            assert slim.out_channels == wide.out_channels // 4
            assert (slim.kernel_size, slim.padding) == (wide.kernel_size, wide.padding)
        if isinstance(wide, nn.BatchNorm2d):
            assert slim.num_features == wide.num_features // 4
    first = [next(layer for layer in model if isinstance(layer, nn.Linear)) for model in (whole, narrow)]
    assert first[1].in_features == first[0].in_features // 4


def test_custom_cnn_has_22_layers_and_three_poolings() -> None:
    """Pooling ends the first, second and last of its blocks: 64 -> 32 -> 16 -> 16 -> 16 -> 8."""
    with torch.device("meta"):
        model = custom_cnn(3, 10, (64, 64)).eval()
        layers = outputs(model, torch.zeros(1, 3, 64, 64))
    weighted = [layer for layer, _ in layers if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert len(weighted) == 22
    assert [isinstance(layer, nn.Linear) for layer in weighted] == 20 * [False] + 2 * [True]
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer, _ in layers) == 20
    ends = [shape[0] for layer, shape in layers if isinstance(layer, nn.Dropout) and len(shape) == 3]
    assert ends == [32, 16, 16, 16, 8]
    assert {layer.p for layer in model if isinstance(layer, nn.Dropout)} == {0.25}


def test_smallest_images() -> None:
    """One pixel less in a side leaves a later layer without a map."""
    for build, side in ((custom_cnn, 8), (keras_cnn, 76), (pytorch_cnn, 40)):
        assert build(1, 10, (side, side)).eval()(torch.zeros(1, 1, side, side)).shape == (1, 10)
