"""What changed between two releases of a runtime, and the section on it of the page on deviations."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from softops.conformance import CaseRecord, SuiteReport
from softops.conformance.reports.suite_bounds import LEGEND, bounds_by_operator
from softops.conformance.reports.suite_markdown import markdown_table
from softops.conformance.reports.summary import STATUSES, counted, kinds, status_of
from softops.conformance.verdicts.known import known_deviations

TITLE = "## Between releases"

_HEAD = f"""\
Made by `python -m tools.releases`, which runs the suite in two releases of a runtime and compares them case by
case. A release without a list of its own is judged by the nearest one, as `softops conformance` does it.
An environment that has a release, such as torch's without CUDA, is given with `--python`.

Of the bounds, {LEGEND}"""

Pair = tuple[CaseRecord, CaseRecord]
"""A case in the older and in the newer release."""


def section(older: SuiteReport, newer: SuiteReport) -> str:
    """Return what is to be said of a runtime: counts, what is gone, new and otherwise changed, and the bounds."""
    before = {record.id: record for record in older.cases}
    pairs = [(before[record.id], record) for record in newer.cases if record.id in before]
    statuses = [counted(report.cases) for report in (older, newer)]
    counts = [
        [status, *(f"{count.get(status, 0):,}" for count in statuses)]
        for status in STATUSES
        if any(status in count for count in statuses)
    ]
    parts = [
        f"### {newer.runtime}: {older.runtime_version} to {newer.runtime_version}",
        f"{len(pairs):,} cases of a {newer.command.get('depth', 'default')} run, {newer.platform}{_precision(newer)}, "
        f"onnx {older.onnx_version} and {newer.onnx_version}.",
        markdown_table(["cases", older.runtime_version, newer.runtime_version], counts),
        *_changes(older, newer, pairs),
        *_of_the_list(older),
        *_of_the_list(newer),
        f"Bounds that {newer.runtime_version} keeps:",
        markdown_table(
            ["operator", *newer.bounds],
            [[row.name, *map(row.cell, newer.bounds)] for row in bounds_by_operator(newer)],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _precision(report: SuiteReport) -> str:
    computed = " and ".join(report.computes_in)
    return f", computed in {computed}" if computed else ""


def with_section(page: str, text: str) -> str:
    """Return a page with the section of a runtime in the place of an older one, or as one more."""
    body, _, rest = page.partition(f"\n{TITLE}\n")
    sections = {_name(part): part.strip() for part in re.split(r"^(?=### )", rest, flags=re.MULTILINE)[1:]}
    sections[_name(text)] = text.strip()
    return "\n\n".join([body.strip(), TITLE, _HEAD, *sections.values()]) + "\n"


def kept_section(page: str) -> str:
    """Return what a page says of releases; empty where it says nothing."""
    _, title, rest = page.partition(f"\n{TITLE}\n")
    return f"{title.strip()}\n{rest}".strip() if title else ""


def _name(part: str) -> str:
    return part.partition(":")[0].strip()


def _changes(older: SuiteReport, newer: SuiteReport, pairs: list[Pair]) -> list[str]:
    gone = [old for old, new in pairs if _fails(old) and new.outcome == "right"]
    came = [new for old, new in pairs if old.outcome == "right" and _fails(new)]
    other = [
        (old, new)
        for old, new in pairs
        if (old.outcome, old.verdict) != (new.outcome, new.verdict)
        and not (_fails(old) and new.outcome == "right")
        and not (old.outcome == "right" and _fails(new))
    ]
    parts = [
        _listed(f"Gone with {newer.runtime_version}:", older, gone),
        _listed(f"New with {newer.runtime_version}:", newer, came),
        _moved("Otherwise changed:", other),
        _errors(pairs),
    ]
    return [part for part in parts if part] or ["Nothing changed: every case comes out as it did."]


def _fails(record: CaseRecord) -> bool:
    return record.outcome not in ("right", "unsupported")


def _listed(title: str, report: SuiteReport, records: list[CaseRecord]) -> str:
    """List failures: by the deviation that explains them, else by their kind."""
    known = known_deviations(report.runtime, report.runtime_version).deviations
    found: dict[str, list[CaseRecord]] = {}
    for kind in kinds(replace(report, cases=tuple(records))):
        for record in kind.records:
            why = next((entry.why for entry in known if entry.explains(record)), "")
            name = why.removesuffix(".") or f"{kind.title}, not on the list"
            found.setdefault(name, []).append(record)
    return _bullets(title, found)


def _moved(title: str, pairs: Iterable[Pair]) -> str:
    found: dict[str, list[CaseRecord]] = {}
    for old, new in pairs:
        was, now = (f"{r.outcome} ({r.verdict})" if r.verdict else r.outcome for r in (old, new))
        name = f"{new.id.partition('/')[0].rpartition('-')[0]} in {new.dtype}: {was}, now {now}"
        found.setdefault(name, []).append(new)
    return _bullets(title, found)


def _errors(pairs: Iterable[Pair]) -> str:
    """List the operators and dtypes whose results have other errors, with the number of these cases."""
    found: dict[str, list[CaseRecord]] = {}
    for old, new in pairs:
        if (old.outcome, new.outcome) == ("right", "right") and (old.max_ulp, old.mean_ulp) != (
            new.max_ulp,
            new.mean_ulp,
        ):
            found.setdefault(f"{new.id.partition('/')[0].rpartition('-')[0]} in {new.dtype}", []).append(new)
    return _bullets("Right in both, with other errors:", found)


def _bullets(title: str, found: dict[str, list[CaseRecord]]) -> str:
    if not found:
        return ""
    lines = [
        f"- {' '.join(name.split())}: {len(records):,} case{'s' if len(records) > 1 else ''}, "
        f"such as `{records[0].id}`"
        for name, records in found.items()
    ]
    return "\n".join([title, "", *lines]).replace("<", "\\<")


def _of_the_list(report: SuiteReport) -> list[str]:
    """Say how a release differs from its list: what is on it and not shown, what is shown and not on it."""
    open_cases = [record for record in report.cases if _fails(record) and status_of(record) != "known"]
    parts = [_listed(f"In {report.runtime_version}, not on the list:", report, open_cases)]
    if report.vanished:
        lines = "\n".join(f"- {text}" for text in report.vanished)
        parts.append(f"On the list, and not shown by {report.runtime_version}:\n\n{lines}")
    return [part for part in parts if part]
