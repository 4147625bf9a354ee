"""timm's models: what we ask of timm, by a stand-in; and timm itself where it can be imported."""

import importlib
import sys
from typing import Any

import pytest
import torch
from torch import nn

from bakeoff.errors import UsageError
from bakeoff.models.timm_models import timm_builder


class StandIn:
    """timm's four functions, over two models: `plain` takes any image, `fixed` must be told the size."""

    models = ("fixed", "plain", "plain_large")

    def __init__(self) -> None:
        self.arguments: dict[str, Any] = {}

    def is_model(self, name: str) -> bool:
        return name in self.models

    def list_models(self) -> list[str]:
        return list(self.models)

    def get_pretrained_cfg_value(self, name: str, key: str) -> bool:
        assert key == "fixed_input_size"
        return name == "fixed"

    def create_model(self, name: str, *, in_chans: int, num_classes: int, **options: Any) -> nn.Module:
        self.arguments = {"name": name, "in_chans": in_chans, "num_classes": num_classes, **options}
        if name == "plain" and "drop_path_rate" in options:
            raise TypeError("unexpected keyword argument 'drop_path_rate'")
        return nn.Sequential(nn.Conv2d(in_chans, num_classes, 9), nn.AdaptiveAvgPool2d(1), nn.Flatten())


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    stand_in = StandIn()
    monkeypatch.setitem(sys.modules, "timm", stand_in)  # type: ignore[arg-type]
    return stand_in


def test_timm_is_asked_for_channels_and_classes(stand_in: StandIn) -> None:
    model = timm_builder("timm:plain")(1, 7, (28, 32))
    assert stand_in.arguments == {"name": "plain", "in_chans": 1, "num_classes": 7}
    assert model(torch.zeros(2, 1, 28, 32)).shape == (2, 7)
    assert model.training


def test_a_model_of_one_size_is_told_it(stand_in: StandIn) -> None:
    timm_builder("timm:fixed")(3, 10, (28, 32), dropout=0.2, drop_path=0.1)
    assert stand_in.arguments["img_size"] == (28, 32)
    assert stand_in.arguments["drop_rate"] == 0.2
    assert stand_in.arguments["drop_path_rate"] == 0.1


@pytest.mark.usefixtures("stand_in")
def test_an_unknown_model_gets_the_closest_names() -> None:
    with pytest.raises(UsageError, match=r"^model: unknown choice 'timm:plian' \(closest: plain"):
        timm_builder("timm:plian")
    with pytest.raises(UsageError, match=r"^model: unknown choice 'timm:zzz' \(valid: fixed, plain, plain_large\)$"):
        timm_builder("timm:zzz")


@pytest.mark.usefixtures("stand_in")
def test_images_that_are_too_small_are_refused() -> None:
    with pytest.raises(UsageError, match=r"^model timm:plain: not for images of 8x8 and .*Kernel size") as error:
        timm_builder("timm:plain")(1, 10, (8, 8))
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("stand_in")
def test_a_parameter_that_the_model_lacks_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"^model timm:plain: not for .*'drop_path_rate': 0.1.*unexpected keyword argument"
    ):
        timm_builder("timm:plain")(1, 10, (28, 28), drop_path=0.1)


@pytest.mark.parametrize("failure", [ModuleNotFoundError("cannot import"), RuntimeError("cannot import\nmore")])
def test_without_timm_the_sentence_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    def fail(_name: str) -> None:
        raise failure

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(UsageError, match=r"needs timm; pip install 'bakeoff\[timm\]' \(cannot import\)$"):
        timm_builder("timm:plain")


@pytest.fixture
def timm() -> Any:
    try:
        return importlib.import_module("timm")
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"timm cannot be imported: {error}")


@pytest.mark.usefixtures("timm")
@pytest.mark.parametrize("name", ["efficientnet_b0", "vit_tiny_patch16_224", "resnet18.a1_in1k", "mixer_s16_224"])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_timms_own_models_give_logits(name: str, device: str) -> None:
    with torch.device(device):
        model = timm_builder(f"timm:{name}")(1, 7, (32, 48)).eval()
        assert model(torch.zeros(2, 1, 32, 48)).shape == (2, 7)


def test_the_trial_changes_neither_weights_nor_random_numbers(timm: Any) -> None:
    torch.manual_seed(0)
    built = timm_builder("timm:efficientnet_b0")(3, 10, (32, 32)).state_dict()
    after = torch.rand(3)
    torch.manual_seed(0)
    expected = timm.create_model("efficientnet_b0", num_classes=10).state_dict()
    assert torch.equal(after, torch.rand(3))
    assert list(built) == list(expected)
    assert all(torch.equal(built[name], expected[name]) for name in built)


@pytest.mark.usefixtures("timm")
@pytest.mark.parametrize(
    ("name", "size", "sentence"),
    [
        ("efficientnet_b00", 28, r"closest: .*efficientnet_b0"),
        ("vgg11", 28, r"not for images of 28x28"),
        ("xcit_nano_12_p16_224", 28, r"not for images of 28x28"),
        ("maxvit_tiny_tf_224", 28, r"not for images of 28x28"),
    ],
)
def test_timms_refusals_become_sentences(name: str, size: int, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as error, torch.device("meta"):
        timm_builder(f"timm:{name}")(1, 10, (size, size))
    assert "\n" not in str(error.value)
