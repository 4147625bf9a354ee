"""Study files with wrong types, names or sizes: an error of one sentence, and nothing is written."""

from pathlib import Path

import pytest

import bakeoff
from bakeoff.cli import bakeoff as program, exit_code
from bakeoff.errors import UsageError
from bakeoff.spec.plan import make_plan
from bakeoff.spec.study_file import load_study, parse_study
from bakeoff.studies.packaged import find_study

HEAD = 'title = "t"\nquestion = "q"\ndataset = "digits"\nimages = 200\nseeds = 1\n'
PLAIN = '[contenders.plain]\nmodel = "small_cnn"\n'
DEEP = 3000


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('contenders = "x"', "contenders = 'x': must be a table"),
        ("contenders = { a = 1 }", r"contenders\.a = 1: must be a table"),
        ("contenders = []", r"contenders = \[\]: must be a table"),
        ("contenders = 3", "contenders = 3: must be a table"),
        ('recipe = "x"\n' + PLAIN, "recipe = 'x': must be a table"),
        ("sweeps = 3\n" + PLAIN, "sweeps = 3: must be a table"),
        ("sweeps = { a = 3 }\n" + PLAIN, r"sweeps\.a = 3: must be a table"),
        ("grid = 3\n" + PLAIN, "grid = 3: must be a table"),
        ("grid = { lr = 3 }\n" + PLAIN, r"grid\.lr = 3: must be a valid list"),
        ("grid = { parameters = [3] }\n" + PLAIN, r"\[grid\]: parameters = 3: must be a table"),
        ("scales = 3\n" + PLAIN, "scales = 3: must be"),
        ("sections = 3\n" + PLAIN, "sections = 3: must be"),
        ("hypotheses = 3\n" + PLAIN, "hypotheses = 3: must be"),
        (PLAIN + 'parameters = "x"', r"\[contenders\.plain\]: parameters = 'x': must be"),
        (PLAIN + "parameters = { width = [1] }", r"\[contenders\.plain\]: parameters\.width"),
        (PLAIN + "reported = 3", r"\[contenders\.plain\]: reported = 3: must be"),
        (PLAIN + "model = 3".replace("model", "note"), r"\[contenders\.plain\]: note = 3: must be"),
        ('[contenders.plain]\nensemble = "x"', r"\[contenders\.plain\]: ensemble = 'x': must be"),
        (PLAIN + '[sweeps.s]\nof = "plain"\npoints = "x"', r"points = 'x': must be a valid list"),
        (PLAIN + '[sweeps.s]\nof = "plain"\npoints = { lr = 1 }', r"points = \{'lr': 1\}: must be a valid list"),
        (PLAIN + '[sweeps.s]\nof = ["plain"]\npoints = []', r"of = \['plain'\]: must be a valid string"),
        (PLAIN + '[sweeps.s]\nof = "plain"\npoints = [{ parameters = 3 }]', "parameters = 3: must be a table"),
        (PLAIN + '[sweeps.s]\nof = "plain"\npoints = [{ lr = 1, reported = 3 }]', "reported = 3: must be a table"),
        (PLAIN + f'[sweeps.{"s" * 300}]\nof = "plain"\npoints = [{{ lr = 1 }}]', "at most 80 characters"),
        ("[contenders.'a b']\nmodel = 'conv'", "contender name 'a b': must begin with a letter or digit and have"),
        (f"[contenders.{'a' * 300}]\nmodel = 'conv'", "contender name 'a.*at most 80"),
        ("[contenders.'../up']\nmodel = 'conv'", r"contender name '\.\./up': must begin with a letter"),
        (PLAIN + f"x = {'[' * DEEP}{']' * DEEP}", "too deep for a study"),
        (f"{'a.' * DEEP}b = 1\n" + PLAIN, "unknown key 'a'"),
        (PLAIN + f"parameters.{'a.' * DEEP}b = 1", r"too deep|must be"),
        (PLAIN + "[grid]\n" + "".join(f"{key} = {[*range(1, 12)]}\n" for key in ("lr", "epochs", "rounds")),
         r"\[grid\]: makes 1,331 contenders: must be at most 1,000"),
        (PLAIN + "feed = 'fresh'", r"\[contenders\.plain\]: feed is now called task"),
        (PLAIN + "[recipe]\nfits = 2", r"\[recipe\]: fits is now called rounds"),
        ('[contenders.all]\nensemble = ["all"]', "all needs all: none of them can be trained first"),
        ('[contenders.a]\nensemble = ["b"]\n[contenders.b]\nensemble = ["c"]\n[contenders.c]\nensemble = ["a"]',
         "a needs b needs c needs a: none of them can be trained first"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_file_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(HEAD + text)
    with pytest.raises(UsageError, match=sentence) as error:
        load_study(file)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(str(file))


@pytest.mark.parametrize("name", ["...toml", "....toml", " .toml", "a\nb.toml", "-x.toml", "<b>.toml", "x" * 200])
def test_a_name_that_cannot_be_a_directory_s_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Before anything is written."""
    folder = tmp_path / "studies"
    folder.mkdir()
    name = name if name.endswith(".toml") else f"{name}.toml"
    (folder / name).write_text(HEAD + PLAIN)
    command = ["run", str(folder / name), "--out", str(tmp_path / "out" / "runs")]
    assert exit_code(lambda: program.main(command, "bakeoff", standalone_mode=False)) == 2
    error = capsys.readouterr().err
    assert "rename it" in error
    assert len(error.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["studies"]


@pytest.mark.parametrize("name", ["étude", "my study (2)", "v1.0", "数字"])
def test_names_of_files_are_names_of_studies(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.toml").write_text(HEAD + PLAIN, encoding="utf-8")
    assert load_study(tmp_path / f"{name}.toml").name == name


def test_a_name_too_long_for_a_file_is_no_study() -> None:
    for name in ("x" * 5000, "x" * 5000 + ".toml"):
        with pytest.raises(UsageError, match=r"no study|no such file"):
            find_study(name)


def test_a_ladder_of_ensembles_takes_linear_time() -> None:
    """Each of 200 rungs needs the two below it: 2^100 ways down, or as many as there are rungs."""
    rungs = "".join(
        f'[contenders.{side}{i}]\nensemble = ["a{i - 1}", "b{i - 1}"]\n' for i in range(1, 101) for side in "ab"
    )
    bottom = '[contenders.a0]\nmodel = "logistic"\n[contenders.b0]\nmodel = "logistic"\nlr = 0.1\n'
    study = parse_study(HEAD + rungs + bottom, "ladder", "ladder.toml")
    assert make_plan(study).depths()["a100"] == 100
    left = make_plan(study, absent={"a0": "absent data"})
    assert [contender.name for contender in left.contenders] == ["b0"]


def test_a_small_ladder_is_trained_and_reported(tmp_path: Path) -> None:
    rungs = "".join(
        f'[contenders.{side}{i}]\nensemble = ["a{i - 1}", "b{i - 1}"]\n' for i in range(1, 4) for side in "ab"
    )
    bottom = (
        '[contenders.a0]\nmodel = "logistic"\n[contenders.b0]\nmodel = "logistic"\nlr = 0.1\n[recipe]\nepochs = 1\n'
    )
    summary = bakeoff.run_study(parse_study(HEAD + rungs + bottom, "ladder", "ladder.toml"), out=tmp_path, jobs=1)
    assert {c["name"]: c["n"] for c in summary["contenders"]} == {f"{s}{i}": 1 for i in range(4) for s in "ab"}
