"""On a narrow terminal: no name that must be typed is broken, no line is longer than the terminal."""

import io
import re
from collections.abc import Callable

import pytest
from rich.console import Console

from bakeoff.cli import terminal
from bakeoff.spec import Recipe


@pytest.mark.parametrize("columns", [70, 80, 200])
def test_help_breaks_a_choice_after_a_comma_only(
    call: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    _, text, _ = call("train", "--help")
    assert max(map(len, text.splitlines())) <= columns
    words = set(text.split())
    for field in Recipe.model_fields.values():
        for word in str(field.description).split():
            pieces = re.findall(r"[^,]+,?", word)
            assert word in words or all(any(piece in each for each in words) for piece in pieces), word


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[str]]:
    """The lines of a table of studies on a terminal of so many columns."""

    def table(columns: int) -> list[str]:
        out = io.StringIO()
        monkeypatch.setattr(terminal, "Console", lambda **_: Console(file=out, force_terminal=True, width=columns))
        terminal.print_table(ROWS)
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", out.getvalue()).splitlines()

    return table


ROWS = [
    {
        "study": "augmented-resnet",
        "dataset": "mnist",
        "n": 14,
        "scales": "smoke, laptop, full",
        "title": "Was it? " * 8,
    },
    {"study": "highest-digit", "dataset": "highest-digit", "n": 8, "scales": "smoke, full", "title": "Which is it?"},
]


@pytest.mark.parametrize("columns", [40, 80, 110, 200])
def test_a_table_fits_and_breaks_no_name(table: Callable[[int], list[str]], columns: int) -> None:
    lines = table(columns)
    assert max(map(len, lines)) <= columns
    for row in ROWS:
        for name in (row["study"], row["dataset"]):
            assert any(str(name) in line for line in lines)
    assert len(lines) == 3 if columns == 200 else len(lines) > 3
