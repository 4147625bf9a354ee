"""Names that changed: an error names the new one; records that have the old one are read as if they had the new."""

MODELS = {"spotter": "patch_classifier", "locator": "heatmap_classifier"}
RECIPE = {"feed": "task", "views": "tta", "fits": "rounds"}
"""Fields of a recipe."""
KEYS = {**RECIPE, "claims": "hypotheses"}
"""Keys of a study file, its recipes' among them."""
TASKS = {"split": "images", "fresh": "generated", "placed": "heatmap"}
