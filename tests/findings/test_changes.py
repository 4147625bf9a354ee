"""What differs between two specs, in the words of a study file."""

import pytest

from bakeoff.findings.changes import changes
from bakeoff.report.sentences import of_change
from bakeoff.spec import Recipe, RunSpec


def spec(model: str = "conv", parameters: dict | None = None, **recipe) -> RunSpec:
    return RunSpec(contender="c", model=model, parameters=parameters or {}, recipe=Recipe(**recipe), dataset="digits")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (spec(), spec(), []),
        (spec(loss="softmax_output"), spec(), ["loss: softmax_output → cross_entropy"]),
        (spec("small_cnn", {"width": 50}), spec("small_cnn", {"width": 10}), ["width: 50 → 10"]),
        (spec("nin", {"batch_norm": False}), spec("nin", {"batch_norm": True}), ["batch_norm: false → true"]),
        (
            spec(optimizer="sgd", lr=0.001),
            spec(optimizer="sgd", lr=0.1, momentum=0.9),
            ["lr: 0.001 → 0.1, momentum: 0 → 0.9"],
        ),
        (
            spec(optimizer="adam", lr=0.001, schedule="constant"),
            spec(optimizer="sgd", lr=0.01, schedule="one-cycle"),
            ["optimizer: adam → sgd, lr: 0.001 → 0.01, schedule: constant → one-cycle"],
        ),
        (spec(), spec(weights="imagenet", freeze="stages:4"), ["weights: none → imagenet, freeze: none → stages:4"]),
        (
            spec(preprocess=("repeat:channels=3",)),
            spec(preprocess=("threshold:at=230", "repeat:channels=3")),
            ["preprocess: none → threshold:at=230"],
        ),
        (
            spec(preprocess=("upscale:times=3",)),
            spec(preprocess=("upscale:times=5",)),
            ["preprocess: upscale:times=3 → upscale:times=5"],
        ),
        (
            spec(preprocess=("threshold:at=9", "downscale:times=2")),
            spec(preprocess=("downscale:times=2", "threshold:at=9")),
            ["preprocess: threshold:at=9, downscale:times=2 → downscale:times=2, threshold:at=9"],
        ),
        (spec(), spec(teacher="house", pool="test:confidence=0.9"), ["teacher: none → house"]),
        (spec(l2=0.1), spec(l2=0.1, l2_on="hidden"), ["l2_on: all → hidden"]),
        (spec(epochs=5, l2=0.1), spec(epochs=6), ["epochs: 5 → 6", "l2: 0.1 → 0"]),
        (
            spec("vgg11", {"pool": 0, "dropout": 0.5}),
            spec("vgg11_bn", {"pool": 0, "dropout": 0.5}),
            ["model: vgg11 → vgg11_bn"],
        ),
        (
            spec("vgg11", {"pool": 0, "dropout": 0.5}),
            spec("vgg11_bn", {"pool": 7, "dropout": 0.5}),
            ["model: vgg11 → vgg11_bn", "pool: 0 → 7"],
        ),
        (spec("resnet34", {"stem": 7}), spec("se_resnet34", {"reduction": 16}), ["model: resnet34 → se_resnet34"]),
    ],
)
def test_what_differs_is_told_as_a_study_file_says_it(before, after, expected):
    words = sorted(of_change(change) for change in changes(before, after))
    assert words == sorted(expected)
    assert len(changes(after, before)) == len(expected)


def test_dataset_seed_and_name_are_no_change():
    other = spec().model_copy(update={"dataset": "mnist", "seed": 3, "contender": "d"})
    assert changes(spec(), other) == []
