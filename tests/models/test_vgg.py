"""VGG against the paper's and torchvision's figures, and against torchvision itself where it is installed."""

import pytest
import torch
from torch import nn

from bakeoff.models import count_multiply_adds, count_parameters, vgg

CONVOLUTIONS = {"vgg11": 8, "vgg13": 10, "vgg16": 13, "vgg19": 16}
NAMES = [name + ending for name in CONVOLUTIONS for ending in ("", "_bn")]


@pytest.mark.parametrize(
    ("name", "count", "giga"),
    [  # parameters and 1e9 multiply-adds in torchvision's table of published weights
        ("vgg11", 132_863_336, 7.61),
        ("vgg13", 133_047_848, 11.31),
        ("vgg16", 138_357_544, 15.47),
        ("vgg19", 143_667_240, 19.63),
        ("vgg11_bn", 132_868_840, 7.61),
        ("vgg13_bn", 133_053_736, 11.31),
        ("vgg16_bn", 138_365_992, 15.47),
        ("vgg19_bn", 143_678_248, 19.63),
    ],
)
@pytest.mark.parametrize("pool", [0, 7])
def test_published_figures(name: str, count: int, giga: float, pool: int) -> None:
    """At 224 pixels the last map is 7x7 anyway, so that averaging to 7x7 changes nothing."""
    with torch.device("meta"):
        model = getattr(vgg, name)(3, 1000, (224, 224), pool=pool)
    assert count_parameters(model) == count
    assert round(count_multiply_adds(model, (3, 224, 224)) / 1e9, 2) == pytest.approx(giga, abs=0.011)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_layers_are_those_of_the_name(name: str) -> None:
    model = getattr(vgg, name)(1, 10, (32, 32), width=2, hidden=4)
    convolutions = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    linear = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    assert len(convolutions) == CONVOLUTIONS[name]
    assert len(convolutions) + len(linear) == int(name.removeprefix("vgg"))


@pytest.mark.parametrize(("side", "features"), [(28, 512), (32, 512), (64, 2048), (84, 2048), (160, 12_800)])
def test_the_reports_head_takes_the_map_as_it_comes(side: int, features: int) -> None:
    """One vector at 28 and 32 pixels; 2,048 values at 64, not the 1,024 that the report states."""
    with torch.device("meta"):
        model = vgg.vgg11(1, 10, (side, side))
        assert model.classifier[0].in_features == features
        assert model(torch.zeros(2, 1, side, side)).shape == (2, 10)


def test_head_pooled_to_seven_pixels_fits_imagenets_weights() -> None:
    with torch.device("meta"):
        ours, published = vgg.vgg16(3, 1000, (64, 48), pool=7), vgg.vgg16(3, 1000, (224, 224))
    shapes = {name: value.shape for name, value in published.state_dict().items()}
    assert {name: value.shape for name, value in ours.state_dict().items()} == shapes


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (17, 8)])
def test_a_side_of_one_pixel_is_not_pooled_away(size: tuple[int, int]) -> None:
    model = vgg.vgg11_bn(3, 5, size, width=2, hidden=4).eval()
    assert model(torch.rand(2, 3, *size)).shape == (2, 5)


def test_pooling_before_relu_is_the_papers_order() -> None:
    """The same logits as convolution, ReLU, pooling, written out."""
    model = vgg.vgg11(3, 5, (40, 64), width=4, hidden=16).double().eval()
    images = torch.randn(2, 3, 40, 64, dtype=torch.float64)
    plain = images
    convolutions = iter(layer for layer in model.features if isinstance(layer, nn.Conv2d))
    for count in (1, 1, 2, 2, 2):
        for _ in range(count):
            plain = torch.relu(next(convolutions)(plain))
        plain = torch.nn.functional.max_pool2d(plain, 2)
    assert torch.equal(model(images), model.classifier(plain.flatten(1)))


def test_dropout_stands_on_the_outputs_of_the_hidden_layers() -> None:
    model = vgg.vgg11(1, 10, (32, 32), width=2, hidden=4, dropout=0.3)
    kinds = [type(layer) for layer in model.classifier]
    assert kinds == [nn.Linear, nn.ReLU, nn.Dropout, nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]
    assert [model.classifier[place].p for place in (2, 5)] == [0.3, 0.3]


@pytest.mark.parametrize("name", NAMES)
def test_stages_are_the_convolutions_between_poolings(name: str) -> None:
    model = getattr(vgg, name)(1, 10, (32, 32), width=4, hidden=8)
    widths = [
        {layer.out_channels for part in stage if isinstance(layer := model.get_submodule(part), nn.Conv2d)}
        for stage in model.stages
    ]
    assert widths == [{4}, {8}, {16}, {32}, {32}]
    staged = [
        key for stage in model.stages for part in stage for key in model.get_submodule(part).state_dict(prefix=part)
    ]
    assert len(staged) == len(model.features.state_dict())


@pytest.mark.parametrize("name", NAMES)
def test_same_weights_same_logits_as_torchvision(torchvision_models, name: str) -> None:
    reference = getattr(torchvision_models, name)(num_classes=7).eval()
    ours = getattr(vgg, name)(3, 7, (64, 96), pool=7).eval()
    ours.load_state_dict(reference.state_dict())
    images = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), reference(images))
