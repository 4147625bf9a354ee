"""A verb that computes nothing, and every usage error, answers without the libraries that take seconds to import."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from bakeoff.cli import bakeoff

PROGRAM = """
import json, sys
from bakeoff.cli import bakeoff, exit_code
HEAVY = ("torch", "sklearn", "scipy.stats", "scipy.optimize", "scipy.ndimage", "scipy.spatial", "timm")
for words in json.load(sys.stdin):
    before = set(sys.modules)
    code = exit_code(lambda: bakeoff.main(words, "bakeoff", standalone_mode=False))
    heavy = [name for name in HEAVY if name in sys.modules and name not in before]
    print(json.dumps([words, code, heavy]), file=sys.stderr)
"""


def verbs_of(group: click.Group, *before: str) -> list[list[str]]:
    """The words of every verb, such as ["data", "fetch"]."""
    verbs = []
    for name, command in group.commands.items():
        words = (*before, name)
        verbs += verbs_of(command, *words) if isinstance(command, click.Group) else [[*words]]
    return verbs


VERBS = verbs_of(bakeoff)
MISTAKES = [
    "no-such-verb",
    "run no-such-study",
    "run quickstart --scale no-such-scale",
    "run quickstart --only nobody",
    "run quickstart --epochs many",
    "run quickstart --optimizer no-such-optimizer",
    "train digits",
    "train no-such-data conv",
    "train digits no-such-model",
    "train digits conv --epochs many",
    "train digits conv --schedule no-such-schedule",
    "report nowhere",
    "compare nowhere",
    "export nowhere --to csv",
    "export nowhere --to no-such-form",
    "pack nowhere packed",
    "unpack nowhere",
    "list no-such-things",
    "evaluate nowhere",
    "predict nowhere nothing",
    "predict nowhere",
    "verify nowhere",
    "show no-such-model",
    "data fetch no-such-data",
    "data make no-such-data",
    "data show no-such-data",
]


def answers(verbs: list[list[str]], folder: Path) -> list[tuple[str, int, list[str]]]:
    """What each verb ends with, and the heavy modules that it imports; all in one process, one after another."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=json.dumps(verbs), capture_output=True, text=True, cwd=folder, check=True
    )
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("[[")]
    return [(" ".join(words), code, heavy) for words, code, heavy in lines]


def test_a_usage_error_imports_nothing_heavy(tmp_path: Path) -> None:
    outcomes = answers([words.split() for words in MISTAKES], tmp_path)
    assert outcomes == [(words, 2, []) for words in MISTAKES]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_has_a_mistake_above(verb: list[str]) -> None:
    assert verb in [words.split()[: len(verb)] for words in MISTAKES]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report: OUT/STUDY/SCALE."""
    from bakeoff import run_study

    out = tmp_path_factory.mktemp("startup")
    run_study(str(Path(__file__).parent / "tiny.toml"), out=out, jobs=1, seeds=1)
    return next(out.rglob("report.html")).parent


def test_what_only_reads_imports_nothing_heavy(study: Path) -> None:
    out = str(study.parent)
    verbs = [
        ["--help"],
        *([*verb, "--help"] for verb in VERBS),
        *(["list", what, "--out", out] for what in ("all", "models", "runs")),
    ]
    verbs += [["report", str(study)], ["compare", str(study)], ["verify", str(study)]]
    outcomes = answers(verbs, study)
    assert outcomes == [(" ".join(words), 0, []) for words in verbs]


def test_importing_bakeoff_imports_almost_nothing() -> None:
    code = "import sys, bakeoff; print(*{'numpy', 'pydantic', 'click', 'torch'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"
