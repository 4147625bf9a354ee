"""The keywords of `bakeoff.train` and `bakeoff.run_study` with their types, for editors and type checkers.

python bench/keywords.py        # write src/bakeoff/studies/keywords.pyi from the fields of Execution and Recipe
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from bakeoff.spec import Recipe
from bakeoff.studies.execution import Execution, StudyExecution

STUB = Path(__file__).parents[1] / "src" / "bakeoff" / "studies" / "keywords.pyi"
HEADER = '''"""Written by `python bench/keywords.py` from the fields of Execution and Recipe."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypedDict

from bakeoff.training.options import Progress
'''


def stub() -> str:
    run = {**Execution.model_fields, **Recipe.model_fields}
    study = {name: field for name, field in StudyExecution.model_fields.items() if name not in run}
    return HEADER + keywords("RunKeywords(TypedDict", run) + keywords("StudyKeywords(RunKeywords", study)


def keywords(header: str, fields: Mapping[str, FieldInfo]) -> str:
    lines = (f"    {name}: {typed(field.annotation)}\n" for name, field in fields.items())
    return f"\nclass {header}, total=False):\n" + "".join(lines)


def typed(annotation: Any) -> str:
    """A field's type as a caller may write it: any sequence for a tuple, text for a path."""
    text = annotation.__name__ if isinstance(annotation, type) and "[" not in str(annotation) else str(annotation)
    text = re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Z])", "", text).replace("'", '"')
    return re.sub(r"^tuple\[(\w+), \.\.\.\]$", r"Sequence[\1]", re.sub(r"^Path$", "Path | str", text))


if __name__ == "__main__":
    STUB.write_text(stub())
