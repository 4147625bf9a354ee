"""What a dataset is called: a name, or a path, perhaps with options."""

from __future__ import annotations

import pkgutil
from pathlib import PurePath
from typing import Annotated

from pydantic import AfterValidator

from bakeoff.spec.registry import parse_choice


def plain_reference(reference: str) -> str:
    """A reference to a dataset with its path written plainly: `./a//b.npz:size=28` as `a/b.npz:size=28`.

    A relative and an absolute path stay two, for only the file system knows what they lead to; so does `..`.
    """
    name = parse_choice(reference)[0]
    path = PurePath(name).as_posix()
    if not name or path == name:
        return reference
    named = pkgutil.resolve_name("bakeoff.data.sources:SOURCES").builtin  # `./digits` is a path, `digits` a dataset
    return reference if path in named else reference.replace(name, path, 1)


Reference = Annotated[str, AfterValidator(plain_reference)]
