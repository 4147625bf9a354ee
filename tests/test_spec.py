"""Recipes, choices and run names: what is valid, and the sentence for what is not."""

import pytest

from bakeoff.errors import UsageError
from bakeoff.spec import Cosine, Early, Plateau, Recipe, RunSpec, Step, parse_choice, validate


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("constant", ("constant", {})),
        ("step:every=3,gamma=0.6", ("step", {"every": "3", "gamma": "0.6"})),
        ("./a:b/c", ("./a:b/c", {})),
        ("C:/letters:size=28", ("C:/letters", {"size": "28"})),
    ],
)
def test_choices_are_a_name_and_options(text: str, expected: tuple) -> None:
    assert parse_choice(text) == expected


def test_choices_are_typed() -> None:
    recipe = Recipe(schedule="step:every=3,gamma=0.6", stop="early:patience=7")
    assert recipe.schedule_choice == Step(every=3, gamma=0.6)
    assert recipe.stop_choice == Early(patience=7)
    assert Recipe(schedule="cosine").schedule_choice == Cosine()
    assert isinstance(Recipe(schedule="plateau").schedule_choice, Plateau)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"lr": 0}, "here: lr = 0: must be greater than 0"),
        ({"lr": float("nan")}, "here: lr = nan: must be a finite number"),
        ({"epochs": "many"}, "here: epochs = 'many': must be a valid integer"),
        ({"batch_size": 0}, "here: batch_size = 0: must be greater than or equal to 1"),
        ({"optimiser": "sgd"}, r"here: unknown key 'optimiser' \(closest: optimizer\)"),
        ({"optimizer": "sdg"}, "here: optimizer = 'sdg': must be 'sgd', 'adam'"),
        ({"schedule": "stepp"}, r"here: schedule: unknown choice 'stepp' \(closest: step"),
        ({"schedule": "step:evry=3"}, r"here: schedule step: unknown key 'evry' \(closest: every\)"),
        ({"schedule": "step:gamma=2"}, "here: schedule step: gamma = '2': must be less than or equal to 1"),
        ({"stop": "early:monitor=loss"}, "here: stop early: monitor = 'loss': must be 'train_loss'"),
        ({"keep": "best:monitor=luck"}, "here: keep best: monitor = 'luck'"),
        ({"momentum": 1.0}, "momentum = 1.0: must be less than 1"),
        ({"optimizer": "adam", "momentum": 0.9}, "here: momentum is for sgd and rmsprop; adam has its own"),
        ({"optimizer": "sgd", "nesterov": True}, "here: nesterov needs"),
        ({"optimizer": "adamw", "l2": 0.1}, "here: adamw decouples its decay"),
        ({"loss": "softmax_output", "label_smoothing": 0.1}, "here: label_smoothing is for the cross-entropies"),
        ({"label_smoothing": 1.0}, "label_smoothing = 1.0"),
        ({"ema": 1.0}, "ema = 1.0"),
        ({"gradient_clip": -1}, "gradient_clip = -1"),
        ({"precision": "fp16"}, "precision = 'fp16': must be 'auto', 'fp32' or 'bf16'"),
    ],
)
def test_a_wrong_recipe_gets_one_sentence(values: dict, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as error:
        validate(Recipe, values, "here")
    assert "\n" not in str(error.value)


def test_choosing_on_test_is_marked() -> None:
    assert Recipe(keep="best:monitor=test_accuracy").selects_on_test
    assert not Recipe(keep="best:monitor=validation_accuracy").selects_on_test
    assert not Recipe().selects_on_test


def base(**changes) -> str:
    return RunSpec(**{"contender": "c", "model": "conv", "dataset": "mnist", **changes}).directory("f")


def test_a_runs_name_changes_with_all_that_decides_its_result() -> None:
    names = {
        base(),
        base(model="drop"),
        base(parameters={"width": 3}),
        base(recipe=Recipe(lr=0.1)),
        base(seed=1),
        base(images=100),
        base(validation=0.2),
        RunSpec(contender="c", model="conv", dataset="mnist").directory("other data"),
    }
    assert len(names) == 8


def test_a_runs_name_is_readable_and_does_not_depend_on_where_the_data_lie() -> None:
    assert base().startswith("c-seed0-")
    assert base() == base(dataset="./copy-of-mnist")


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "x" * 81])
def test_a_contenders_name_is_a_file_name(name: str) -> None:
    from bakeoff.spec import Contender

    with pytest.raises(UsageError, match="name"):
        validate(Contender, {"name": name, "model": "conv"}, "here")
