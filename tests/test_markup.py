"""What users write, titles and class names, is shown as written: no markup, HTML, Markdown or escape sequence acts."""

import html
import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import bakeoff as package
from bakeoff.cli import terminal
from bakeoff.report.render.blocks import Code, Paragraph
from bakeoff.report.render.markdown import escaped, markdown

Call = Callable[..., tuple[int, str, str]]
CLASSES = ["[/bold]", "[red]stop", "<b>&amp;|`x`", "# *c*"]
QUESTION = "Does [a] beat [b]? <i>Or</i> | not"
STUDY = r"""
title = "[red]stop \u001b[31mred\u0007 <script>alert(1)</script>"
question = "Does [a] beat [b]? <i>Or</i> | not"
dataset = "own.npz"
seeds = 1
recipe = { epochs = 3, batch_size = 20 }
contenders.slow = { model = "logistic", lr = 0.01, note = "\u001b]0;title\u0007 [link=x]note" }
contenders.quick = { model = "logistic", lr = 0.02 }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    labels = np.arange(240) % 4
    images = np.random.default_rng(0).integers(0, 120, (240, 8, 8), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label : 2 * label + 2] += 130
    np.savez("own.npz", images=images, labels=np.array(CLASSES)[labels])
    (tmp_path / "odd.toml").write_text(STUDY)
    return tmp_path


def test_a_study_with_markup_in_every_name(call: Call, folder: Path) -> None:
    code, out, err = call("run", "odd.toml", "--jobs", "1")
    assert code == 0, err
    assert QUESTION in out
    assert r"[red]stop \x1b[31mred\x07 <script>alert(1)</script>: 2 runs" in err
    page = (folder / "runs" / "odd" / "full" / "report.html").read_text()
    assert "<script" not in page
    assert html.escape(QUESTION) in page
    assert r"[red]stop \x1b[31mred\x07 &lt;script&gt;" in page
    for name in CLASSES:
        assert html.escape(name) in page
    text = (folder / "runs" / "odd" / "full" / "report.md").read_text()
    assert text.startswith("# \\[red\\]stop \\\\x1b\\[31mred\\\\x07 \\<script>alert(1)\\</script>\n")
    assert r"**Does \[a\] beat \[b\]? \<i>Or\</i> \| not**" in text
    everything = out + err + page + text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", everything)
    assert call("report", "runs/odd")[0] == 0


@pytest.mark.usefixtures("folder")
def test_data_show_prints_class_names_as_they_are(call: Call) -> None:
    code, out, err = call("data", "show", "own.npz")
    assert code == 0, err
    for name in CLASSES:
        assert name in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "a\x1b[31m[red].toml"], r"a\x1b[31m[red].toml: no such file"),
        (["train", "[/bold]\x1b[2J", "conv"], r"\x1b[2J"),
        (["report", "no\nwhere"], "no where: not a study's directory"),
        (["list", "[red]\x07"], r"[red]\x07"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_an_error_shows_a_name_and_does_not_obey_it(call: Call, arguments: list[str], sentence: str) -> None:
    code, _, err = call(*arguments)
    assert code == 2
    assert sentence in err
    assert len(err.splitlines()) == 1
    assert err.strip().replace("\u00a0", " ").isprintable()


def test_a_terminal_shows_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Live titles and tables, as on a terminal with colours."""
    out = io.StringIO()

    def console(**_: object) -> Console:
        return Console(file=out, force_terminal=True, width=120)

    monkeypatch.setattr(terminal, "Console", console)
    terminal.print_table([{"[b]key[/b]": "[red]stop", "n": "[/bold]"}], title="Does [a] beat [b]?")
    with terminal.display("[red]stop [/bold]") as display:
        display.begin(2, 2)
        display.live.add_task("[/bold] [run]", total=1, note="[/note]")
        display.live.refresh()
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", out.getvalue())
    for text in ("[b]key[/b]", "[red]stop", "[/bold]", "Does [a] beat [b]?", "[/bold] [run]", "[/note]"):
        assert text in plain


@pytest.mark.parametrize(
    "text",
    ["# no heading", "> no quote", "- no item", "1. no item", "---", "a | b", "`code`", "[a](b)", "&lt;", "~~x~~"],
)
def test_markdown_shows_plain_text_as_it_is(text: str) -> None:
    """By CommonMark's rule: a backslash before punctuation is that sign, and every sign with a meaning has one."""
    rendered = markdown(Paragraph(text))
    assert re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", rendered) == text
    assert not re.match(r"(#{1,6}|>|[-+]|\d+[.)])(\s|$)|-+$", rendered)
    assert not re.search(r"(?<!\\)[|`\[\]&~<*_]", rendered)


def test_numbers_are_not_escaped_in_markdown() -> None:
    assert [escaped(text) for text in ("98.31 %", "-0.5", "+3.12", "1.", "a - b")] == [
        "98.31 %",
        "-0.5",
        "+3.12",
        "1\\.",
        "a - b",
    ]


def test_code_that_holds_a_fence_stays_code() -> None:
    assert markdown(Code("a\n```\n# b")) == "````\na\n```\n# b\n````"


def test_the_python_surface_takes_the_same_names(folder: Path) -> None:
    assert package.load_study(folder / "odd.toml").title.startswith(r"[red]stop \x1b[31mred\x07")
