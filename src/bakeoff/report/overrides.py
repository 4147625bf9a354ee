"""A plan's overrides in words."""

from __future__ import annotations

from typing import Any

from bakeoff.spec.override import ABSENT_WEIGHTS
from bakeoff.spec.plan import Plan


def sentences(plan: Plan) -> list[str]:
    """What the plan has otherwise than its study file, a few words each: `images: 6000 instead of all`."""
    sizes = [o for o in plan.overrides if o.path in (("dataset",), ("images",), ("seeds",))]
    words = [f"{o.path[0]}: {o.new} instead of {o.old or 'all'}" for o in sizes]
    words += _of_contenders(plan)
    if left_out := [o for o in plan.overrides if o.path[0] == "contenders" and len(o.path) == 2]:
        kept = len(plan.contenders)
        words.append(f"{kept} of {kept + len(left_out)} contenders")
    words += [f"{o.new} of {o.old} runs" for o in plan.overrides if o.path == ("runs",)]
    absent = [o.path[1] for o in plan.overrides if o.path[0] == "datasets"]
    words += [f"{name}: not at hand, `bakeoff data fetch {name}` gets it" for name in absent]
    return words + [
        f"{o.path[1]}: its weights are not at hand, `bakeoff data fetch weights/{o.old}` gets them"
        for o in left_out
        if o.source == ABSENT_WEIGHTS
    ]


def part_of_study(plan: Plan) -> str:
    """What this plan is of the whole study: in its scale's words, or else override by override; empty: all."""
    only_scaled = all(override.source == f"scale {plan.scale}" for override in plan.overrides)
    return (plan.scale_about if only_scaled and plan.overrides else "") or "; ".join(sentences(plan))


def _of_contenders(plan: Plan) -> list[str]:
    """What recipes and parameters have otherwise: `epochs = 3 in every other recipe`, `epochs = 5 for a, b`."""
    changed: dict[tuple[str, str], dict[Any, list[str]]] = {}
    for override in plan.overrides:
        if len(override.path) == 4:
            _, name, kind, key = override.path
            changed.setdefault((kind, key), {}).setdefault(override.new, []).append(name)
    trained = {c.name: c.recipe for c in plan.contenders if not c.ensemble}
    common, single = [], dict[str, list[str]]()
    for (kind, key), groups in changed.items():
        if kind == "recipe":
            value = max(groups, key=lambda value: len(groups[value]))
            others = {name: getattr(recipe, key) for name, recipe in trained.items() if getattr(recipe, key) != value}
            if 2 * len(others) < len(trained):
                common.append(f"{key} = {_shown(value)} in every{' other' * bool(others)} recipe")
                ensembles = {n: v for v, names in groups.items() if v != value for n in names}
                for name, other in (others | ensembles).items():
                    single.setdefault(f"{key} = {_shown(other)}", []).append(name)
                continue
        for value, names in groups.items():
            single.setdefault(f"{key} = {_shown(value)}", []).extend(names)
    return common + [f"{words} for {', '.join(names)}" for words, names in single.items()]


def _shown(value: Any) -> str:
    """A value as a reader's words."""
    return (", ".join(value) or "none") if isinstance(value, tuple) else str(value)
