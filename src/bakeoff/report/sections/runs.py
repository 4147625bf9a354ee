"""Every run."""

from __future__ import annotations

from bakeoff.evaluation import metrics
from bakeoff.findings.runs import correct
from bakeoff.record import Run
from bakeoff.report.context import Context
from bakeoff.report.format import interval, percent
from bakeoff.report.render.blocks import Block, Cell, Column, Table, columns
from bakeoff.report.sections.kind import Kind


def blocks(context: Context) -> list[Block]:
    """Every run, so that each number above can be traced."""
    rows = []
    for run in sorted(context.runs, key=lambda run: (run.spec.contender, run.spec.seed)):
        if context.includes(run.spec.contender):
            test, validation = _accuracies(run) if run.status == "finished" else ("–", "–")
            cells = [run.spec.contender, str(run.spec.seed), test, validation, f"{run.seconds:,.1f}"]
            status = Cell(run.status, tone="" if run.status == "finished" else "bad")
            rows.append([*map(Cell, (*cells, str(len(run.history) or "–"))), status, Cell(run.path.name)])
    for failure in context.findings.failures:  # one that diverged has a record, and its row above
        if failure.kind != "diverged" and context.includes(failure.contender):
            cells = [failure.contender, str(failure.seed), *"––––"]
            rows.append([*map(Cell, cells), Cell(failure.kind, tone="bad", title=failure.reason), Cell(failure.run)])
    labels = ("contender", "seed", "test accuracy, Wilson 95 %", "validation", "seconds", "epochs", "status")
    return [Table([*columns(*labels, words=1), Column("record", "text")], rows)] if rows else []


def _accuracies(run: Run) -> tuple[str, str]:
    right = correct(run)
    wilson = metrics.wilson(int(right.sum()), len(right))
    return interval(wilson), percent(run.metrics["validation_accuracy"])


SECTION = Kind(blocks, title="Every run", all_runs=True)
