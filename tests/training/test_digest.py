"""A run's name: it changes with all that decides the result, and with nothing else."""

import typing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bakeoff.data import Dataset
from bakeoff.errors import UsageError
from bakeoff.files import sha256
from bakeoff.models import MODELS, Model
from bakeoff.record import read_run
from bakeoff.spec import Recipe, RunSpec, plugins, renamed
from bakeoff.spec.plugins import load_plugin
from bakeoff.spec.settings import Frozen
from bakeoff.spec.steps import AUGMENTATIONS
from bakeoff.spec.tasks import TASKS, CropsSettings
from bakeoff.training.digest import deciding, find_run, run_directory
from bakeoff.training.options import RunOptions
from bakeoff.training.run import train_run


def spec(**changes) -> RunSpec:
    return RunSpec(**{"contender": "c", "model": "logistic", "dataset": "blocks", **changes})


def with_pool(blocks: Dataset, pool: np.ndarray | None) -> Dataset:
    return Dataset(blocks.name, blocks.classes, blocks.train, blocks.validation, blocks.test, pool)


def test_it_changes_with_all_that_decides_the_result(blocks: Dataset) -> None:
    specs = [
        spec(),
        spec(model="small_cnn"),
        spec(model="small_cnn", parameters={"width": 3}),
        spec(recipe=Recipe(lr=0.1)),
        spec(seed=1),
        spec(images=100),
        spec(validation=0.2),
    ]
    names = {run_directory(run_spec, blocks) for run_spec in specs}
    exchanged = Dataset(blocks.name, blocks.classes, blocks.test, blocks.validation, blocks.train)
    assert len({*names, run_directory(spec(), exchanged)}) == 8


@pytest.mark.parametrize("name", [name for name in Recipe.model_fields if name not in ("weights", "teacher", "pool")])
def test_every_recipe_field_changes_it(blocks: Dataset, name: str) -> None:
    """All but the places of weights and teacher, which count by what they hold, and the pool, which needs a teacher."""
    others = {
        "freeze": "stages:1",
        "task": "generated",
        "schedule": "constant",
        "stop": "early",
        "keep": "best",
        "preprocess": ("threshold",),
        "augment": ("flip",),
        "tta": "several",
        "fallback": "switch",
        "optimizer": "sgd",
        "loss": "softmax_output",
    }
    field = Recipe.model_fields[name]
    if typing.get_origin(field.annotation) is typing.Literal:
        others[name] = next(value for value in typing.get_args(field.annotation) if value != field.default)
    elif isinstance(field.default, bool):
        others[name] = not field.default
    other = others[name] if name in others else field.default + 1 if isinstance(field.default, int) else 0.5
    changed = spec().model_copy(update={"recipe": Recipe().model_copy(update={name: other})})
    assert run_directory(changed, blocks) != run_directory(spec(), blocks)


def test_it_is_readable_and_does_not_depend_on_where_the_data_lie(blocks: Dataset) -> None:
    assert run_directory(spec(), blocks).startswith("c-seed0-")
    assert run_directory(spec(), blocks) == run_directory(spec(dataset="./copy-of-blocks"), blocks)


def test_a_default_spelled_out_is_the_same_run(blocks: Dataset) -> None:
    short = spec(model="small_cnn", recipe=Recipe(task="crops", augment=("rotate",), schedule="step"))
    recipe = Recipe(task="crops:jitter=3", augment=("rotate:degrees=10",), schedule="step:gamma=0.10,every=3")
    assert run_directory(spec(model="small_cnn", parameters={"width": 50}, recipe=recipe), blocks) == run_directory(
        short, blocks
    )


def test_a_changed_default_inside_a_choice_changes_it(blocks: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    run_spec = spec(recipe=Recipe(task="crops"))
    before = run_directory(run_spec, blocks)

    class LaterCrops(CropsSettings):
        jitter: float = 4.0

    monkeypatch.setitem(TASKS.builtin, "crops", replace(TASKS["crops"], schema=LaterCrops))
    assert run_directory(run_spec, blocks) != before


def test_a_changed_default_of_a_step_or_a_model_changes_it(blocks: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    run_spec = spec(model="small_cnn", recipe=Recipe(augment=("rotate",)))
    names = {run_directory(run_spec, blocks)}

    class LaterRotate(Frozen):
        degrees: float = 11.0

    monkeypatch.setitem(AUGMENTATIONS.builtin, "rotate", replace(AUGMENTATIONS["rotate"], schema=LaterRotate))
    names.add(run_directory(run_spec, blocks))

    def later(channels, classes, size, *, width: int = 51) -> None: ...

    monkeypatch.setitem(MODELS.builtin, "small_cnn", Model(later))
    assert len({*names, run_directory(run_spec, blocks)}) == 3


def test_the_pool_that_a_teacher_labels_counts(blocks: Dataset, tmp_path: Path) -> None:
    teacher = train_run(spec(recipe=Recipe(epochs=1)), blocks, tmp_path / "teacher", RunOptions(threads=1))
    student = spec(recipe=Recipe(teacher=str(teacher.path)))
    pools = [with_pool(blocks, images) for images in (blocks.test.images, blocks.test.images[::-1].copy())]
    assert len({run_directory(student, data) for data in pools}) == 2
    assert len({run_directory(spec(), data) for data in (blocks, *pools)}) == 1  # nobody looks at them


PLUGIN = """
from bakeoff.models.small_cnn import logistic
def same(batch, generator): return batch
MODELS, AUGMENTATIONS = {"net": logistic}, {"same": same}
"""


@pytest.mark.parametrize("uses", [{"model": "mine:net"}, {"recipe": Recipe(augment=("mine:same",))}])
def test_the_bytes_of_a_plug_in_count_where_it_is_used(
    blocks: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uses: dict
) -> None:
    monkeypatch.setattr(plugins, "FILES", {})
    file, plain, names = tmp_path / "mine.py", run_directory(spec(), blocks), set()
    for text in (PLUGIN, f"{PLUGIN}# changed"):
        file.write_text(text)
        load_plugin(file)
        names.add(run_directory(spec(**uses), blocks))
        assert deciding(spec(**uses), blocks)["plugins"] == {"mine": f"sha256:{sha256(file)}"}
    assert len(names) == 2
    assert run_directory(spec(), blocks) == plain


def test_a_model_that_was_renamed_is_the_same_run(
    blocks: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_spec = spec(recipe=Recipe(epochs=1))
    before = train_run(run_spec, blocks, tmp_path / run_directory(run_spec, blocks), RunOptions(threads=1))
    monkeypatch.setitem(renamed.MODELS, "logistic", "linear")
    monkeypatch.setattr(MODELS, "builtin", {"linear": MODELS.builtin["logistic"]})
    now = spec(model="linear", recipe=Recipe(epochs=1))
    assert run_directory(now, blocks) != before.path.name
    assert find_run(tmp_path, now, blocks) == before.path
    assert read_run(before.path).spec.model == "linear"
    with pytest.raises(UsageError, match=r"^model: 'logistic' is now called 'linear'$"):
        run_directory(run_spec, blocks)


def test_a_field_that_a_later_version_adds_finds_the_record(
    blocks: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if a later version had one more field in Recipe, whose default does what was done before."""
    run_spec = spec(recipe=Recipe(epochs=1))
    before = train_run(run_spec, blocks, tmp_path / run_directory(run_spec, blocks), RunOptions(threads=1))

    class LaterRecipe(Recipe):
        wobble: float = 0.0

    class LaterSpec(RunSpec):
        recipe: LaterRecipe = LaterRecipe()

    monkeypatch.setattr("bakeoff.record.tolerant.RunSpec", LaterSpec)

    def later(**recipe) -> RunSpec:
        return LaterSpec(contender="c", model="logistic", dataset="blocks", recipe=LaterRecipe(epochs=1, **recipe))

    assert run_directory(later(), blocks) != before.path.name
    assert find_run(tmp_path, later(), blocks) == before.path
    assert find_run(tmp_path, later(wobble=1), blocks) != before.path


def test_a_run_is_found_whatever_its_contender_is_called(blocks: Dataset, tmp_path: Path) -> None:
    """By what decides it: another seed or recipe is another run, and a damaged record is none."""
    run_spec = spec(recipe=Recipe(epochs=1))
    before = train_run(run_spec, blocks, tmp_path / run_directory(run_spec, blocks), RunOptions(threads=1)).path
    assert find_run(tmp_path, spec(contender="d", recipe=Recipe(epochs=1)), blocks) == before
    for other in (spec(contender="d", recipe=Recipe(epochs=2)), spec(contender="d", seed=1, recipe=Recipe(epochs=1))):
        assert find_run(tmp_path, other, blocks) == tmp_path / run_directory(other, blocks)
    both = [spec(contender=name, model="", members=(member,)) for name, member in (("x", "c"), ("y", "d"))]
    average = train_run(
        both[0],
        blocks,
        tmp_path / run_directory(both[0], blocks, [before]),
        RunOptions(threads=1),
        [before],
    )
    assert find_run(tmp_path, both[1], blocks, [before]) == average.path
    (before / "weights.safetensors").write_bytes(b"rubbish")
    renamed = spec(contender="d", recipe=Recipe(epochs=1))
    assert find_run(tmp_path, renamed, blocks) == tmp_path / run_directory(renamed, blocks)
