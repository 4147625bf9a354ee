"""Verdicts on pairs of contenders."""

import numpy as np
import pytest

from bakeoff.errors import BakeoffError
from bakeoff.evaluation.verdicts import decide


def answers(rng, accuracy, runs=3, images=400):
    return rng.random((runs, images)) < accuracy


def test_a_plain_difference_is_shown_and_a_single_run_gets_no_verdict():
    rng = np.random.default_rng(0)
    correct = {name: answers(rng, p) for name, p in {"a": 0.9, "b": 0.5, "c": 0.5}.items()}
    found = decide(correct | {"one": answers(rng, 0.1, runs=1)})
    pairs = {(pair.a, pair.b): pair for pair in found.pairs}
    assert pairs["a", "b"].verdict == pairs["a", "c"].verdict == "better"
    assert pairs["b", "c"].verdict == "undecided"
    assert found.method == "crossed"
    assert found.can_be_best == ("a", "one")
    single = pairs["a", "one"]
    assert (single.p_adjusted, single.verdict, single.single_run, single.runs) == (None, "undecided", True, (3, 1))
    assert found.estimates["one"].kind == "wilson"


def test_contenders_tested_on_different_images_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(BakeoffError, match=r"a and b cannot be compared: .* 10 and 12 images"):
        decide({"a": answers(rng, 0.5, images=10), "b": answers(rng, 0.5, images=12)})
