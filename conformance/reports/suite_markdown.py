"""The report of the suite as Markdown."""

from __future__ import annotations

import re

from ..verdicts.cause import Cause
from ..verdicts.record import CaseRecord
from ..verdicts.suite_record import SuiteRecord
from .suite_bounds import LEGEND, bounds_by_operator
from .summary import (
    STATUSES,
    Cell,
    cells,
    columns,
    counted,
    kinds,
    place_of,
    rows,
    status_of,
    tolerances,
    values_of,
)


def render_markdown(report: SuiteRecord) -> str:
    """Return the report in Markdown: verdict, counts, matrix, kinds of failures."""
    parts = [
        f"# {report.heading}: conformance of the softmax family",
        f"**{'Passed' if report.passed else 'Not passed'}**: {report.verdict}; {len(report.cases):,} cases, "
        f"{report.compared:,} compared, {report.bound} bounds, softops {report.softops_version}.",
    ]
    new, listed = ([cause for cause in report.causes if bool(cause.new) == one] for one in (True, False))
    if new:
        parts += ["## What is wrong", "\n".join(map(_cause, new))]
    counts = [[STATUSES[s][0], s, f"{n:,}", STATUSES[s][1]] for s, n in counted(report.cases).items()]
    parts.append(markdown_table(["", "status", "cases", "meaning"], counts))
    parts += [f"Note: {_plain(note)}." for note in report.notes]
    if report.vanished:
        vanished = "\n".join(f"- {_plain(text)}" for text in report.vanished)
        parts += ["## Deviations that no longer occur", vanished]
    if listed:
        parts += ["## Known deviations, by cause", "\n".join(map(_cause, listed))]
    parts += ["## Operators, versions and dtypes", _matrix(cells(report))]
    if rows_of_bounds := bounds_by_operator(report):
        head = ["operator", *report.bounds, "softops promises"]
        lines = [[row.name, *map(row.cell, report.bounds), row.promised] for row in rows_of_bounds]
        parts += ["## Bounds", f"Which bounds are kept: {LEGEND}", markdown_table(head, lines)]
    failures = kinds(report)
    if failures:
        parts.append("## Kinds of failures")
    for kind in failures:
        first = kind.smallest
        known = f" Known: {first.known}." if first.known else ""
        told = f"{_plain(first.message.rstrip('.'))}. {tolerances(first)}".strip()
        parts += [
            f"### {STATUSES[status_of(first)][0]} {_plain(kind.title)}",
            f"{told}\n\n{len(kind.records):,} cases, the smallest `{first.id}`.{known} "
            f"Reproduction: [reproductions/{kind.slug}](reproductions/{kind.slug}/ISSUE.md)",
        ]
        if first.worst is not None:
            parts.append(worst_table(first))
    return "\n\n".join(parts) + "\n"


def worst_table(record: CaseRecord) -> str:
    """Return a Markdown table of a record's worst element: exact, expected, actual, in decimal and hex."""
    assert record.worst is not None
    lines = [[name, f"`{decimal}`", f"`{hexa}`"] for name, decimal, hexa in values_of(record.worst)]
    return markdown_table([place_of(record.worst), "decimal", "hexadecimal"], lines)


def _matrix(matrix: list[Cell]) -> str:
    dtypes = columns(matrix)
    lines = [[op, str(opset), *(_cell(row.get(name)) for name in dtypes)] for op, opset, row in rows(matrix)]
    return markdown_table(["operator", "opset", *dtypes], lines)


def _cell(found: tuple[int, Cell] | None) -> str:
    return "" if found is None else " ".join(f"{STATUSES[s][0]} {n}" for s, n in found[1].counts.items())


def _cause(cause: Cause) -> str:
    known = f", {cause.known:,} of them known" if cause.known and cause.new else ""
    count = f"{cause.cases:,} {cause.outcome}{known}"
    text = _plain(f"{cause.sentence.rstrip('.')}. {cause.evidence}".strip())
    return f"- **{_plain(cause.where)}** ({count}): {text}"


def markdown_table(head: list[str], lines: list[list[str]]) -> str:
    """Return a table in Markdown."""
    every = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in every)


def _plain(text: str) -> str:
    """Keep a runtime's words from being read as Markdown or HTML."""
    return re.sub(r"([\\`*_<>\[\]#|])", r"\\\1", " ".join(text.split()))
