"""Network in network: its layers by hand, and what its two switches do."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bakeoff.models import count_multiply_adds, count_parameters
from bakeoff.models.nin import nin

# kernel, inputs, outputs and side of the map at 28 pixels of each convolution of the report's sketch
LAYERS = [
    *((5, 1, 64, 28), (1, 64, 64, 28), (1, 64, 64, 28)),
    *((3, 64, 128, 14), (1, 128, 128, 14), (1, 128, 128, 14)),
    *((3, 128, 192, 7), (1, 192, 192, 7), (1, 192, 10, 7)),
]


@pytest.mark.parametrize("part", [1, 4])
def test_parameters_by_hand(part: int) -> None:
    """Of the whole network, and of one a quarter as wide between image and classes."""
    layers = [(k, i if i == 1 else i // part, o if o == 10 else o // part) for k, i, o, _ in LAYERS]
    assert count_parameters(nin(1, 10, (28, 28), width=64 // part)) == sum(k * k * i * o + o for k, i, o in layers)


def test_multiply_adds_by_hand() -> None:
    model = nin(1, 10, (28, 28))
    assert count_multiply_adds(model, (1, 28, 28)) == sum(k * k * i * o * side**2 for k, i, o, side in LAYERS)


def test_normalisation_replaces_the_biases_of_all_but_the_last() -> None:
    """A scale and a shift for each channel instead of a bias: one more value a channel."""
    more = sum(outputs for _, _, outputs, _ in LAYERS[:-1])
    assert count_parameters(nin(1, 10, (28, 28), batch_norm=True)) == count_parameters(nin(1, 10, (28, 28))) + more


@pytest.mark.parametrize("rectify", [True, False])
def test_an_mlpconv_is_a_perceptron_slid_over_the_image(rectify: bool) -> None:
    """The last mlpconv at each pixel is a fully connected network on that pixel's 3x3 neighbourhood; a logit is the
    mean of its class map."""
    torch.manual_seed(0)
    model = nin(3, 4, (12, 16), rectify=rectify).double().eval()
    convolutions = [layer for layer in model if isinstance(layer, nn.Conv2d)]
    images = torch.randn(2, 3, 12, 16, dtype=torch.float64)
    with torch.no_grad():
        last = next(place for place, layer in enumerate(model) if layer is convolutions[6])
        maps = model[:last](images)
        assert maps.shape == (2, 128, 3, 4)
        hidden = F.unfold(maps, 3, padding=1).transpose(1, 2)
        for place, layer in enumerate(convolutions[6:]):
            hidden = F.linear(hidden, layer.weight.flatten(1), layer.bias)
            if rectify or place < 2:
                hidden = hidden.relu()
        torch.testing.assert_close(model(images), hidden.mean(1))


def test_rectified_class_maps_give_no_negative_logit() -> None:
    torch.manual_seed(0)
    images = torch.randn(16, 1, 28, 28)
    with torch.no_grad():
        assert float(nin(1, 10, (28, 28)).eval()(images).min()) >= 0
        assert float(nin(1, 10, (28, 28), rectify=False).eval()(images).min()) < 0
