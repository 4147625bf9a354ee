"""The layer table against sums over the whole model, and against arithmetic by hand."""

import pytest
import torch
from torch import nn

from bakeoff.errors import UsageError
from bakeoff.models import MODELS, count_multiply_adds, count_parameters, create_model, usual_size
from bakeoff.models.layers import layers, model_layers


@pytest.mark.parametrize("name", MODELS.builtin)
def test_layers_sum_to_the_model(name: str) -> None:
    size = usual_size(name)
    with torch.device("meta"):
        model = create_model(name, channels=3, classes=7, size=size)
    rows = model_layers(name, 3, 7, size)
    assert sum(layer.parameters for layer in rows) == count_parameters(model)
    assert sum(layer.multiply_adds for layer in rows) == count_multiply_adds(model, (3, *size))
    maps = {"patch_classifier": 8, "heatmap_classifier": 7}  # of classes and none, of classes
    assert rows[-1].output == (7,) if name not in maps else rows[-1].output[0] == maps[name]


def test_conv_layer_by_layer() -> None:
    """C32 - P2 - C64 - P2 - C64 - D64 - 10 with 3x3 valid convolutions at 28x28x1, worked out by hand."""
    rows = [layer for layer in model_layers("conv", 1, 10, (28, 28)) if layer.parameters]
    assert [(layer.kind, layer.output, layer.parameters, layer.multiply_adds) for layer in rows] == [
        ("Conv2d", (32, 26, 26), 32 * (9 + 1), 26 * 26 * 32 * 9),
        ("Conv2d", (64, 11, 11), 64 * (9 * 32 + 1), 11 * 11 * 64 * 9 * 32),
        ("Conv2d", (64, 3, 3), 64 * (9 * 64 + 1), 3 * 3 * 64 * 9 * 64),
        ("Linear", (64,), 64 * (576 + 1), 64 * 576),
        ("Linear", (10,), 10 * (64 + 1), 640),
    ]


def test_a_layer_that_is_used_twice_has_the_multiply_adds_of_both() -> None:
    shared = nn.Linear(4, 4, bias=False)
    rows = layers(nn.Sequential(nn.Flatten(), shared, shared), (1, 2, 2))
    assert [(layer.parameters, layer.multiply_adds) for layer in rows] == [(0, 0), (16, 32)]


def test_unknown_models_and_small_images() -> None:
    with pytest.raises(UsageError, match="model: unknown choice 'cnov'"):
        usual_size("cnov")
    with pytest.raises(UsageError, match="too small"):
        model_layers("conv", 1, 10, (10, 10))
