"""What is asked for: recipes, contenders, runs and studies; validated, frozen, hashable."""

from bakeoff.spec.recipe import RESULTS, Contender, Recipe, Reported, RunSpec, Value

__all__ = ["RESULTS", "Contender", "Recipe", "Reported", "RunSpec", "Value"]
