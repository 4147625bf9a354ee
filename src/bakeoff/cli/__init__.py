"""The command line: parse, call one function, print. Heavy imports wait until a verb needs them."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import click

from bakeoff.characters import displayable
from bakeoff.cli.data import data
from bakeoff.cli.export import export, pack, unpack
from bakeoff.cli.lists import list_things, show_model
from bakeoff.cli.runs import evaluate, predict, train, verify
from bakeoff.cli.studies import compare, report, run
from bakeoff.errors import BakeoffError, Interrupted


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="bakeoff", message="%(prog)s %(version)s")
def bakeoff() -> None:
    """Which image classifier should I use, and how sure can I be?

    \b
    Start with    bakeoff run quickstart     four classifiers on embedded digits, and a report
    Look around   bakeoff list               studies, datasets, models, and the runs you have
    Your images   bakeoff data show FOLDER   a folder of class folders, an .npz, IDX files or a CSV
    """


for verb in (
    run,
    train,
    report,
    export,
    pack,
    unpack,
    compare,
    evaluate,
    predict,
    verify,
    list_things,
    show_model,
    data,
):
    bakeoff.add_command(verb)


def main(arguments: list[str] | None = None) -> None:
    """The `bakeoff` program: 0 done, 1 failed, 2 bad usage, 130 interrupted and resumable."""
    sys.exit(exit_code(lambda: bakeoff.main(arguments, "bakeoff", standalone_mode=False)))


@contextlib.contextmanager
def plain_warnings() -> Iterator[None]:
    """Within: a warning for the user is one line on standard error."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        print_message(message)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield


def print_message(message: object, *, after: str = "") -> None:
    """One line on standard error, in which no character of a name or file is obeyed by the terminal."""
    click.echo(displayable(re.sub(r"\s*\n\s*", " ", f"bakeoff: {message}{after}")), err=True)


def exit_code(call: Callable[[], Any]) -> int:
    """Run `call`; an error the user can mend becomes one line on standard error and the exit code."""
    try:
        with plain_warnings():
            call()
            sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else error.message)
        return 2
    except click.ClickException as error:
        where = f" (see: {error.ctx.command_path} --help)" if isinstance(error, click.UsageError) and error.ctx else ""
        print_message(error.format_message(), after=where)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except Interrupted as error:
        print_message("interrupted; the same command goes on where this one stopped")
        return error.exit_code
    except BakeoffError as error:
        print_message(error)
        return error.exit_code
    except OSError as error:
        if error.filename is None:
            discard_output()
        if not isinstance(error, BrokenPipeError):  # whoever read the output has read enough
            print_message(f"{error.filename or 'while writing'}: {error.strerror}")
        return 1
    return 0


def discard_output() -> None:
    """Send what standard output still holds to nowhere, so that Python does not try again as it ends."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
