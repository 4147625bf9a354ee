"""The report's tables for other programs: the summary's numbers as CSV, the page's tables as LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from bakeoff.findings.tables import Summary
from bakeoff.report.render.blocks import Table

SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "−": "$-$",
    "–": "--",
    "×": r"$\times$",
    "†": r"\dag{}",
    "±": r"$\pm$",
    "·": r"\textperiodcentered{}",
    "●": r"$\bullet$",
    "◆": r"$\diamond$",
    "■": r"$\blacksquare$",
    "▲": r"$\blacktriangle$",
    "<": "$<$",
    ">": "$>$",
    "“": "``",
    "”": "''",
}


def table_files(tables: Mapping[str, Table], summary: Summary) -> dict[str, str]:
    """The texts of contenders.csv and comparisons.csv, fractions as in summary.json, and of each of `tables` as
    NAME.tex, by the files' names."""
    files = {f"{name}.tex": latex(table) for name, table in tables.items()}
    files["contenders.csv"] = rows_csv([_contender(c) for c in summary["contenders"]])
    files["comparisons.csv"] = rows_csv(summary["comparisons"])
    return files


def _contender(contender: Summary) -> dict[str, Any]:
    """A contender's numbers without nesting: `test_accuracy_mean`, `reported_seconds`; its seeds are in the records."""
    flat: dict[str, Any] = {}
    for key, value in contender.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}_{inner}": item for inner, item in value.items()}
        elif key != "seeds":
            flat[key] = value
    return flat


def rows_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV: a column for every key that any row has, empty where a row lacks it."""
    heads = list(dict.fromkeys(key for row in rows for key in row))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, heads, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def latex(table: Table) -> str:
    """The table for a LaTeX document that uses booktabs and amssymb; plots are left out."""
    shown = [i for i, head in enumerate(table.heads) if head.align != "plot"]
    aligned = "".join("l" if table.heads[i].align in ("text", "word") else "r" for i in shown)
    lines = [
        f"% {escaped(table.caption)}" if table.caption else "",
        rf"\begin{{tabular}}{{{aligned}}}",
        r"\toprule",
        " & ".join(escaped(table.heads[i].label) for i in shown) + r" \\",
        r"\midrule",
        *(" & ".join(escaped(row[i].text) for i in shown) + r" \\" for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(line for line in lines if line) + "\n"


def escaped(text: str) -> str:
    """Plain text as LaTeX."""
    return "".join(SPECIAL.get(sign, sign) for sign in text.replace("\n", " "))
