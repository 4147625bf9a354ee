"""Schedules and stopping against PyTorch's own schedulers and a slow twin of Keras's rule."""

import math

import pytest
import torch
from torch.optim import lr_scheduler

from bakeoff.choices import Best, Cosine, Early, OneCycle, Plateau, Step
from bakeoff.training.schedule import is_best, rate_factor, should_stop

STEPS, EPOCHS = 7, 10


def torch_rates(make, *, per_epoch: bool) -> list[float]:
    """The rate of every step under one of PyTorch's schedulers."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    rates = []
    for step in range(STEPS * EPOCHS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step + 1 < STEPS * EPOCHS and (not per_epoch or (step + 1) % STEPS == 0):
            scheduler.step()
    return rates


def ours(schedule) -> list[float]:
    return [rate_factor(schedule, step, STEPS, EPOCHS, []) for step in range(STEPS * EPOCHS)]


def test_step() -> None:
    expected = torch_rates(lambda o: lr_scheduler.StepLR(o, 3, 0.6), per_epoch=True)
    assert ours(Step(every=3, gamma=0.6)) == pytest.approx(expected)


def test_cosine() -> None:
    expected = torch_rates(lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS * EPOCHS, eta_min=0.1), per_epoch=False)
    assert ours(Cosine(floor=0.1)) == pytest.approx(expected)


def test_cosine_warmup_rises_linearly_to_the_rate() -> None:
    rates = ours(Cosine(warmup=0.2))
    assert rates[:15] == pytest.approx([step / 14 for step in range(15)])
    assert rates[14:] == sorted(rates[14:], reverse=True)


@pytest.mark.parametrize(("warmup", "start", "end"), [(0.3, 25, 1e4), (0.2, 10, 100)])
def test_one_cycle(warmup: float, start: float, end: float) -> None:
    expected = torch_rates(
        lambda o: lr_scheduler.OneCycleLR(
            o,
            1.0,
            total_steps=STEPS * EPOCHS,
            pct_start=warmup,
            div_factor=start,
            final_div_factor=end,
            cycle_momentum=False,
        ),
        per_epoch=False,
    )
    assert ours(OneCycle(warmup=warmup, start=start, end=end)) == pytest.approx(expected)


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("warmup", [0.1, 0.3, 0.5, 0.9])
def test_one_cycle_of_a_step_or_two(steps: int, warmup: float) -> None:
    """The shortest trainings get finite, positive rates, and one step gets the whole rate."""
    rates = [rate_factor(OneCycle(warmup=warmup), step, steps, 1, []) for step in range(steps)]
    assert all(math.isfinite(rate) and 0 < rate <= 1 for rate in rates)
    assert steps > 1 or rates == [1.0]


@pytest.mark.parametrize("patience", [0, 1, 3])
def test_plateau(patience: int) -> None:
    losses = [1.0, 0.9, 0.91, 0.89, 0.885, 0.9, 0.7, 0.71, 0.72, 0.73, 0.69, 0.7, 0.7, 0.7, 0.7]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=patience, threshold=0.02, threshold_mode="abs", eps=0
    )
    schedule = Plateau(monitor="train_loss", factor=0.5, patience=patience, min_delta=0.02)
    rows = []
    for loss in losses:
        scheduler.step(loss)
        rows.append({"train_loss": loss})
        assert rate_factor(schedule, 0, 1, 1, rows) == pytest.approx(optimizer.param_groups[0]["lr"])


def test_early_stopping_follows_the_slow_rule() -> None:
    """Keras: stop once `patience` epochs in a row have not improved the best by more than min_delta."""
    accuracies = [0.5, 0.6, 0.605, 0.7, 0.69, 0.7, 0.705, 0.9]
    rows = [{"validation_accuracy": value} for value in accuracies]
    stop = Early(monitor="validation_accuracy", patience=3, min_delta=0.01)
    ended = next(n for n in range(1, len(rows) + 1) if should_stop(stop, rows[:n]))
    best, waited, epochs = -math.inf, 0, 0
    while waited < 3:
        value = accuracies[epochs]
        best, waited = (value, 0) if value - 0.01 > best else (best, waited + 1)
        epochs += 1
    assert ended == epochs == 7


def test_best_keeps_the_first_of_equals() -> None:
    keep = Best(monitor="validation_accuracy")
    rows = [{"validation_accuracy": value} for value in (0.5, 0.7, 0.7, 0.8)]
    assert [is_best(keep, rows[: n + 1]) for n in range(4)] == [True, True, False, True]
