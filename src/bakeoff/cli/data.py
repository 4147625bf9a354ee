"""The verbs about datasets: data show, make, fetch."""

from __future__ import annotations

from pathlib import Path

import click

from bakeoff.cli.common import JSON, PLUGIN, SPLITS, as_json, specified


@click.group()
def data() -> None:
    """Show, make or fetch datasets."""


@data.command(short_help="Count a dataset's images, and draw a contact sheet.")
@click.argument("name")
@click.option("--sheet", type=click.Path(path_type=Path), help="The contact sheet's file.  [NAME.png]")
@click.option("--split", type=SPLITS, default="train", help="The split it shows.  [train]")
@PLUGIN
@JSON
def show(name: str, sheet: Path | None, split: str, json_out: bool) -> None:
    """Count a dataset's images per class and split, and write a contact sheet."""
    import dataclasses

    from bakeoff.cli.terminal import print_table
    from bakeoff.data import load_dataset
    from bakeoff.data.contact import write_sheet

    dataset = load_dataset(name)
    file = sheet or Path(f"{dataset.name}.png")
    write_sheet(dataset, file, split)
    counts = {part: values.tolist() for part, values in dataset.counts().items()}
    unlabelled = 0 if dataset.unlabelled is None else len(dataset.unlabelled)
    if json_out:
        plain = {key: getattr(dataset, key) for key in ("name", "fingerprint", "shape", "classes", "mirror", "drawn")}
        duplicates = dataclasses.asdict(dataset.duplicates)
        as_json({**plain, "counts": counts, "unlabelled": unlabelled, "sheet": str(file), "duplicates": duplicates})
        return
    columns = {"class": [*dataset.classes, "all"]} | {part: [*each, sum(each)] for part, each in counts.items()}
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    channels, height, width = dataset.shape
    size = f"{height}x{width} pixels (height x width)"
    print_table(rows, title=f"{dataset.name}: {size}, {channels} channel(s), {dataset.fingerprint}")
    if unlabelled:
        click.echo(f"\nwithout labels: {unlabelled} images (bakeoff predict RUN --split unlabelled)")
    for sentence in dataset.duplicates.sentences():
        click.echo(f"\nduplicates: {sentence}")
    click.echo(f"\ncontact sheet: {file}")


class MakeCommand(click.Command):
    """Its help names the datasets that can be made."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from bakeoff.data.sources import generated

        self.help = (self.help or "").format(names=" or ".join(generated()))
        super().format_help_text(ctx, formatter)


@data.command("make", cls=MakeCommand, short_help="Generate modified MNIST as an .npz file.")
@click.argument("name")
@click.option("--count", type=click.IntRange(1), help="Training images.  [as the competition's]")
@click.option("--test-count", type=click.IntRange(1), help="Test images.  [10000]")
@click.option("--seed", type=click.IntRange(0), help="Another seed gives other images.  [0]")
@click.option("--out", type=click.Path(path_type=Path), help="The file to write.  [NAME.npz]")
@JSON
def make_data(name: str, out: Path | None, json_out: bool, **options: int | None) -> None:
    """Generate modified MNIST into an .npz: `bakeoff data make largest-digit --count 40000`.

    NAME is {names}, perhaps with options: `largest-digit:by=ink,overlap=0.1`. The file is a
    dataset for every other verb, and tells the digits, boxes, angles and scales of every image.
    """
    from bakeoff.data.make import make

    file = out or Path(f"{name.partition(':')[0]}.npz")
    counts = make(name, file, specified(options))
    if json_out:
        as_json({"name": name, "file": str(file), "images": counts})
    else:
        click.echo(f"{name}: {counts['train']:,} training and {counts['test']:,} test images: {file}")


@data.command("fetch", short_help="Download a published dataset, checked, or weights.")
@click.argument("name")
@JSON
def fetch_data(name: str, json_out: bool) -> None:
    """Download a published dataset, checked against its SHA-256; or ImageNet weights, as `weights/resnet34`.

    Of weights only the first 8 hex digits of the SHA-256 are published, in the file's name: these are checked, and the
    whole of it is shown here and kept in the record of every run that begins with them.
    """
    from bakeoff.cli.terminal import downloads
    from bakeoff.data.fetch import download, fetch
    from bakeoff.record import data_folders

    kind, _, model = name.partition("/")
    sums: dict[str, str] = {}
    with downloads() as progress:
        if kind == "weights":
            from bakeoff.files import sha256
            from bakeoff.models.weights import ADDRESS, published_weights

            published = published_weights(model)
            folder = download(name, published, (ADDRESS,), data_folders(kind)[-1], progress)
            sums = {file: sha256(folder / file) for file in published}
        else:
            folder = fetch(name, progress)
    if json_out:
        as_json({"name": name, "folder": str(folder), "sha256": sums})
        return
    click.echo(f"{name}: {folder}")
    for file, checksum in sums.items():
        click.echo(f"{file}: SHA-256 {checksum}, of which the first 8 digits are published and were checked")
