"""The command line: parse, call one function, print. Heavy imports wait until a verb needs them."""

from __future__ import annotations

import contextlib
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from bakeoff.errors import BakeoffError, Interrupted, UsageError, closest
from bakeoff.options import RecipeCommand

SPLITS = click.Choice(["train", "validation", "test"])


class Verbs(click.Group):
    """A group that names the closest verbs when it does not know one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            raise click.UsageError(f"no verb {args[0]!r}{closest(args[0], self.commands)}")
        return super().resolve_command(ctx, args)


def given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, or have a default."""
    return {key: value for key, value in options.items() if value is not None and value != ()}


def as_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, default=str))


class Size(click.ParamType[tuple[int, int]]):
    """`64` or `28x32`: height and width in pixels."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        sides = [int(side) for side in str(value).split("x") if side.isdecimal()]
        if len(sides) != str(value).count("x") + 1 or len(sides) > 2 or min(sides) < 1:
            self.fail(f"{value!r}: must be a side in pixels, such as 64, or HEIGHTxWIDTH", param, ctx)
        return sides[0], sides[-1]


JSON = click.option("--json", "json_out", is_flag=True, help="Print one JSON object instead of text.")
DEVICE = click.option("--device", default="auto", help="auto | cpu | cuda | cuda:N  [auto]")
OUT = click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), help="Folder for records.  [runs]")
CHECKPOINT = click.option(
    "--checkpoint-seconds", type=click.FloatRange(0), default=60.0, help="Time between checkpoints.  [60]"
)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="bakeoff", message="%(prog)s %(version)s")
def bakeoff() -> None:
    """Which image classifier should I use, and how sure can I be?

    Start with: bakeoff run quickstart
    """


@bakeoff.command(cls=RecipeCommand, short_help="Train what a study lacks, then write its report.")
@click.argument("study", required=False)
@click.option("--all", "every", is_flag=True, help="Every packaged study, and an index over their reports.")
@click.option("--scale", default="full", help="One of the study's scales.  [full]")
@click.option("--seeds", type=click.IntRange(1), help="Seeds per contender, instead of the scale's.")
@click.option("--only", multiple=True, metavar="CONTENDER", help="Only these contenders; repeat it or use commas.")
@click.option("--dataset", "datasets", multiple=True, help="Only this one of the study's datasets; may be repeated.")
@click.option(
    "--restart", is_flag=True, help="Train anew what is finished or half done; interrupted, go on without it."
)
@click.option("--jobs", type=click.IntRange(1), help="Runs side by side.  [one a core; one on a GPU]")
@DEVICE
@OUT
@CHECKPOINT
@JSON
def run(study: str | None, every: bool, only: tuple[str, ...], json_out: bool, **options: Any) -> None:
    """Train what STUDY still lacks, then write its report.

    STUDY is a packaged study (see: bakeoff list studies) or a path to a .toml file. Interrupted, the same
    command goes on. A field of the recipe given here replaces that of every contender.
    """
    from bakeoff.studies.runner import find_study, published_studies, report_all, run_study
    from bakeoff.terminal import display

    if (study is None) != every:
        raise click.UsageError("give either STUDY or --all")
    options = given(options)
    names = [name for group in only for name in group.split(",") if name]
    if only and (every or not names):
        raise click.UsageError("--only: needs one STUDY" if every else "--only: no contender is named")
    summaries: dict[str, dict[str, Any]] = {}
    failures: list[BakeoffError] = []
    for name in published_studies() if study is None else [study]:
        found = find_study(name)
        try:
            with display(found.title) as shown:
                summary = run_study(name, only=names, show=shown.show, begin=shown.begin, done=shown.done, **options)
        except BakeoffError as error:
            if isinstance(error, UsageError) and not summaries:
                raise  # said wrongly: the other studies would say the same
            failures.append(error)
            continue
        summaries[found.name] = summary
        if not (every and json_out):
            show_summary(summary, options["out"] / found.name, json_out)
    if every and summaries:
        index = report_all(options["out"])
        as_json({"index": str(index), "studies": summaries}) if json_out else click.echo(f"index: {index}")
    if failures:
        raise BakeoffError("; ".join(map(str, failures)))


def show_summary(summary: dict[str, Any], folder: Path, json_out: bool) -> None:
    """The league table, the answer and, last, where the report is."""
    if json_out:
        as_json(summary)
        return
    from bakeoff.reports.tables import league_text
    from bakeoff.terminal import print_table, print_text

    print_table(league_text(summary), title=summary["question"])
    print_text(f"\n{summary['answer']}\n")
    click.echo(f"report: {folder / 'report.html'}")


@bakeoff.command(cls=RecipeCommand, short_help="Train one model on one dataset.")
@click.argument("dataset", required=False)
@click.argument("model", required=False)
@click.option("--from", "parent", type=click.Path(path_type=Path), help="Train this finished run further instead.")
@click.option("--seed", type=click.IntRange(0), help="Decides weights, order and dropout.  [0]")
@click.option("--validation", type=float, help="Part drawn for validation.  [1/6]")
@click.option("--images", type=click.IntRange(1), help="Training images, a stratified choice.  [all]")
@click.option("--threads", type=click.IntRange(1), help="CPU threads.  [all cores]")
@DEVICE
@OUT
@CHECKPOINT
@JSON
def train(parent: Path | None, json_out: bool, **options: Any) -> None:
    """Train MODEL on DATASET once: `bakeoff train mnist conv --epochs 2`.

    DATASET is a name or a path, MODEL a name, each perhaps with options: `./letters:size=28,resize=pad`,
    `small_cnn:width=100,dropout=0.5`. Interrupted, the same command goes on.

    `bakeoff train --from RUN --epochs 5` trains a finished run further, as a new run: what is not said is as it was.
    """
    from bakeoff.choices import Best
    from bakeoff.studies.runner import train as train_one
    from bakeoff.studies.runner import train_further
    from bakeoff.terminal import display, print_table
    from bakeoff.training.schedule import is_best

    options = given(options)
    if parent is not None:
        fixed = next((key for key in ("dataset", "model", "seed", "validation", "images") if key in options), None)
        if fixed:
            raise click.UsageError(f"--from: the {fixed} is that of {parent}: leave it out")
        with display(f"{parent}, further") as shown:
            ended = train_further(parent, **options, show=shown.show, begin=shown.begin)
    elif "model" not in options:
        raise click.UsageError("give DATASET and MODEL, or --from RUN")
    else:
        with display(f"{options['model']} on {options['dataset']}") as shown:
            ended = train_one(**options, show=shown.show, begin=shown.begin)
    if ended.status != "finished":
        raise BakeoffError(f"{ended.path}: diverged: the loss became non-finite in epoch {len(ended.history) + 1}")
    figures = {
        "run": str(ended.path),
        **ended.metrics,
        "parameters": ended.parameters,
        "multiply_adds": ended.multiply_adds,
        "seconds": ended.seconds,
        "images_per_second": ended.images_per_second,
    }
    if json_out:
        as_json(figures)
        return
    print_table(
        [
            {"epoch": row["epoch"], "train loss": f"{row['train_loss']:.4f}"}
            | {f"{split} accuracy": f"{row[f'{split}_accuracy']:.2%}" for split in ("train", "validation")}
            for row in ended.history
        ]
    )
    click.echo(
        f"\nvalidation accuracy {ended.metrics['validation_accuracy']:.2%} (n = {ended.measured('validation')} images, "
        f"1 seed), {ended.parameters:,} parameters, {ended.seconds:.0f} s, {ended.images_per_second:,.0f} images/s"
    )
    recipe = ended.spec.recipe
    before = ended.fell_back or 0
    if before:
        click.echo(f"fell back to {recipe.fallen.optimizer} after epoch {before}: the loss had not fallen")
    if ended.pool:
        click.echo(f"pseudo-labels: {ended.pool['taken']:,} of {ended.pool['images']:,}, by {ended.pool['teacher']}")
    if len(ended.history) < before + recipe.epochs * recipe.fits:
        click.echo(f"stopped early: {len(ended.history)} of {before + recipe.epochs * recipe.fits} epochs")
    if isinstance(keep := recipe.keep_choice, Best):
        rows = ended.history
        kept = max(epoch for epoch in range(before + 1, len(rows) + 1) if is_best(keep, rows[before:epoch]))
        click.echo(f"kept: the weights after epoch {kept}, best by {keep.monitor.replace('_', ' ')}")
    if recipe.selects_on_test:
        click.echo("note: the epoch was chosen on the test set, so its test accuracy will be flattered")
    click.echo(f"run: {ended.path}")


@bakeoff.command(short_help="Render a study again from its records.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--all", "every", is_flag=True, help="FOLDER holds studies: render each, and an index over them.")
@JSON
def report(folder: Path, every: bool, json_out: bool) -> None:
    """Render a study's FOLDER again from its records."""
    from bakeoff.studies.runner import report as render
    from bakeoff.studies.runner import report_all

    if not every:
        show_summary(render(folder), folder, json_out)
        return
    index = report_all(folder)
    as_json({"index": str(index)}) if json_out else click.echo(f"index: {index}")


@bakeoff.command(short_help="Compare runs, paired by seed and by test image.")
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1, required=True)
@JSON
def compare(runs: tuple[Path, ...], json_out: bool) -> None:
    """Compare the contenders among RUNS, paired by seed and by test image.

    Each of RUNS is a run's directory or a folder of runs, such as a study's.
    """
    import dataclasses

    from bakeoff.studies.runner import compare as compare_runs
    from bakeoff.terminal import print_table

    found = compare_runs(runs)
    if json_out:
        as_json([dataclasses.asdict(comparison) for comparison in found])
        return
    print_table(
        [
            {
                "a": c.a,
                "b": c.b,
                "a - b": f"{c.difference:+.2%}",
                "95 % interval": f"{c.low:+.2%} ... {c.high:+.2%}",
                "p": f"{c.p:.2g}",
                "p (Holm)": f"{c.p_adjusted:.2g}",
                "seeds": c.seeds,
                "images": c.images,
                "verdict": c.verdict,
            }
            for c in found
        ]
    )


@bakeoff.command(short_help="Measure a run on any dataset that fits it.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--dataset", help="A dataset's name or path.  [the run's own]")
@click.option(
    "--split",
    type=click.Choice([*SPLITS.choices, "all"]),
    help="all: every labelled image of --dataset.  [test; all where --dataset brings no test split]",
)
@DEVICE
@JSON
def evaluate(run: Path, dataset: str | None, split: str | None, device: str, json_out: bool) -> None:
    """Measure RUN on a split of any dataset that fits it."""
    from bakeoff.record import read_run
    from bakeoff.ship.predict import evaluate as measure

    said = measure(read_run(run), dataset, split, device=device)
    if json_out:
        as_json(said)
        return
    interval = said.pop("accuracy")
    shown = f"{interval['mean']:.2%} (95 % interval {interval['low']:.2%} ... {interval['high']:.2%})"
    measured = "all that are labelled" if said["split"] == "all" else f"{said['split']} split"
    why = ": they bring no test split" if said["split"] == "all" and split is None else ""
    click.echo(f"accuracy {shown}, n = {said.pop('n')} images of {said.pop('dataset')}, {measured}{why}")
    del said["run"], said["split"]
    click.echo(", ".join(f"{name} {value:.4f}" for name, value in said.items()))


@bakeoff.command(short_help="Predict images or a split with a run, as CSV.")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("images", required=False, type=click.Path(path_type=Path))
@click.option(
    "--split",
    type=click.Choice([*SPLITS.choices, "unlabelled", "all"]),
    help="Predict a split of a dataset instead of files; unlabelled: a competition's test images.",
)
@click.option("--dataset", help="With --split: a dataset's name or path.  [the run's own]")
@click.option("--resize", help="With IMAGES: rule for other sizes: stretch | pad | crop.")
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), help="Write this file.  [standard output]")
@click.option("--id-column", help="Header of the first column.  [the competition's; else id]")
@click.option("--label-column", help="Header of the second column.  [the competition's; else label]")
@click.option("--confidence/--no-confidence", default=False, help="A third column with the softmax probability.")
@DEVICE
@JSON
def predict(
    run: Path,
    images: Path | None,
    split: str | None,
    dataset: str | None,
    resize: str | None,
    csv_file: Path | None,
    id_column: str | None,
    label_column: str | None,
    confidence: bool,
    device: str,
    json_out: bool,
) -> None:
    """Predict IMAGES (a picture, a folder, an .npz, a pickled array) or a dataset's split with RUN, as CSV.

    A competition's file: `bakeoff predict RUN test/ --csv submission.csv --id-column Id --label-column Label`.
    """
    from bakeoff.record import read_run
    from bakeoff.ship.predict import csv_text, predict_files, predict_split, write_csv

    if images is not None and dataset is not None:
        raise click.UsageError("--dataset goes with --split; IMAGES are predicted as they are")
    if (images is None) == (split is None):
        raise click.UsageError("give either IMAGES or --split")
    if split is not None and resize is not None:
        raise click.UsageError("--resize goes with IMAGES; for a split, say --dataset PATH:size=PIXELS,resize=RULE")
    record = read_run(run)
    if images is not None:
        rows, header = predict_files(record, images, resize=resize, device=device)
    else:
        rows, header = predict_split(record, dataset, str(split), device=device)
    if json_out:
        as_json(rows)
        return
    text = csv_text(rows, id_column or header[0], label_column or header[1], confidence=confidence)
    if csv_file is None:
        click.echo(text, nl=False)
    else:
        write_csv(csv_file, text)
        click.echo(f"{len(rows)} predictions: {csv_file}")


@bakeoff.command("list")
@click.argument("what", type=click.Choice(["studies", "datasets", "models", "runs", "all"]), default="all")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), help="Folder of the runs.  [runs]")
@JSON
def list_things(what: str, out: Path, json_out: bool) -> None:
    """List studies, datasets, models or runs."""
    from bakeoff.studies.listing import LISTS
    from bakeoff.terminal import cell, print_table

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


@bakeoff.command("show", short_help="Print a model's layers.")
@click.argument("model")
@click.option("--size", type=Size(), help="Side of the images in pixels, or HEIGHTxWIDTH.  [28, or the smallest]")
@click.option("--channels", type=click.IntRange(1), default=1, help="[1]")
@click.option("--classes", type=click.IntRange(2), default=10, help="[10]")
@JSON
def show_model(model: str, size: tuple[int, int] | None, channels: int, classes: int, json_out: bool) -> None:
    """Print the layers of MODEL with their output shapes, parameters and multiply-adds.

    MODEL is a name, perhaps with options: `bakeoff show small_cnn:width=100 --size 64`.
    """
    import dataclasses

    from bakeoff.models.layers import model_layers, usual_size
    from bakeoff.terminal import cell, print_table

    size = size or usual_size(model)
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


@bakeoff.group(cls=Verbs)
def data() -> None:
    """Show, make or fetch datasets."""


@data.command()
@click.argument("name")
@click.option("--sheet", type=click.Path(path_type=Path), help="The contact sheet's file.  [NAME.png]")
@click.option("--split", type=SPLITS, default="train", help="The split it shows.  [train]")
@JSON
def show(name: str, sheet: Path | None, split: str, json_out: bool) -> None:
    """Count a dataset's images per class and split, and write a contact sheet."""
    from bakeoff.data import load_dataset
    from bakeoff.data.contact import write_sheet
    from bakeoff.terminal import print_table

    dataset = load_dataset(name)
    file = sheet or Path(f"{dataset.name}.png")
    write_sheet(dataset, file, split)
    counts = {part: values.tolist() for part, values in dataset.counts().items()}
    unlabelled = 0 if dataset.unlabelled is None else len(dataset.unlabelled)
    if json_out:
        about = {"name": dataset.name, "fingerprint": dataset.fingerprint, "shape": dataset.shape}
        more = {"unlabelled": unlabelled, "mirror": dataset.mirror, "sheet": str(file)}
        as_json({**about, "classes": dataset.classes, "counts": counts, **more})
        return
    rows = [
        {"class": label, **{part: values[index] for part, values in counts.items()}}
        for index, label in enumerate(dataset.classes)
    ]
    rows.append({"class": "all", **{part: sum(values) for part, values in counts.items()}})
    channels, height, width = dataset.shape
    size = f"{height}x{width} pixels (height x width)"
    print_table(rows, title=f"{dataset.name}: {size}, {channels} channel(s), {dataset.fingerprint}")
    if unlabelled:
        click.echo(f"\nwithout labels: {unlabelled} images (bakeoff predict RUN --split unlabelled)")
    click.echo(f"\ncontact sheet: {file}")


@data.command("make")
@click.argument("name")
@click.option("--count", type=click.IntRange(1), help="Training images.  [as the competition's]")
@click.option("--test-count", type=click.IntRange(1), help="Test images.  [10000]")
@click.option("--seed", type=click.IntRange(0), help="Another seed gives other images.  [0]")
@click.option("--out", type=click.Path(path_type=Path), help="The file to write.  [NAME.npz]")
@JSON
def make_data(name: str, out: Path | None, json_out: bool, **options: int | None) -> None:
    """Generate modified MNIST into an .npz: `bakeoff data make largest-digit --count 40000`.

    NAME is largest-digit or highest-digit, perhaps with options: `largest-digit:by=ink,overlap=0.1`. The file is a
    dataset for every other verb, and tells the digits, boxes, angles and scales of every image.
    """
    from bakeoff.data.make import make

    file = out or Path(f"{name.partition(':')[0]}.npz")
    counts = make(name, file, given(options))
    if json_out:
        as_json({"name": name, "file": str(file), "images": counts})
    else:
        click.echo(f"{name}: {counts['train']:,} training and {counts['test']:,} test images: {file}")


@data.command("fetch")
@click.argument("name")
@JSON
def fetch_data(name: str, json_out: bool) -> None:
    """Download a published dataset, checked against its SHA-256; or ImageNet weights, as `weights/resnet34`."""
    from bakeoff.data.fetch import download, fetch
    from bakeoff.models.weights import ADDRESS, published_weights
    from bakeoff.record import data_folders
    from bakeoff.terminal import downloads

    kind, _, model = name.partition("/")
    with downloads() as progress:
        if kind == "weights":
            folder = download(name, published_weights(model), (ADDRESS,), data_folders(kind)[-1], progress)
        else:
            folder = fetch(name, progress)
    as_json({"name": name, "folder": str(folder)}) if json_out else click.echo(f"{name}: {folder}")


def main(arguments: list[str] | None = None) -> None:
    """The `bakeoff` program: 0 done, 1 failed, 2 bad usage, 130 interrupted and resumable."""
    sys.exit(exit_code(lambda: bakeoff.main(arguments, "bakeoff", standalone_mode=False)))


@contextlib.contextmanager
def plain_warnings() -> Iterator[None]:
    """Within: a warning for the user is one line on standard error."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        click.echo(f"bakeoff: {message}", err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield


def exit_code(call: Callable[[], Any]) -> int:
    """Run `call`; an error the user can mend becomes one line on standard error and the exit code."""
    try:
        with plain_warnings():
            call()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else error.message)
        return 2
    except click.ClickException as error:
        where = f" (see: {error.ctx.command_path} --help)" if isinstance(error, click.UsageError) and error.ctx else ""
        click.echo(f"bakeoff: {error.format_message()}{where}", err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except Interrupted as error:
        click.echo("bakeoff: interrupted; the same command goes on where this one stopped", err=True)
        return error.exit_code
    except BakeoffError as error:
        click.echo(f"bakeoff: {error}", err=True)
        return error.exit_code
    return 0


if __name__ == "__main__":
    main()
