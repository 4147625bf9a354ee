"""The verbs that list studies, datasets, models and runs, and show a model."""

from __future__ import annotations

from pathlib import Path

import click

from bakeoff.cli.common import JSON, OUT, PLUGIN, as_json


@click.command("list")
@click.argument("what", type=click.Choice(["studies", "datasets", "models", "runs", "all"]), default="all")
@OUT
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
        cells = [{key.replace("_", " "): cell(key, value) for key, value in row.items()} for row in rows]
        print_table(cells, title=name)
        click.echo()


@click.command("show", short_help="Print a model's layers.")
@click.argument("model")
@click.option("--size", type=click.IntRange(1), help="Side of the images in pixels.  [28, or the smallest]")
@click.option("--channels", type=click.IntRange(1), default=1, help="[1]")
@click.option("--classes", type=click.IntRange(2), default=10, help="[10]")
@PLUGIN
@JSON
def show_model(model: str, size: int | None, channels: int, classes: int, json_out: bool) -> None:
    """Print the layers of MODEL with their output shapes, parameters and multiply-adds.

    MODEL is a name, perhaps with options: `bakeoff show small_cnn:width=100 --size 64`.
    """
    import dataclasses

    from bakeoff.cli.terminal import cell, print_table
    from bakeoff.models import usual_size

    height, width = usual_size(model) if size is None else (size, size)  # without PyTorch, should the name be wrong
    from bakeoff.models.layers import model_layers

    about = {"model": model, "channels": channels, "size": [height, width], "classes": classes}
    rows = [dataclasses.asdict(layer) for layer in model_layers(model, channels, classes, (height, width))]
    totals = {key: sum(row[key] for row in rows) for key in ("parameters", "multiply_adds")}
    if json_out:
        as_json({**about, **totals, "layers": rows})
        return
    rows.append({"name": "all", "kind": "", "output": "", **totals})
    cells = [
        {key.replace("_", " "): cell(key, "x".join(map(str, v)) if key == "output" else v) for key, v in row.items()}
        for row in rows
    ]
    print_table(cells, title=f"{model}: {channels} x {height} x {width} -> {classes} classes")
