"""The typed keywords of `train` and `run_study` are the fields of the classes that check them."""

import runpy
from pathlib import Path


def test_the_stub_is_what_the_fields_make() -> None:
    generator = runpy.run_path(str(Path(__file__).parents[2] / "bench" / "keywords.py"))
    assert generator["STUB"].read_text() == generator["stub"](), "run `python bench/keywords.py`"
