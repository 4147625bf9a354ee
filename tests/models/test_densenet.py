"""Dense networks against published figures, a forward pass written out, and torchvision where it is installed."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bakeoff.errors import UsageError
from bakeoff.models import count_multiply_adds, count_parameters
from bakeoff.models.densenet import densenet121, densenet_bc
from bakeoff.spec.settings import schema_of, validate


@pytest.mark.parametrize(("depth", "growth", "count"), [(100, 12, 769_162), (250, 24, 15_324_406)])
def test_published_counts_on_cifar10(depth: int, growth: int, count: int) -> None:
    """0.8 M and 15.3 M in the paper's table 2; the exact counts are those of the field's model zoos."""
    with torch.device("meta"):
        model = densenet_bc(3, 10, (32, 32), depth=depth, growth=growth)
    assert count_parameters(model) == count


def test_multiply_adds_by_hand() -> None:
    """Layer by layer, at 32, 16 and 8 pixels."""
    growth, width, by_hand = 12, 24, 9 * 3 * 24 * 32**2
    for side in (32, 16, 8):
        for _ in range(16):
            by_hand += (width * 4 * growth + 9 * 4 * growth * growth) * side**2
            width += growth
        if side > 8:
            by_hand += width * (width // 2) * side**2
            width //= 2
    with torch.device("meta"):
        assert count_multiply_adds(densenet_bc(3, 10, (32, 32)), (3, 32, 32)) == by_hand + width * 10


def test_published_figures_on_imagenet() -> None:
    """torchvision's table: 7,978,856 parameters and 2.83e9 multiply-adds."""
    with torch.device("meta"):
        model = densenet121(3, 1000, (224, 224))
    assert count_parameters(model) == 7_978_856
    assert round(count_multiply_adds(model, (3, 224, 224)) / 1e9, 2) == 2.83


def test_the_depth_is_the_number_of_weighted_layers() -> None:
    with torch.device("meta"):
        for depth, model in [(40, densenet_bc(3, 10, (32, 32), depth=40)), (121, densenet121(1, 10, (32, 32)))]:
            assert sum(isinstance(layer, nn.Conv2d | nn.Linear) for layer in model.modules()) == depth


def written_out(weights: dict[str, Tensor], images: Tensor, blocks: tuple[int, ...]) -> Tensor:
    """The paper's sentences, one by one: each layer takes the concatenation of all feature maps before it."""

    def norm_relu(name: str, maps: Tensor) -> Tensor:
        mean, variance = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
        return torch.relu(F.batch_norm(maps, mean, variance, weights[f"{name}.weight"], weights[f"{name}.bias"]))

    maps = F.conv2d(images, weights["features.conv0.weight"], padding=1)
    for block, layers in enumerate(blocks, 1):
        before = [maps]
        for layer in range(1, layers + 1):
            name = f"features.denseblock{block}.denselayer{layer}"
            narrow = F.conv2d(norm_relu(f"{name}.norm1", torch.cat(before, 1)), weights[f"{name}.conv1.weight"])
            before.append(F.conv2d(norm_relu(f"{name}.norm2", narrow), weights[f"{name}.conv2.weight"], padding=1))
        maps = torch.cat(before, 1)
        if block < len(blocks):
            name = f"features.transition{block}"
            maps = F.conv2d(norm_relu(f"{name}.norm", maps), weights[f"{name}.conv.weight"])
            maps = F.avg_pool2d(maps, 2)
    maps = norm_relu(f"features.norm{len(blocks) + 1}", maps)
    return F.linear(maps.mean((2, 3)), weights["classifier.weight"], weights["classifier.bias"])


def test_logits_are_those_of_the_paper_written_out() -> None:
    torch.manual_seed(0)
    model = densenet_bc(3, 5, (20, 13), depth=22, growth=4).double()
    images = torch.randn(4, 3, 20, 13, dtype=torch.float64)
    model(images)  # running statistics other than 0 and 1
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(images), written_out(model.state_dict(), images, (3, 3, 3)))


@pytest.mark.parametrize("stem", ["imagenet", "small"])
@pytest.mark.parametrize("size", [(1, 1), (8, 8), (9, 30), (65, 33)])
def test_both_stems_take_small_odd_and_oblong_images(stem: str, size: tuple[int, int]) -> None:
    model = densenet121(1, 5, size, stem=stem).eval()
    with torch.no_grad():
        assert model(torch.rand(2, 1, *size)).shape == (2, 5)


def test_dropout_falls_on_new_channels_only() -> None:
    """In training the first channels of a block's output are its input, and of the new ones dropout makes zeros."""
    torch.manual_seed(0)
    block = densenet_bc(3, 5, (8, 8), depth=10, growth=4, dropout=0.5).features.denseblock1.train()
    images = torch.randn(2, 8, 8, 8)
    out = block(images)
    assert torch.equal(out[:, :8], images)
    assert 0.3 < float((out[:, 8:] == 0).float().mean()) < 0.7


@pytest.mark.parametrize("depth", [39, 41, 99])
def test_a_depth_that_cannot_be_is_refused(depth: int) -> None:
    with pytest.raises(UsageError, match=rf"depth = {depth}: must be 6n \+ 4"):
        validate(schema_of(densenet_bc), {"depth": depth}, "model densenet_bc")


def test_stages_are_the_stem_and_the_blocks() -> None:
    with torch.device("meta"):
        model = densenet121(3, 10, (64, 64))
    assert len(model.stages) == 5
    staged = sum(count_parameters(model.get_submodule(part)) for stage in model.stages for part in stage)
    assert staged == count_parameters(model.features) - 2 * 1024, "all but the last normalisation, of 1,024 channels"


def test_same_weights_same_logits_as_torchvision(torchvision_models) -> None:
    reference = torchvision_models.densenet121(num_classes=7)
    images = torch.randn(2, 3, 64, 96)
    reference(images)  # running statistics other than 0 and 1
    ours = densenet121(3, 7, (64, 96))
    ours.load_state_dict(reference.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(images), reference.eval()(images))
