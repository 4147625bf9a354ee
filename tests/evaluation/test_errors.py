"""The worst mistakes, the confusions, and whether confidence tells errors apart."""

import math

import numpy as np
import pytest

from bakeoff.evaluation.metrics import confidence_of_errors, most_confused, softmax, worst_mistakes


def test_worst_mistakes_are_wrong_and_sorted_by_confidence_in_the_wrong_answer():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(200, 5)), rng.integers(0, 5, 200)
    probabilities = softmax(logits)
    wrong = [(p[p.argmax()], i) for i, p in enumerate(probabilities) if p.argmax() != labels[i]]
    expected = [i for _, i in sorted(wrong, reverse=True)]
    assert worst_mistakes(logits, labels, 12).tolist() == expected[:12]
    assert worst_mistakes(logits, labels, 1000).tolist() == expected


def test_a_perfect_run_has_no_mistakes():
    logits = np.eye(4)
    assert worst_mistakes(logits, np.arange(4), 5).tolist() == []
    assert most_confused(np.diag([3, 2, 5]), 5) == []


def test_most_confused_leaves_out_the_right_answers_and_the_empty_cells():
    table = np.array([[90, 0, 2], [7, 80, 0], [1, 7, 99]])
    assert most_confused(table, 3) == [(1, 0, 7), (2, 1, 7), (0, 2, 2)]
    assert most_confused(table, 10) == [(1, 0, 7), (2, 1, 7), (0, 2, 2), (2, 0, 1)]


def test_confidence_of_errors_is_the_chance_that_an_error_is_less_sure():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 150)
    logits = rng.normal(size=(150, 3)) + 2 * np.eye(3)[labels]
    confidence, wrong = softmax(logits).max(axis=1), logits.argmax(axis=1) != labels
    pairs = [(e < r) + (e == r) / 2 for e in confidence[wrong] for r in confidence[~wrong]]
    confidence_gap = confidence_of_errors(logits, labels)
    assert confidence_gap.area == pytest.approx(np.mean(pairs))
    assert (confidence_gap.right, confidence_gap.wrong) == pytest.approx(
        (confidence[~wrong].mean(), confidence[wrong].mean())
    )
    assert confidence_gap.area > 0.5


def test_confidence_of_errors_where_all_are_right_or_all_wrong():
    logits = 3 * np.eye(2)
    right = confidence_of_errors(logits, np.array([0, 1]))
    wrong = confidence_of_errors(logits, np.array([1, 0]))
    assert right.right == wrong.wrong == pytest.approx(1 / (1 + math.exp(-3)))
    assert [math.isnan(x) for x in (right.wrong, right.area, wrong.right, wrong.area)] == [True] * 4
