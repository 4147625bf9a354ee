"""The verbs about one run: train, evaluate, predict."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bakeoff.cli.common import DEVICE, JSON, PLUGIN, SPLITS, as_json, specified
from bakeoff.cli.options import FieldsCommand
from bakeoff.errors import BakeoffError

if TYPE_CHECKING:
    from bakeoff.record import Run


@click.command(
    cls=FieldsCommand, execution="bakeoff.studies.execution:Execution", short_help="Train one model on one dataset."
)
@click.argument("dataset", required=False)
@click.argument("model", required=False)
@click.option("--from", "parent", type=click.Path(path_type=Path), help="Train this finished run further instead.")
@click.option("--seed", type=int, help="Decides weights, order and dropout.  [0]")
@click.option("--validation", type=float, help="Part drawn for validation.  [1/6]")
@click.option("--images", type=int, help="Training images, a stratified choice.  [all]")
@PLUGIN
@JSON
def train(parent: Path | None, json_out: bool, **options: Any) -> None:
    """Train MODEL on DATASET once: `bakeoff train mnist conv --epochs 2`.

    DATASET is a name or a path, MODEL a name, each perhaps with options: `./letters:size=28,resize=pad`,
    `small_cnn:width=100,dropout=0.5`. Interrupted, the same command goes on.

    `bakeoff train --from RUN --epochs 5` trains a finished run further, as a new run; it takes over every option that
    is not given.
    """
    from bakeoff.cli.terminal import display, print_table
    from bakeoff.studies.train import train as train_one, train_further

    options = specified(options)
    fixed = [key for key in ("dataset", "model", "seed", "validation", "images") if key in options]
    if parent is not None and fixed:
        raise click.UsageError(f"--from: the {fixed[0]} is that of {parent}: leave it out")
    if parent is None and "model" not in options:
        raise click.UsageError("give DATASET and MODEL, or --from RUN")
    with display(f"{parent}, further" if parent else f"{options['model']} on {options['dataset']}") as progress:
        options |= {"show": progress.show, "begin": progress.begin}
        run = train_further(parent, **options) if parent else train_one(**options)
    if run.status != "finished":
        raise BakeoffError(f"{run.path}: diverged: the loss became non-finite in epoch {len(run.history) + 1}")
    if json_out:
        figures = ("parameters", "multiply_adds", "seconds", "images_per_second")
        as_json({"run": str(run.path), **run.metrics, **{name: getattr(run, name) for name in figures}})
        return
    from bakeoff.report.format import percent

    print_table(
        [
            {"epoch": row["epoch"], "train loss": f"{row['train_loss']:.4f}"}
            | {f"{split} accuracy": percent(row[f"{split}_accuracy"]) for split in ("train", "validation")}
            for row in run.history
        ]
    )
    accuracy, n = percent(run.metrics["validation_accuracy"]), run.measured("validation")
    click.echo(
        f"\nvalidation accuracy {accuracy} (n = {n} images, 1 seed), {run.parameters:,} parameters, "
        f"{run.seconds:.0f} s, {run.images_per_second:,.0f} images/s"
    )
    for note in training_notes(run):
        click.echo(note)
    click.echo(f"run: {run.path}")


def training_notes(run: Run) -> Iterator[str]:
    """A sentence on whatever the table of epochs does not tell."""
    recipe = run.spec.recipe
    if run.fallback_epoch and recipe.fallback_recipe:
        yield f"restarted with {recipe.fallback_recipe.optimizer} after epoch {run.fallback_epoch}"
    if run.pool:
        yield f"pseudo-labels: {run.pool['taken']:,} of {run.pool['images']:,}, by {run.pool['teacher']}"
    keep = recipe.keep_choice
    if keep.criterion:
        rows = run.history[run.fallback_epoch or 0 :]
        kept = max(count for count in range(1, len(rows) + 1) if keep.is_best(rows[:count]))
        yield f"kept: the weights after epoch {rows[kept - 1]['epoch']}, best by {keep.criterion.replace('_', ' ')}"
    if recipe.selects_on_test:
        yield "note: the epoch was chosen on the test set, so its test accuracy will be flattered"


@click.command(short_help="Measure a run on any dataset that fits it.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--dataset", help="A dataset's name or path.  [the run's own]")
@click.option(
    "--split",
    type=click.Choice([*SPLITS.choices, "all"]),
    help="all: every labelled image of --dataset.  [validation; of --dataset test, or all if it has no test split]",
)
@DEVICE
@PLUGIN
@JSON
def evaluate(run: Path, dataset: str | None, split: str | None, device: str, json_out: bool) -> None:
    """Measure RUN on a split of any dataset that fits it.

    The test split of its own data is read when --split test asks for it; RUN's directory counts how often.
    """
    from bakeoff.evaluation.metrics import METRICS, Interval
    from bakeoff.record import read_run
    from bakeoff.report.format import interval as show_interval
    from bakeoff.ship.predict import evaluate as measure, training_note

    result = measure(read_run(run), dataset, split, device=device)
    if json_out:
        as_json(result)
        return
    images = "all that are labelled" if result["split"] == "all" else f"{result['split']} split"
    why = ": they bring no test split" if result["split"] == "all" and split is None else ""
    accuracy = show_interval(Interval(**result["accuracy"]))
    click.echo(f"accuracy {accuracy}, n = {result['n']} images of {result['dataset']}, {images}{why}")
    click.echo(", ".join(f"{name} {result[name]:.4f}" for name in METRICS if name != "accuracy"))
    if (reads := result.get("test_reads", 1)) > 1:
        click.echo(f"the test split of this run was read {reads} times: choose on validation")
    if note := training_note(result.get("trained_on", 0)):
        click.echo(note)


STANDARD_OUTPUT = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


@click.command(short_help="Predict images or a split with a run, as CSV.")
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
@click.option("--first-id", type=int, default=0, help="What ids that are numbers count from.  [0]")
@click.option("--id-column", help="Header of the first column.  [the competition's; else id]")
@click.option("--label-column", help="Header of the second column.  [the competition's; else label]")
@click.option("--confidence/--no-confidence", default=False, help="A third column with the softmax probability.")
@DEVICE
@PLUGIN
@JSON
def predict(run: Path, images: Path | None, split: str | None, csv_file: Path | None, **options: Any) -> None:
    """Predict IMAGES (a picture, a folder, an .npz, a pickled array) or a dataset's split with RUN, as CSV.

    A competition's file: `bakeoff predict RUN test/ --csv submission.csv --id-column Id --label-column Label`.
    """
    from bakeoff.record import read_run
    from bakeoff.ship.predict import csv_text, predict_files, predict_split, write_csv

    dataset, resize, device = options["dataset"], options["resize"], options["device"]
    if images is not None and dataset is not None:
        raise click.UsageError("--dataset goes with --split; IMAGES are predicted as they are")
    if (images is None) == (split is None):
        raise click.UsageError("give either IMAGES or --split")
    if split is not None and resize is not None:
        raise click.UsageError("--resize goes with IMAGES; for a split, say --dataset PATH:size=PIXELS,resize=RULE")
    if images is not None:
        rows, header = predict_files(read_run(run), images, resize=resize, device=device)
    else:
        rows, header = predict_split(read_run(run), dataset, str(split), device=device)
    for row in rows:
        if isinstance(row["id"], int):
            row["id"] += options["first_id"]
    if options["json_out"]:
        as_json(rows)
        return
    columns = options["id_column"] or header[0], options["label_column"] or header[1]
    text = csv_text(rows, *columns, confidence=options["confidence"])
    if csv_file is None or str(csv_file) in STANDARD_OUTPUT:
        click.echo(text, nl=False)
    else:
        write_csv(csv_file, text)
        click.echo(f"{len(rows)} predictions: {csv_file}")


@click.command(short_help="Check runs: every file, and with --rerun every bit.")
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--rerun", is_flag=True, help="Train each again in a temporary folder, and say where it differs first.")
@DEVICE
@PLUGIN
@JSON
def verify(runs: tuple[Path, ...], rerun: bool, device: str, json_out: bool) -> None:
    """Check every file of RUNS against its checksum; exit status 1 where one is not what was written.

    Each of RUNS is a run's directory or a folder of runs, such as a study's.
    """
    import dataclasses

    from bakeoff.studies.verify import verify as check

    results = check(runs, rerun=rerun, device=device)
    if json_out:
        as_json({"runs": [{**dataclasses.asdict(result), "whole": result.whole} for result in results]})
    else:
        for result in results:
            same = "" if result.rerun is None else ", and trained again it has the same bits"
            differences = [*result.faults, *filter(None, [result.rerun])]
            click.echo("\n".join(differences) or f"{result.run}: {result.files} files whole{same}")
    if bad := sum(not result.whole for result in results):
        raise BakeoffError(f"{bad} of {len(results)} runs {'is' if bad == 1 else 'are'} not as written")
