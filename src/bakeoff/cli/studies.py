"""The verbs about studies: run, report, compare."""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import Any

import click

from bakeoff.cli.common import JSON, OUT, PLUGIN, as_json, specified
from bakeoff.cli.options import FieldsCommand
from bakeoff.errors import BakeoffError, RunsFailed, UsageError


@click.command(
    cls=FieldsCommand,
    execution="bakeoff.studies.execution:StudyExecution",
    short_help="Train what a study lacks, then write its report.",
)
@click.argument("study", required=False)
@click.option("--all", "all_studies", is_flag=True, help="Every packaged study, and an index over their reports.")
@click.option("--scale", default="full", help="One of the study's scales.  [full]")
@click.option("--seeds", type=int, help="Seeds per contender, instead of the scale's.")
@click.option("--until-decided", is_flag=True, default=None, help="Add seeds until contenders are decided.")
@click.option("--max-seeds", type=int, help="With --until-decided, seeds of a contender at most.  [10]")
@click.option("--only", multiple=True, metavar="CONTENDER", help="Only these contenders; repeat it or use commas.")
@click.option("--dataset", "datasets", multiple=True, help="Only this one of the study's datasets; may be repeated.")
@click.option(
    "--minutes",
    type=float,
    help="Train what ends within this time; with --all, of all together.  [no limit]",
)
@OUT
@PLUGIN
@JSON
def run(study: str | None, all_studies: bool, only: tuple[str, ...], json_out: bool, **options: Any) -> None:
    """Train what STUDY still lacks, then write its report.

    STUDY is a packaged study (see: bakeoff list studies) or a path to a .toml file. Interrupted, the same
    command goes on. A field of the recipe given here replaces that of every contender.
    """
    from bakeoff.cli.terminal import display
    from bakeoff.studies.packaged import find_study, published_studies
    from bakeoff.studies.runner import run_study

    if (study is None) != all_studies:
        raise click.UsageError("give either STUDY or --all")
    options = specified(options)
    if "max_seeds" in options and not options.get("until_decided"):
        raise click.UsageError("--max-seeds goes with --until-decided")
    if only and (all_studies or not any(names.strip(",") for names in only)):
        raise click.UsageError("--only: needs one STUDY" if all_studies else "--only: no contender is named")
    summaries: dict[str, dict[str, Any]] = {}
    failures: list[BakeoffError] = []
    names, minutes, started = published_studies() if study is None else [study], options.get("minutes"), monotonic()
    for place, name in enumerate(names):
        study_file = find_study(name)
        if minutes is not None:  # each study has an equal share of what is left
            left = max(60 * minutes - (monotonic() - started), 1)
            options["minutes"] = left / 60 / (len(names) - place)
        try:
            with display(study_file.title) as live:
                summary = run_study(name, only=only, show=live.show, begin=live.begin, done=live.done, **options)
        except BakeoffError as error:
            if isinstance(error, UsageError) and not summaries:
                raise  # the other studies would say the same
            failures.append(error)
            if not isinstance(error, RunsFailed):
                continue
            summary = error.summary
        summaries[study_file.name] = summary
        if not (all_studies and json_out):
            show_summary(summary, options["out"] / study_file.name / summary["scale"], json_out)
    if all_studies and summaries:
        from bakeoff.studies.reports import index

        page = index(options["out"])
        as_json({"index": str(page), "studies": summaries}) if json_out else click.echo(f"index: {page}")
    if failures:
        raise BakeoffError("; ".join(map(str, failures)))


def show_summary(summary: dict[str, Any], folder: Path, json_out: bool) -> None:
    """The leaderboard, the answer and, last, where the report is."""
    if json_out:
        as_json(summary)
        return
    from bakeoff.cli.terminal import print_table, print_text
    from bakeoff.report.leaderboard import leaderboard
    from bakeoff.report.summary import contenders_of, pairs_of

    print_table(leaderboard(contenders_of(summary), pairs_of(summary)), title=summary["question"])
    print_text(f"\n{summary['answer']}\n")
    click.echo(f"report: {folder / 'report.html'}")


@click.command(short_help="Render a study again from its records.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--all", "all_studies", is_flag=True, help="FOLDER holds studies: render each, and an index over them.")
@PLUGIN
@JSON
def report(folder: Path, all_studies: bool, json_out: bool) -> None:
    """Render a study's FOLDER again from its records: all scales there are, or the one of FOLDER/SCALE."""
    from bakeoff.studies.reports import report as render, report_all, unreadable

    if all_studies:
        page, summaries = report_all(folder)
        as_json({"index": str(page)}) if json_out else click.echo(f"index: {page}")
    else:
        summaries = render(folder)
        if json_out and len(summaries) > 1:
            as_json({"scales": {place.name: summary for place, summary in summaries.items()}})
        else:
            for place, summary in summaries.items():
                show_summary(summary, place, json_out)
    if reasons := [reason for summary in summaries.values() for reason in unreadable(summary)]:
        raise BakeoffError(f"written without {len(reasons)} of the records: {'; '.join(reasons)}")


@click.command(short_help="Compare runs: which contender is better, and how sure that is.")
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--margin",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Accuracies closer than this, a fraction, are as good.  [the study's, or 0.005]",
)
@PLUGIN
@JSON
def compare(runs: tuple[Path, ...], json_out: bool, **options: float | None) -> None:
    """Compare the contenders among RUNS, all pairs of a dataset as one family.

    Each of RUNS is a run's directory or a folder of runs, such as a study's.
    """
    from bakeoff.cli.terminal import print_table, print_text
    from bakeoff.report.format import p_value
    from bakeoff.report.sentences import ESTIMAND, measured, verdict
    from bakeoff.report.summary import pairs_of
    from bakeoff.studies.comparing import compare as compare_runs

    pairs = compare_runs(runs, **specified(options))
    if json_out:
        as_json({"comparisons": pairs})
        return
    print_table(
        [
            {"a": pair.a, "b": pair.b}
            | dict(zip(("a - b, points", "95 % interval", "runs"), measured(pair), strict=True))
            | {"p": p_value(pair.p), "adjusted p": p_value(pair.p_adjusted)}
            | {"images": pair.images, "a is": verdict(pair)}
            for pair in pairs_of({"comparisons": pairs})
        ]
    )
    print_text(f"\n{ESTIMAND}")
