"""Axes, fronts and pictures: what a value's place must obey, and that every picture is valid SVG."""

import dataclasses
import itertools
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from bakeoff.evaluation.metrics import Curve
from bakeoff.report.render import figures, svg
from bakeoff.report.render.figures import Series, Spot
from bakeoff.report.render.svg import Dot, Key

KEY = Key("", "s1", "circle")
AXES = {
    "linear": svg.linear([3, 17.5, 9], "x"),
    "equal": svg.linear([0.5, 0.5], "x"),
    "logarithmic": svg.logarithmic([30, 5e6], "x"),
    "narrow": svg.logarithmic([6.1, 9.3], "x"),
    "accuracy": svg.accuracy([0.91, 0.95], [0.90, 0.96], "accuracy"),
    "errors": svg.accuracy([0.4, 0.97, 0.995], [], "accuracy"),
    "perfect": svg.accuracy([0.4, 0.97, 1.0], [], "accuracy"),
    "certain": svg.accuracy([1.0, 1.0], [1.0], "accuracy"),
}


@pytest.mark.parametrize("axis", AXES.values(), ids=AXES)
def test_labelled_values_lie_on_the_axis_in_order(axis):
    places = [axis.place(value) for value, _ in axis.ticks]
    assert 2 <= len(places) <= 9
    assert places == sorted(places)
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in places)
    assert len({label for _, label in axis.ticks}) == len(places)


def test_an_axis_covers_its_values_and_keeps_what_is_beyond_at_its_ends():
    assert all(0 <= AXES["linear"].place(value) <= 1 for value in (3, 9, 17.5))
    assert (AXES["linear"].at(-100), AXES["linear"].at(100)) == (0, 1)
    assert all(0 < AXES["logarithmic"].place(value) < 1 for value in (30, 5e6))
    assert AXES["logarithmic"].at(0) == 0


def test_accuracies_whose_errors_differ_tenfold_get_equal_steps_for_equal_factors():
    axis = AXES["errors"]
    assert axis.place(0.99) - axis.place(0.9) == pytest.approx(axis.place(0.9) - axis.place(0.0))
    assert "log" in axis.label
    assert "log" not in AXES["accuracy"].label


@pytest.mark.parametrize("ends", [[0.2, 1.0], [0.9, 0.985], []])
def test_an_accuracy_axis_covers_every_interval(ends):
    axis = svg.accuracy([0.97, 0.98], ends, "accuracy")
    assert all(-1e-9 <= axis.place(min(value, 0.995)) <= 1 + 1e-9 for value in (0.97, 0.98, *ends))


def test_hundred_percent_has_its_place_on_a_log_scale():
    axis = AXES["perfect"]
    assert axis.ticks[-1][1] == "≥ 99"
    assert axis.at(1.0) == pytest.approx(1.0)
    assert axis.at(0.97) < 0.9


@pytest.mark.parametrize(
    ("value", "text"), [(7, "7"), (92_498, "92.5 k"), (999_600, "1 M"), (1.25e9, "1.25 G"), (0.5, "0.5")]
)
def test_short_numbers(value, text):
    assert svg.short(value) == text


def spots(count: int) -> list[Spot]:
    rng = np.random.default_rng(count)
    values = [(float(c), float(m)) for c, m in zip(rng.integers(1, 9, count), rng.integers(1, 9, count), strict=True)]
    return [Spot(f"c{i}", i, c, Dot(m / 10, m / 10 - 0.01, m / 10 + 0.01, KEY, "")) for i, (c, m) in enumerate(values)]


@pytest.mark.parametrize("count", [1, 2, 5, 30])
def test_the_front_is_what_no_other_beats(count):
    def beats(b: Spot, a: Spot) -> bool:
        return (b.cost <= a.cost and b.dot.mean >= a.dot.mean) and (b.cost, b.dot.mean) != (a.cost, a.dot.mean)

    drawn = spots(count)
    expected = {(a.cost, a.dot.mean) for a in drawn if not any(beats(b, a) for b in drawn)}
    front = figures.pareto(drawn)
    assert {(s.cost, s.dot.mean) for s in front} == expected
    assert all(a.cost < b.cost for a, b in itertools.pairwise(front))


def pictures() -> dict[str, str]:
    dot = Dot(0.9, 0.88, 0.92, KEY, 'a "quoted" <title> & more')
    line = Series("<b>&", [1, 2, 3], [0.5, 0.8, float("nan")], [0.4, 0.7, 0.8], [0.6, 0.9, 1.0], "s1")
    names = [f"class <{i}> & more" for i in range(12)]
    rates = np.linspace(0, 1, 50)
    return {
        "dots": figures.dots([("<name>", [dot]), ("other", [])], AXES["accuracy"], "<title>"),
        "curves": figures.curves([line], "epoch", "validation accuracy"),
        "losses": figures.curves([dataclasses.replace(line, colour="s0")] * 2, "seconds", "validation loss"),
        "sweep": figures.sweep("<title>", "lr", ["0.1", "<1>"], [dot, None], [0.95, None]),
        "scatter": figures.scatter(spots(30), "parameters"),
        "roc": figures.roc("<title>", {name: Curve(rates, np.sqrt(rates), 0.9) for name in names}),
        "reliability": figures.reliability("<title>", [("<name>", [(0.5, 0.4), (0.9, 0.95)])]),
    }


@pytest.mark.parametrize("name", pictures())
def test_every_picture_is_a_valid_file_with_finite_numbers(name):
    drawn = svg.standalone(pictures()[name])
    root = ElementTree.fromstring(drawn)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.get("aria-label")
    numbers = " ".join(
        value for node in root.iter() for key, value in node.items() if key not in ("class", "aria-label")
    )
    assert not re.search(r"nan|inf", numbers)
    assert drawn == svg.standalone(pictures()[name])


def test_marks_stay_within_the_picture():
    root = ElementTree.fromstring(svg.standalone(figures.scatter(spots(30), "parameters")))
    for node in root.iter("{http://www.w3.org/2000/svg}svg"):
        if node.get("x"):
            assert 0 <= float(node.get("x")) <= 360
            assert 0 <= float(node.get("y")) <= 320


def test_what_is_left_out_of_a_path_is_too_near_to_see():
    dense = [(i / 100, 0.0) for i in range(1001)]
    kept = re.findall(r"[\d.]+,[\d.]+", svg.path(dense, "line"))
    assert 15 <= len(kept) <= 22


@pytest.mark.parametrize("values", [[0.59, 0.97, 0.999], [0.11, 0.5, 0.9996], [0.35, 0.9, 1.0]])
def test_a_log_axis_has_a_label_at_or_below_its_lowest_value_and_none_that_says_100(values):
    axis = svg.accuracy(values, (), "accuracy")
    assert "log" in axis.label
    assert axis.ticks[0][0] <= min(values)
    assert axis.place(axis.ticks[0][0]) == pytest.approx(0)
    assert "100" not in [label for _, label in axis.ticks]


def test_the_roc_curve_of_a_perfect_class_stays_within_rates():
    rates = np.array([0.0, 0.0, 1.0])
    drawn = figures.roc("perfect", {"0": Curve(rates, np.array([0.0, 1.0, 1.0]), 1.0)})
    labels = [float(label) for label in re.findall(r">([\d.]+)</text>", drawn)]
    assert max(labels) <= 1
