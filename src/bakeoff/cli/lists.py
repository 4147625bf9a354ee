"""The verbs that tell what there is: list and show."""

from __future__ import annotations

from pathlib import Path

import click

from bakeoff.cli.common import JSON, PLUGIN, Size, as_json


@click.command("list")
@click.argument("what", type=click.Choice(["studies", "datasets", "models", "runs", "all"]), default="all")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), help="Folder of the runs.  [runs]")
@PLUGIN
@JSON
def list_things(what: str, out: Path, json_out: bool) -> None:
    """List studies, datasets, models or runs."""
    from bakeoff.cli.terminal import cell, print_table
    from bakeoff.studies.listing import LISTS

    chosen = {name: LISTS[name](out) for name in LISTS if what in (name, "all")}
    if json_out:
        as_json(chosen if what == "all" else chosen[what])
        return
    for name, rows in chosen.items():
        if not rows:
            click.echo(f"{name}: none in {out}")
            continue
        shown = [{key.replace("_", " "): cell(key, value) for key, value in row.items()} for row in rows]
        print_table(shown, title=name)
        click.echo()


@click.command("show", short_help="Print a model's layers.")
@click.argument("model")
@click.option("--size", type=Size(), help="Side of the images in pixels, or HEIGHTxWIDTH.  [28, or the smallest]")
@click.option("--channels", type=click.IntRange(1), default=1, help="[1]")
@click.option("--classes", type=click.IntRange(2), default=10, help="[10]")
@PLUGIN
@JSON
def show_model(model: str, size: tuple[int, int] | None, channels: int, classes: int, json_out: bool) -> None:
    """Print the layers of MODEL with their output shapes, parameters and multiply-adds.

    MODEL is a name, perhaps with options: `bakeoff show small_cnn:width=100 --size 64`.
    """
    import dataclasses

    from bakeoff.cli.terminal import cell, print_table
    from bakeoff.models import usual_size

    usual = usual_size(model)  # whether there is such a model is said before PyTorch is imported
    from bakeoff.models.layers import model_layers

    size = size or usual
    about = {"model": model, "channels": channels, "size": list(size), "classes": classes}
    found = model_layers(model, channels, classes, size)
    rows = [dataclasses.asdict(layer) for layer in found]
    totals = {key: sum(row[key] for row in rows) for key in ("parameters", "multiply_adds")}
    if json_out:
        as_json({**about, **totals, "layers": rows})
        return
    rows.append({"name": "all", "kind": "", "output": "", **totals})
    shown = [
        {key.replace("_", " "): cell(key, "x".join(map(str, v)) if key == "output" else v) for key, v in row.items()}
        for row in rows
    ]
    print_table(shown, title=f"{model}: {channels} x {size[0]} x {size[1]} -> {classes} classes")
