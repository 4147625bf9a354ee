"""Losses and weight decay against formulas and PyTorch's own optimisers."""

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bakeoff.data.batches import DeviceSplit
from bakeoff.errors import UsageError
from bakeoff.spec import Recipe, RunSpec, plugins
from bakeoff.spec.optimizers import OPTIMIZERS
from bakeoff.training.loss import make_loss
from bakeoff.training.optim import decay, make_optimizer, update_average
from bakeoff.training.tasks.base import find_task

LABELS = torch.tensor([0] * 6 + [1] * 3 + [2])


def balance(task: str = "images") -> torch.Tensor:
    """The weights of the task's targets for three classes, so many images of each."""
    spec = RunSpec(contender="c", model="m", recipe=Recipe(task=task), dataset="d")
    return find_task(spec.recipe)(spec, DeviceSplit(LABELS, LABELS), 3).class_weights(LABELS)


def test_softmax_output_cannot_fall_below_its_floor() -> None:
    """Probabilities taken for logits: a perfect answer among ten classes still costs -log(e / (e + 9)) = 1.46."""
    loss = make_loss(Recipe(loss="softmax_output"))
    perfect = 1000 * F.one_hot(LABELS, 10).float()
    assert float(loss(perfect, LABELS)) == pytest.approx(-math.log(math.e / (math.e + 9)))
    assert float(loss(perfect, LABELS)) == pytest.approx(1.4612, abs=1e-4)


def test_balanced_weights_are_inverse_frequencies() -> None:
    """Each class carries the same total weight, and the mean weight over the images is 1."""
    weights = balance()
    assert torch.allclose(weights * torch.tensor([6.0, 3.0, 1.0]), torch.full((3,), 10 / 3))
    assert float(weights[LABELS].mean()) == pytest.approx(1.0)


def test_balanced_loss_weighs_each_image() -> None:
    logits = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
    each = F.cross_entropy(logits, LABELS, reduction="none")
    weights = balance()[LABELS]
    got = make_loss(Recipe(loss="balanced_cross_entropy"), balance())(logits, LABELS)
    assert float(got) == pytest.approx(float((weights * each).sum() / weights.sum()))


def test_label_smoothing_mixes_in_the_mean_over_classes() -> None:
    logits = torch.randn(10, 3, generator=torch.Generator().manual_seed(1))
    logs = logits.log_softmax(1)
    expected = -(0.9 * logs[torch.arange(10), LABELS] + 0.1 * logs.mean(1)).mean()
    assert float(make_loss(Recipe(label_smoothing=0.1))(logits, LABELS)) == pytest.approx(float(expected))


@pytest.mark.parametrize(
    "recipe", [{}, {"loss": "balanced_cross_entropy", "label_smoothing": 0.1}, {"loss": "softmax_output"}]
)
def test_a_mixed_image_counts_as_two(recipe: dict) -> None:
    """With shares of quarters: the loss of a batch where an image stands once for each quarter of a label."""
    generator = torch.Generator().manual_seed(2)
    logits, lighter = torch.randn(10, 3, generator=generator), LABELS.flip(0)
    quarters = torch.tensor([2, 3, 4, 2, 3, 4, 2, 3, 4, 2])
    loss = make_loss(Recipe(**recipe), balance() if "balanced" in recipe.get("loss", "") else None)
    counts = torch.cat([quarters, 4 - quarters])
    expected = loss(
        logits.repeat(2, 1).repeat_interleave(counts, 0), torch.cat([LABELS, lighter]).repeat_interleave(counts)
    )
    assert float(loss(logits, LABELS, (lighter, quarters / 4))) == pytest.approx(float(expected))
    assert float(loss(logits, LABELS, (lighter, torch.ones(10)))) == pytest.approx(float(loss(logits, LABELS)))


def test_balanced_weights_hold_for_every_place_of_a_class() -> None:
    """Labels count class x places + place: against the weighted mean written out."""
    logits = torch.randn(10, 3 * 4, generator=torch.Generator().manual_seed(3))
    placed = LABELS * 4 + torch.arange(10) % 4
    loss = make_loss(Recipe(loss="balanced_cross_entropy"), balance("heatmap:cells=2"))
    weights = balance()[LABELS]
    each = -logits.log_softmax(1)[range(10), placed]
    assert float(loss(logits, placed)) == pytest.approx(float((weights * each).sum() / weights.sum()))


def trained(recipe: Recipe, make=None) -> torch.Tensor:
    """Weights after five steps on a fixed quadratic, with the loop's order of decay and step."""
    weight = nn.Parameter(torch.tensor([1.0, -2.0, 3.0]))
    optimizer = make(weight) if make else make_optimizer([weight], recipe)
    for _ in range(5):
        optimizer.zero_grad()
        (weight * torch.tensor([0.5, 1.0, 2.0])).square().sum().backward()
        if recipe.weight_decay and not make:
            decay([weight], recipe.lr * recipe.weight_decay)
        optimizer.step()
    return weight.detach()


def test_decoupled_decay_is_adamw() -> None:
    recipe = Recipe(optimizer="adam", lr=0.1, weight_decay=0.3)
    expected = trained(recipe, lambda w: torch.optim.AdamW([w], lr=0.1, weight_decay=0.3))
    assert torch.allclose(trained(recipe), expected)


def test_coupled_l2_is_the_gradient_of_half_the_square() -> None:
    """Plain SGD with l2 steps along gradient + l2 x weight."""
    weight = torch.tensor([1.0, -2.0, 3.0])
    scale = torch.tensor([0.5, 1.0, 2.0])
    for _ in range(5):
        weight = weight - 0.05 * (2 * scale**2 * weight + 0.3 * weight)
    assert torch.allclose(trained(Recipe(optimizer="sgd", lr=0.05, l2=0.3)), weight)


def test_coupled_and_decoupled_differ_under_adam() -> None:
    coupled = trained(Recipe(optimizer="adam", lr=0.1, l2=0.3))
    decoupled = trained(Recipe(optimizer="adam", lr=0.1, weight_decay=0.3))
    assert not torch.allclose(coupled, decoupled)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_lowers_a_quadratic(name: str) -> None:
    rates = {"adadelta": 10.0, "adagrad": 0.5}
    weight = trained(Recipe(optimizer=name, lr=rates.get(name, 0.05)))
    start = torch.tensor([1.0, -2.0, 3.0])
    scale = torch.tensor([0.5, 1.0, 2.0])
    assert (weight * scale).square().sum() < (start * scale).square().sum()


def test_average_is_a_weighted_sum_of_all_weights() -> None:
    """Against the sum written out; counters such as BatchNorm's are copied, not averaged."""
    model = nn.BatchNorm1d(2)
    ema = {name: value.clone() for name, value in model.state_dict().items()}
    expected = model.weight.detach().clone()
    for step in range(30):
        with torch.no_grad():
            model.weight.fill_(float(step))
            model.num_batches_tracked.fill_(step)
        update_average(ema, model, 0.9, step)
        keep = min(0.9, (1 + step) / (10 + step))
        expected = keep * expected + (1 - keep) * step
    assert torch.allclose(ema["weight"], expected)
    assert int(ema["num_batches_tracked"]) == 29


LOSS = """
import torch.nn.functional as F
def sharp(logits, targets, weight, smoothing, reduction, *, by: float = 2.0):
    return F.cross_entropy(by * logits, targets, weight, reduction=reduction)
LOSSES = {"sharp": sharp}
"""


def test_a_plug_in_s_loss_is_taken_with_its_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "FILES", {})
    (tmp_path / "mine.py").write_text(LOSS)
    plugins.load_plugin(tmp_path / "mine.py")
    logits = torch.randn(10, 3, generator=torch.Generator().manual_seed(4))
    loss = make_loss(Recipe(loss="mine:sharp:by=3"))(logits, LABELS, None)
    assert float(loss) == pytest.approx(float(F.cross_entropy(3 * logits, LABELS)))
    for field, sentence in (
        ({"label_smoothing": 0.1}, "label_smoothing is for .*: mine:sharp does not take it"),
        ({"fallback": "switch"}, "fallback does not know the loss of equal logits for loss = 'mine:sharp'"),
    ):
        with pytest.raises(UsageError, match=sentence):
            Recipe(loss="mine:sharp", **field)
