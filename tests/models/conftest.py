"""What the tests of the models share."""

from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def torchvision_models() -> ModuleType:
    """torchvision's models, where that package can be imported: not beside every build of PyTorch."""
    try:
        from torchvision import models
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"torchvision cannot be imported: {error}")
    return models
