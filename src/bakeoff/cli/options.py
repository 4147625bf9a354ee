"""The fields of Recipe as options of a command."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from bakeoff.spec import Recipe

FLAGS = 24
"""Columns of help for an option's name."""


class RecipeCommand(click.Command):
    """A command whose options are the fields of Recipe, read off when the command is used."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        from bakeoff.spec import Recipe

        if not any(parameter.name in Recipe.model_fields for parameter in self.params):
            self.params += recipe_options(Recipe)
        return super().get_params(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verb's own options, then the recipe's; a line breaks within a choice after a comma only."""
        from bakeoff.spec import Recipe

        sections: dict[str, list[tuple[str, str]]] = {"Options": [], "Recipe": []}
        for parameter in self.get_params(ctx):
            if isinstance(parameter, click.Option) and (record := parameter.get_help_record(ctx)):
                sections["Recipe" if parameter.name in Recipe.model_fields else "Options"].append(record)
        for title, records in sections.items():
            with formatter.section(title):
                for name, text in records:
                    lines = wrapped(text, formatter.width - formatter.current_indent - FLAGS)
                    if len(name) > FLAGS - 2:
                        formatter.write(f"{'':{formatter.current_indent}}{name}\n")
                        name = ""
                    for line in lines:
                        formatter.write(f"{'':{formatter.current_indent}}{name:{FLAGS}}{line}\n")
                        name = ""


def wrapped(text: str, width: int) -> list[str]:
    """`text` in lines of `width` characters, broken at spaces, and after commas in what is longer than a line."""
    lines = [""]
    for word in text.split():
        for place, part in enumerate([word] if len(word) <= width else re.findall(r"[^,]+,?", word)):
            gap = " " if place == 0 and lines[-1] else ""
            if lines[-1] and len(lines[-1]) + len(gap) + len(part) > width:
                lines.append(part)
            else:
                lines[-1] += gap + part
    return lines


def recipe_options(recipe: type[Recipe]) -> list[click.Option]:
    """An option for each field; the values are validated by Recipe itself, so that nothing is said twice."""
    from bakeoff.spec import renamed

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
    # what has another name now is taken, so that Recipe itself can tell the new one
    options += [click.Option([f"--{name}"], hidden=True) for name in renamed.RECIPE]
    return options


def _range(metadata: Iterable[Any]) -> str:
    """The bounds of a field, as its annotation gives them."""
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    bounds = [f"{sign} {getattr(m, key):g}" for m in metadata for key, sign in signs.items() if hasattr(m, key)]
    return f" ({', '.join(bounds)})" if bounds else ""
