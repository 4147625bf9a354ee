"""A plan's overrides in words."""

from __future__ import annotations

from collections import defaultdict

from bakeoff.report.format import few
from bakeoff.spec.override import ABSENT_WEIGHTS
from bakeoff.spec.plan import Plan


def sentences(plan: Plan) -> list[str]:
    """What the plan has otherwise than its study file, a few words each: `images: 6000 instead of all`."""
    words, left_out = list[str](), list[str]()
    for override in plan.overrides:
        match override.path:
            case ("dataset" | "images" | "seeds" | "validation" as key,):
                new, old = (
                    f"{v:.3g}" if isinstance(v, float) else str(v) for v in (override.new, override.old or "all")
                )
                words.append(f"{key}: {new} instead of {old}")
            case ("runs",):
                left_out.append(f"{override.new} of {override.old} runs")
            case ("datasets", name):
                left_out.append(f"{name}: not at hand, `bakeoff data fetch {name}` gets it")
            case ("contenders", name) if override.source == ABSENT_WEIGHTS:
                fetch = f"bakeoff data fetch weights/{override.old}"
                left_out.append(f"{name}: its weights are not at hand, `{fetch}` gets them")
    kept, cut = len(plan.contenders), sum(o.path[0] == "contenders" and len(o.path) == 2 for o in plan.overrides)
    return words + _of_contenders(plan) + ([f"{kept} of {kept + cut} contenders"] if cut else []) + left_out


def part_of_study(plan: Plan) -> str:
    """What this plan is of the whole study: in its scale's words, or else override by override; empty: all."""
    sources = {o.source for o in plan.overrides if not o.source.startswith("needs ")}
    only_scaled = sources <= {f"scale {plan.scale}"}
    return (plan.scale_about if only_scaled and plan.overrides else "") or "; ".join(sentences(plan))


def _of_contenders(plan: Plan) -> list[str]:
    """What recipes and parameters have otherwise: `epochs = 3 in every recipe`, `epochs = 5 for a and b`."""
    changed, common = defaultdict[tuple[str, str], list[str]](list), set[tuple[str, str]]()
    trained = [c.recipe for c in plan.contenders if not c.ensemble]
    for override in plan.overrides:
        if len(override.path) == 4:
            (_, name, kind, key), value = override.path, override.new
            change = key, (", ".join(value) or "none") if isinstance(value, tuple) else str(value)
            changed[change].append(name)
            if kind == "recipe" and all(getattr(recipe, key) == value for recipe in trained):
                common.add(change)
    where = {change: "in every recipe" if change in common else f"for {few(changed[change])}" for change in changed}
    return [f"{key} = {value} {where[key, value]}" for key, value in sorted(changed, key=lambda change: change[0])]
