"""What users add without touching the package: entry points of installed packages, and files given with --plugin.

A package declares entry points in the groups `bakeoff.models`, `bakeoff.datasets`, ...; its choices are called
`PACKAGE:NAME`. A file FILE.py has tables at its top level, `MODELS = {"name": function}`, `DATASETS`, ...; its choices
are called `FILE:NAME`. A file is named on the command line only: nothing that is read, a study or a record, runs code.

A plug-in counts for the name of a run, and is recorded, by its version: a package's, or the SHA-256 of a file.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.util
import re
import sys
import types
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from bakeoff.errors import BakeoffError, UsageError

GROUPS = ("models", "datasets", "augmentations", "preprocessing", "losses", "metrics", "sections")
"""The kinds of choices that plug-ins add to: `bakeoff.models` of entry points, `MODELS` of a file."""


@dataclasses.dataclass(frozen=True)
class PluginFile:
    """A loaded file and its tables."""

    path: Path
    source: bytes
    tables: Mapping[str, Mapping[str, Any]]
    """By group: functions, or entries, by their names."""

    @property
    def version(self) -> str:
        return f"sha256:{hashlib.sha256(self.source).hexdigest()}"


FILES: dict[str, PluginFile] = {}
"""The loaded files, by their names without .py."""


def load_plugin(path: str | Path) -> None:
    """Run FILE.py and add what its tables hold, as `--plugin FILE.py` does.

    The file stands alone: its folder is not on the module path, so that its SHA-256 is that of all its code.

    Raises:
        UsageError: no such file, it fails, it has no table, or another file of its name is loaded.
    """
    path = Path(path)
    if path.suffix != ".py" or not re.fullmatch(r"[\w-]+", path.stem):
        raise UsageError(f"plug-in {path}: must be a file FILE.py whose name has letters, digits, _ and - only")
    try:
        source = path.read_bytes()
    except OSError as error:
        raise UsageError(f"plug-in {path}: {error.strerror}") from None
    run_plugin(path.absolute(), source)


def run_plugin(path: Path, source: bytes) -> None:
    """`load_plugin` for a file that is read already: a worker process runs what its parent has read."""
    name = path.stem
    loaded = FILES.get(name)
    if loaded and loaded.path != path:
        raise UsageError(f"plug-in {path}: {loaded.path} has the same name: rename one of them")
    if loaded and loaded.source == source:
        return
    module = types.ModuleType(f"bakeoff_plugin_{name}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # where dataclasses and pickles look for it
    try:
        exec(compile(source, path, "exec"), module.__dict__)
    except Exception as error:  # a user's file can fail in any way
        raise UsageError(f"plug-in {path}: {type(error).__name__}: {error}") from None
    tables = {group: vars(module)[group.upper()] for group in GROUPS if group.upper() in vars(module)}
    if not tables:
        raise UsageError(f"plug-in {path}: it has no table such as MODELS = {{'name': function}}")
    for group, table in tables.items():
        if not isinstance(table, dict) or not all(re.fullmatch(r"[\w.-]+", str(key)) for key in table):
            raise UsageError(f"plug-in {path}: {group.upper()} must be a table such as {{'name': function}}")
    FILES[name] = PluginFile(path, source, tables)


def loaded_files() -> tuple[tuple[Path, bytes], ...]:
    """The loaded files, for the `run_plugin` of a worker process."""
    return tuple((file.path, file.source) for file in FILES.values())


@functools.cache
def _entry_points(group: str, _path: tuple[str, ...]) -> dict[str, metadata.EntryPoint]:
    """Those of a group by `PACKAGE:NAME`."""
    points = metadata.entry_points(group=f"bakeoff.{group}")
    return {f"{point.dist.name}:{point.name}": point for point in points if point.dist}


def names(group: str) -> Iterator[str]:
    """What plug-ins add to a group."""
    if group in GROUPS:
        for name, file in FILES.items():
            yield from (f"{name}:{key}" for key in file.tables.get(group, ()))
        yield from (name for name in _entry_points(group, tuple(sys.path)) if name.partition(":")[0] not in FILES)


def find(group: str, name: str) -> Any:
    """The function, or entry, that a plug-in adds under this name.

    Raises:
        KeyError: there is none.
        UsageError: its package fails to import.
    """
    plugin, colon, key = name.partition(":")
    if not colon or group not in GROUPS:
        raise KeyError(name)
    if plugin in FILES:
        return FILES[plugin].tables.get(group, {})[key]
    point = _entry_points(group, tuple(sys.path))[name]
    try:
        return point.load()
    except Exception as error:  # a user's package can fail in any way
        raise UsageError(f"plug-in {name}: {point.value} cannot be loaded: {type(error).__name__}: {error}") from None


def version(plugin: str) -> str | None:
    """The SHA-256 of a loaded file, or the version of an installed package; None: there is no such plug-in.

    The version of a package installed for editing is followed by the SHA-256 of its code, which may change without it.
    """
    if plugin in FILES:
        return FILES[plugin].version
    try:
        package = metadata.distribution(plugin)
    except (metadata.PackageNotFoundError, ValueError):
        return None
    if '"editable": true' not in (package.read_text("direct_url.json") or ""):
        return package.version
    digest = hashlib.sha256()
    for top in sorted({point.module.partition(".")[0] for point in package.entry_points}):
        module = importlib.util.find_spec(top)
        for folder in (module.submodule_search_locations or ()) if module else ():
            for file in sorted(Path(folder).rglob("*.py")):
                digest.update(file.relative_to(folder).as_posix().encode() + file.read_bytes())
    return f"{package.version}+sha256:{digest.hexdigest()}"


def absent(group: str, name: str) -> str:
    """How to get the plug-in that an unknown name needs; empty where it needs none."""
    plugin, colon, _ = name.partition(":")
    if not colon or not re.fullmatch(r"[\w.-]+", plugin) or group not in GROUPS or version(plugin):
        return ""
    return f": there is no plug-in {plugin!r}: give its file with --plugin {plugin}.py, or install the package {plugin}"


def check_plugins(recorded: Mapping[str, str], where: str) -> None:
    """That the plug-ins with which something was made are the ones that are loaded or installed.

    Raises:
        BakeoffError: one is absent, or of another version.
    """
    for plugin, needed in recorded.items():
        present = version(plugin)
        if present != needed:
            how = f"give it with --plugin {plugin}.py" if needed.startswith("sha256:") else "install it"
            here = "none is here" if present is None else f"the one here is {_short(present)}"
            raise BakeoffError(f"{where} needs the plug-in {plugin} of {_short(needed)}, and {here}: {how}")


def _short(version: str) -> str:
    """A version in a sentence: 12 digits of a SHA-256."""
    number, mark, digest = version.partition("sha256:")
    return f"{number}SHA-256 {digest[:12]}..." if mark else f"version {version}"
