"""What a section is made of: the study, its runs, and its numbers."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bakeoff.characters import displayable
from bakeoff.data.duplicates import Duplicates
from bakeoff.findings.contenders import ContenderResult
from bakeoff.findings.runs import Groups, by_contender, only_learnt
from bakeoff.findings.study import Findings, find_all, together
from bakeoff.record import Run
from bakeoff.record.manifest import Failed
from bakeoff.report.format import plural
from bakeoff.spec.plan import Plan
from bakeoff.spec.study import Section

FEW = 4
"""How many contenders stand side by side in a table or a diagram."""


@dataclasses.dataclass(frozen=True)
class Context:
    """One report's material.

    `by_dataset` has the findings on each of the study's datasets; `enough` says why contenders got no more seeds.
    """

    study: Plan
    runs: Sequence[Run]
    by_dataset: Sequence[Findings]
    command: str
    enough: Mapping[str, str]
    section: Section | None = None
    """The section that is made of it."""

    @classmethod
    def of(
        cls,
        study: Plan,
        runs: Sequence[Run],
        command: str = "",
        fresh: Sequence[Run] = (),
        failed: Sequence[Failed] = (),
        enough: Mapping[str, str] | None = None,
    ) -> Context:
        """The material of a plan's runs.

        Args:
            command: makes the report again.
            fresh: the selected contenders' runs on seeds that they were not selected by.
            failed: the runs without a record.
            enough: why contenders got no more seeds.

        Raises:
            BakeoffError: a damaged record, or runs of different data.
        """
        return cls(study, runs, find_all(study, runs, fresh, failed), command, enough or {})

    @functools.cached_property
    def ended(self) -> Groups:
        """The runs with predictions of each contender by its name, in order of seed."""
        return by_contender([c.name for c in self.study.contenders], self.runs)

    @functools.cached_property
    def finished(self) -> Groups:
        """Those of them that trained, on which all means rest."""
        return only_learnt(self.ended)

    @functools.cached_property
    def findings(self) -> Findings:
        """Those on all of the study's datasets."""
        return together(self.by_dataset)

    @functools.cached_property
    def parts(self) -> list[Context]:
        """This context for each of its datasets."""
        if len(self.study.datasets) == 1:
            return [self]
        each = zip(self.study.datasets, self.by_dataset, strict=True)
        return [dataclasses.replace(self, study=self.study.on(name), by_dataset=[findings]) for name, findings in each]

    @property
    def ranked(self) -> list[ContenderResult]:
        """Contenders with a result, best by validation accuracy first."""
        return self.findings.ranking

    @property
    def classes(self) -> list[str]:
        first = next(group[0] for group in self.finished.values() if group)
        return [displayable(str(name)) for name in first.dataset["classes"]]

    def includes(self, *names: str) -> bool:
        """Whether the section is of any of these contenders: of all, unless the study names some for it."""
        return not self.section or not self.section.of or bool({*self.section.of} & {*names})

    @property
    def contenders(self) -> list[ContenderResult]:
        """The ranked contenders that the section is of."""
        return [c for c in self.ranked if self.includes(c.name)]

    @property
    def preferred(self) -> list[str]:
        """The contenders that the study prefers in a section of this kind and that have a result."""
        names = [c.name for c in self.contenders]
        return [name for name in self.study.shown.get(self.section.kind if self.section else "", ()) if name in names]

    def first(self, most: int) -> list[str]:
        """The first `most` names, or FEW of those that the section is of: the selected contender, the preferred ones,
        then the best."""
        names = [c.name for c in self.contenders]
        most = max(most, FEW) if self.section and self.section.of else most
        best = self.findings.selected
        selected = [best.name] if best and best.name in names else []
        return list(dict.fromkeys((*selected, *self.preferred, *names)))[:most]

    def test(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Logits (n M, K) and labels (n M,) of the contender's test predictions, seed after seed."""
        runs = self.finished[name]
        logits = np.concatenate([run.logits("test") for run in runs])
        return logits, np.concatenate([run.labels("test") for run in runs])

    def facts(self) -> list[str]:
        """What the report rests on, in a few words each."""
        trained = sum(c.n for c in self.findings.contenders)
        failed = sum(c.failed for c in self.findings.contenders)
        facts = [
            f"{self.study.scale} scale",
            plural(len(self.study.contenders), "contender"),
            plural(trained, "run") + " that trained" + (f", {failed} that did not" if failed else ""),
            plural(self.study.seeds, "seed"),
        ]
        for name in self.study.datasets:
            first = next((run for run in self.runs if run.spec.dataset == name), None)
            if first:
                counts = first.dataset["counts"]
                facts.append(f"{name}: " + ", ".join(f"{sum(counts[s]):,} {s}" for s in counts))
                if twice := first.dataset.get("duplicates"):
                    facts += [f"{name}: {sentence}" for sentence in Duplicates(**twice).sentences()]
        return facts
