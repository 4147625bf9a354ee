"""EfficientNet-B0 against torchvision's, and the blocks that are left out while training."""

import pytest
import torch

from bakeoff.models import count_multiply_adds, count_parameters
from bakeoff.models.efficientnet import Block, efficientnet_b0


def test_it_costs_what_is_published() -> None:
    """0.39 billion multiply-adds at 224 pixels (Tan & Le 2019, table 2)."""
    with torch.device("meta"):
        model = efficientnet_b0(3, 1000, (224, 224))
    assert count_multiply_adds(model, (3, 224, 224)) == pytest.approx(0.39e9, rel=0.02)


def test_same_weights_same_logits_as_torchvision(torchvision_models) -> None:
    reference = torchvision_models.efficientnet_b0(num_classes=7)
    images = torch.randn(2, 3, 64, 96)
    reference(images)  # running statistics other than 0 and 1
    ours = efficientnet_b0(3, 7, (64, 96))
    ours.load_state_dict(reference.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(images), reference.eval()(images))


@pytest.mark.parametrize("stem", ["imagenet", "small"])
@pytest.mark.parametrize("size", [(1, 1), (9, 28), (64, 64)])
def test_it_takes_images_of_any_size(stem: str, size: tuple[int, int]) -> None:
    model = efficientnet_b0(1, 5, size, stem=stem).eval()
    assert model(torch.randn(2, 1, *size)).shape == (2, 5)


def test_a_block_is_left_out_of_some_images_and_stronger_in_the_others() -> None:
    torch.manual_seed(0)
    block, images = Block(8, 8, 6, 1, 3, drop=0.25), torch.randn(4000, 8, 2, 2)
    added = block(images) - images
    left_out = (added == 0).all(dim=(1, 2, 3))
    assert left_out.float().mean() == pytest.approx(0.25, abs=0.03)
    block.drop = 0.0
    whole = block(images) - images
    torch.testing.assert_close(added[~left_out], whole[~left_out] / 0.75)
    block.drop = 0.25
    assert torch.equal(block.eval()(images), block.eval()(images))


def test_later_blocks_are_left_out_more_often() -> None:
    model = efficientnet_b0(3, 10, (32, 32), drop_path=0.2)
    drops = [block.drop for stage in model.features for block in stage if isinstance(block, Block)]
    assert len(drops) == 16
    assert drops == pytest.approx([0.2 * place / 16 for place in range(16)])


def test_stages_are_all_but_the_last_layer() -> None:
    with torch.device("meta"):
        model = efficientnet_b0(3, 10, (64, 64))
    staged = sum(count_parameters(model.get_submodule(part)) for stage in model.stages for part in stage)
    assert staged == count_parameters(model) - 1280 * 10 - 10
