"""The verbs that take a study elsewhere: to other programs, or to another machine."""

from __future__ import annotations

from pathlib import Path

import click

from bakeoff.cli.common import JSON, OUT, PLUGIN, as_json
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


@click.command(short_help="Write a study's report and records as small files, without weights.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@PLUGIN
@JSON
def pack(folder: Path, target: Path, json_out: bool) -> None:
    """Write the report in FOLDER, OUT/STUDY/SCALE, and the records it is of to TARGET: some tens of kilobytes a run.

    Weights are left out and probabilities rounded; `bakeoff unpack` makes records of them again.
    """
    from bakeoff.studies.packing import pack as write

    files, left_out = write(folder, target)
    if json_out:
        return as_json({"files": list(map(str, files)), "left_out": left_out})
    for name in left_out:
        click.echo(f"left out, has not ended: {name}")
    size = sum(file.stat().st_size for file in target.iterdir())
    click.echo(f"{target}: {len(files)} runs, {size / 1e6:.2f} MB")
    return None


@click.command(short_help="Make records of what `bakeoff pack` wrote: a study goes on from them.")
@click.argument("folder", type=click.Path(path_type=Path))
@OUT
@PLUGIN
@JSON
def unpack(folder: Path, out: Path, json_out: bool) -> None:
    """Make the report's folder and the records that `bakeoff pack` wrote to FOLDER; those that are there stay.

    `bakeoff report` renders them, and `bakeoff run` trains what is missing.
    """
    from bakeoff.studies.packing import unpack as make

    report, runs = make(folder, out)
    if json_out:
        return as_json({"report": str(report), "runs": list(map(str, runs))})
    click.echo(f"{report}: {len(runs)} runs; `bakeoff report {report}` renders them")
    return None
