"""Schedules and stopping against PyTorch's own schedulers and a slow twin of Keras's rule."""

import math
from pathlib import Path

import pytest
import torch
from torch.optim import lr_scheduler

from bakeoff.data import Dataset
from bakeoff.spec import Recipe, RunSpec
from bakeoff.spec.schedules import Cosine, OneCycle, Plateau, Step
from bakeoff.spec.stopping import Best, Early
from bakeoff.training.options import RunOptions
from bakeoff.training.run import train_run

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
    return [schedule.multiplier(step, STEPS, EPOCHS, []) for step in range(STEPS * EPOCHS)]


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
    rates = [OneCycle(warmup=warmup).multiplier(step, steps, 1, []) for step in range(steps)]
    assert all(math.isfinite(rate) and 0 < rate <= 1 for rate in rates)
    assert steps > 1 or rates == [1.0]


LOSSES = [
    [1.0, 0.9, 0.91, 0.89, 0.885, 0.9, 0.7, 0.71, 0.72, 0.73, 0.69, 0.7, 0.7, 0.7, 0.7],
    [2.3] * 12,
    [1.0, 1.1, 1.2, 0.97, 1.0, 1.0, 1.0, 0.5, 0.51, 0.52, 0.2],
]


def keras_plateau(losses: list[float], factor: float, patience: int, min_delta: float) -> list[float]:
    """The rate after each epoch by the documented rule of Keras's ReduceLROnPlateau, with its cooldown of 0."""
    best, wait, rate, rates = math.inf, 0, 1.0, []
    for current in losses:
        if current < best - min_delta:
            best, wait = current, 0
        else:
            wait += 1
            if wait >= patience:
                rate, wait = rate * factor, 0
        rates.append(rate)
    return rates


def keras_stop(losses: list[float], patience: int, min_delta: float) -> int | None:
    """The epochs that are trained by the documented rule of Keras's EarlyStopping; None: it does not stop."""
    best, wait = math.inf, 0
    for epoch, current in enumerate(losses):
        wait += 1
        if current + min_delta < best:
            best, wait = current, 0
            continue
        if wait >= patience and epoch > 0:
            return epoch + 1
    return None


@pytest.mark.parametrize("patience", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("losses", LOSSES)
def test_plateau_is_that_of_keras_and_acts_an_epoch_before_that_of_pytorch(losses: list[float], patience: int) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=max(patience, 1) - 1, threshold=0.02, threshold_mode="abs", eps=0
    )
    schedule = Plateau(monitor="train_loss", factor=0.5, patience=patience, min_delta=0.02)
    rows = [{"train_loss": loss} for loss in losses]
    multipliers = [schedule.multiplier(0, 1, 1, rows[: epoch + 1]) for epoch in range(len(losses))]
    assert multipliers == pytest.approx(keras_plateau(losses, 0.5, patience, 0.02))
    assert multipliers[-1] < 1 or patience == 5
    for loss, rate in zip(losses, multipliers, strict=True):
        scheduler.step(loss)
        assert rate == pytest.approx(optimizer.param_groups[0]["lr"])


@pytest.mark.parametrize("patience", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("losses", LOSSES)
@pytest.mark.parametrize("monitor", ["validation_loss", "validation_accuracy"])
def test_early_stopping_is_that_of_keras(losses: list[float], patience: int, monitor: str) -> None:
    sign = -1 if monitor == "validation_accuracy" else 1
    rows = [{monitor: sign * value} for value in losses]
    stop = Early(monitor=monitor, patience=patience, min_delta=0.02)
    ended = next((n for n in range(1, len(rows) + 1) if stop.stops(rows[:n])), None)
    assert ended == keras_stop(losses, patience, 0.02)


def test_a_rate_is_halved_twice_before_seven_epochs_without_gain_end_training(blocks: Dataset, tmp_path: Path) -> None:
    """Halved after 3 epochs without a gain in training loss, stopped after 7: "at least 2 attempts to make progress
    using a reduced learning rate"."""
    recipe = Recipe(
        epochs=20,
        lr=0.01,
        schedule="plateau:monitor=train_loss,patience=3,min_delta=1000",
        stop="early:monitor=train_loss,patience=7,min_delta=1000",
    )
    spec = RunSpec(contender="c", model="logistic", recipe=recipe, dataset="blocks")
    run = train_run(spec, blocks, tmp_path, RunOptions(threads=1))
    assert [row["lr"] for row in run.history] == [0.01] * 4 + [0.005] * 3 + [0.0025]


def test_best_keeps_the_first_of_equals() -> None:
    keep = Best(monitor="validation_accuracy")
    rows = [{"validation_accuracy": value} for value in (0.5, 0.7, 0.7, 0.8)]
    assert [keep.is_best(rows[: n + 1]) for n in range(4)] == [True, True, False, True]
