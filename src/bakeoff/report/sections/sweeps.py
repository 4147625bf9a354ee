"""Sweeps: one thing varied at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bakeoff.report import sentences
from bakeoff.report.context import Context
from bakeoff.report.format import listing, percent, sample_sizes
from bakeoff.report.render import figures
from bakeoff.report.render.blocks import Block, Figure, Figures, Paragraph
from bakeoff.report.render.svg import SERIES
from bakeoff.report.sections.kind import Kind, accuracy_dot, course_by_step
from bakeoff.spec.study import Sweep


def blocks(context: Context) -> list[Block]:
    """One thing varied at a time, and which differences survive."""
    by_name = {c.name: c for c in context.findings.contenders}
    drawn = []
    for result in context.findings.sweeps:
        sweep = result.sweep
        known = [by_name[p.contender] for p in sweep.points]
        if not any(c.n for c in known) or not context.includes(*(c.name for c in known)):
            continue
        dots = [
            accuracy_dot(replace(c, name=p.label), f"n = {c.n}, test accuracy") if c.n else None
            for p, c in zip(sweep.points, known, strict=True)
        ]
        comparable = context.study.comparable  # marks of a whole study's figures mislead beside those of a cut one
        published = [p.reported.test_accuracy if comparable else None for p in sweep.points]
        head, labels = sentences.short_labels([p.label for p in sweep.points])
        svg = figures.sweep(sweep.question or sweep.name, head, labels, dots, published)
        seeds = sample_sizes(c.n for c in known)
        drawn.append(Figure(sweep.name, svg, f"{sentences.of_sweep(result)} {seeds}.{_unplaced(sweep)}"))
        drawn += _by_step(context, sweep, labels)
    words = "Mean test accuracy with 95 % intervals for new seeds and images against the value that is varied."
    return [Paragraph(words), Figures(drawn)] if drawn else []


def _unplaced(sweep: Sweep) -> str:
    """The figures that a report gives for values that it does not print: they have no place on the axis."""
    values = [percent(value) for value in sweep.reported]
    return f" The report gives {listing(values)} for values that it does not print." if values else ""


def _by_step(context: Context, sweep: Sweep, labels: Sequence[str]) -> list[Figure]:
    """Train accuracy of a sweep's points against the step, where the records have curves within their epochs."""
    lines = []
    for i, (label, point) in enumerate(zip(labels, sweep.points, strict=True), 1):
        runs = context.finished.get(point.contender)
        if runs and (line := course_by_step(label, runs, 2, f"s{i}" if i <= SERIES else "s0")):
            lines.append(line)
    if not lines:
        return []
    svg = figures.curves(lines, "step", "train accuracy", "other value")
    return [Figure(f"{sweep.name}-by-step", svg, f"{sweep.question or f'{sweep.name}.'} Train accuracy by step.")]


SECTION = Kind(blocks, title="Sweeps")
