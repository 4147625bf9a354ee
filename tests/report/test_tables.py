"""The summary's numbers against scipy and counting by hand; the answer's words against planted truths."""

import dataclasses
import itertools
import json
import math
import re

import numpy as np
import pytest
from scipy import stats

from bakeoff.errors import BakeoffError
from bakeoff.evaluation.metrics import Interval
from bakeoff.evaluation.verdicts import Pair
from bakeoff.findings.contenders import ContenderResult, ranking, selected
from bakeoff.findings.pairs import facing
from bakeoff.findings.runs import correct
from bakeoff.findings.sweeps import find_sweeps
from bakeoff.report import leaderboard, sentences
from bakeoff.report.context import Context
from bakeoff.report.format import interval, points
from bakeoff.report.overrides import part_of_study
from bakeoff.report.page import Page
from bakeoff.report.summary import contenders_of, pairs_of
from bakeoff.spec.plan import make_plan
from bakeoff.spec.study import Point, Sweep
from bakeoff.spec.study_file import parse_study
from bakeoff.studies.packaged import find_study, published_studies


@pytest.fixture(scope="module")
def summary(study, runs):
    return Page(Context.of(study, runs)).summary


def board(summary):
    """The rows of the leaderboard of a summary.json."""
    return leaderboard.leaderboard(contenders_of(summary), pairs_of(summary))


def test_summary_holds_the_promised_keys_and_is_json(summary, study):
    assert {"study", "scale", "question", "answer", "contenders", "comparisons", "environment"} <= summary.keys()
    contender = {"name", "n", "failed", "test_accuracy", "validation_accuracy", "train_accuracy", "parameters"}
    contender |= {"multiply_adds", "seconds", "images_per_second", "reported"}
    assert all(contender <= c.keys() for c in summary["contenders"])
    pair = {"a", "b", "difference", "low", "high", "p", "p_adjusted", "verdict"}
    assert all(pair <= c.keys() for c in summary["comparisons"])
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert [c["name"] for c in summary["contenders"]] == [c.name for c in study.contenders]


def test_accuracies_are_counted_by_hand_and_their_intervals_are_for_new_images(summary, runs):
    for contender in summary["contenders"]:
        for split in ("test", "validation"):
            values = []
            for run in runs:
                if run.spec.contender == contender["name"] and run.status == "finished":
                    hits = [r.argmax() == label for r, label in zip(run.logits(split), run.labels(split), strict=True)]
                    values.append(sum(hits) / len(hits))
            assert contender["n"] == len(values)
            if not values:
                continue
            accuracy, p = contender[f"{split}_accuracy"], np.mean(values)
            assert accuracy["mean"] == pytest.approx(p)
            half = 1.96 * math.sqrt(p * (1 - p) / (1000 if split == "test" else 500))
            assert accuracy["low"] < p < accuracy["high"]
            assert accuracy["high"] - accuracy["low"] > half, "the test images are a part of the doubt"


def test_one_run_has_wilsons_interval_and_no_verdict_and_says_so(study, runs):
    first_seed = [run for run in runs if run.spec.seed == 0]
    summary = Page(Context.of(study, first_seed)).summary
    contender = next(c for c in summary["contenders"] if c["name"] == "logistic")
    p, n, z = contender["test_accuracy"]["mean"], 1000, stats.norm.ppf(0.975)
    middle, half = p + z**2 / (2 * n), z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert contender["interval"] == "wilson"
    assert contender["test_accuracy"]["low"] == pytest.approx((middle - half) / (1 + z**2 / n))
    assert contender["test_accuracy"]["high"] == pytest.approx((middle + half) / (1 + z**2 / n))
    assert {(pair["verdict"], pair["p_adjusted"]) for pair in summary["comparisons"]} == {("undecided", None)}
    assert "(1 of 1 runs trained; 95 % interval for new images, this run alone)" in summary["answer"]
    assert (
        "It is without a verdict, for one run says nothing of other seeds, against conv, baseline (chose or trained on "
        "the test set), lr=0.01 and logistic."
    ) in summary["answer"]
    assert {row["against selected"] for row in board(summary)} == {
        "selected",
        "no verdict: one run",
        "–",
    }
    assert all(row["test accuracy"].endswith(" one run") for row in board(summary)[:5])


def test_runs_that_fail_to_train_count_alike_in_no_mean(study, runs):
    """One run of baseline diverged, one of conv learnt nothing: both contenders have two runs of three."""
    trained_run = next(run for run in runs if run.spec.contender == "conv" and run.spec.seed == 1)
    guessing_run = dataclasses.replace(trained_run, metrics={**trained_run.metrics, "validation_accuracy": 0.1})
    guessing_run.__dict__["arrays"] = {**trained_run.arrays, "test_logits": np.zeros_like(trained_run.logits("test"))}
    summary = Page(Context.of(study, [guessing_run if run is trained_run else run for run in runs])).summary
    by_name = {c["name"]: c for c in summary["contenders"]}
    for name, counts in (("baseline", (2, 1)), ("conv", (2, 1))):
        assert (by_name[name]["n"], by_name[name]["failed"]) == counts
    kept = [correct(run).mean() for run in runs if run.spec.contender == "conv" and run is not trained_run]
    assert by_name["conv"]["test_accuracy"]["mean"] == pytest.approx(np.mean(kept))
    assert [p["runs"] for p in summary["comparisons"] if (p["a"], p["b"]) == ("conv", "baseline")] == [[2, 2]]
    assert (by_name["lr=100.0"]["n"], by_name["lr=100.0"]["failed"]) == (0, 3)
    assert by_name["lr=100.0"]["test_accuracy"] == {"mean": None, "low": None, "high": None}
    assert ("Without a result: 1 of 3 runs of conv, 1 of 3 runs of baseline and 3 of 3 runs of lr=100.0.") in summary[
        "answer"
    ]
    trained = {row["contender"].removesuffix(" †"): row["trained"] for row in board(summary)}
    assert (trained["conv"], trained["baseline"], trained["logistic"], trained["lr=100.0"]) == (
        "2 of 3",
        "2 of 3",
        "3 of 3",
        "0 of 3",
    )


def test_every_pair_with_results_is_compared_once(summary):
    done = [c["name"] for c in summary["contenders"] if c["n"]]
    assert [(p["a"], p["b"]) for p in summary["comparisons"]] == list(itertools.combinations(done, 2))


def test_numbers_that_are_not_finite_become_null(study, runs):
    run = dataclasses.replace(runs[0], seconds=math.nan, images_per_second=math.inf)
    contender = Page(Context.of(study, [run])).summary["contenders"][0]
    assert contender["seconds"] is None
    assert contender["images_per_second"] is None


def test_validation_chooses_though_another_is_better_on_test(tmp_path, write_run):
    study = make_plan(
        parse_study(
            'title = "t"\nquestion = "q?"\ndataset = "digits"\nseeds = 4\n'
            '[contenders.a]\nmodel = "conv"\n[contenders.b]\nmodel = "conv"\nlr = 0.1\n',
            "s",
            "s.toml",
        )
    )
    skills = {"a": (5.0, 4.0), "b": (4.0, 6.0)}
    runs = [
        write_run(spec, tmp_path, skill=skills[spec.contender][0], test_skill=skills[spec.contender][1])
        for spec in study.specs()
    ]
    answer = Page(Context.of(study, runs)).summary["answer"]
    assert answer.startswith("a is selected")
    assert "It is worse on the test set, which must not choose, than b." in answer


def test_a_contender_that_selects_on_test_is_never_the_choice(study, runs):
    summary = Page(Context.of(study, [r for r in runs if r.spec.contender in ("baseline", "logistic")])).summary
    assert ranking(contenders_of(summary))[0].name == "baseline"
    assert selected(contenders_of(summary)).name == "logistic"
    only = Page(Context.of(study, [r for r in runs if r.spec.contender == "baseline"])).summary
    assert only["answer"].startswith("No answer yet")


def test_only_those_that_may_be_chosen_can_be_best_or_keep_another_from_it(tmp_path, write_run, text):
    """`baseline` chooses its epoch on the test set."""
    summary = planted(tmp_path, write_run, text, {"baseline": 7.5, "conv": 5.0, "resnet20": 5.001, "logistic": 3.0})
    assert {(p["a"], p["b"]): p["verdict"] for p in summary["comparisons"]}["baseline", "resnet20"] == "better"
    assert summary["can_be_best"] == ["conv", "resnet20"]
    assert "Of the 3 contenders that may be selected, conv and resnet20 can be the best (95 %" in summary["answer"]
    assert "which must not choose, than baseline (chose or trained on the test set)" in summary["answer"]


def test_where_no_run_trained_the_answer_says_whose(study, runs):
    answer = Page(Context.of(study, [run for run in runs if run.spec.contender == "lr=100.0"])).summary["answer"]
    assert answer.splitlines()[0].endswith("Without a result: 3 of 3 runs of lr=100.0.")


def test_what_would_decide_a_pair_rests_on_what_limits_it(tmp_path, write_run, text):
    summary = planted(tmp_path, write_run, text, {"conv": 5.0, "resnet20": 5.001})
    (pair,) = pairs_of(summary)
    assert f"undecided against {pair.b} ({sentences.decided_by(pair)})" in summary["answer"]
    assert "what would probably decide it, if the difference is as measured" in summary["answer"]
    for changes, words in (
        ({"seeds_needed": 1040}, "1,040 seeds"),
        ({"limited_by": "images"}, "a larger test set"),
        ({"limited_by": "seeds"}, "over 1,000 seeds"),
        ({"limited_by": "single run"}, "more runs"),
        ({"verdict": "better"}, "–"),
    ):
        limited = dataclasses.replace(pair, **{"seeds_needed": None, "limited_by": None, **changes})
        assert sentences.decided_by(limited) == words


def planted(tmp_path, write_run, text, skills, **changes):
    """The summary of contenders of `text` with these skills."""
    study = make_plan(parse_study(text, "s", "s.toml")).model_copy(update=changes)
    specs = [spec for spec in study.specs() if spec.contender in skills]
    return Page(Context.of(study, [write_run(spec, tmp_path, skill=skills[spec.contender]) for spec in specs])).summary


def test_an_undecided_pair_is_never_called_equal(tmp_path, write_run, text):
    summary = planted(tmp_path, write_run, text, {"conv": 5.0, "resnet20": 5.001})
    (pair,) = summary["comparisons"]
    assert pair["verdict"] == "undecided"
    assert "It is undecided against" in summary["answer"]
    assert not re.search("no difference|as good|equal", summary["answer"])
    assert "Of the 2 contenders that may be selected, conv and resnet20 can be the best" in summary["answer"]


def test_a_pair_within_the_margin_is_as_good_and_the_margin_is_given(tmp_path, write_run, text):
    summary = planted(tmp_path, write_run, text, {"conv": 5.0, "resnet20": 5.001}, margin=0.08)
    (pair,) = summary["comparisons"]
    assert pair["verdict"] == "equivalent"
    best, other = (row["contender"] for row in board(summary)[:2])
    assert f"It is as good, within 8 points, as {other}." in summary["answer"]
    assert leaderboard.standing(contenders_of(summary), pairs_of(summary))[other] == "as good"
    assert best != other


def test_the_headline_names_exactly_those_that_the_verdicts_name(tmp_path, write_run, text):
    """Of eight contenders: each other one stands once, after the words of the verdict on it."""
    more = "".join(f'[contenders.c{i}]\nmodel = "conv"\nl2 = {0.001 * (i + 1)}\n' for i in range(4))
    skills = {"logistic": 3.2, "conv": 6.0, "resnet20": 7.0, "c0": 6.9, "c1": 7.001, "c2": 6.6, "c3": 6.99}
    summary = planted(tmp_path, write_run, text + more, skills, margin=0.025)
    best = selected(contenders_of(summary)).name
    verdicts = {p.b: p.verdict for p in facing(pairs_of(summary), best, [*skills])}
    assert set(verdicts.values()) == {"better", "equivalent", "undecided"}
    groups = summary["answer"].split("\n")[1].split(". ")[0].removeprefix("It is ").split("; ")
    opening = {
        "better": "better than",
        "undecided": "undecided against",
        "equivalent": "as good, within 2.5 points, as",
    }
    for name, verdict in verdicts.items():
        (group,) = [group for group in groups if re.search(rf"\b{name}\b", group)]
        assert group.startswith(opening[verdict])


def test_no_runs_is_an_answer_too(study):
    summary = Page(Context.of(study, [])).summary
    assert summary["answer"] == "No answer yet: no contender has a run that may be trusted."
    assert [row["trained"] for row in board(summary)] == ["0 of 0"] * 6


def test_overrides_are_said(study_file, runs):
    small = make_plan(study_file, "small")
    summary = Page(Context.of(small, runs)).summary
    assert summary["overrides"] == ["images: 500 instead of all", "seeds: 2 instead of 3"]
    assert all(words in summary["answer"] for words in summary["overrides"])
    scales = {"small": study_file.scales["small"].model_copy(update={"about": "one seed, to look at"})}
    described = study_file.model_copy(update={"scales": scales})
    answer = Page(Context.of(make_plan(described, "small"), runs)).summary["answer"]
    assert "This is a part of the study: one seed, to look at. What it shows" in answer
    assert not any(words in answer for words in summary["overrides"])
    changed = make_plan(described, "small", recipe={"epochs": 7})
    assert "epochs = 7 in every recipe" in Page(Context.of(changed, runs)).summary["answer"], (
        "words of the scale do not say this"
    )


@pytest.mark.parametrize("name", published_studies())
def test_each_scale_of_a_published_study_says_in_its_words_what_it_cuts(name):
    file = find_study(name)
    for scale, cuts in file.scales.items():
        if cuts.about:
            assert part_of_study(make_plan(file, scale)) == cuts.about


def test_the_leaderboard_is_ordered_by_validation_and_stands_against_the_selected_one(summary):
    rows = board(summary)
    means = {c["name"]: c["validation_accuracy"]["mean"] for c in summary["contenders"]}
    names = [row["contender"].removesuffix(" †") for row in rows]
    assert names[-1] == "lr=100.0"
    assert names[:-1] == sorted(names[:-1], key=lambda name: -means[name])
    against = dict(zip(names, [row["against selected"] for row in rows], strict=True))
    for p in summary["comparisons"]:
        if names[0] in (p["a"], p["b"]):
            other = p["b"] if p["a"] == names[0] else p["a"]
            beaten = p["verdict"] == ("better" if p["a"] == names[0] else "worse")
            assert against[other] == ("worse" if beaten else "undecided")
    assert against[names[0]] == "selected"
    assert against["lr=100.0"] == "–"
    assert next(row["trained"] for row in rows if row["contender"] == "baseline †") == "2 of 3"


def test_facing_turns_every_comparison_to_one_side(summary):
    pairs = pairs_of(summary)
    pair = next(p for p in pairs if p.a == "logistic" and p.b == "conv")
    names = [c["name"] for c in summary["contenders"]]
    turned = next(p for p in facing(pairs, "conv", names) if p.b == "logistic")
    assert (turned.difference, turned.low, turned.high) == (-pair.difference, -pair.high, -pair.low)


def sweep(labels: list[str], means: list[float | None], verdicts: dict[tuple[int, int], str] | None = None):
    """A sweep's result, in which the higher mean is better, except for the pairs in `verdicts`."""
    names = [f"c{i}" for i in range(len(labels))]
    constant = {"low": -1.0, "high": 1.0, "p": 0.5, "p_adjusted": 0.5, "p_equivalent": 0.5, "declared": True}
    constant |= {"runs": (3, 3), "images": 100, "single_run": False, "images_share": 0.5}
    pairs = [
        Pair(
            a=f"c{i}",
            b=f"c{j}",
            difference=means[i] - means[j],
            verdict=(verdicts or {}).get((i, j), "better" if means[i] > means[j] else "worse"),
            **constant,
        )
        for i, j in itertools.combinations(range(len(labels)), 2)
        if means[i] is not None and means[j] is not None
    ]
    points = tuple(Point(label=label, contender=name) for label, name in zip(labels, names, strict=True))
    accuracies = [math.nan if mean is None else mean for mean in means]
    results = [
        ContenderResult(name, n=3, test_accuracy=Interval(mean, mean, mean))
        for name, mean in zip(names, accuracies, strict=True)
    ]
    (result,) = find_sweeps([Sweep(name="learning-rate", points=points)], results, pairs)
    return result


@pytest.mark.parametrize(
    ("labels", "means", "verdicts", "expected"),
    [
        (["lr=0.01", "lr=0.1"], [0.9, 0.95], {}, "0.1 beats 0.01."),
        (["a", "b", "c"], [0.9, 0.95, 0.5], {}, "b beats a and c; a beats c."),
        (
            ["0.01", "0.1", "1.0"],
            [0.9, 0.95, 0.89],
            {(0, 2): "undecided"},
            "0.1 beats 0.01 and 1.0; undecided: 0.01 and 1.0.",
        ),
        (["a", "b"], [0.3, 0.31], {(0, 1): "equivalent"}, "as good: b and a."),
        (["a", "b", "c"], [0.9, None, 0.5], {}, "a beats c; no result: b."),
        (["a", "b"], [0.9, None], {}, "no result: b."),
    ],
)
def test_a_sweep_is_answered_in_one_sentence(labels, means, verdicts, expected):
    assert sentences.of_sweep(sweep(labels, means, verdicts)) == f"learning rate: {expected}"


def test_every_sentence_and_table_rests_on_the_one_verdict_of_a_pair(study, runs, tmp_path):
    """Hypotheses, sweeps, one-change pairs and the leaderboard repeat the p and the verdict of `comparisons`."""
    summary = Page(Context.of(study, runs, "bakeoff run small-digits")).write(tmp_path)
    family = {frozenset((p["a"], p["b"])): p for p in summary["comparisons"]}
    (stated,) = summary["hypotheses"]
    pairs = [({stated["better"], stated["worse"]}, stated)]
    pairs += [({p["a"], p["b"]}, p) for p in (*summary["additions"], *summary["diagnoses"]["one_change"])]
    for names, pair in pairs:
        assert pair["p_adjusted"] == family[frozenset(names)]["p_adjusted"]
        assert abs(pair["difference"]) == abs(family[frozenset(names)]["difference"])
    assert {tuple(sorted((p["a"], p["b"]))) for p in summary["comparisons"] if p["declared"]} == {
        ("conv", "resnet20"),
        ("conv", "lr=0.01"),
    }
    (sweep,) = summary["sweeps"]
    assert sweep["answer"] == "learning rate: 0.001 beats 0.01; no result: 100.0."
    page = (tmp_path / "report.md").read_text()
    assert "no difference" not in page
    assert summary["estimand"] in page


def test_runs_of_other_data_are_refused(study, runs, tmp_path, write_run):
    other = write_run(runs[1].spec, tmp_path, skill=5.0, fingerprint="e" * 64)
    with pytest.raises(BakeoffError, match="made from different data"):
        Context.of(study, [runs[0], other])


@pytest.mark.parametrize(
    ("value", "text"), [(0.0042, "+0.42"), (-0.001, "−0.10"), (-0.00001, "0.00"), (0.0, "0.00"), (0.00004, "0.00")]
)
def test_points_have_a_sign_unless_they_round_to_nothing(value, text):
    assert points(value) == text


def test_the_selected_contender_is_reported_by_its_fresh_runs(study, runs, tmp_path, write_run):
    specs = [spec.model_copy(update={"seed": 3 + spec.seed}) for spec in study.specs() if spec.contender == "resnet20"]
    fresh = [write_run(spec, tmp_path, skill=5.7) for spec in specs]
    summary = Page(Context.of(study, runs, fresh=fresh)).summary
    (confirmation,) = summary["confirmation"]
    mean = np.mean([correct(run).mean() for run in fresh])
    assert (confirmation["contender"], confirmation["seeds"], confirmation["n"]) == ("resnet20", [3, 4, 5], 3)
    assert confirmation["test_accuracy"]["mean"] == pytest.approx(mean)
    assert summary["answer"].startswith(f"resnet20 is selected by validation accuracy: it gets {100 * mean:.2f} %")
    assert "of the test images right (3 of 3 fresh runs trained;" in summary["answer"]
    contender = next(c for c in summary["contenders"] if c["name"] == "resnet20")
    assert f"The runs that selected it got {interval(Interval(**contender['test_accuracy']))}" in summary["answer"]
    assert contender["test_accuracy"] == Page(Context.of(study, runs)).summary["contenders"][3]["test_accuracy"], (
        "verdicts stay as they are"
    )


def test_without_fresh_runs_the_page_says_whose_figure_it_is(summary):
    assert "of the test images right (3 of 3 runs trained;" in summary["answer"]
    assert "These runs selected it, which may flatter it" in summary["answer"]


def test_a_curve_that_still_rose_is_told_where_it_might_change_the_choice(study, runs):
    def ending(run, gain):
        rows = [{**row, "validation_accuracy": 0.5 + gain * (i == 7)} for i, row in enumerate(run.history)]
        return dataclasses.replace(run, history=tuple(rows))

    some = [run for run in runs if run.spec.contender in ("resnet20", "conv", "logistic")]
    steep = Page(Context.of(study, [ending(run, 0.05 if run.spec.contender == "conv" else 0) for run in some])).summary
    mean = {c["name"]: c["validation_accuracy"]["mean"] for c in steep["contenders"]}
    assert mean["resnet20"] - 0.05 < mean["conv"] < mean["resnet20"], "so that the rise is more than the lead"
    assert (
        "Validation accuracy still rose as training stopped, so that longer training might select another: conv "
        f"(+5.00 points in 1 epoch, {100 * (mean['resnet20'] - mean['conv']):.2f} behind)."
    ) in steep["answer"]
    assert "still rose" not in Page(Context.of(study, [ending(run, 0.0) for run in some])).summary["answer"]
