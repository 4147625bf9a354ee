"""Weights from files: what fits, what is refused; and stages that stay as they are."""

import copy
import hashlib
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from bakeoff.cli import main
from bakeoff.errors import BakeoffError, UsageError
from bakeoff.models import densenet, resnet, vgg, weights
from bakeoff.models.efficientnet import efficientnet_b0
from bakeoff.models.inner_imaging import inner_imaging_resnet20
from bakeoff.models.small_cnn import conv
from bakeoff.models.weights import find_weights, freeze, load_weights


def tiny(channels: int = 3, classes: int = 10, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    model = resnet.resnet8(channels, classes, (16, 16), width=4, shortcut="B")
    with torch.no_grad():
        model(torch.rand(4, channels, 16, 16))  # statistics that are not the fresh ones
    return model.eval()


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A file of `tiny` with 100 classes and 3 channels."""
    path = tmp_path / "published.pth"
    torch.save(tiny(classes=100, seed=1).state_dict(), path)
    return path


@pytest.mark.parametrize("ending", ["pth", "pt", "safetensors"])
def test_a_file_of_the_same_network_loads_to_the_bit(tmp_path: Path, ending: str) -> None:
    saved, ours, path = tiny(seed=1), tiny(seed=2), tmp_path / f"weights.{ending}"
    (save_file if ending == "safetensors" else torch.save)(saved.state_dict(), path)
    assert load_weights(ours, find_weights(str(path), "resnet8")) == hashlib.sha256(path.read_bytes()).hexdigest()
    images = torch.rand(4, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(ours(images), saved(images))


def test_other_classes_keep_the_last_layer_fresh(published: Path) -> None:
    model = tiny(classes=7, seed=2)
    before, file = copy.deepcopy(model.state_dict()), torch.load(published, weights_only=True)
    load_weights(model, published)
    for name, value in model.state_dict().items():
        assert torch.equal(value, (before if name.startswith("fc.") else file)[name]), name


def test_a_grey_image_gives_what_it_gave_three_times_over(published: Path) -> None:
    grey, colour = tiny(channels=1, classes=100), tiny(channels=3, classes=100)
    load_weights(grey, published)
    load_weights(colour, published)
    images = torch.rand(4, 1, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(grey(images), colour(images.expand(-1, 3, -1, -1)), rtol=1e-5, atol=1e-6)


def test_files_without_batch_counts_and_in_half_precision(tmp_path: Path) -> None:
    """torchvision has both: its first files count no batches, and one holds float16."""
    saved, ours, path = tiny(seed=1), tiny(seed=2), tmp_path / "old.pth"
    kept = {name: value.half() for name, value in saved.state_dict().items() if "num_batches" not in name}
    torch.save(kept, path)
    load_weights(ours, path)
    assert torch.equal(ours.layer2[0].conv1.weight, saved.layer2[0].conv1.weight.half().float())


def test_the_first_densenet_files_have_other_names(tmp_path: Path) -> None:
    """In torchvision's densenet121-a639ec97.pth, `denselayer1.norm.1.weight` is today's `denselayer1.norm1.weight`."""
    saved, ours = (densenet.densenet121(3, 10, (32, 32)) for _ in range(2))
    old = {
        re.sub(r"(denselayer\d+)\.(norm|conv)([12])", r"\1.\2.\3", name): value
        for name, value in saved.state_dict().items()
        if "num_batches" not in name
    }
    assert {"features.denseblock1.denselayer1.norm.1.weight", "features.denseblock4.denselayer16.conv.2.weight"} <= set(
        old
    )
    torch.save(old, tmp_path / "old.pth")
    load_weights(ours, tmp_path / "old.pth")
    assert all(torch.equal(value, saved.state_dict()[name]) for name, value in ours.state_dict().items())


def change(state: dict, **changes) -> dict:
    return {name: value for name, value in (state | changes).items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"layer2.0.bn1.weight": None}, r'Missing key.*: "layer2.0.bn1.weight"'),
        ({"layer9.weight": torch.zeros(3)}, r'Unexpected key.*: "layer9.weight"'),
        ({"conv1.weight": torch.zeros(4, 3, 7, 7)}, r"size mismatch for conv1.weight: .*4, 3, 7, 7.*4, 3, 3, 3"),
        ({"conv1.weight": torch.zeros(4, 2, 3, 3)}, r"size mismatch for conv1.weight: .*4, 2, 3, 3"),
        ({"conv1.weight": torch.zeros(())}, r"size mismatch for conv1.weight"),
        ({"fc.weight": torch.zeros(10, 99)}, r"size mismatch for fc.weight: .*10, 99"),
        ({"fc.bias": torch.zeros(3)}, r"size mismatch for fc.bias: .*3"),
        ({"epoch": 3}, r"it must hold names and tensors and nothing else"),
    ],
)
def test_what_does_not_fit_gets_one_sentence(tmp_path: Path, changes: dict, sentence: str) -> None:
    path = tmp_path / "other.pth"
    torch.save(change(tiny(seed=1).state_dict(), **changes), path)
    with pytest.raises(BakeoffError, match=f"other.pth: .*{sentence}") as error:
        load_weights(tiny(), path)
    assert "\n" not in str(error.value)


class Trap:
    """Unpickled by a careless reader, it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_file_is_refused_and_not_run(tmp_path: Path, zipped: bool) -> None:
    path, mark = tmp_path / "trap.pth", tmp_path / "mark"
    torch.save({"conv1.weight": Trap(mark)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(BakeoffError, match=r"trap.pth: damaged, or it holds more than tensors"):
        load_weights(tiny(), path)
    assert not mark.exists()


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_a_damaged_file_gets_one_sentence(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"damaged.{ending}"
    (save_file if ending == "safetensors" else torch.save)(tiny().state_dict(), path)
    whole = path.read_bytes()
    for size in (0, 1, 9, 200, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:size])
        with pytest.raises(BakeoffError, match=r"damaged, or it holds more than tensors|is empty"):
            load_weights(tiny(), path)


def test_published_weights_are_looked_for_and_checked(tmp_path: Path, monkeypatch, published: Path) -> None:
    data, cache = tmp_path / "data", tmp_path / "cache"
    monkeypatch.setenv("BAKEOFF_DATA", str(data))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    name = f"tiny-{hashlib.sha256(published.read_bytes()).hexdigest()[:8]}.pth"
    monkeypatch.setitem(weights.IMAGENET, "tiny", name)
    with pytest.raises(BakeoffError) as error:
        find_weights("imagenet", "tiny")
    for part in (name, str(data / "weights"), str(cache / "bakeoff" / "weights"), "bakeoff data fetch weights/tiny"):
        assert part in str(error.value)
    for folder in (cache / "bakeoff" / "weights", data / "weights"):  # the latter comes first once it has the file
        folder.mkdir(parents=True)
        (folder / name).write_bytes(published.read_bytes())
        assert find_weights("imagenet", "tiny") == folder / name
    (data / "weights" / name).write_bytes(published.read_bytes()[:-1])
    with pytest.raises(BakeoffError, match=r"damaged, its SHA-256 does not begin with [0-9a-f]{8}: fetch it again"):
        find_weights("imagenet", "tiny")


@pytest.mark.parametrize(
    ("source", "model", "kind", "sentence"),
    [
        ("imagenet", "se_resnet34", UsageError, r"none are published for se_resnet34 \(closest: resnet34"),
        ("imagnet", "resnet34", UsageError, r"'imagnet': must be 'imagenet', a .safetensors, .pth or .pt file"),
        ("weights.npz", "resnet34", UsageError, r"must be 'imagenet', a .safetensors"),
        ("gone.pth", "resnet34", BakeoffError, r"'gone.pth': there is no file gone.pth"),
    ],
)
def test_a_wrong_source_gets_one_sentence(source: str, model: str, kind: type[Exception], sentence: str) -> None:
    with pytest.raises(kind, match=sentence):
        find_weights(source, model)


def test_a_run_without_weights_is_one_sentence(tmp_path) -> None:
    """An ensemble's run, or one that has not ended."""
    with pytest.raises(BakeoffError, match=f"there is no file {tmp_path / 'weights.safetensors'}"):
        find_weights(str(tmp_path), "conv")


def test_the_table_is_torchvisions(torchvision_models) -> None:
    for name, file in weights.IMAGENET.items():
        assert torchvision_models.get_model_weights(name)["IMAGENET1K_V1"].url == weights.ADDRESS + file


FREEZABLE = {
    "resnet8": lambda: resnet.resnet8(1, 3, (32, 32), width=4, shortcut="B"),
    "inner_imaging_resnet20": lambda: inner_imaging_resnet20(1, 3, (32, 32)),
    "se_resnet18": lambda: resnet.se_resnet18(1, 3, (32, 32), stem="small"),
    "resnet50": lambda: resnet.resnet50(1, 3, (32, 32)),
    "vgg11_bn": lambda: vgg.vgg11_bn(1, 3, (32, 32), width=4, hidden=8),
    "densenet121": lambda: densenet.densenet121(1, 3, (32, 32)),
    "efficientnet_b0": lambda: efficientnet_b0(1, 3, (32, 32), dropout=0.0, drop_path=0.0),
}


@pytest.mark.parametrize("name", FREEZABLE)
@pytest.mark.parametrize("count", [1, 3])
def test_frozen_stages_stay_to_the_bit_while_the_rest_learns(name: str, count: int) -> None:
    """Weights and batch statistics, after a step in training mode and a copy of the model."""
    torch.manual_seed(0)
    model = FREEZABLE[name]()
    images = torch.rand(6, 1, 32, 32)
    with torch.no_grad():
        model(images)  # statistics that are not the fresh ones
        expected = copy.deepcopy(model).eval()(images)
        freeze(model, f"stages:{count}")
        assert torch.equal(model.eval()(images), expected)
    model = copy.deepcopy(model).train()
    before = copy.deepcopy(model.state_dict())
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, 0.1)
    nn.functional.cross_entropy(model(images), torch.arange(6) % 3).backward()
    optimizer.step()
    frozen = tuple(f"{part}." for stage in model.stages[:count] for part in stage)
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]) is key.startswith(frozen), key


def test_names_of_the_stages_in_a_resnet() -> None:
    """Four stages of five: the stem and layer1 to layer3 (report `largest-digit`); layer4 and fc learn."""
    with torch.device("meta"):
        model = resnet.resnet34(1, 10, (64, 64))
        freeze(model, "stages:4")
    learning = {name.split(".")[0] for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert learning == {"layer4", "fc"}
    assert {name.split(".")[0] for name, _ in model.named_parameters()} - learning == {
        "conv1",
        "bn1",
        "layer1",
        "layer2",
        "layer3",
    }


@pytest.mark.parametrize(
    ("build", "what", "sentence"),
    [
        (FREEZABLE["resnet8"], "stages:5", r"freeze = 'stages:5': this model has 4 stages that can be frozen"),
        (lambda: conv(1, 10, (28, 28)), "stages:1", r"freeze = 'stages:1': this model has 0 stages that can"),
    ],
)
def test_too_many_stages_are_one_sentence(build, what: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        freeze(build(), what)


def test_fetching_weights_says_what_was_checked(tmp_path: Path, monkeypatch, capsys, published: Path) -> None:
    """The file is there already, so that nothing is downloaded."""
    whole = hashlib.sha256(published.read_bytes()).hexdigest()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setitem(weights.IMAGENET, "tiny", f"tiny-{whole[:8]}.pth")
    folder = tmp_path / "cache" / "bakeoff" / "weights"
    folder.mkdir(parents=True)
    (folder / f"tiny-{whole[:8]}.pth").write_bytes(published.read_bytes())
    with pytest.raises(SystemExit):
        main(["data", "fetch", "weights/tiny"])
    assert f"SHA-256 {whole}, of which the first 8 digits are published and were checked" in capsys.readouterr().out
