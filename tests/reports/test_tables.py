"""The summary's numbers against scipy and counting by hand; the answer's words against planted truths."""

import dataclasses
import itertools
import json
import math

import numpy as np
import pytest
from scipy import stats

from bakeoff.errors import BakeoffError
from bakeoff.reports import answer, tables
from bakeoff.reports.summary import summarise
from bakeoff.scales import at_scale
from bakeoff.study import parse_study


@pytest.fixture(scope="module")
def summary(study, runs):
    return summarise(study, runs)


def test_summary_holds_the_promised_keys_and_is_json(summary, study):
    assert {"study", "scale", "question", "answer", "contenders", "comparisons", "environment"} <= summary.keys()
    contender = {"name", "n", "failed", "test_accuracy", "validation_accuracy", "train_accuracy", "parameters"}
    contender |= {"multiply_adds", "seconds", "images_per_second", "reported"}
    assert all(contender <= c.keys() for c in summary["contenders"])
    pair = {"a", "b", "difference", "low", "high", "p", "p_adjusted", "verdict"}
    assert all(pair <= c.keys() for c in summary["comparisons"])
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert [c["name"] for c in summary["contenders"]] == [c.name for c in study.contenders]


@pytest.mark.parametrize("split", ["test", "validation"])
def test_intervals_over_seeds_are_students(summary, runs, split):
    for found in summary["contenders"]:
        values = []
        for run in runs:
            if run.spec.contender == found["name"] and run.status == "finished":
                hits = [row.argmax() == label for row, label in zip(run.logits(split), run.labels(split), strict=True)]
                values.append(sum(hits) / len(hits))
        assert found["n"] == len(values)
        if len(set(values)) > 1:
            mean, half = np.mean(values), stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
            expected = {"mean": mean, "low": max(mean - half, 0), "high": min(mean + half, 1)}
            assert found[f"{split}_accuracy"] == pytest.approx(expected)


@pytest.mark.parametrize("seeds", [1, 3])
def test_one_seed_or_seeds_that_agree_have_wilsons_interval_and_say_so(study, runs, seeds):
    first = next(run for run in runs if run.spec.contender == "logistic")
    same = [dataclasses.replace(first, spec=first.spec.model_copy(update={"seed": seed})) for seed in range(seeds)]
    summary = summarise(study, same)
    found = summary["contenders"][0]
    assert found["n"] == seeds
    assert "by the images alone" in summary["answer"]
    p, n, z = found["test_accuracy"]["mean"], 1000, stats.norm.ppf(0.975)
    middle, half = p + z**2 / (2 * n), z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert found["interval"] == "wilson"
    assert found["test_accuracy"]["low"] == pytest.approx((middle - half) / (1 + z**2 / n))
    assert found["test_accuracy"]["high"] == pytest.approx((middle + half) / (1 + z**2 / n))


def test_diverged_runs_are_counted_and_their_contender_has_nulls(summary):
    by_name = {c["name"]: c for c in summary["contenders"]}
    assert (by_name["baseline"]["n"], by_name["baseline"]["failed"]) == (2, 1)
    assert (by_name["lr=100.0"]["n"], by_name["lr=100.0"]["failed"]) == (0, 3)
    assert by_name["lr=100.0"]["test_accuracy"] == {"mean": None, "low": None, "high": None}
    assert "Training diverged for baseline in 1 of 3 runs and lr=100.0 in 3 of 3 runs." in summary["answer"]


def test_every_pair_with_results_is_compared_once(summary):
    done = [c["name"] for c in summary["contenders"] if c["n"]]
    assert [(p["a"], p["b"]) for p in summary["comparisons"]] == list(itertools.combinations(done, 2))


def test_numbers_that_are_not_finite_become_null(study, runs):
    run = dataclasses.replace(runs[0], seconds=math.nan, images_per_second=math.inf)
    found = summarise(study, [run])["contenders"][0]
    assert found["seconds"] is None
    assert found["images_per_second"] is None


def test_validation_chooses_though_another_is_better_on_test(tmp_path, write_run):
    study = parse_study(
        'title = "t"\nquestion = "q?"\ndataset = "digits"\nseeds = 4\n'
        '[contenders.a]\nmodel = "conv"\n[contenders.b]\nmodel = "conv"\nlr = 0.1\n',
        "s",
        "s.toml",
    )
    skills = {"a": (5.0, 4.0), "b": (4.0, 6.0)}
    runs = [
        write_run(spec, tmp_path, skill=skills[spec.contender][0], test_skill=skills[spec.contender][1])
        for spec in study.runs()
    ]
    answer = summarise(study, runs)["answer"]
    assert answer.startswith("a is the choice")
    assert "b did better on the test set; but the test set must not choose." in answer


def test_a_contender_that_selects_on_test_is_never_the_choice(study, runs):
    found = summarise(study, [r for r in runs if r.spec.contender in ("baseline", "logistic")])
    assert tables.ranking(found)[0]["name"] == "baseline"
    assert tables.pick(found)["name"] == "logistic"
    assert "highest validation accuracy among those that do not choose on the test set" in found["answer"]
    only = summarise(study, [r for r in runs if r.spec.contender == "baseline"])
    assert only["answer"].startswith("No answer yet")


def test_equal_contenders_are_not_told_apart_and_the_room_is_said(tmp_path, write_run, text):
    study = parse_study(text, "s", "s.toml")
    skills = {"conv": 5.0, "resnet20": 5.001}
    specs = [spec for spec in study.runs() if spec.contender in skills]
    runs = [write_run(spec, tmp_path, skill=skills[spec.contender]) for spec in specs]
    summary = summarise(study, runs)
    (pair,) = summary["comparisons"]
    assert pair["verdict"] == "no difference shown"
    room = 100 * max(-pair["low"], pair["high"])
    assert "No difference is shown between it and" in summary["answer"]
    assert f"the interval leaves room for {room:.2f} points" in summary["answer"]


def test_no_runs_is_an_answer_too(study):
    summary = summarise(study, [])
    assert summary["answer"] == "No answer yet: no contender has a finished run whose accuracy may be trusted."
    assert [row["n"] for row in tables.league_text(summary)] == ["0"] * 6


def test_cuts_are_said(study, runs):
    small = at_scale(study, "small")
    summary = summarise(small, runs)
    assert summary["cuts"] == list(small.cuts)
    assert all(cut in summary["answer"] for cut in small.cuts)
    scales = {"small": study.scales["small"].model_copy(update={"about": "one seed, to look at"})}
    told = study.model_copy(update={"scales": scales})
    said = summarise(at_scale(told, "small"), runs)["answer"]
    assert "This is a part of the study: one seed, to look at. What it shows" in said
    assert not any(cut in said for cut in small.cuts)
    asked = at_scale(told, "small", recipe={"epochs": 7})
    assert "epochs = 7 in every recipe" in summarise(asked, runs)["answer"], "words of the scale do not say this"


def test_league_is_ordered_by_validation_and_says_who_differs_from_the_choice(summary):
    rows = tables.league_text(summary)
    means = {c["name"]: c["validation_accuracy"]["mean"] for c in summary["contenders"]}
    names = [row["contender"].removesuffix(" †") for row in rows]
    assert names[-1] == "lr=100.0"
    assert names[:-1] == sorted(names[:-1], key=lambda name: -means[name])
    against = dict(zip(names, [row["against the choice"] for row in rows], strict=True))
    for p in summary["comparisons"]:
        if names[0] in (p["a"], p["b"]):
            other = p["b"] if p["a"] == names[0] else p["a"]
            expected = {"no difference shown": "no difference shown", f"{names[0]} is better": "worse"}[p["verdict"]]
            assert against[other] == expected
    assert against[names[0]] == "the choice"
    assert against["lr=100.0"] == "–"
    assert next(row["n"] for row in rows if row["contender"] == "baseline †") == "2 of 3"


def test_facing_turns_every_comparison_to_one_side(summary):
    pair = next(p for p in summary["comparisons"] if p["a"] == "logistic" and p["b"] == "conv")
    turned = next(p for p in tables.facing(summary, "conv") if p["b"] == "logistic")
    assert (turned["difference"], turned["low"], turned["high"]) == (-pair["difference"], -pair["high"], -pair["low"])


def sweep(labels: list[str], means: list[float | None], same: list[tuple[int, int]] = ()):
    """A sweep's part of a summary in which all pairs differ, but `same`."""
    names = [f"c{i}" for i in range(len(labels))]
    pairs = [
        {
            "a": f"c{i}",
            "b": f"c{j}",
            "difference": means[i] - means[j],
            "verdict": "no difference shown" if (i, j) in same else "differs",
        }
        for i, j in itertools.combinations(range(len(labels)), 2)
        if means[i] is not None and means[j] is not None
    ]
    points = [{"label": label, "contender": name, "reported": {}} for label, name in zip(labels, names, strict=True)]
    contenders = [{"name": n, "test_accuracy": {"mean": m}} for n, m in zip(names, means, strict=True)]
    return {"name": "learning-rate", "points": points, "comparisons": pairs}, {"contenders": contenders}


@pytest.mark.parametrize(
    ("labels", "means", "same", "expected"),
    [
        (["lr=0.01", "lr=0.1"], [0.9, 0.95], [], "0.1 beats 0.01."),
        (["a", "b", "c"], [0.9, 0.95, 0.5], [], "every pair differs; from best to worst b, a, c."),
        (
            ["0.01", "0.1", "1.0"],
            [0.9, 0.95, 0.9],
            [(0, 2)],
            "0.1 beats 0.01 and 1.0; no difference shown between 0.01 and 1.0.",
        ),
        (["a", "b", "c"], [0.3, 0.1, 0.2], [(0, 1), (0, 2), (1, 2)], "no difference shown between a, c and b."),
        (["a", "b", "c"], [0.9, None, 0.5], [], "a beats c; no result for b."),
        (["a", "b"], [0.9, None], [], "no result for b."),
    ],
)
def test_a_sweep_is_answered_in_one_sentence(labels, means, same, expected):
    assert answer.of_sweep(*sweep(labels, means, same)) == f"learning rate: {expected}"


def test_a_sweep_is_corrected_over_its_own_pairs_only(summary):
    (found,) = summary["sweeps"]
    (pair,) = found["comparisons"]
    assert pair["p_adjusted"] == pair["p"]
    everywhere = next(p for p in summary["comparisons"] if {p["a"], p["b"]} == {pair["a"], pair["b"]})
    assert everywhere["p_adjusted"] >= pair["p_adjusted"]
    assert found["answer"] == "learning rate: 0.001 beats 0.01; no result for 100.0."


def test_runs_of_other_data_are_refused(study, runs, tmp_path, write_run):
    other = write_run(runs[1].spec, tmp_path, skill=5.0, fingerprint="e" * 64)
    with pytest.raises(BakeoffError, match="made from different data"):
        summarise(study, [runs[0], other])
