"""What the verbs share: options, the type of a size, and JSON on standard output."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import click

from bakeoff.errors import closest

SPLITS = click.Choice(["train", "validation", "test"])
JSON = click.option("--json", "json_out", is_flag=True, help="Print one JSON object instead of text.")
DEVICE = click.option("--device", default="auto", help="auto | cpu | cuda | cuda:N  [auto]")
OUT = click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), help="Folder for records.  [runs]")
CHECKPOINT = click.option(
    "--checkpoint-seconds", type=click.FloatRange(0), default=60.0, help="Time between checkpoints.  [60]"
)


def _load_plugins(_context: click.Context, _option: click.Parameter, files: tuple[Path, ...]) -> None:
    from bakeoff.spec.plugins import load_plugin

    for file in files:
        load_plugin(file)


PLUGIN = click.option(
    "--plugin",
    type=click.Path(path_type=Path),
    multiple=True,
    expose_value=False,
    is_eager=True,
    callback=_load_plugins,
    help="Run FILE.py, which adds models, datasets, ... called FILE:NAME; may be repeated.",
)


class Verbs(click.Group):
    """A group that names the closest verbs when it does not know one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            raise click.UsageError(f"no verb {args[0]!r}{closest(args[0], self.commands)}")
        return super().resolve_command(ctx, args)


class Size(click.ParamType[tuple[int, int]]):
    """`64` or `28x32`: height and width in pixels."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        sides = [int(side) for side in str(value).split("x") if side.isdecimal()]
        if len(sides) != str(value).count("x") + 1 or len(sides) > 2 or min(sides) < 1:
            self.fail(f"{value!r}: must be a side in pixels, such as 64, or HEIGHTxWIDTH", param, ctx)
        return sides[0], sides[-1]


def given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, or have a default."""
    return {key: value for key, value in options.items() if value is not None and value != ()}


def as_json(value: Any) -> None:
    """Print `value` as JSON that any reader takes: null for a number that is not finite."""
    click.echo(json.dumps(_finite(value), indent=2, default=str, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
