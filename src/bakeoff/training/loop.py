"""The training loop: one function, from the first step to the last."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from bakeoff.data.augment import Batch, augmenter
from bakeoff.data.batches import AUGMENT, DROPOUT, Loaded, batches, coins, derived_seed
from bakeoff.data.feeds import Feed
from bakeoff.record import Row
from bakeoff.spec import Recipe
from bakeoff.spec.choices import Best, OneView, Switch, Views
from bakeoff.training.device import seed_generators
from bakeoff.training.loss import make_loss
from bakeoff.training.optim import average, decay, hidden_weights, make_optimizer, pull, set_rate, trained
from bakeoff.training.schedule import falls_back, is_best, rate_factor, should_stop
from bakeoff.training.tta import views_of

CURVE = (100, 20)
"""About how many points the curve of training loss and accuracy has in a run, and at most in an epoch."""


class Diverged(Exception):
    """The loss, the weights or the answers became non-finite."""


@dataclasses.dataclass(frozen=True)
class Task:
    """What is trained on what: fixed for the whole run."""

    recipe: Recipe
    seed: int
    classes: int
    feed: Feed
    """Where training images come from."""
    train: Loaded
    sample: Loaded
    """The stratified sample of `train` on which a finished model is measured."""
    validation: Loaded
    test: Loaded
    normalise: Callable[[Tensor], Tensor]
    precision: torch.dtype | None
    """Of training and the validation after each epoch: bfloat16 for autocast, None for float32 throughout. Finished
    models are measured in float32."""


@dataclasses.dataclass
class State:
    """Everything that changes while training; a checkpoint holds all of it."""

    model: nn.Module
    optimizer: Optimizer
    ema: dict[str, Tensor]
    """Averaged weights and buffers; empty where the recipe has no EMA."""
    best: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    """Weights of the best epoch so far; empty where the recipe keeps the last."""
    fit: int = 0
    fit_step: int = 0
    step: int = 0
    epoch: int = 0
    batch: int = 0
    loss_sum: float | Tensor = 0.0
    correct: int | Tensor = 0
    looks: list[list[float]] = dataclasses.field(default_factory=list)
    """What was read off within this epoch: [batches, loss_sum, correct]."""
    seconds: float = 0.0
    history: list[Row] = dataclasses.field(default_factory=list)
    fell_back: int | None = None
    """The epoch after which training began anew; None: it did not."""
    initial: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    """The weights to begin anew from, while that may happen; no checkpoint holds them, since they are made again."""

    def since(self) -> list[Row]:
        """The finished epochs since training began, or began anew."""
        return self.history[self.fell_back or 0 :]

    def rows(self) -> list[Row]:
        """The finished epochs of the present fit."""
        return [row for row in self.since() if row["fit"] == self.fit]

    def evaluated(self) -> dict[str, Tensor]:
        """The weights that count: averaged where there is an average."""
        return self.ema or self.model.state_dict()


def new_state(model: nn.Module, recipe: Recipe) -> State:
    """As training begins; `model` has its initial weights."""
    ema = clone(model.state_dict()) if recipe.ema else {}
    initial = clone(model.state_dict()) if isinstance(recipe.fallback_choice, Switch) else {}
    return State(model, make_optimizer(model, recipe), ema, initial=initial)


def clone(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in weights.items()}


def begin_anew(state: State, recipe: Recipe) -> None:
    """Fall back to the recipe's other optimiser, from the initial weights; epochs and steps count on."""
    state.model.load_state_dict(state.initial)
    state.optimizer = make_optimizer(state.model, recipe.fallen)
    state.ema, state.best = clone(state.initial) if recipe.ema else {}, {}
    state.fit, state.fit_step, state.fell_back, state.initial = 0, 0, state.epoch, {}


def train(task: Task, state: State) -> Iterator[None]:
    """Train `state` to the end of its last fit; yields before every step.

    At a yield the caller may save the state, show progress, or leave. Every random number is a pure function of
    (seed, epoch) or (seed, step), so a state saved there and restored ends in the same bits.
    Where the loss has not fallen at all, a recipe with a fallback begins anew, once, from the initial weights.
    Training accuracy is that of augmented images (of crops, where crops are trained on); a mixed one counts by the
    label of its larger part, and one with a place by its class alone.

    Raises:
        Diverged: the loss of training or validation became non-finite.
    """
    recipe, feed, device = task.recipe, task.feed, task.train.labels.device
    steps = batches(len(feed), recipe.batch_size)
    outputs = recipe.feed_choice.outputs(task.classes)
    places = outputs // task.classes
    loss_of = make_loss(recipe, task.train.labels, task.classes, places)
    augment = augmenter(recipe.augment)
    generator, coin = torch.Generator(device), coins(task.seed, len(feed)).to(device)
    schedule = recipe.schedule_choice
    look = math.ceil(steps / max(1, min(CURVE[1], CURVE[0] // (recipe.epochs * recipe.fits))))
    while state.fit < recipe.fits:
        order = feed.order(task.seed, state.epoch)
        rows, present = state.rows(), recipe if state.fell_back is None else recipe.fallen
        state.model.train()
        while state.batch < steps:
            yield
            began = time.perf_counter()
            end = (state.batch + 1) * recipe.batch_size if state.batch + 1 < steps else len(feed)
            chosen = order[state.batch * recipe.batch_size : end]
            batch = Batch(*feed.take(chosen), coin[chosen % len(feed)] + state.epoch)
            batch = augment(batch, generator.manual_seed(derived_seed(task.seed, AUGMENT, state.step)))
            factor = rate_factor(schedule, state.fit_step, steps, recipe.epochs, rows)
            set_rate(state.optimizer, present.lr * factor)
            seed_generators(device, derived_seed(task.seed, DROPOUT, state.step))
            with torch.autocast(device.type, task.precision, enabled=task.precision is not None):
                logits = feed.answer(state.model, task.normalise(batch.images))
            loss = loss_of(logits.float(), batch.labels, batch.mix)
            state.optimizer.zero_grad()
            loss.backward()
            if recipe.gradient_clip:
                nn.utils.clip_grad_norm_(state.model.parameters(), recipe.gradient_clip)
            if recipe.l2 and recipe.l2_on == "hidden":
                pull(hidden_weights(state.model), recipe.l2)
            if recipe.weight_decay:
                decay(trained(state.model), present.lr * factor * recipe.weight_decay)
            state.optimizer.step()
            if recipe.ema:
                average(state.ema, state.model, recipe.ema, state.step - (state.fell_back or 0) * steps)
            state.loss_sum += loss.detach().double() * len(chosen)
            state.correct += recognised(logits.detach(), batch.labels, places)
            state.batch, state.step, state.fit_step = state.batch + 1, state.step + 1, state.fit_step + 1
            if state.batch % look == 0 or state.batch == steps:  # a look waits for the device
                state.looks.append([state.batch, float(state.loss_sum), int(state.correct)])
                if not math.isfinite(state.looks[-1][1]):
                    raise Diverged
            state.seconds += time.perf_counter() - began
        end_epoch(task, state, present, present.lr * factor)
        if falls_back(recipe.fallback_choice, state.history, outputs):
            begin_anew(state, recipe)


def recognised(logits: Tensor, labels: Tensor, places: int) -> Tensor:
    """How many classes are right: of logits (N, K x places) and labels (N,) that count class x places + place."""
    if places > 1:  # a class's logit is what a model that locates answers for the whole image
        logits, labels = logits.float().unflatten(1, (-1, places)).logsumexp(2), labels // places
    return (logits.argmax(1) == labels).sum()


def end_epoch(task: Task, state: State, present: Recipe, rate: float) -> None:
    """Measure the epoch, keep its weights if they are the best, and begin the next epoch or fit.

    Args:
        present: the recipe, after its fallback where that has happened.
        rate: the learning rate of the last step.

    Raises:
        Diverged: the loss of validation became non-finite.
    """
    began, recipe, count = time.perf_counter(), task.recipe, len(task.feed)
    row: dict[str, Any] = {"epoch": state.epoch + 1, "fit": state.fit, "step": state.step}
    row |= {"train_loss": float(state.loss_sum) / count, "train_accuracy": int(state.correct) / count}
    row["curve"] = curve(state, recipe.batch_size, count)
    splits = {"validation": task.validation}
    if recipe.selects_on_test:
        splits["test"] = task.test
    judged = copy.deepcopy(state.model)
    judged.load_state_dict(state.evaluated())
    for name, split in splits.items():
        row |= measure(infer(task, judged, split), split.labels, name)
        if not math.isfinite(row[f"{name}_loss"]):
            raise Diverged
    state.seconds += time.perf_counter() - began
    row |= {"optimizer": present.optimizer, "lr": rate, "seconds": round(state.seconds, 3)}
    state.history.append(row)
    if isinstance(keep := recipe.keep_choice, Best) and is_best(keep, state.since()):
        state.best = clone(state.evaluated())
    state.batch, state.loss_sum, state.correct, state.looks, state.epoch = 0, 0.0, 0, [], state.epoch + 1
    if len(state.rows()) == recipe.epochs or should_stop(recipe.stop_choice, state.rows()):
        state.fit, state.fit_step = state.fit + 1, 0
        state.optimizer = make_optimizer(state.model, present)


def curve(state: State, batch_size: int, count: int) -> list[list[float]]:
    """The finished epoch's [step, loss, accuracy], each the mean over the images since the point before."""
    first, points = state.step - state.batch, []
    for before, now in itertools.pairwise([[0, 0.0, 0], *state.looks]):
        images = (now[0] * batch_size if now[0] < state.batch else count) - before[0] * batch_size
        loss, accuracy = ((b - a) / images for a, b in zip(before[1:], now[1:], strict=True))
        points.append([first + now[0], round(loss, 6), round(accuracy, 6)])
    return points


def infer(task: Task, model: nn.Module, split: Loaded) -> Tensor:
    """(N, K) logits of a split after an epoch, one view of each image, in the precision of training; the model is
    left in evaluation mode."""
    return infer_images(model, split.images, task.normalise, task.precision)


def infer_views(task: Task, model: nn.Module, split: Loaded) -> Tensor:
    """(N, K) final logits of a split, means over the recipe's views, in float32 throughout: rounded to bfloat16,
    classes tie. The model is left in evaluation mode."""
    return infer_images(model, split.images, task.normalise, None, task.recipe.views_choice)


@torch.no_grad()
def infer_images(
    model: nn.Module,
    images: Tensor,
    normalise: Callable[[Tensor], Tensor],
    precision: torch.dtype | None,
    views: Views = OneView(),  # noqa: B008 - frozen
    batch: int = 500,
) -> Tensor:
    """(N, K) float32 logits of images (N, C, H, W) uint8, means over `views`; the model is left in evaluation mode."""
    model.eval()
    parts = []
    for chunk in torch.split(images, batch):
        with torch.autocast(images.device.type, precision, enabled=precision is not None):
            seen = [model(normalise(view)).float() for view in views_of(chunk, views)]
        parts.append(torch.stack(seen).mean(0))
    return torch.cat(parts)


def measure(logits: Tensor, labels: Tensor, name: str) -> Row:
    """`NAME_loss` (mean cross-entropy, nats) and `NAME_accuracy` (fraction)."""
    loss = nn.functional.cross_entropy(logits.double(), labels)  # finite wherever the logits are
    return {
        f"{name}_loss": float(loss),
        f"{name}_accuracy": int((logits.argmax(1) == labels).sum()) / len(labels),
    }
