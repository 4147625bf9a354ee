"""Where a plan differs from its study file: a value, its place, and what set it."""

from __future__ import annotations

from pydantic import Field

from bakeoff.spec import Value
from bakeoff.spec.settings import Frozen

COMMAND = "command"
ABSENT_DATA = "absent data"
ABSENT_WEIGHTS = "absent weights"
TIME = "time"


class Override(Frozen):
    """A value that a scale or a command set, or what it left out."""

    path: tuple[str, ...] = Field(
        description="images, seeds, validation or dataset of the study; contenders NAME recipe FIELD; contenders NAME "
        "parameters KEY; contenders NAME or datasets NAME of what is left out; runs"
    )
    old: Value | tuple[str, ...] | None = Field(description="of a contender that is left out, its model")
    new: Value | tuple[str, ...] | None = Field(description="null: left out")
    source: str = Field(
        description="scale NAME, command, absent data, absent weights, time, or needs NAME: another contender that is "
        "left out"
    )

    @property
    def alters_runs(self) -> bool:
        """Whether runs differ from those of the study file, and are not only fewer."""
        return self.path[0] in ("dataset", "images", "validation") or len(self.path) > 2
