"""The fields of Recipe, and of how runs are executed, as options of a command."""

from __future__ import annotations

import functools
import pkgutil
import re
import textwrap
import typing
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from bakeoff.spec.settings import Frozen

FLAGS = 24
"""Columns of help for an option's name."""


class FieldsCommand(click.Command):
    """A command whose options are, beside its own, the fields of Execution and Recipe, read off when it is used.

    Args:
        execution: the class of its Execution, as "module:name".
    """

    def __init__(self, *arguments: Any, execution: str, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.execution = execution

    @functools.cached_property
    def fields(self) -> dict[str, list[click.Option]]:
        """The options of each section of the help. What the command declares itself stays as it is."""
        from bakeoff.spec import Recipe

        declared = {parameter.name for parameter in self.params}
        models = {"Execution": pkgutil.resolve_name(self.execution), "Recipe": Recipe}
        return {
            title: [option for option in field_options(model) if option.name not in declared]
            for title, model in models.items()
        }

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        from bakeoff.spec import renamed

        # what has another name now is taken, so that Recipe itself can tell the new one
        hidden = [click.Option([f"--{name}"], hidden=True) for name in renamed.RECIPE]
        return [*super().get_params(ctx), *(option for group in self.fields.values() for option in group), *hidden]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verb's own options, then the fields; a line breaks at spaces, and within a choice after a comma only."""
        declared = [parameter for parameter in super().get_params(ctx) if isinstance(parameter, click.Option)]
        for title, options in {"Options": declared, **self.fields}.items():
            with formatter.section(title):
                for name, text in filter(None, (option.get_help_record(ctx) for option in options)):
                    formatter.write(_described(name, text, formatter.current_indent, formatter.width))


def _described(name: str, text: str, indent: int, width: int) -> str:
    """The lines of help on one option."""
    first, rest = f"{'':{indent}}{name}", " " * (indent + FLAGS)
    alone = len(name) > FLAGS - 2
    wrapper = textwrap.TextWrapper(
        width,
        initial_indent=rest if alone else first.ljust(len(rest)),
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    wrapper.wordsep_simple_re = re.compile(r"(\s+|(?<=,)(?=\S))")
    return (f"{first}\n" if alone else "") + wrapper.fill(text) + "\n"


def field_options(model: type[Frozen]) -> list[click.Option]:
    """An option for each field of a model but what it calls; the model itself checks values, so that nothing is said
    twice."""
    options = []
    for name, field in model.model_fields.items():
        kind, choices = typing.get_origin(field.annotation), typing.get_args(field.annotation)
        if kind is Callable:
            continue
        flag, switch, many = "--" + name.replace("_", "-"), field.annotation is bool, kind is tuple
        menu = " | ".join(choices) if kind is typing.Literal else ""
        about = "; ".join(filter(None, (menu, field.description)))
        default = "" if field.default is None else f"  [{'none' if many else field.default}]"
        options.append(
            click.Option(
                [f"{flag}/--no-{flag[2:]}" if switch else flag],
                default=None,
                multiple=many,
                metavar=None if switch else "VALUE",
                help=f"{about}{_range(field.metadata)}{default}",
            )
        )
    return options


def _range(metadata: Iterable[Any]) -> str:
    """The bounds of a field, as its annotation gives them."""
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    bounds = [f"{sign} {getattr(m, key):g}" for m in metadata for key, sign in signs.items() if hasattr(m, key)]
    return f" ({', '.join(bounds)})" if bounds else ""
