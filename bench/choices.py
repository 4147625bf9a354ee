"""Write docs/choices.md: every choice that a recipe, a study or a verb names, with its settings, from the tables.

python bench/choices.py
"""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from bakeoff.data import SOURCES
from bakeoff.engines.execute import ENGINES
from bakeoff.evaluation.metrics import METRICS
from bakeoff.report.sections import SECTIONS
from bakeoff.spec.optimizers import OPTIMIZERS
from bakeoff.spec.recipe import CHOICES, STEPS
from bakeoff.spec.registry import Registry

FILE = Path(__file__).parents[1] / "docs" / "choices.md"
TABLES: dict[str, Registry[Any]] = {
    "Optimisers: `optimizer`": OPTIMIZERS,
    "Learning rate: `schedule`": CHOICES["schedule"],
    "Losses: `loss`": CHOICES["loss"],
    "When a round ends: `stop`": CHOICES["stop"],
    "Which weights are evaluated: `keep`": CHOICES["keep"],
    "Where the loss does not fall: `fallback`": CHOICES["fallback"],
    "What the network is taught: `task`": CHOICES["task"],
    "What a teacher labels: `pool`": CHOICES["pool"],
    "Preprocessing, for every split: a list, `preprocess`": STEPS["preprocess"],
    "Augmentation, for training images: a list, `augment`": STEPS["augment"],
    "Test-time augmentation: `tta`": CHOICES["tta"],
    "Datasets: `dataset`": SOURCES,
    "Sections of a report: `kind`": SECTIONS,
    "Figures that `bakeoff evaluate` prints": METRICS,
    "How a study's runs are executed: `--engine`": ENGINES,
}
BOUNDS = {"ge": "≥ {}", "gt": "> {}", "le": "≤ {}", "lt": "< {}"}
HEAD = """# Choices

Written `NAME`, or with settings `NAME:key=value,key=value`. What is left out has the default given here. The fields of
a recipe themselves are listed by `bakeoff train --help`, models in [models.md](models.md). Plug-ins add to models,
datasets, augmentations, preprocessing, losses, metrics and sections: [guide.md](guide.md).

<!-- python bench/choices.py writes this page -->"""


def text() -> str:
    """The whole page."""
    parts = [HEAD]
    for title, table in TABLES.items():
        rows = [f"| `{name}` | {_settings(table[name])} | {_plain(table[name].about)} |" for name in table.builtin]
        parts.append("\n".join([f"## {title}\n", "| name | settings | what it does |", "|---|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _settings(entry: Any) -> str:
    return "; ".join(f"`{key}={_value(field.default)}`{_range(field)}" for key, field in _fields(entry).items())


def _fields(entry: Any) -> dict[str, FieldInfo]:
    fields: dict[str, FieldInfo] = entry.settings.model_fields
    return fields


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return "+".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _range(field: FieldInfo) -> str:
    """` (> 0, ≤ 1; factor of each drop)`: bounds or choices, and what the setting is."""
    bounds = [
        words.format(_value(getattr(bound, key)))
        for bound in field.metadata
        for key, words in BOUNDS.items()
        if hasattr(bound, key)
    ]
    if typing.get_origin(field.annotation) is typing.Literal:
        bounds = [", ".join(map(str, typing.get_args(field.annotation)))]
    words = "; ".join(filter(None, [", ".join(bounds), field.description or ""]))
    return f" ({_plain(words)})" if words else ""


def _plain(words: str) -> str:
    return words.replace("|", r"\|")


def main() -> int:
    FILE.write_text(text(), encoding="utf-8")
    print(FILE)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
