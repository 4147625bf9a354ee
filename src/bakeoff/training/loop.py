"""The training loop: from the first step to the last."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from bakeoff.data.augment import Batch, augmenter
from bakeoff.data.batches import AUGMENT, DROPOUT, derived_seed, flip_phases
from bakeoff.record import Row
from bakeoff.spec import Recipe
from bakeoff.spec.schedules import SCHEDULES
from bakeoff.spec.stopping import STOPS
from bakeoff.training.device import seed_generators
from bakeoff.training.loss import make_loss
from bakeoff.training.measure import Diverged, infer, measure
from bakeoff.training.optim import add_l2, decay, hidden_weights, make_optimizer, trained, update_average
from bakeoff.training.setup import TrainingSetup

CURVE = (100, 20)
"""About how many points the curve of training loss and accuracy has in a run, and at most in an epoch."""


@dataclasses.dataclass
class State:
    """Everything that changes while training; a checkpoint holds all of it."""

    model: nn.Module
    optimizer: Optimizer
    ema: dict[str, Tensor]
    """Averaged weights and buffers; empty if the recipe has no EMA."""
    best: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    """Weights of the best epoch so far; empty if the recipe keeps the last."""
    round: int = 0
    round_step: int = 0
    step: int = 0
    epoch: int = 0
    batch: int = 0
    loss_sum: float | Tensor = 0.0
    correct: int | Tensor = 0
    log_points: list[list[float]] = dataclasses.field(default_factory=list)
    """Running sums within this epoch: [batches, loss_sum, correct]."""
    seconds: float = 0.0
    history: list[Row] = dataclasses.field(default_factory=list)
    fallback_epoch: int | None = None
    """The epoch after which training restarted with the recipe's fallback; None: it did not."""
    initial: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    """The weights of a restart, as long as one may happen; not in checkpoints, since the seed gives them again."""

    def since_restart(self) -> list[Row]:
        """The finished epochs since training began or restarted."""
        return self.history[self.fallback_epoch or 0 :]

    def rows(self) -> list[Row]:
        """The finished epochs of this round."""
        return [row for row in self.since_restart() if row["round"] == self.round]

    def evaluated(self) -> dict[str, Tensor]:
        """The weights that are evaluated: the average, if there is one."""
        return self.ema or self.model.state_dict()

    def current_recipe(self, recipe: Recipe) -> Recipe:
        """The recipe, or, after a restart, its fallback."""
        restarted = None if self.fallback_epoch is None else recipe.fallback_recipe
        return restarted or recipe


def new_state(model: nn.Module, recipe: Recipe) -> State:
    """As training begins; `model` has its initial weights."""
    ema = clone(model.state_dict()) if recipe.ema else {}
    initial = clone(model.state_dict()) if recipe.fallback_recipe else {}
    return State(model, make_optimizer(trained(model), recipe), ema, initial=initial)


def clone(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in weights.items()}


def restart_training(state: State, recipe: Recipe) -> None:
    """Restart with the recipe's fallback, from the initial weights; epochs and steps count on."""
    state.model.load_state_dict(state.initial)
    state.ema, state.best = clone(state.initial) if recipe.ema else {}, {}
    state.round, state.round_step, state.fallback_epoch, state.initial = 0, 0, state.epoch, {}
    state.optimizer = make_optimizer(trained(state.model), state.current_recipe(recipe))


def train(setup: TrainingSetup, state: State) -> Iterator[None]:
    """Train `state` to the end of its last round; yields before every step.

    At a yield the caller may save the state, show progress, or leave. Every random number is a pure function of
    (seed, epoch) or (seed, step), so a state saved there and restored ends in the same bits.
    Training accuracy is that of augmented images; a mixed one counts by the label of its larger part.

    Raises:
        Diverged: the loss of training or validation became non-finite.
    """
    recipe, task, steps = setup.spec.recipe, setup.task, setup.steps
    schedule, fallback, take_step = SCHEDULES.choose(recipe.schedule)[1], recipe.fallback_choice, make_step(setup)
    interval = math.ceil(steps / max(1, min(CURVE[1], CURVE[0] // (recipe.epochs * recipe.rounds))))
    while state.round < recipe.rounds:
        ends = list(range(recipe.batch_size, steps * recipe.batch_size, recipe.batch_size))  # of all but the last
        batches = task.order(setup.spec.seed, state.epoch).tensor_split(ends)
        rows, current = state.rows(), state.current_recipe(recipe)
        state.model.train()
        while state.batch < steps:
            yield
            began = time.perf_counter()
            lr = current.lr * schedule.multiplier(state.round_step, steps, recipe.epochs, rows)
            take_step(state, batches[state.batch], lr)
            state.batch, state.step, state.round_step = state.batch + 1, state.step + 1, state.round_step + 1
            if state.batch % interval == 0 or state.batch == steps:  # reading the sums waits for the device
                state.log_points.append([state.batch, float(state.loss_sum), int(state.correct)])
                if not math.isfinite(state.log_points[-1][1]):
                    raise Diverged
            state.seconds += time.perf_counter() - began
        end_epoch(setup, state, current, lr)
        if fallback.applies(state.history, task.outputs):
            restart_training(state, recipe)


def make_step(setup: TrainingSetup) -> Callable[[State, Tensor, float], None]:
    """The function (state, numbers of a batch's images, learning rate) that takes one step."""
    recipe, seed, task, device = setup.spec.recipe, setup.spec.seed, setup.task, setup.device
    loss_of = make_loss(recipe, task.class_weights(setup.train.labels) if recipe.loss_entry.balanced else None)
    augment, generator = augmenter(recipe.augment), Generator(device)
    phases = flip_phases(seed, len(task)).to(device)

    def take_step(state: State, numbers: Tensor, lr: float) -> None:
        batch = Batch(*task.batch(numbers), phases[numbers % len(task)] + state.epoch)
        batch = augment(batch, generator.manual_seed(derived_seed(seed, AUGMENT, state.step)))
        for group in state.optimizer.param_groups:
            group["lr"] = lr
        seed_generators(device, derived_seed(seed, DROPOUT, state.step))
        with torch.autocast(device.type, setup.precision, enabled=setup.precision is not None):
            logits = task.logits(state.model, setup.normalise(batch.images))
        loss = loss_of(logits.float(), batch.labels, batch.mix)
        state.optimizer.zero_grad()
        loss.backward()
        if recipe.gradient_clip:
            nn.utils.clip_grad_norm_(state.model.parameters(), recipe.gradient_clip)
        if recipe.l2 and recipe.l2_on == "hidden":
            add_l2(hidden_weights(state.model), recipe.l2)
        if recipe.weight_decay:
            decay(trained(state.model), lr * recipe.weight_decay)
        state.optimizer.step()
        if recipe.ema:
            update_average(state.ema, state.model, recipe.ema, state.step - (state.fallback_epoch or 0) * setup.steps)
        state.loss_sum += loss.detach().double() * len(numbers)
        state.correct += task.count_correct(logits.detach(), batch.labels)

    return take_step


def end_epoch(setup: TrainingSetup, state: State, current: Recipe, lr: float) -> None:
    """Measure the epoch, keep its weights if they are the best, and begin the next epoch or round.

    Args:
        current: the recipe, or its fallback after a restart.
        lr: the learning rate of the last step.

    Raises:
        Diverged: the loss of validation became non-finite.
    """
    began, recipe, count = time.perf_counter(), setup.spec.recipe, len(setup.task)
    row: dict[str, Any] = {"epoch": state.epoch + 1, "round": state.round, "step": state.step}
    row |= {"train_loss": float(state.loss_sum) / count, "train_accuracy": int(state.correct) / count}
    row["curve"] = curve(state, recipe.batch_size, count)
    model = copy.deepcopy(state.model)
    model.load_state_dict(state.evaluated())
    for name in ("validation", "test") if recipe.selects_on_test else ("validation",):
        split = setup.measured[name]
        row |= measure(infer(model, split.images, setup.normalise, setup.precision), split.labels, name)
        if not math.isfinite(row[f"{name}_loss"]):
            raise Diverged
    state.seconds += time.perf_counter() - began
    row |= {"optimizer": current.optimizer, "lr": lr, "seconds": round(state.seconds, 3)}
    state.history.append(row)
    if recipe.keep_choice.is_best(state.since_restart()):
        state.best = clone(state.evaluated())
    state.batch, state.loss_sum, state.correct, state.log_points, state.epoch = 0, 0.0, 0, [], state.epoch + 1
    if len(state.rows()) == recipe.epochs or STOPS.choose(recipe.stop)[1].stops(state.rows()):
        state.round, state.round_step = state.round + 1, 0
        state.optimizer = make_optimizer(trained(state.model), current)


def curve(state: State, batch_size: int, count: int) -> list[list[float]]:
    """The finished epoch's [step, loss, accuracy], each the mean over the images since the point before."""
    first, points = state.step - state.batch, []
    for before, now in itertools.pairwise([[0, 0.0, 0], *state.log_points]):
        images = (now[0] * batch_size if now[0] < state.batch else count) - before[0] * batch_size
        loss, accuracy = ((b - a) / images for a, b in zip(before[1:], now[1:], strict=True))
        points.append([first + now[0], round(loss, 6), round(accuracy, 6)])
    return points
