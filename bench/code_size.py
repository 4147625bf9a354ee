"""How large the code is: lines without blanks, comments and docstrings, the longest functions and files, cycles.

    python bench/code_size.py

tests/test_size.py holds the limits: what is over one must shrink, or the commit that raises it say what was added.
"""

from __future__ import annotations

import ast
import dataclasses
import graphlib
import io
import sys
import tokenize
from collections.abc import Container, Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"
NO_CODE = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    *(tokenize.ENDMARKER, tokenize.ENCODING),
}


@dataclasses.dataclass
class Sizes:
    """Of all modules below a folder."""

    code_lines: int = 0
    functions: list[tuple[int, str]] = dataclasses.field(default_factory=list)
    """Lines and place of each, docstring included."""
    files: list[tuple[int, str]] = dataclasses.field(default_factory=list)
    cycle: list[str] = dataclasses.field(default_factory=list)
    """Modules that import each other in a circle as they are loaded, if any do."""

    @property
    def long_function(self) -> int:
        """The 95th percentile of the functions' lines."""
        return sorted(self.functions)[int(0.95 * len(self.functions))][0]


def measure(folder: Path = SOURCE) -> Sizes:
    """The sizes of the modules below `folder`."""
    sizes, imports = Sizes(), dict[str, set[str]]()
    modules = {_name(path, folder): path for path in sorted(folder.rglob("*.py"))}
    for name, path in modules.items():
        text = path.read_text(encoding="utf-8")
        tree, place = ast.parse(text), path.relative_to(folder).as_posix()
        sizes.code_lines += len(_code_lines(text) - _docstring_lines(tree))
        sizes.files.append((len(text.splitlines()), place))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                sizes.functions.append(((node.end_lineno or 0) - node.lineno + 1, f"{place}:{node.lineno} {node.name}"))
        imports[name] = {module for module in _imported(tree, modules) if module in modules and module != name}
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        sizes.cycle = error.args[1]
    return sizes


def _name(path: Path, folder: Path) -> str:
    return ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")


def _code_lines(text: str) -> set[int]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {line for t in tokens if t.type not in NO_CODE for line in range(t.start[0], t.end[0] + 1)}


def _docstring_lines(tree: ast.Module) -> set[int]:
    """Lines of the texts that stand alone in a module, class or function: docstrings, and those of attributes."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for statement in node.body:
                match statement:
                    case ast.Expr(value=ast.Constant(value=str()), lineno=first, end_lineno=int(last)):
                        lines.update(range(first, last + 1))
    return lines


def _imported(tree: ast.AST, modules: Container[str]) -> Iterator[str]:
    """The modules that are imported as this one is loaded: not in a function, nor for type checkers only."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.If(test=ast.Name(id="TYPE_CHECKING")):
                continue
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield from (full if (full := f"{module}.{alias.name}") in modules else module for alias in names)
            case _:
                yield from _imported(node, modules)


def main() -> int:
    sizes = measure()
    print(f"{sizes.code_lines:,} lines of code in {len(sizes.files)} files and {len(sizes.functions):,} functions")
    print(f"95th percentile of functions: {sizes.long_function} lines")
    for what, items in (("functions", sizes.functions), ("files", sizes.files)):
        print(f"longest {what}: " + ", ".join(f"{place} ({lines})" for lines, place in sorted(items)[-5:][::-1]))
    print(f"import cycle: {' -> '.join(sizes.cycle)}" if sizes.cycle else "no import cycle")
    return 0


if __name__ == "__main__":
    sys.exit(main())
