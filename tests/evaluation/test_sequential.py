"""Adding seeds until a study is decided: when to look, and who goes on."""

import numpy as np
import pytest

from bakeoff.evaluation.sequential import continue_with, looks
from bakeoff.evaluation.verdicts import decide


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (2, [(2, 0.05)]),
        (3, [(3, 0.05)]),
        (4, [(3, 0.01), (4, 0.04)]),
        (10, [(3, 0.01), (5, 0.015), (10, 0.025)]),
        (20, [(3, 0.01), (5, 0.015), (20, 0.025)]),
    ],
)
def test_the_looks_spend_the_level_and_no_more(most, expected):
    assert np.array(looks(most)) == pytest.approx(np.array(expected))
    assert sum(level for _, level in looks(most)) == pytest.approx(0.05)


def runs(rng, accuracy, spread, images=4000, n=3):
    """Answers of runs whose accuracy on these images is spread evenly about `accuracy`, by `spread` a step."""
    each = accuracy + spread * (np.arange(n) - (n - 1) / 2)
    return rng.random((n, images)) < each[:, None]


def test_a_contender_stops_when_it_is_decided_against_all_that_can_still_be_best():
    rng = np.random.default_rng(0)
    # "far" loses plainly to both leaders; the leaders' seeds spread too much to tell them apart
    correct = {"one": runs(rng, 0.80, 0.02), "two": runs(rng, 0.81, 0.02), "far": runs(rng, 0.1, 0.005)}
    correct["farther"] = runs(rng, 0.1, 0.005)
    next_look = continue_with(correct, 0.01)
    assert next_look.names == ("one", "two")
    assert next_look.stopped == {"far": "decided", "farther": "decided"}
    # "far" and "farther" are undecided between themselves, but neither can be best
    verdicts = {(pair.a, pair.b): pair.verdict for pair in decide(correct, level=0.01).pairs}
    assert verdicts["far", "farther"] == verdicts["one", "two"] == "undecided"


def test_seeds_that_agree_leave_the_doubt_to_the_images():
    rng = np.random.default_rng(1)
    one, two = (np.tile(rng.random(300) < 0.9, (3, 1)) for _ in range(2))
    next_look = continue_with({"one": one, "two": two}, 0.01)
    assert next_look.names == ()
    assert next_look.stopped == {"one": "images", "two": "images"}


def test_what_counts_is_the_size_of_the_split_that_the_verdicts_will_rest_on():
    rng = np.random.default_rng(2)
    # the contenders disagree on a third of the images in every run, and each run on one image in twenty
    small = {name: (rng.random(200) < 0.8) ^ (rng.random((3, 200)) < 0.05) for name in ("one", "two")}
    assert continue_with(small, 0.01).names == ()
    assert continue_with(small, 0.01, test_images=100_000).names == ("one", "two")


def test_a_single_run_is_a_reason_to_go_on():
    rng = np.random.default_rng(3)
    assert continue_with({"one": runs(rng, 0.5, 0, n=1), "two": runs(rng, 0.9, 0, n=1)}, 0.01).names == ("one", "two")


def test_one_contender_needs_nothing_more():
    next_look = continue_with({"one": runs(np.random.default_rng(4), 0.5, 0.01)}, 0.01)
    assert (next_look.names, next_look.stopped) == ((), {"one": "decided"})
