"""Validated, frozen settings, and the one sentence for settings that are not valid."""

from __future__ import annotations

import functools
import inspect
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    create_model,
    field_validator,
)

from bakeoff.characters import displayable
from bakeoff.errors import UsageError, closest
from bakeoff.spec import renamed

Shown = Annotated[str, AfterValidator(displayable)]
"""Text for pages and terminals, on one line."""


class Frozen(BaseModel):
    """Strict: an unknown key is an error, a value cannot change."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _listed(cls, value: Any, info: ValidationInfo) -> Any:
        """A list for a tuple: TOML and JSON have no tuples."""
        wanted = typing.get_origin(cls.model_fields[str(info.field_name)].annotation)
        return tuple(value) if wanted is tuple and isinstance(value, list) else value


F = TypeVar("F", bound=Frozen)


def validate(model: type[F], values: Mapping[str, Any], where: str, *, strict: bool = False) -> F:
    """`values` as a `model`, or one sentence that names `where`, the key and what is valid.

    Args:
        strict: take no text for a number and no truth value for one: for files, whose values have types. A command
            line has text only, and is read leniently.
    """
    try:
        return model.model_validate(values, strict=strict)
    except UsageError as failure:
        raise UsageError(f"{where}: {failure}") from None
    except ValidationError as failure:
        errors = failure.errors()
        error = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
        key = ".".join(str(part) for part in error["loc"])
        if error["type"] == "extra_forbidden":
            raise UsageError(f"{where}: {unknown_key(key, _keys_at(model, error['loc'][:-1]))}") from None
        if error["type"] == "missing":
            raise UsageError(f"{where}: {key} is missing") from None
        fault = (
            error["msg"].removeprefix("Value error, ").replace("Input should be", "must be").replace("tuple", "list")
        )
        fault = re.sub(r"a valid dictionary( or instance of \w+)?", "a table", fault[0].lower() + fault[1:])
        if not key:
            raise UsageError(f"{where}: {fault}") from None
        raise UsageError(f"{where}: {key} = {error['input']!r}: {fault}") from None


def unknown_key(key: str, valid: Iterable[str]) -> str:
    """What is wrong with a key such as `scales.small.sead`, of which the last part is not valid."""
    last = key.rpartition(".")[2]
    return (
        f"{key} is now called {renamed.KEYS[last]}"
        if last in renamed.KEYS
        else f"unknown key {key!r}{closest(last, valid)}"
    )


def _keys_at(model: type[Frozen], place: Iterable[int | str]) -> Iterable[str]:
    """The valid keys of the table at `place` below `model`."""
    for part in place:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        kinds = (annotation, *typing.get_args(annotation))
        model = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Frozen)), model)
    return model.model_fields


@functools.cache
def schema_of(function: Callable[..., Any]) -> type[Frozen]:
    """The keyword-only parameters of a function as settings: their types, ranges and defaults; settings are their own.

    Raises:
        UsageError: one has no type.
    """
    if isinstance(function, type) and issubclass(function, Frozen):
        return function
    parameters = inspect.signature(function, eval_str=True).parameters.values()
    named = [parameter for parameter in parameters if parameter.kind is inspect.Parameter.KEYWORD_ONLY]
    if bare := next((parameter.name for parameter in named if parameter.annotation is parameter.empty), None):
        raise UsageError(f"{function.__qualname__}: its parameter {bare!r} has no type, such as {bare}: int = 3")
    fields: dict[str, Any] = {
        parameter.name: (parameter.annotation, ... if parameter.default is parameter.empty else parameter.default)
        for parameter in named
    }
    return create_model(function.__name__, __base__=Frozen, **fields)
