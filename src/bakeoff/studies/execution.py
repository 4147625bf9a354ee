"""How a study or a run is executed: device, processes, threads, time, and what is called on progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, field_validator

from bakeoff.engines.execute import ENGINES
from bakeoff.errors import UsageError, closest
from bakeoff.spec import Recipe, renamed
from bakeoff.spec.settings import Frozen, validate
from bakeoff.training.options import Progress, RunOptions

MAX_SEEDS = 10
"""Of a contender, where seeds are added until a study is decided."""


class Execution(Frozen):
    """How a run is trained: nothing here decides its result but `device` and `threads`."""

    out: Path = Field(Path("runs"), description="folder for records and reports")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:N")
    threads: int | None = Field(
        None,
        ge=1,
        description="CPU threads of each run; by default all cores for a single run, and for a study's 1 (from 16 "
        "cores on, an eighth of them) however many are trained side by side, since the bits depend on it",
    )
    checkpoint_seconds: float = Field(60.0, ge=0, description="time between checkpoints")
    show: Callable[[Progress], None] = Field(lambda _: None, description="called with the progress of a run")
    begin: Callable[[int, int], None] = Field(
        lambda _total, _missing: None,
        description="called in each round with the number of runs, and of those that are missing",
    )

    def options(self, threads: int, stop: Callable[[], bool]) -> RunOptions:
        """How one run is trained, with so many threads unless others are asked for."""
        return RunOptions(
            threads=self.threads or threads,
            device=self.device,
            checkpoint_seconds=self.checkpoint_seconds,
            progress=self.show,
            stop=stop,
        )


class StudyExecution(Execution):
    """The same for the runs of a study."""

    engine: str | None = Field(
        None, description=f"{' or '.join(ENGINES)}; by default here where runs are trained one by one, else workers"
    )
    jobs: int | None = Field(
        None, ge=1, description="runs side by side; by default as many as the cores take, one on a GPU"
    )
    restart: bool = Field(False, description="train anew what is finished or half done; interrupted, go on without it")
    minutes: float | None = Field(None, gt=0, description="train what ends within this time; by default all")
    done: Callable[[str], None] = Field(
        lambda _: None, description="called with the directory's name of each run that ends"
    )

    @field_validator("engine")
    @classmethod
    def _known(cls, engine: str | None) -> str | None:
        if engine is not None:
            ENGINES.find(engine)  # may raise
        return engine


E = TypeVar("E", bound=Execution)


def execution_and_recipe(kind: type[E], options: Mapping[str, Any]) -> tuple[E, dict[str, Any]]:
    """The options that are fields of this kind of Execution, checked, and those that are fields of Recipe.

    Raises:
        UsageError: one that is neither, or a value that cannot be.
    """
    known = kind.model_fields
    fields = {*Recipe.model_fields, *renamed.RECIPE}  # Recipe itself tells what is called otherwise now
    if unknown := next((key for key in options if key not in known and key not in fields), None):
        raise UsageError(f"unknown option {unknown!r}{closest(unknown, [*known, *Recipe.model_fields])}")
    execution = validate(kind, {key: value for key, value in options.items() if key in known}, "options")
    return execution, {key: value for key, value in options.items() if key not in known}
