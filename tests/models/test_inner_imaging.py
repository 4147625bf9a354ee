"""The gates of competitive inner imaging against a slow twin of the authors' published modules."""

import pytest
import torch
from torch import nn

from bakeoff.models import count_parameters, inner_imaging
from bakeoff.models.inner_imaging import InnerImaging, fold
from bakeoff.models.residual import SqueezeExcitation

VIEWS = ["2x1", "3x3"]


def test_the_folded_picture() -> None:
    """Channel c of the residual is in row 2 (c // 8), column c % 8, and the shortcut's right below it."""
    pair = torch.randn(2, 2, 32)
    picture = fold(pair)
    assert picture.shape == (2, 8, 8)
    for channel in range(32):
        row, column = 2 * (channel // 8), channel % 8
        assert torch.equal(picture[:, row, column], pair[:, 0, channel])
        assert torch.equal(picture[:, row + 1, column], pair[:, 1, channel])


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("channels", [16, 32, 64])
def test_gate_has_a_slow_twin(view: str, channels: int) -> None:
    """One picture, filter and position at a time: means, convolution, batch normalisation, mean over the filters, two
    linear layers without biases."""
    torch.manual_seed(0)
    gate = InnerImaging(channels, 8, view).double()
    for parameter in gate.parameters():
        nn.init.normal_(parameter)
    residual, shortcut = torch.randn(2, 3, channels, 5, 4, dtype=torch.float64)

    tall, wide = int(view[0]), int(view[2])
    pictures = []
    for image in range(3):
        rows = [[float(kind[image, channel].mean()) for channel in range(channels)] for kind in (residual, shortcut)]
        if view == "3x3":
            rows = [rows[kind][start : start + 8] for start in range(0, channels, 8) for kind in (0, 1)]
        pictures.append(torch.tensor(rows, dtype=torch.float64))
    positions = [
        (row, column) for row in range(len(pictures[0]) - tall + 1) for column in range(len(pictures[0][0]) - wide + 1)
    ]
    filters = channels // 8
    features = torch.zeros(3, len(positions), dtype=torch.float64)
    for kernel, scale, shift in zip(gate.conv.weight[:, 0], gate.bn.weight, gate.bn.bias, strict=True):
        maps = torch.stack(
            [
                torch.stack(
                    [(picture[row : row + tall, column : column + wide] * kernel).sum() for row, column in positions]
                )
                for picture in pictures
            ]
        )
        features += ((maps - maps.mean()) / (maps.var(unbiased=False) + 1e-5).sqrt() * scale + shift) / filters
    expected = torch.sigmoid((features @ gate.fc1.weight.T).clamp(min=0) @ gate.fc2.weight.T)

    assert gate(residual, shortcut).shape == (3, channels, 1, 1)
    torch.testing.assert_close(gate(residual, shortcut)[:, :, 0, 0], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("view", VIEWS)
def test_the_shortcut_competes(view: str) -> None:
    """Another shortcut changes the factors; plain squeeze and excitation does not look at it."""
    torch.manual_seed(0)
    residual, shortcut, another = torch.randn(3, 4, 32, 5, 5)
    for gate, competes in ((InnerImaging(32, 4, view), True), (SqueezeExcitation(32, 4), False)):
        assert torch.equal(gate(residual, shortcut), gate(residual, another)) is not competes


@pytest.mark.parametrize(("view", "pixels"), [("2x1", (16, 32, 64)), ("3x3", (12, 36, 84))])
@pytest.mark.parametrize(("depth", "blocks", "plain"), [(20, 3, 269_722), (56, 9, 853_018)])
def test_parameters_by_hand(depth: int, blocks: int, plain: int, view: str, pixels: tuple[int, ...]) -> None:
    """Over ResNet-20 and -56: C/4 kernels, their normalisation, and two linear layers, in every block.

    The 3x3 kernel meets pictures of 4x8, 8x8 and 16x8 pixels and leaves 2x6, 6x6 and 14x6.
    """
    kernel = int(view[0]) * int(view[2])
    gates = sum(
        (channels // 4) * (kernel + 2 + outputs + channels)
        for channels, outputs in zip((16, 32, 64), pixels, strict=True)
    )
    with torch.device("meta"):
        model = getattr(inner_imaging, f"inner_imaging_resnet{depth}")(3, 10, (32, 32), view=view, reduction=4)
    assert count_parameters(model) == plain + blocks * gates


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("seed", range(2))
def test_every_parameter_learns(view: str, seed: int) -> None:
    torch.manual_seed(seed)
    model = inner_imaging.inner_imaging_resnet20(1, 10, (28, 28), view=view)
    nn.functional.cross_entropy(model(torch.rand(16, 1, 28, 28)), torch.arange(16) % 10).backward()
    assert not [name for name, parameter in model.named_parameters() if not parameter.grad.any()]
