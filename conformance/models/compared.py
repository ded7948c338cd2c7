"""The comparison of several runtimes, as Python values and as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..measure.brief import Brief, Briefed, Table
from ..measure.numbers import DASH, number
from ..measure.plain import as_json, plain
from .differences import Differences
from .report import Report


@dataclass(repr=False)
class Pair(Briefed):
    """
    Two runtimes on the same inputs: measured, not judged, for both may be right.

    Attributes
    ----------
    left, right
        What the runtimes are called.
    inputs
        What the inputs are called: the family; empty where there is none.
    apart
        The left against the right: outputs, decisions, and nodes one by one.
    """

    left: str
    right: str
    inputs: str
    apart: Differences

    @property
    def brief(self) -> Brief:
        """The outputs of the two beside each other."""
        on = f" on {self.inputs}" if self.inputs else ""
        same = "the same decisions" if self.apart.decisions else "measured"
        changed = f"{self.apart.changed:,} decisions change" if self.apart.changed else same
        said = "outputs of other types" if self.apart.unlike else changed
        return Brief(
            f"{self.left} against {self.right}{on}", said, None, [self.apart.table], self.apart.unlike
        )


@dataclass(repr=False)
class Comparison(Briefed):
    """
    What `compare_runtimes` found.

    Attributes
    ----------
    reports
        The verdict on each runtime, for each set of inputs.
    pairs
        Every two of the runtimes that were run, for each set of inputs.
    not_run
        Why a runtime could not be run, by what it is called: whatever it was asked first stands for all.
    """

    reports: list[Report] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    not_run: dict[str, str] = field(default_factory=dict)

    @property
    def headings(self) -> list[str]:
        """The first lines of the reports, each once."""
        return list(dict.fromkeys(report.heading for report in self.reports))

    @property
    def wrong(self) -> list[Report]:
        """The reports of what was compared and found wrong."""
        return [report for report in self.reports if report.verdict == "wrong"]

    @property
    def compared(self) -> bool:
        """Whether anything was compared."""
        return any(report.compared for report in self.reports)

    @property
    def passed(self) -> bool:
        """Whether every runtime was run, and everything was compared and right."""
        return bool(self.reports) and not self.not_run and all(report.passed for report in self.reports)

    @property
    def brief(self) -> Brief:
        """A row for each runtime and set of inputs, and for each pair, and what is wrong."""
        judged = [
            (report.runtime, report.runtime_version, report.family or DASH, report.verdict)
            for report in self.reports
        ]
        tables = [Table(("runtime", "version", "inputs", "verdict"), judged)] if judged else []
        if pairs := [
            (
                f"{pair.left} against {pair.right}",
                pair.inputs or DASH,
                _furthest(pair),
                f"{pair.apart.changed:,}",
            )
            for pair in self.pairs
        ]:
            tables.append(Table(("pair", "inputs", "furthest apart, ULP", "decisions changed"), pairs))
        sentences = [f"{name} was not run: {reason}" for name, reason in self.not_run.items()]
        sentences += [f"{report.runtime}: {failure}" for report in self.wrong for failure in report.failures]
        verdict = "all right" if self.passed else "not all right" if self.compared else "nothing compared"
        passed = self.passed or (False if self.wrong else None)
        return Brief("Runtimes on one model", verdict, passed, tables, sentences)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the arrays, in what JSON knows; NaN and infinities as strings."""
        pairs = [
            {
                "left": pair.left,
                "right": pair.right,
                "inputs": pair.inputs,
                **pair.apart.to_dict(),
                "unlike": pair.apart.unlike,
            }
            for pair in self.pairs
        ]
        result: dict[str, Any] = plain(
            {
                "schema": 1,
                "headings": self.headings,
                "passed": self.passed,
                "compared": self.compared,
                "not_run": self.not_run,
                "pairs": pairs,
                "reports": [report.to_dict() for report in self.reports],
            }
        )
        return result

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return as_json(self.to_dict())


def _furthest(pair: Pair) -> str:
    """The largest distance of any output of a pair, in ULP."""
    found = [output.max_ulp for output in pair.apart.outputs.values() if output.max_ulp is not None]
    return number(max(found, default=None))
