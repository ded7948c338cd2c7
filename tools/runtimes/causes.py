"""Why cases of a report are not right, in a line for each cause."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from softops.conformance import CaseRecord, SuiteReport
from softops.conformance.causes.likely import likely_causes
from softops.conformance.reports.summary import counted, qualified
from softops.conformance.verdicts.known import NOT_REPORTED, Deviation, known_deviations

WRITTEN = Path(__file__).parent / "causes.json"
"""
Causes that somebody looked for, by runtime: entries as those of known deviations (`conformance/verdicts/known.py`).
They say why, and are no list that anything is judged by.
"""


@dataclass
class Cause:
    """One cause: its sentence, the upstream issue if there is one, and which cases it is about, the first by name."""

    text: str
    outcome: str
    issue: str = ""
    cases: int = 0
    operators: list[str] = field(default_factory=list)
    example: str = ""


def operators_of(report: SuiteReport) -> dict[str, dict[str, int]]:
    """Return by operator the number of cases of each status."""
    found: dict[str, list[CaseRecord]] = {}
    for record in report.cases:
        found.setdefault(qualified(record.domain, record.op), []).append(record)
    return {name: counted(records) for name, records in found.items()}


def causes_of(report: SuiteReport, like: str = "") -> list[Cause]:
    """
    Return the causes of what is not right, those of most cases first; what is unsupported needs none.

    ``like`` names a runtime of the same code, whose list is taken. What is known comes from the lists, of other causes
    somebody may have written the sentence; the rest is what `softops.conformance.causes` makes of it.
    """
    known = known_deviations(like or report.runtime, report.runtime_version).deviations
    deviations = [*known, *written().get(report.runtime, ())]
    found: dict[tuple[str, str], Cause] = {}
    rest = []
    for record in report.cases:
        deviation = next((each for each in deviations if each.explains(record)), None)
        if deviation is None or record.outcome == "right":
            rest.append(record)  # the right ones, too: they speak against what would explain the wrong ones
            continue
        issue = "" if deviation.issue == NOT_REPORTED else deviation.issue
        cause = found.setdefault(
            (deviation.why, issue), Cause(deviation.why, record.outcome, issue, example=record.id)
        )
        cause.cases += 1
        if (name := qualified(record.domain, record.op)) not in cause.operators:
            cause.operators.append(name)
    likely = [
        Cause(_told(each.sentence), each.outcome, "", each.cases, list(each.operators), each.example)
        for each in likely_causes(rest)
    ]
    return sorted([*found.values(), *likely], key=lambda cause: -cause.cases)


@cache
def written() -> dict[str, tuple[Deviation, ...]]:
    """Return the causes of `WRITTEN` by runtime."""
    return {
        name: tuple(map(_deviation, entries))
        for name, entries in json.loads(WRITTEN.read_text("utf-8")).items()
    }


def _deviation(entry: dict[str, object]) -> Deviation:
    fields = {name: tuple(part) if isinstance(part, list) else part for name, part in entry.items()}
    return Deviation(**fields)  # type: ignore[arg-type]


def _told(sentence: str) -> str:
    """Return what a runtime said or was off by, without the words before it that the page says otherwise."""
    return re.sub(r"^(no cause recognised; |\w+: )", "", sentence)
