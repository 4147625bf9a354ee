"""The figures that a report gives, and how far apart it gives those of one network."""

from __future__ import annotations

from bakeoff.spec.plan import Plan


def figures_of(study: Plan) -> dict[str, list[float]]:
    """Of each contender to which the report gives several test accuracies: those, in ascending order."""
    given: dict[str, set[float]] = {}
    for contender in (*study.contenders, *study.left_out):
        reported = contender.reported
        given.setdefault(contender.name, set()).update(
            value for value in (reported.test_accuracy, *reported.repeats) if value is not None
        )
    for sweep in (*study.sweeps, *study.left_out_points):
        for point in sweep.points:
            if point.reported.test_accuracy is not None:
                given.setdefault(point.contender, set()).add(point.reported.test_accuracy)
    return {name: sorted(values) for name, values in given.items() if len(values) > 1}


def noise(study: Plan) -> float:
    """The widest range of test accuracies that the report gives to one contender: its noise between single runs."""
    return max((values[-1] - values[0] for values in figures_of(study).values()), default=0.0)
