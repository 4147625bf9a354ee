"""Registries: one table for each kind of choice, whose entries carry settings, doc line and function.

A choice is written `NAME` or `NAME:key=value,key=value`. `--help`, documents, errors and digests are made from these
tables; what users add (spec/plugins.py) joins them under names with a colon, `PLUGIN:NAME`.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from bakeoff.errors import UsageError, closest
from bakeoff.spec import plugins
from bakeoff.spec.settings import Frozen, schema_of, validate

S_co = TypeVar("S_co", bound=Frozen, covariant=True)


@dataclasses.dataclass(frozen=True)
class Entry(Generic[S_co]):
    """One choice.

    Its function is given as such, as "module:name", which is imported when the function is needed, or as settings
    whose methods do the work.
    """

    code: Callable[..., Any] | str
    schema: type[S_co] | None = None
    """Its settings; None: the function's keyword-only parameters."""

    @functools.cached_property
    def function(self) -> Callable[..., Any]:
        """What does the work."""
        function: Callable[..., Any] = pkgutil.resolve_name(self.code) if isinstance(self.code, str) else self.code
        return function

    @functools.cached_property
    def settings(self) -> type[S_co]:
        """Their types, ranges and defaults."""
        settings: Any = self.schema or schema_of(self.function)
        return settings  # type: ignore[no-any-return]

    @property
    def about(self) -> str:
        """The first paragraph of its docstring, on one line."""
        return " ".join((inspect.getdoc(self.function) or "").partition("\n\n")[0].split())


E_co = TypeVar("E_co", bound=Entry[Any], covariant=True)


@dataclasses.dataclass(eq=False)
class Registry(Mapping[str, E_co]):
    """The choices of one kind by name: those of the package, in the order of its table, then those of plug-ins."""

    key: str
    """What errors call it: a recipe's key, `schedule`, or a word, `model`."""
    builtin: Mapping[str, E_co]
    """The package's own."""
    kind: type[E_co] = Entry  # type: ignore[assignment]
    """The class of the entries, into which a plug-in's function is put."""
    group: str = ""
    """The plug-ins' table of this kind, one of plugins.GROUPS; none: users add nothing to it."""
    renamed: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """What earlier versions called a choice, and what it is called now."""

    def __getitem__(self, name: str) -> E_co:
        if name in self.builtin:
            return self.builtin[name]
        value = plugins.find(self.group, name)
        if isinstance(value, self.kind):
            return value
        if isinstance(value, Entry) or not callable(value):
            raise UsageError(f"{self.key} {name}: must be a function, and is of type {type(value).__name__}")
        return self.kind(value)

    def __iter__(self) -> Iterator[str]:
        yield from self.builtin
        yield from plugins.names(self.group)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def find(self, name: str) -> E_co:
        """The entry of that name.

        Raises:
            UsageError: there is none; the closest are named.
        """
        try:
            return self[name]
        except KeyError:
            if name in self.renamed:
                raise UsageError(f"{self.key}: {name!r} is now called {self.renamed[name]!r}") from None
            if (start := name.partition(":")[0]) in self.builtin:
                raise UsageError(f"{self.key}: {name!r}: settings are written {start}:key=value,key=value") from None
            why = plugins.absent(self.group, name) or closest(name, self)
            raise UsageError(f"{self.key}: unknown choice {name!r}{why}") from None

    def choose(self: Registry[Entry[S_co]], text: str) -> tuple[str, S_co]:
        """The name in `NAME:key=value,...`, and its settings, validated.

        Raises:
            UsageError: no such name or key, or a value out of range.
        """
        name, values = parse_choice(text)
        return name, validate(self.find(name).settings, values, f"{self.key} {name}")

    def bound(self, text: str) -> Callable[..., Any]:
        """The function that is chosen, with its settings given.

        Raises:
            UsageError: as `choose` does.
        """
        name, settings = self.choose(text)
        return functools.partial(self[name].function, **settings.model_dump())

    def versions(self, texts: Iterable[str]) -> dict[str, str]:
        """The versions of the plug-ins, by their names, from which choices come."""
        added = set(plugins.names(self.group)).intersection(parse_choice(text)[0] for text in texts)
        used = sorted({name.partition(":")[0] for name in added})
        return {plugin: plugins.version(plugin) or "" for plugin in used}

    def menu(self) -> str:
        """The package's choices with their settings and defaults: `constant | step:every=3,gamma=0.1`."""
        lines = []
        for name, entry in self.builtin.items():
            pairs = [f"{key}={_text(field.default)}" for key, field in entry.settings.model_fields.items()]
            lines.append(f"{name}:{','.join(pairs)}" if pairs else name)
        return " | ".join(lines)


def parse_choice(text: str) -> tuple[str, dict[str, str]]:
    """`step:every=3,gamma=0.6` -> ("step", {"every": "3", "gamma": "0.6"}).

    The name may itself hold colons (a path, a plug-in's name): only a tail of key=value pairs is taken for settings.
    """
    match = re.fullmatch(r"(?P<name>.*?)(?::(?P<options>\w+=[^,]*(?:,\w+=[^,]*)*))?", text.strip(), re.DOTALL)
    assert match is not None
    pairs = (match["options"] or "").split(",") if match["options"] else []
    return match["name"], dict(pair.split("=", 1) for pair in pairs)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
