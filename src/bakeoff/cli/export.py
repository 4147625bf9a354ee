"""The verb that writes a study's figures and tables for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from bakeoff.cli.common import JSON, PLUGIN, as_json
from bakeoff.report.forms import FORMS


@click.command(short_help="Write a study's figures and tables for papers and programs.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "kinds",
    type=click.Choice(list(FORMS)),
    multiple=True,
    required=True,
    help=" ".join(f"{name}: {form.__doc__}" for name, form in FORMS.items()) + " May be repeated.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the files.  [FOLDER/export]")
@PLUGIN
@JSON
def export(folder: Path, kinds: tuple[str, ...], out: Path | None, json_out: bool) -> None:
    """Write figures, tables or numbers of the study in FOLDER, from its records."""
    from bakeoff.studies.reports import export as write

    files = write(folder, kinds, out or folder / "export")
    as_json({"files": list(map(str, files))}) if json_out else click.echo("\n".join(map(str, files)))
