"""What the verbs share: options, and JSON on standard output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

SPLITS = click.Choice(["train", "validation", "test"])
JSON = click.option("--json", "json_out", is_flag=True, help="Print one JSON object instead of text.")
DEVICE = click.option("--device", default="auto", help="auto | cpu | cuda | cuda:N  [auto]")
OUT = click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), help="Folder for records.  [runs]")


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


def specified(options: dict[str, Any]) -> dict[str, Any]:
    """The options that the user wrote, or that have a default."""
    return {key: value for key, value in options.items() if value is not None and value != ()}


def as_json(value: Any) -> None:
    """Print `value` as JSON that any reader takes: null for a number that is not finite."""
    from pydantic_core import to_json

    strict = json.loads(to_json(value, inf_nan_mode="null", fallback=str))
    click.echo(json.dumps(strict, indent=2))
