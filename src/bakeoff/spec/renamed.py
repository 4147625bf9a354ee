"""Names that changed. A study that uses an old one is told the new one; records keep the old one and mean the same."""

MODELS = {"spotter": "patch_classifier", "locator": "heatmap_classifier"}
RECIPE = {"feed": "task", "views": "tta", "fits": "rounds"}
"""Fields of a recipe."""
KEYS = {**RECIPE, "claims": "hypotheses"}
"""Keys of a study file, its recipes' among them."""
TASKS = {"split": "images", "fresh": "generated", "placed": "heatmap"}
