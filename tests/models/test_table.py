"""The table of models that is kept against the models."""

import json

from bakeoff.models import MODELS
from bakeoff.models.table import TABLE, describe_model, describe_models


def test_the_table_is_what_the_models_are() -> None:
    """Else: python bench/model_table.py --render."""
    rows = json.loads(json.dumps([describe_model(name) for name in MODELS.builtin]))
    assert describe_models()[: len(rows)] == rows == json.loads(TABLE.read_text(encoding="utf-8"))
