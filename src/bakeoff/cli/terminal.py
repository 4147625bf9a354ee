"""What the command line shows: live progress on a terminal, plain lines elsewhere, and tables."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import progress as rich_progress
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bakeoff.characters import displayable

if TYPE_CHECKING:
    from bakeoff.training.options import Progress as RunProgress


PIPED = 120
"""Columns of a table that goes to a file or a pipe."""


class Display:
    """Progress of the runs of a study, on standard error; standard output is left to results."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.console = Console(stderr=True)
        self.began = time.monotonic()
        self.ended, self.missing = 0, 0
        self.bars: dict[str, rich_progress.TaskID] = {}
        self.live = rich_progress.Progress(
            rich_progress.TextColumn("{task.description}", markup=False),
            rich_progress.BarColumn(),
            rich_progress.MofNCompleteColumn(),
            rich_progress.TimeElapsedColumn(),
            rich_progress.TimeRemainingColumn(),
            rich_progress.TextColumn("{task.fields[note]}", markup=False),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self.overall = self.live.add_task("all runs", note="", visible=False)

    def begin(self, total: int, missing: int) -> None:
        """Say how much there is to do, in all or in another round."""
        self.missing = self.ended + missing
        kept = f", {total - missing} of them finished already" if total > missing else ""
        self._line(f"{self.title}: {total} run{'s' * (total != 1)}{kept}")
        self.live.update(self.overall, total=self.missing, visible=self.missing > 0)

    def show(self, progress: RunProgress) -> None:
        """A run has moved on; where it resumes from a checkpoint, a line says so."""
        if progress.run not in self.bars:
            self.bars[progress.run] = self.live.add_task(f"  {progress.run}", total=progress.steps, note="")
            if progress.step:
                self._line(f"{progress.run}: goes on in epoch {progress.epoch + 1}")
        note = f"epoch {progress.epoch + 1}"
        if "train_loss" in progress.row:
            note += f"  loss {progress.row['train_loss']:.3f}"
        if "validation_accuracy" in progress.row:
            note += f"  validation {100 * progress.row['validation_accuracy']:.2f} %"
        self.live.update(self.bars[progress.run], completed=progress.step, note=note)

    def done(self, run: str) -> None:
        """A run has ended."""
        self.ended += 1
        self.live.update(self.overall, completed=self.ended)
        if run in self.bars:
            self.live.update(self.bars[run], visible=False)
        if not self.console.is_terminal:
            seconds = time.monotonic() - self.began
            self._line(f"[{self.ended}/{self.missing}] {run}  ({seconds:.0f} s)")

    def _line(self, text: str) -> None:
        self.console.print(displayable(text), markup=False, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def display(title: str) -> Iterator[Display]:
    """A Display whose live part is shown within."""
    progress = Display(title)
    with progress.live:
        yield progress


@contextlib.contextmanager
def downloads() -> Iterator[Callable[[str, int, int], None]]:
    """Within: a bar for each file, from its name, the bytes that are here and those it will have."""
    bars: dict[str, rich_progress.TaskID] = {}
    console = Console(stderr=True)
    with rich_progress.Progress(
        rich_progress.TextColumn("{task.description}", markup=False),
        rich_progress.BarColumn(),
        rich_progress.DownloadColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as live:

        def show(name: str, here: int, total: int) -> None:
            if name not in bars:
                bars[name] = live.add_task(name)
            live.update(bars[name], completed=here, total=total)

        yield show


def print_text(text: str) -> None:
    """Paragraphs, broken between words on a terminal and not at all elsewhere."""
    console = Console()
    lines = "\n".join(map(displayable, text.split("\n")))
    console.print(lines, markup=False, highlight=False, soft_wrap=not console.is_terminal)


def cell(key: str, value: Any) -> str:
    """A plain value as the text of a table: `75,002`, `98.31 %`, `width=50 kernel=5`, `2026-11-21 20:23`."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return " ".join(f"{name}={item}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if key == "ended":
        return str(value)[:16].replace("T", " ")
    if isinstance(value, float):
        return f"{100 * value:.2f} %" if key.endswith("accuracy") else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def print_table(rows: Sequence[Mapping[str, Any]], *, title: str = "") -> None:
    """Rows with the same keys as a table, numbers to the right. On a terminal that is too narrow for a line a row, each
    row is a paragraph instead; in a file or a pipe, lines break within all but names and numbers."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPED)
    if title:
        console.print(Text(displayable(title), style="bold"), soft_wrap=True)
    columns = {key: [displayable(str(row[key])) for row in rows] for key in (rows[0] if rows else ())}
    widths = [max(map(len, (key, *cells))) for key, cells in columns.items()]
    if console.is_terminal and sum(widths) + 2 * len(widths) - 2 > console.width:
        for name, *cells in zip(*columns.values(), strict=True):
            console.print(Text(name, style="bold"), soft_wrap=True)
            pairs = [f"{displayable(key)} {cell}" for key, cell in zip([*columns][1:], cells, strict=True) if cell]
            console.print(Padding(Text(" · ".join(pairs)), (0, 0, 0, 2)))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for key, cells in columns.items():
        number = all(re.fullmatch(r"[-+−]?[\d,.]+( ?%|)|–?", cell) for cell in cells)
        table.add_column(
            Text(displayable(key)),
            justify="right" if number else "left",
            no_wrap=number or not table.columns,
            overflow="fold",
        )
    for row in zip(*columns.values(), strict=True):
        table.add_row(*map(Text, row))
    console.print(table, highlight=False)
