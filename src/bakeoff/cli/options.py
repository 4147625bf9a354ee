"""The fields of Recipe as options of a command."""

from __future__ import annotations

import typing
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from bakeoff.spec import Recipe


class RecipeCommand(click.Command):
    """A command whose options are the fields of Recipe, read off when the command is used."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        from bakeoff.spec import Recipe

        if not any(parameter.name in Recipe.model_fields for parameter in self.params):
            self.params += recipe_options(Recipe)
        return super().get_params(ctx)


def recipe_options(recipe: type[Recipe]) -> list[click.Option]:
    """An option for each field; the values are validated by Recipe itself, so that nothing is said twice."""
    options = []
    for name, field in recipe.model_fields.items():
        flag = "--" + name.replace("_", "-")
        many = typing.get_origin(field.annotation) is tuple
        default = "none" if many else field.default
        choices = typing.get_args(field.annotation) if typing.get_origin(field.annotation) is typing.Literal else ()
        about = " | ".join(choices) + ("; " if choices and field.description else "") + (field.description or "")
        options.append(
            click.Option(
                [f"{flag}/--no-{flag[2:]}" if field.annotation is bool else flag],
                default=None,
                multiple=many,
                metavar=None if field.annotation is bool else "VALUE",
                help=f"{about}{_range(field.metadata)}  [{default}]",
            )
        )
    return options


def _range(metadata: Iterable[Any]) -> str:
    """The bounds of a field, as its annotation gives them."""
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    bounds = [f"{sign} {getattr(m, key):g}" for m in metadata for key, sign in signs.items() if hasattr(m, key)]
    return f" ({', '.join(bounds)})" if bounds else ""
