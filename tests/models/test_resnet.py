"""The residual networks against the papers' figures, a slow twin, and torchvision where it can be imported."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bakeoff.models import count_multiply_adds, count_parameters, resnet
from bakeoff.models.residual import PaddedShortcut, SqueezeExcitation, basic_block, bottleneck, wide_bottleneck

DEPTHS = [18, 34, 50, 101, 152]
SMALL = [20, 32, 44, 56, 110]


def meta(family, name: str, channels: int, classes: int, side: int, **parameters) -> nn.Module:
    """A model without memory: enough for names, shapes and counts."""
    with torch.device("meta"):
        return getattr(family, name)(channels, classes, (side, side), **parameters)


@pytest.mark.parametrize(
    ("name", "count", "giga"),
    [  # parameters and 1e9 multiply-adds in torchvision's table of published weights
        ("resnet18", 11_689_512, 1.81),
        ("resnet34", 21_797_672, 3.66),
        ("resnet50", 25_557_032, 4.09),
        ("resnet101", 44_549_160, 7.80),
        ("resnet152", 60_192_808, 11.51),
        ("wide_resnet50_2", 68_883_240, 11.40),
    ],
)
def test_published_figures(name: str, count: int, giga: float) -> None:
    model = meta(resnet, name, 3, 1000, 224)
    assert count_parameters(model) == count
    assert round(count_multiply_adds(model, (3, 224, 224)) / 1e9, 2) == pytest.approx(giga, abs=0.011)


@pytest.mark.parametrize("width", [8, 16, 64])
@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_a_narrow_network_is_the_papers_table_with_fewer_channels(depth: int, width: int) -> None:
    """Counted layer by layer from He et al. 2016, table 1, each 64 replaced by the width."""
    stages = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}[depth]
    total, channels = 3 * 7 * 7 * width + 2 * width, width
    for index, blocks in enumerate(stages):
        wide = width * 2**index
        out = wide if depth < 50 else 4 * wide
        for number in range(blocks):
            convolutions = (
                [(channels, wide, 3), (wide, out, 3)]
                if depth < 50
                else [(channels, wide, 1), (wide, wide, 3), (wide, out, 1)]
            )
            if number == 0 and (index or depth >= 50):
                convolutions.append((channels, out, 1))
            total += sum(into * outof * kernel**2 + 2 * outof for into, outof, kernel in convolutions)
            channels = out
    total += channels * 10 + 10
    assert count_parameters(meta(resnet, f"resnet{depth}", 3, 10, 64, width=width)) == total


@pytest.mark.parametrize(
    ("depth", "count"),
    [(18, 11_778_592), (34, 21_958_868), (50, 28_088_024), (101, 49_326_872), (152, 66_821_848)],
)
def test_squeeze_and_excitation_costs_what_it_must(depth: int, count: int) -> None:
    """The counts that reimplementations publish, and the closed form: C/16 hidden units with biases in each block."""
    stages = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}[depth]
    first = 64 if depth < 50 else 256
    gates = sum(
        blocks * (2 * channels * (channels // 16) + channels + channels // 16)
        for blocks, channels in zip(stages, (first, 2 * first, 4 * first, 8 * first), strict=True)
    )
    plain = count_parameters(meta(resnet, f"resnet{depth}", 3, 1000, 224))
    assert count_parameters(meta(resnet, f"se_resnet{depth}", 3, 1000, 224)) == plain + gates == count


@pytest.mark.parametrize(
    ("name", "shortcut", "count"),
    [  # option A: akamaster/pytorch_resnet_cifar10; option B: pytorchcv
        ("resnet20", "A", 269_722),
        ("resnet32", "A", 464_154),
        ("resnet44", "A", 658_586),
        ("resnet56", "A", 853_018),
        ("resnet110", "A", 1_727_962),
        ("resnet20", "B", 272_474),
        ("resnet56", "B", 855_770),
        ("resnet110", "B", 1_730_714),
        ("se_resnet20", "B", 274_847),
        ("se_resnet56", "B", 862_889),
        ("se_resnet110", "B", 1_744_952),
    ],
)
def test_published_counts_of_the_small_networks(name: str, shortcut: str, count: int) -> None:
    assert count_parameters(meta(resnet, name, 3, 10, 32, shortcut=shortcut)) == count


@pytest.mark.parametrize("se", ["", "se_"])
@pytest.mark.parametrize("depth", DEPTHS + SMALL)
def test_the_name_counts_the_layers(depth: int, se: str) -> None:
    """Convolutions and linear layers on the straight way, without those of shortcuts and gates."""
    model = meta(resnet, f"{se}resnet{depth}", 3, 10, 32)
    layers = [
        name
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Conv2d | nn.Linear) and "downsample" not in name and "gate" not in name
    ]
    assert len(layers) == depth


@pytest.mark.parametrize(
    ("name", "parameters", "sides"),
    [
        ("resnet18", {"stem": "imagenet"}, [32, 16, 16, 8, 4, 2]),
        ("resnet18", {"stem": "small"}, [64, 64, 64, 32, 16, 8]),
        ("resnet50", {"stem": "imagenet"}, [32, 16, 16, 8, 4, 2]),
        ("resnet34_projection", {}, [62, 62, 62, 31, 16, 8]),
    ],
)
def test_sides_of_the_maps(name: str, parameters: dict, sides: list[int]) -> None:
    """After the first convolution, the pooling and the four stages, for images of 64 pixels."""
    model = meta(resnet, name, 1, 10, 64, **parameters)
    images, measured = torch.zeros(2, 1, 64, 64, device="meta"), []
    for part in (model.conv1, model.maxpool, model.layer1, model.layer2, model.layer3, model.layer4):
        images = part(images)
        measured.append(images.shape[2])
    assert measured == sides


def test_report_augmented_resnet() -> None:
    """Tables 1 and 2 of the report: 5x5 stem, blocks 3-4-6-3, a 1x1 convolution with batch normalisation around every
    block, dropout 0.5 before the last layer."""
    model = meta(resnet, "resnet34_projection", 1, 10, 28)
    stages = [model.layer1, model.layer2, model.layer3, model.layer4]
    assert [len(stage) for stage in stages] == [3, 4, 6, 3]
    assert (model.conv1.kernel_size, model.conv1.stride, model.conv1.padding) == ((5, 5), (1, 1), (1, 1))
    assert (model.maxpool.kernel_size, model.maxpool.stride) == (3, 1)
    for number, stage in enumerate(stages):
        for block, (conv, norm) in enumerate(part.downsample for part in stage):
            assert (conv.kernel_size, conv.out_channels, norm.num_features) == ((1, 1), 64 * 2**number, 64 * 2**number)
            assert conv.stride == ((2, 2) if number and not block else (1, 1))
    assert model.dropout.p == 0.5
    assert (model.fc.in_features, model.fc.out_features) == (512, 10)


def convolve(images: torch.Tensor, conv: nn.Conv2d) -> torch.Tensor:
    """A convolution as the sum over its kernel's pixels."""
    (tall, wide), (step, _), (pad, _) = conv.kernel_size, conv.stride, conv.padding
    images = F.pad(images, (pad, pad, pad, pad))
    high, broad = ((side - field) // step + 1 for side, field in zip(images.shape[2:], (tall, wide), strict=True))
    return sum(
        torch.einsum(
            "nchw,kc->nkhw",
            images[:, :, row : row + step * high : step, column : column + step * broad : step],
            conv.weight[:, :, row, column],
        )
        for row in range(tall)
        for column in range(wide)
    )


def normalise(images: torch.Tensor, norm: nn.BatchNorm2d) -> torch.Tensor:
    mean, variance = images.mean((0, 2, 3), keepdim=True), images.var((0, 2, 3), keepdim=True, unbiased=False)
    return (images - mean) / (variance + norm.eps).sqrt() * norm.weight.view(1, -1, 1, 1) + norm.bias.view(1, -1, 1, 1)


@pytest.mark.parametrize("reduction", [None, 16, 2])
@pytest.mark.parametrize("block", [basic_block, bottleneck, wide_bottleneck])
@pytest.mark.parametrize(("inputs", "stride"), [(32, 1), (16, 2)])
@pytest.mark.parametrize("shortcut", ["A", "B", "C"])
def test_blocks_have_a_slow_twin(block, inputs: int, stride: int, shortcut: str, reduction: int | None) -> None:
    """Batch normalisation from its definition, convolutions as sums, the gate of Hu et al.'s equations 2 to 4."""
    torch.manual_seed(0)
    gate = partial(SqueezeExcitation, reduction=reduction) if reduction else None
    ours = block(inputs, 32, stride, shortcut, gate).double()
    for parameter in ours.parameters():
        nn.init.normal_(parameter)
    images = torch.randn(3, inputs, 7, 6, dtype=torch.float64)

    convolutions = sorted(name for name, _ in ours.named_children() if name.startswith("conv"))
    inside = images
    for name in convolutions:
        inside = normalise(convolve(inside, getattr(ours, name)), getattr(ours, name.replace("conv", "bn")))
        if name != convolutions[-1]:
            inside = inside.clamp(min=0)
    if reduction:
        mean = inside.flatten(2).sum(2) / inside[0, 0].numel()
        hidden = (mean @ ours.gate.fc1.weight.T + ours.gate.fc1.bias).clamp(min=0)
        assert hidden.shape[1] == 32 // reduction
        factors = 1 / (1 + torch.exp(-(hidden @ ours.gate.fc2.weight.T + ours.gate.fc2.bias)))
        inside = inside * factors[:, :, None, None]
    if shortcut == "C" or (shortcut == "B" and inputs != 32):
        around = normalise(convolve(images, ours.downsample[0]), ours.downsample[1])
    elif inputs != 32:
        around = torch.zeros_like(inside)
        around[:, 8:24] = images[:, :, ::2, ::2]
    else:
        around = images
    torch.testing.assert_close(ours(images), (inside + around).clamp(min=0), rtol=1e-9, atol=1e-9)


def test_padded_shortcut_with_an_odd_number_of_new_channels() -> None:
    images = torch.rand(2, 3, 5, 4)
    out = PaddedShortcut(3, 6)(images)
    assert out.shape == (2, 6, 3, 2)
    assert torch.equal(out[:, 1:4], images[:, :, ::2, ::2])
    assert not out[:, [0, 4, 5]].any()


@pytest.mark.parametrize("build", [resnet.resnet18, resnet.se_resnet20])
def test_convolutions_start_with_variance_two_over_fan_out(build) -> None:
    torch.manual_seed(0)
    for layer in build(3, 10, (32, 32)).modules():
        if isinstance(layer, nn.Conv2d):
            fan_out = layer.out_channels * layer.kernel_size[0] * layer.kernel_size[1]
            weights = layer.weight.detach() * (fan_out / 2) ** 0.5
            # six standard errors of a normal sample's deviation and mean
            assert abs(float(weights.std()) - 1) < 6 / (2 * weights.numel()) ** 0.5
            assert abs(float(weights.mean())) < 6 / weights.numel() ** 0.5
        if isinstance(layer, nn.BatchNorm2d):
            assert (layer.weight == 1).all()
            assert not layer.bias.any()


@pytest.mark.parametrize("seed", range(3))
def test_a_gate_of_one_unit_is_active_at_the_start(seed: int) -> None:
    """16 channels and a reduction of 16: with PyTorch's own biases many of these gates would be constant."""
    torch.manual_seed(seed)
    model = resnet.se_resnet32(1, 10, (28, 28))
    F.cross_entropy(model(torch.rand(16, 1, 28, 28)), torch.arange(16) % 10).backward()
    assert model.layer1[0].gate.fc1.out_features == 1
    assert not [name for name, parameter in model.named_parameters() if not parameter.grad.any()]


@pytest.mark.parametrize("build", [resnet.se_resnet18, resnet.resnet8])
def test_channels_last_gives_the_same_logits(build) -> None:
    torch.manual_seed(0)
    model, images = build(3, 10, (32, 32)).eval(), torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        plain = model(images)
        last = model.to(memory_format=torch.channels_last)(images.to(memory_format=torch.channels_last))
    torch.testing.assert_close(last, plain, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "wide_resnet50_2"])
def test_same_weights_same_logits_as_torchvision(torchvision_models, name: str) -> None:
    """In training and in evaluation, with gradients, from torchvision's own state_dict."""
    torch.manual_seed(0)
    reference = getattr(torchvision_models, name)(num_classes=10).double()
    ours = getattr(resnet, name)(3, 10, (64, 48)).double()
    ours.load_state_dict(reference.state_dict())
    images = torch.randn(2, 3, 64, 48, dtype=torch.float64)
    for model in (reference, ours):
        model.train()(images).square().sum().backward()
    for parameter, expected in zip(ours.parameters(), reference.parameters(), strict=True):
        tolerance = 1e-9 * float(expected.grad.abs().max())
        torch.testing.assert_close(parameter.grad, expected.grad, rtol=1e-6, atol=tolerance)
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(images), reference.eval()(images), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("stem", "kernel"), [("3x3", 3), ("5x5", 5), ("7x7", 7)])
def test_the_stems_of_the_report_differ_in_their_filters_only(stem: str, kernel: int) -> None:
    """28 pixels become 26 before the stages, whatever the filters' size."""
    with torch.device("meta"):
        model = resnet.resnet34_projection(1, 10, (28, 28), stem=stem)
        assert model.conv1.weight.shape == (64, 1, kernel, kernel)
        assert model.maxpool(model.conv1(torch.zeros(1, 1, 28, 28))).shape == (1, 64, 26, 26)


@pytest.mark.parametrize(("projections", "count"), [("every-block", 16), ("changed-shapes", 3)])
def test_the_projections_of_the_report(projections: str, count: int) -> None:
    """In each of the 3 + 4 + 6 + 3 blocks, or in the three that change the shape, as in He et al."""
    with torch.device("meta"):
        model = resnet.resnet34_projection(1, 10, (28, 28), projections=projections)
    stages = (model.layer1, model.layer2, model.layer3, model.layer4)
    assert sum(isinstance(block.downsample, torch.nn.Sequential) for stage in stages for block in stage) == count
