"""Write README's results from the records in results/.

python bench/readme.py
"""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bakeoff.evaluation.metrics import Interval
from bakeoff.findings.contenders import ContenderResult, selected
from bakeoff.findings.reported import generated_anew
from bakeoff.report.format import interval, listing, percent, plural, sample_sizes
from bakeoff.report.summary import contenders_of
from bakeoff.spec.plan import make_plan
from bakeoff.spec.study_file import StudyFile
from bakeoff.studies.packaged import find_study, published_studies

Summary = dict[str, Any]
"""A summary.json as it is read."""
ROOT = Path(__file__).parents[1]
SCALES = {"full": "Full scale, as published", "laptop": "Laptop scale, cut as each report says"}
HEADS = (
    "study",
    "the report's best",
    "ours, the same network",
    "selected on validation: test accuracy, 95 % interval",
    "n",
    "our own contender",
)
CONTENDERS = {
    "small-cnn": "MNIST",
    "deeper-networks": "CIFAR-10",
    "deeper-networks --scale full": "CIFAR-10, at full length",
    "largest-digit": "`largest-digit`",
    "highest-digit": "`highest-digit`",
}
"""By what bench/ours.py is asked for: the images that it tries our own contender on."""
ACCURACIES = {"best_test_accuracy": "test", "test_accuracy": "test", "validation_accuracy": "validation"}
"""Accuracies that a report may give, and the split that ours is of."""


def results() -> str:
    """The part of README between its two marks."""
    blocks = [block for scale in SCALES if (block := scale_block(ROOT / "results", scale))]
    if any("†" in block for block in blocks):
        blocks.append("† The epoch is chosen on the test set, as in the report's figure.")
    return "\n\n".join([*blocks, "\n".join(_bench())])


def scale_block(root: Path, scale: str) -> str:
    """The table of the published studies' results at one scale, and what they were measured on."""
    files = {name: root / name / scale / "summary.json" for name in published_studies()}
    summaries = {name: json.loads(file.read_text()) for name, file in files.items() if file.exists()}
    if not summaries:
        return ""
    rows = [row for name, summary in summaries.items() for row in _rows(summary, _link(root / name / scale, root))]
    lines = [f"| {' | '.join(row)} |" for row in (HEADS, ["---"] * len(HEADS), *rows)]
    return "\n".join([f"**{SCALES[scale]}**", "", *lines, "", *_machines(summaries, scale)])


def _link(folder: Path, root: Path) -> str:
    """The way from README to the report kept in `folder`."""
    name = next(name for name in ("report.md", "report.html") if (folder / name).exists())
    return f"{root.name}/{(folder / name).relative_to(root).as_posix()}"


def _rows(summary: Summary, link: str) -> list[list[str]]:
    """A study's row, or one for each of its datasets: the report's best, who is selected, and our own contender."""
    study = find_study(summary["study"])
    parts: dict[str, list[ContenderResult]] = {}
    for c in contenders_of(summary):
        parts.setdefault(c.dataset, []).append(c)
    rows = []
    for name, contenders in parts.items():
        part = {**summary, "contenders": contenders}
        where = f", {name}" if len(parts) > 1 else ""
        choice = selected(contenders)
        ours = selected(c for c in contenders if c.name.startswith("ours"))
        row = [f"[{summary['study']}]({link}){where}: {summary['title']}", *_best_reported(study, part, name)]
        row += [_accuracy(choice), str(choice.n) if choice else "–", _accuracy(ours)]
        rows.append(row)
    return rows


def _accuracy(contender: ContenderResult | None) -> str:
    """Its interval over seeds; of a single run, which tells nothing of other seeds, over the images alone."""
    if not contender:
        return "–"
    return f"{contender.name} {interval(contender.test_accuracy)}{' (one run)' * (contender.n == 1)}"


def _best_reported(study: StudyFile, summary: Summary, dataset: str) -> tuple[str, str]:
    """The highest accuracy that the report gives, of all it ran, and ours of the same split: only where it was run as
    published and learned something."""
    given = [(c.name, c.reported) for c in study.contenders]
    given += [(point.contender, point.reported) for sweep in study.sweeps for point in sweep.points]
    here = {c.name for c in study.contenders if study.dataset_of(c) == dataset or len(study.datasets) == 1}
    figures = [
        (value, name, key)
        for name, reported in given
        for key, value in reported.figures().items()
        if key in ACCURACIES and name in here
    ]
    if here >= {point.contender for sweep in study.sweeps for point in sweep.points}:
        unplaced = [(value, sweep.name) for sweep in study.sweeps for value in sweep.reported]
        figures += [(value, f"{name}, value not printed", "test_accuracy") for value, name in unplaced]
    if not figures:
        return "prints none", "–"
    value, name, key = max(figures, key=lambda one: one[0])
    split = ACCURACIES[key]
    which = " in validation" if split == "validation" else ""
    c = next((c for c in summary["contenders"] if c.name == name), None)
    mark = " †" if c and c.selects_on_test else ""
    ours = _ours(c, study, summary, split)
    return f"{name}{mark}: {percent(value)}{which}", ours


def _ours(contender: ContenderResult | None, study: StudyFile, summary: Summary, split: str) -> str:
    """Our accuracy of a contender, or why there is none to set beside the report's."""
    if not contender or not contender.ended:
        return "not run"
    if not make_plan(study, summary["scale"]).comparable:
        return "cut at this scale"
    if contender.name in [entry["contender"] for entry in summary.get("diagnoses", {}).get("guessing", [])]:
        return "did not learn"
    other = " on images made anew" if generated_anew(study, contender.name) else ""
    where = f"{' in validation' * (split == 'validation')}{other}"
    accuracy = contender.validation_accuracy if split == "validation" else contender.test_accuracy
    return f"{percent(accuracy.mean)}{where} ({sample_sizes([contender.n])})"


def _machines(summaries: dict[str, Summary], scale: str) -> list[str]:
    """A sentence for each machine that made some of the results: what, how much, how long."""
    groups: dict[str, list[str]] = {}
    for name, summary in summaries.items():
        groups.setdefault(_machine(summary["environment"]), []).append(name)
    return [
        f"- {_commands(names, scale)}: {_amount([summaries[n] for n in names])}; {m}." for m, names in groups.items()
    ]


def _machine(environment: dict[str, Any]) -> str:
    """`2 cores of Intel Xeon, PyTorch 2.13.0`, or the GPU."""
    values = {key: _all(environment[key]) for key in ("processor", "cores", "torch", "device")}
    place = f"{values['cores']} cores of {values['processor']}" if values["device"] == "cpu" else values["device"]
    return f"{place}, PyTorch {values['torch']}"


def _all(value: Any) -> str:
    """A value that all runs share, or those of them that differ."""
    return listing(str(one) for one in value) if isinstance(value, list) else str(value)


def _commands(names: Sequence[str], scale: str) -> str:
    """What makes these studies' results."""
    option = "" if scale == "full" else f" --scale {scale}"
    words = ["--all"] if list(names) == published_studies() else names
    return listing(f"`bakeoff run {word}{option}`" for word in words)


def _amount(summaries: Sequence[Summary]) -> str:
    """How many runs there are, of how many, and the sum of their training times; ensembles train nothing."""
    trained = [c for summary in summaries for c in summary["contenders"] if c["n"] and c["model"]]
    minutes = sum(c["seconds"] * c["n"] for c in trained) / 60
    runs = sum(c["n"] + c["failed"] for summary in summaries for c in summary["contenders"])
    whole = sum(len(make_plan(find_study(s["study"]), s["scale"]).specs()) for s in summaries)
    count = plural(runs, "run") if runs == whole else f"{runs:,} of {plural(whole, 'run')}"
    return f"{count}, of which those that trained took {minutes:,.0f} minutes"


def _bench() -> list[str]:
    """A line for each record in results/bench."""
    records = {file.stem: json.loads(file.read_text()) for file in sorted((ROOT / "results/bench").glob("*.json"))}
    lines = []
    if "keras_speed" in records:
        ratio = records["keras_speed"]["ratio_to_keras"]
        low, high = ratio["bakeoff"]["low"], ratio["bakeoff"]["high"]
        cores = records["keras_speed"]["environment"]["cores"]
        lines.append(
            f"- Training `conv` on MNIST at batch 128, {cores} CPU cores: {ratio['bakeoff']['median']:.1f} times the "
            f"images/s of Keras {records['keras_speed']['environment']['keras']} on TensorFlow "
            f"(median; {low:.1f} to {high:.1f} over the rounds on a noisy machine; "
            f"{ratio['bakeoff fp32']['median']:.1f} times in fp32)."
        )
    if "augment_speed" in records:
        faster = records["augment_speed"]["times_as_fast"]
        share = statistics.median(records["augment_speed"]["share_of_a_conv_step"])
        lines.append(
            f"- Rotation, zoom and shift of 28x28 images: {faster['torchvision on Pillow images']:.0f} times the "
            f"images/s of torchvision, image by image; {100 * share:.0f} % of a training step of `conv`."
        )
    if "composite_speed" in records:
        tasks = records["composite_speed"]["tasks"]
        rates = [f"{tasks[name]['median']['all at once']:,} {name}" for name in ("largest-digit", "highest-digit")]
        lines.append(f"- Composites made a second on one core: {rates[0]}, {rates[1]} images.")
    for asked, images in CONTENDERS.items():
        if ours := records.get(f"ours-{asked.replace(' --scale ', '-')}"):
            right = interval(Interval(**ours["test_accuracy"]))
            lines.append(
                f"- Our own contender on {images} (`python bench/ours.py {asked}`): {right} of "
                f"{ours['test_images']:,} test images, {plural(ours['seeds'], 'seed')}, "
                f"{ours['core_seconds_a_run']:,.0f} core-seconds a run."
            )
    if "memory" in records:
        arguments = records["memory"]["command"].removeprefix("python bench/memory.py ")
        peak = records["memory"]["peak_bytes"] / 1e9
        lines.append(f"- Peak memory of `bakeoff run {arguments}`, all processes: {peak:.2f} GB.")
    if "startup" in records:
        verbs, others = records["startup"]["verbs"], records["startup"]["others"]
        slowest = max(verbs, key=verbs.__getitem__)
        lines.append(
            f"- Start-up in seconds of CPU: `import bakeoff` {others['import bakeoff']:.2f}, `bakeoff --help` "
            f"{verbs['--help']:.2f}; of {len(verbs)} verbs and usage errors that train nothing the slowest, "
            f"`bakeoff {slowest}`, {verbs[slowest]:.2f}; the first step of a study after "
            f"{others['the first step of a study']:.1f}."
        )
    return lines


def updated(text: str) -> str:
    """README with its results renewed."""
    pattern = r"(<!-- results: [^>]*-->\n).*?(<!-- end of results -->)"
    return re.sub(pattern, lambda match: f"{match[1]}{results()}\n{match[2]}", text, flags=re.DOTALL)


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(updated(readme.read_text()))
