"""What the command line shows: live progress on a terminal, plain lines elsewhere, and tables."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TextIO

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
        self.seen: set[str] = set()
        self.overall: rich_progress.TaskID | None = None
        self.live = rich_progress.Progress(
            rich_progress.TextColumn("{task.description}", markup=False),
            rich_progress.BarColumn(),
            rich_progress.MofNCompleteColumn(),
            rich_progress.TimeElapsedColumn(),
            rich_progress.TimeRemainingColumn(),
            rich_progress.TextColumn("{task.fields[note]}", markup=False),
            console=self.console,
            transient=True,
        )

    def begin(self, total: int, missing: int) -> None:
        """Say how much there is to do, in all or in another round."""
        self.missing = self.ended + missing
        kept = f", {total - missing} of them finished already" if total > missing else ""
        runs = "1 run" if total == 1 else f"{total} runs"
        self._line(f"{self.title}: {runs}{kept}")
        if self.overall is not None:
            self.live.update(self.overall, total=self.missing)
        elif missing and self.console.is_terminal:
            self.overall = self.live.add_task("all runs", total=missing, note="")

    def show(self, progress: RunProgress) -> None:
        """A run has moved on; where one goes on from a checkpoint, that is said."""
        if progress.run not in self.seen:
            self.seen.add(progress.run)
            if progress.step:
                self._line(f"{progress.run}: goes on in epoch {progress.epoch + 1}")
        if not self.console.is_terminal:
            return
        if progress.run not in self.bars:
            self.bars[progress.run] = self.live.add_task(f"  {progress.run}", total=progress.steps, note="")
        row = progress.row
        note = f"epoch {progress.epoch + 1}"
        if "train_loss" in row:
            note += f"  loss {row['train_loss']:.3f}"
        if "validation_accuracy" in row:
            note += f"  validation {100 * row['validation_accuracy']:.2f} %"
        self.live.update(self.bars[progress.run], completed=progress.step, note=note)

    def done(self, run: str) -> None:
        """A run has ended."""
        self.ended += 1
        if self.overall is not None:
            self.live.update(self.overall, completed=self.ended)
            if run in self.bars:
                self.live.remove_task(self.bars.pop(run))
        if not self.console.is_terminal:
            seconds = time.monotonic() - self.began
            self._line(f"[{self.ended}/{self.missing}] {run}  ({seconds:.0f} s)")

    def _line(self, text: str) -> None:
        self.console.print(displayable(text), markup=False, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def display(title: str) -> Iterator[Display]:
    """A Display whose live part is shown within."""
    shown = Display(title)
    with shown.live if shown.console.is_terminal else contextlib.nullcontext():
        yield shown


@contextlib.contextmanager
def downloads() -> Iterator[Callable[[str, int, int], None]]:
    """Within: a bar for each file, from its name, the bytes that are here and those it will have."""
    bars: dict[str, rich_progress.TaskID] = {}
    live = rich_progress.Progress(
        rich_progress.TextColumn("{task.description}", markup=False),
        rich_progress.BarColumn(),
        rich_progress.DownloadColumn(),
        console=Console(stderr=True),
    )

    def show(name: str, here: int, total: int) -> None:
        if name not in bars:
            live.start()
            bars[name] = live.add_task(name, total=total)
        live.update(bars[name], completed=here, total=total)

    try:
        yield show
    finally:
        if bars:
            live.stop()


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


def print_table(rows: Sequence[Mapping[str, Any]], *, title: str = "", file: TextIO | None = None) -> None:
    """Rows with the same keys as a table, the first a name that is not broken if possible; numbers to the right. On a
    terminal too narrow for a line a row, each row is a paragraph instead."""
    console = Console(file=file)
    if not console.is_terminal:
        console = Console(file=file, width=PIPED)
    if title:
        console.print(Text(displayable(title), style="bold"), soft_wrap=True)
    widths = [max(len(key), *(len(str(row[key])) for row in rows)) for key in (rows[0] if rows else ())]
    if rows and console.is_terminal and sum(widths) + 2 * len(widths) - 2 > console.width + widths[-1] / 2:
        for row in rows:
            _print_paragraph(console, row)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, key in enumerate(rows[0] if rows else ()):
        number = all(re.fullmatch(r"[-+−]?[\d,.]+( ?%|)|–?", str(row[key])) for row in rows)
        fits = not console.is_terminal or max(len(str(row[key])) for row in rows) <= console.width / 2
        whole = number or (place == 0 and fits)
        justify: Literal["right", "left"] = "right" if number else "left"
        table.add_column(Text(displayable(key)), justify=justify, no_wrap=whole, overflow="fold")
    for row in rows:
        table.add_row(*(Text(displayable(str(value))) for value in row.values()))
    console.print(table, highlight=False)


def _print_paragraph(console: Console, row: Mapping[str, Any]) -> None:
    """A row's name on a line, and below it what is known of it, broken between its cells if possible."""
    (_, name), *others = row.items()
    console.print(Text(displayable(str(name)), style="bold"), soft_wrap=True)
    cells = [f"{key} {value}" for key, value in others if str(value)]
    lines = [""]
    for cell in map(displayable, cells):
        fits = len(lines[-1]) + len(cell) + 3 <= console.width - 2
        lines[-1:] = [f"{lines[-1]} · {cell}" if lines[-1] else cell] if fits or not lines[-1] else [lines[-1], cell]
    for line in lines:
        console.print(Padding(Text(line), (0, 0, 0, 2)), highlight=False)
