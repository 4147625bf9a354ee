"""The code stays small. Limits fall with it, and rise only with an addition, in its commit;
`python bench/code_size.py` prints today's figures."""

import runpy
from pathlib import Path

import pytest

CODE_LINES = 12_657
LONGEST_FUNCTION, LONG_FUNCTION = 60, 30
"""Lines of the longest, and of the 95th percentile."""
LONGEST_FILE = 400

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def measure():
    return runpy.run_path(str(ROOT / "bench" / "code_size.py"))["measure"]


def test_the_code_does_not_grow(measure):
    sizes = measure()
    assert sizes.code_lines <= CODE_LINES
    assert [each for each in sizes.functions if each[0] > LONGEST_FUNCTION] == []
    assert [each for each in sizes.files if each[0] > LONGEST_FILE] == []
    assert sizes.long_function <= LONG_FUNCTION
    assert sizes.cycle == []


def test_what_counts_as_a_line_of_code_and_as_a_cycle(measure, tmp_path):
    (tmp_path / "first.py").write_text(
        '"""A module."""\n\nimport second  # a cycle\n\nX = """two\nlines"""\n"""Of X."""\n'
    )
    (tmp_path / "second.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import third\nimport first\n\n\n"
        'def long():\n    """One."""\n    # a comment\n    import third\n'
    )
    (tmp_path / "third.py").write_text("import second\n")
    sizes = measure(tmp_path)
    assert sizes.code_lines == 3 + 6 + 1
    assert sizes.functions == [(4, "second.py:7 long")]
    assert sorted(set(sizes.cycle)) == ["first", "second"]
