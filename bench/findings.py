"""Write the tables of docs/findings.md: what became of each hypothesis, from the pages kept in results/.

python bench/findings.py

A hypothesis may have been tried at several scales. That with the most runs counts, of those that leave networks and
images as they are in the report; else that of a scale that cuts them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from bakeoff.report.format import points
from bakeoff.spec.plan import make_plan
from bakeoff.studies.packaged import find_study, published_studies

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docs" / "findings.md"
SCALES = ("full", "evening", "laptop")
BLOCK = "<!-- {} -->\n{}<!-- end of {} -->"
HEADS = ("hypothesis", "what we found", "difference, points [95 %]", "runs", "at scale")
FOUND = {
    "supported": "shown",
    "contradicted": "refuted",
    "as good": "refuted: equivalent within the margin",
    "undecided": "cannot be decided yet",
    "no result": "cannot be decided",
}
"""Words for the results of hypotheses that were tried."""


class Trial(NamedTuple):
    """What one scale's page says of a hypothesis."""

    scale: str
    runs: tuple[int, int]
    """Of both contenders, those that did not train among them."""
    entry: dict[str, Any]


def tables(root: Path = ROOT / "results") -> dict[str, str]:
    """By the study's name: a table of the report's hypotheses and one of ours."""
    return {name: _tables(name, root) for name in published_studies()}


def _tables(name: str, root: Path) -> str:
    blocks = []
    for source, title in (("report", "What the report says"), ("ours", "Our own hypotheses")):
        rows = []
        for hypothesis in find_study(name).hypotheses:
            if hypothesis.source == source:
                trials = _trials(name, hypothesis.says, root)
                rows.append(_row(name, hypothesis.says, trials))
        if rows:
            lines = [f"| {' | '.join(cells)} |" for cells in (HEADS, ["---"] * len(HEADS), *rows)]
            blocks.append("\n".join([f"{title}:", "", *lines]))
    return "\n\n".join(blocks) + "\n"


def _trials(name: str, says: str, root: Path) -> list[Trial]:
    """Where the hypothesis was tried, the best evidence first."""
    trials = []
    for scale in SCALES:
        file = root / name / scale / "summary.json"
        if not file.exists():
            continue
        summary = json.loads(file.read_text())
        counts = {c["name"]: c["n"] + c["failed"] for c in summary["contenders"]}
        entries = [h for h in summary["hypotheses"] if h["says"] == says and h["result"] != "not run"]
        trials += [Trial(scale, (counts[h["better"]], counts[h["worse"]]), h) for h in entries]
    plans = {trial.scale: make_plan(find_study(name), trial.scale) for trial in trials}
    return sorted(
        trials, key=lambda trial: (not plans[trial.scale].comparable, trial.scale == "laptop", -min(trial.runs))
    )


def _row(name: str, says: str, trials: list[Trial]) -> list[str]:
    if not trials:
        return [says, "not run", "–", "–", "–"]
    scale, runs, entry = trials[0]
    words = entry["verdict"].removeprefix(entry["result"]).lstrip(":; ")
    outcome = f"**{FOUND[entry['result']]}**" + (f": {words}" if words else "")
    difference = "–"
    if "difference" in entry:
        difference = f"{points(entry['difference'])} [{points(entry['low'])}, {points(entry['high'])}]"
    others = ", ".join(f"{trial.scale}: {FOUND[trial.entry['result']]}" for trial in trials[1:])
    where = f"[{scale}](../results/{name}/{scale}/report.md)" + (f" ({others})" if others else "")
    return [says, outcome, difference, f"{runs[0]} and {runs[1]}", where]


def page(text: str) -> str:
    """The text of docs/findings.md with today's tables."""
    for name, table in tables().items():
        pattern = re.escape(f"<!-- {name} -->") + ".*?" + re.escape(f"<!-- end of {name} -->")
        if not re.search(pattern, text, re.DOTALL):
            raise SystemExit(f"{FILE} has no part <!-- {name} --> ... <!-- end of {name} -->")
        block = BLOCK.format(name, table, name)
        text = re.sub(pattern, lambda _, block=block: block, text, flags=re.DOTALL)
    return text


def main() -> int:
    FILE.write_text(page(FILE.read_text(encoding="utf-8")), encoding="utf-8")
    print(FILE)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
