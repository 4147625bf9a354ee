"""The page's tables for LaTeX, and the summary's numbers as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from bakeoff.report.render.blocks import Table

SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    **{"−": "$-$", "–": "--", "×": r"$\times$", "→": r"$\rightarrow$", "±": r"$\pm$", "<": "$<$", ">": "$>$"},
    **{"[": "{[}", "†": r"\dag{}", "‡": r"\ddag{}", "·": r"\textperiodcentered{}", "“": "``", "”": "''"},
}


def rows_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV: a column for every key that any row has, empty where a row lacks it. Of a value that is a mapping
    each item is a column, `test_accuracy_mean`; of a contender's seeds the records tell more than a cell could."""
    flat = [_flat(row) for row in rows]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(dict.fromkeys(key for row in flat for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return buffer.getvalue()


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}_{inner}": item for inner, item in value.items()}
        elif key != "seeds":
            flat[key] = value
    return flat


def latex(table: Table) -> str:
    """The table as a float for a LaTeX document; plots are left out."""
    columns = [table.columns[i] for i in table.written]
    lines = [
        r"% \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escaped(f'{table.title}. {table.note}'.strip())}}}",
        rf"\label{{tab:{table.name}}}",
        rf"\begin{{tabular}}{{{''.join('r' if column.align == 'number' else 'l' for column in columns)}}}",
        r"\toprule",
        " & ".join(escaped(column.label) for column in columns) + r" \\",
        r"\midrule",
        *(" & ".join(escaped(row[i].text) for i in table.written) + r" \\" for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Plain text as LaTeX."""
    return "".join(SPECIAL.get(sign, sign) for sign in text.replace("\n", " "))
