"""How a study or a run is executed: where, with what, and who is told."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from bakeoff.errors import UsageError, closest
from bakeoff.spec import Recipe, renamed
from bakeoff.spec.settings import Frozen, validate
from bakeoff.training.options import Progress, RunOptions

MAX_SEEDS = 10
"""Of a contender, where seeds are added until a study is decided."""


class Execution(Frozen):
    """All that does not say what is trained."""

    out: Path = Field(Path("runs"), description="folder for records and reports")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:N")
    jobs: int | None = Field(
        None, ge=1, description="runs side by side; null: as many as the cores have room for, one on a GPU"
    )
    threads: int | None = Field(
        None,
        ge=1,
        description="CPU threads of each run; null: of a study's, decided by the machine alone, so that the same run "
        "holds the same bits however many are trained beside it; of a single one, all cores",
    )
    checkpoint_seconds: float = Field(60.0, ge=0, description="time between checkpoints")
    restart: bool = Field(False, description="train anew what is finished or half done")
    minutes: float | None = Field(None, gt=0, description="train what ends within this time; null: all")
    show: Callable[[Progress], None] = Field(lambda _: None, description="is told how far a run is")
    begin: Callable[[int, int], None] = Field(
        lambda _total, _missing: None, description="is told how many runs there are and are missing, in each round"
    )
    done: Callable[[str], None] = Field(lambda _: None, description="is told the directory of each run that ends")

    def options(self, threads: int, stop: Callable[[], bool]) -> RunOptions:
        """How one run is trained, with so many threads unless others are asked for."""
        return RunOptions(
            threads=self.threads or threads,
            device=self.device,
            checkpoint_seconds=self.checkpoint_seconds,
            progress=self.show,
            stop=stop,
        )


OF_STUDIES = ("jobs", "restart", "minutes", "done")
"""Fields that a single run has no use for."""


def execution_and_recipe(options: Mapping[str, Any], without: Collection[str] = ()) -> tuple[Execution, dict[str, Any]]:
    """Options by what they are: fields of Execution, checked, and fields of Recipe.

    Args:
        without: fields of Execution that cannot be said here.

    Raises:
        UsageError: one that is neither, or a value that cannot be.
    """
    known = [key for key in Execution.model_fields if key not in without]
    fields = {*Recipe.model_fields, *renamed.RECIPE}  # Recipe itself tells what is called otherwise now
    if other := next((key for key in options if key not in known and key not in fields), None):
        raise UsageError(f"unknown option {other!r}{closest(other, [*known, *Recipe.model_fields])}")
    execution = validate(Execution, {key: value for key, value in options.items() if key in known}, "options")
    return execution, {key: value for key, value in options.items() if key not in known}
