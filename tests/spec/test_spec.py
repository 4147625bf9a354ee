"""Recipes, choices and run names: what is valid, and the sentence for what is not."""

import pytest

from bakeoff.data.sources import SOURCES
from bakeoff.errors import UsageError
from bakeoff.spec import Recipe, RunSpec
from bakeoff.spec.losses import LOSSES, Loss
from bakeoff.spec.registry import Entry, parse_choice
from bakeoff.spec.schedules import SCHEDULES, Cosine, Plateau, Step
from bakeoff.spec.settings import Frozen, validate
from bakeoff.spec.stopping import KEEPS, STOPS, Best, Early, Keep


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


@pytest.mark.parametrize(
    ("reference", "written"),
    [
        ("./x.npz", "x.npz"),
        ("a/.//x.npz:size=28,resize=pad", "a/x.npz:size=28,resize=pad"),
        ("letters/", "letters"),
        ("letters/:size=28", "letters:size=28"),
        ("/data/./x.npz", "/data/x.npz"),
        ("link/../x.npz", "link/../x.npz"),
        ("mnist", "mnist"),
        ("./mnist", "./mnist"),
        ("largest-digit:origin=kaggle", "largest-digit:origin=kaggle"),
    ],
)
def test_a_path_is_written_in_one_way(reference: str, written: str) -> None:
    """But `..` after what may be a link stays, and so does what tells a folder from a dataset of that name."""
    assert RunSpec(contender="c", model="conv", dataset=reference).dataset == written


@pytest.mark.parametrize("name", SOURCES.builtin)
def test_a_folder_called_as_a_dataset_is_another_thing(name: str) -> None:
    assert RunSpec(contender="c", model="conv", dataset=f"./{name}/").dataset == f"./{name}/"


def test_choices_are_typed() -> None:
    assert SCHEDULES.choose("step:every=3,gamma=0.6") == ("step", Step(every=3, gamma=0.6))
    assert SCHEDULES.choose("cosine")[1] == Cosine()
    assert isinstance(SCHEDULES.choose("plateau")[1], Plateau)
    assert Recipe(keep="best:monitor=train_loss").keep_choice == Best(monitor="train_loss")
    assert STOPS.choose("early:patience=7")[1] == Early(patience=7)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"lr": 0}, "here: lr = 0: must be greater than 0"),
        ({"lr": float("nan")}, "here: lr = nan: must be a finite number"),
        ({"epochs": "many"}, "here: epochs = 'many': must be a valid integer"),
        ({"batch_size": 0}, "here: batch_size = 0: must be greater than or equal to 1"),
        ({"optimiser": "sgd"}, r"here: unknown key 'optimiser' \(closest: optimizer\)"),
        ({"schedule": "step:every"}, r"here: schedule: 'step:every': settings are written step:key=value,key=value"),
        ({"fallback": "switch:optimizer=adam,momentum=0.5"}, r"here: fallback: momentum is for sgd, rmsprop"),
        ({"optimizer": "sdg"}, r"here: optimizer: unknown choice 'sdg' \(closest: sgd"),
        ({"schedule": "stepp"}, r"here: schedule: unknown choice 'stepp' \(closest: step"),
        ({"schedule": "step:evry=3"}, r"here: schedule step: unknown key 'evry' \(closest: every\)"),
        ({"schedule": "step:gamma=2"}, "here: schedule step: gamma = '2': must be less than or equal to 1"),
        ({"stop": "early:monitor=loss"}, "here: stop early: monitor = 'loss': must be 'train_loss'"),
        ({"keep": "best:monitor=luck"}, "here: keep best: monitor = 'luck'"),
        ({"momentum": 1.0}, "momentum = 1.0: must be less than 1"),
        ({"optimizer": "adam", "momentum": 0.9}, "here: momentum is for sgd, rmsprop: adam does not take it"),
        ({"optimizer": "sgd", "nesterov": True}, "here: nesterov needs"),
        ({"optimizer": "adamw", "l2": 0.1}, "here: l2 is for sgd, adam, nadam, .*: adamw does not take it"),
        (
            {"fallback": "switch:optimizer=adamw,momentum=0", "l2": 0.1},
            "here: fallback: l2 is for sgd, .*: adamw does not take it",
        ),
        (
            {"fallback": "switch", "loss": "balanced_cross_entropy", "label_smoothing": 0.1},
            "here: fallback does not know the loss of equal logits for loss = 'balanced_cross",
        ),
        ({"fallback": "switch:after=0"}, "here: fallback switch: after = '0': must be greater than or equal to 1"),
        ({"pool": "test"}, "here: pool needs a teacher"),
        ({"pool": "train", "teacher": "t"}, r"here: pool: unknown choice 'train' \(valid: test, unlabelled\)"),
        (
            {"pool": "test:confidence=2", "teacher": "t"},
            "here: pool test: confidence = '2': must be less than or equal",
        ),
        ({"feed": "crops"}, "here: feed is now called task"),
        ({"task": "placed:cells=3"}, "here: task: 'placed' is now called 'heatmap'"),
        ({"tta": "some"}, r"here: tta: unknown choice 'some' \(closest: one\)"),
        ({"tta": "several:shift=-1"}, "here: tta several: shift = '-1': must be greater than or equal to 0"),
        (
            {"loss": "softmax_output", "label_smoothing": 0.1},
            "here: label_smoothing is for cross_entropy, balanced_cross_entropy: softmax_output",
        ),
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


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"epochs": "2"}, "here: epochs = '2': must be a valid integer"),
        ({"epochs": 2.0}, "here: epochs = 2.0: must be a valid integer"),
        ({"epochs": True}, "here: epochs = True: must be a valid integer"),
        ({"lr": True}, "here: lr = True: must be a valid number"),
        ({"lr": "0.1"}, "here: lr = '0.1': must be a valid number"),
        ({"nesterov": "yes"}, "here: nesterov = 'yes': must be a valid boolean"),
        ({"augment": "rotate"}, "here: augment = 'rotate': must be a valid list"),
        ({"augment": [3]}, "here: augment.0 = 3: must be a valid string"),
    ],
)
def test_a_files_values_have_types(values: dict, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        validate(Recipe, values, "here", strict=True)


def test_what_toml_can_say_is_taken_and_a_command_lines_text_as_well() -> None:
    made = validate(Recipe, {"lr": 1, "epochs": 2, "augment": ["rotate"], "stop": "early:patience=7"}, "", strict=True)
    assert (made.lr, made.epochs, made.augment) == (1.0, 2, ("rotate",))
    assert made == validate(Recipe, {"lr": "1", "epochs": "2", "augment": ("rotate",), "stop": "early:patience=7"}, "")


def test_choosing_on_test_is_marked() -> None:
    assert Recipe(keep="best:monitor=test_accuracy").selects_on_test
    assert not Recipe(keep="best:monitor=validation_accuracy").selects_on_test
    assert not Recipe().selects_on_test


def test_another_keep_that_chooses_on_test_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    class Late(Keep):
        """The best of the later epochs."""

        @property
        def criterion(self) -> str:
            return "test_loss"

    monkeypatch.setitem(KEEPS.builtin, "late", Entry(Late))
    assert Recipe(keep="late").selects_on_test


def test_a_fallback_to_an_optimizer_without_momentum_has_none() -> None:
    after = Recipe(optimizer="sgd", momentum=0.9, fallback="switch:optimizer=adam").fallback_recipe
    assert after is not None
    assert (after.optimizer, after.momentum) == ("adam", 0.0)
    with_momentum = Recipe(fallback="switch:optimizer=sgd").fallback_recipe
    assert with_momentum is not None
    assert with_momentum.momentum == 0.1


def test_another_loss_of_which_fallback_may_know_the_value_of_equal_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused unless its entry says that the value is ln K, in the package or in a plug-in."""
    for name, known in (("focal", False), ("poly", True)):
        loss = Loss("bakeoff.training.loss:cross_entropy", Frozen, equal_is_log_classes=known)
        monkeypatch.setitem(LOSSES.builtin, name, loss)
    assert Recipe(loss="poly", fallback="switch").fallback_recipe
    with pytest.raises(UsageError, match="fallback does not know the loss of equal logits for loss = 'focal'"):
        Recipe(loss="focal", fallback="switch")


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "x" * 81])
def test_a_contenders_name_is_a_file_name(name: str) -> None:
    from bakeoff.spec import Contender

    with pytest.raises(UsageError, match="name"):
        validate(Contender, {"name": name, "model": "conv"}, "here")
