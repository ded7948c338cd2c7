"""What a run of the suite found, in the terminal, as a report, and as the exit code."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..terminal.bar import Bar

if TYPE_CHECKING:
    from softops.conformance import CaseRecord, SuiteReport

    from ..terminal.console import Console

WRONG = 1
NOTHING_COMPARED = 3

SHOWN_CAUSES = 8
SHOWN_FAILURES = 10


class CountingBar(Bar):
    """A bar that counts, before it, the cases that are not right."""

    def __init__(self) -> None:
        self._wrong = 0

    def add(self, done: int, total: int, record: "CaseRecord") -> None:
        """Go on by a case."""
        self._wrong += record.outcome not in ("right", "unsupported")
        self(done, total, f"{self._wrong} not right")


def check_folder(directory: Path | None) -> None:
    """Refuse a folder that no report can be written into, before minutes are spent on one."""
    from softops.conformance.reports.files import has_ending

    if directory is None:
        return
    if has_ending(directory):
        message = (
            f"expected --report to name a folder, into which all forms of the report go (got {directory}); leave "
            f"{directory.suffix} out"
        )
        raise ValueError(message)
    there = directory.absolute()
    while not there.exists():
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        message = f"expected a folder that can be written to (got {directory}); name another with --report"
        raise ValueError(message)


def finish(found: "SuiteReport", directory: Path | None) -> None:
    """Print what was found, write the report, and leave with the exit code."""
    from ..terminal.console import Console

    # First: should the disk be full, it has been said all the same.
    _print(Console(), found)
    if directory is not None:
        found.write(directory)
    if not found.compared:
        raise typer.Exit(NOTHING_COMPARED)
    if not found.passed:
        raise typer.Exit(WRONG)


def _print(console: "Console", found: "SuiteReport") -> None:
    from softops.conformance.reports.summary import tolerances

    from ..terminal.console import shown

    console.print(shown(found.heading), "", soft_wrap=True)
    new = [cause for cause in found.causes if cause.new]
    for cause in new[:SHOWN_CAUSES]:
        told = shown(f"{cause.sentence.rstrip('.')}. {cause.evidence}".strip())
        console.print(
            f"[red]{cause.cases:,} {cause.outcome}:[/red] {shown(cause.where)}\n    {told}", soft_wrap=True
        )
    if new:
        more = f"… and {len(new) - SHOWN_CAUSES} more causes" if len(new) > SHOWN_CAUSES else ""
        console.print(*[more] * bool(more), "")
    console.print(_table(found), "")
    for text in (*found.notes, *(f"no longer occurs: {why}" for why in found.vanished)):
        console.print(f"Note: {shown(text)}", soft_wrap=True)
    kinds: dict[tuple[str, ...], list[CaseRecord]] = {}
    for record in found.unexpected:
        kind = (record.domain, record.op, record.outcome, record.verdict or record.message)
        kinds.setdefault(kind, []).append(record)
    for record, *others in list(kinds.values())[:SHOWN_FAILURES]:
        more = f" (and {len(others):,} like it)" if others else ""
        told = "\n    ".join(map(shown, filter(None, (record.message, tolerances(record)))))
        console.print(
            f"[red]{record.outcome.capitalize()}:[/red] {shown(record.id)}{more}\n    {told}",
            soft_wrap=True,
        )
    if len(kinds) > SHOWN_FAILURES:
        console.print(f"… and {len(kinds) - SHOWN_FAILURES} more kinds")
    # What is not right is in the verdict already.
    parts = [
        f"{found.counts[outcome]:,} {outcome}"
        for outcome in ("right", "unsupported")
        if found.counts[outcome]
    ]
    verdict = "[green]passes[/green]" if found.passed else "[red]does not pass[/red]"
    if not found.compared:
        verdict = "[red]was not compared[/red]"
    told = "; ".join([found.verdict, *([", ".join(parts)] if parts else [])])
    name = shown(f"{found.runtime} {found.runtime_version}".strip())
    console.print(f"{name} {verdict}: {told}; in {found.seconds:.0f} s.", soft_wrap=True)


def _table(found: "SuiteReport") -> Any:
    """Return outcomes by operator and version."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from ..terminal.console import cell

    table = Table(box=SIMPLE_HEAD, show_edge=False)
    names = [outcome for outcome, count in found.counts.items() if count]
    listed = any(record.known is not None for record in found.cases)
    for name in ("operator", *names, *(["known"] if listed else [])):
        table.add_column(name, justify="left" if name == "operator" else "right", overflow="fold")
    rows: dict[str, list[CaseRecord]] = {}
    for record in found.cases:
        rows.setdefault(record.id.partition("/")[0], []).append(record)
    for name, records in rows.items():
        numbers = [sum(record.outcome == outcome for record in records) for outcome in names]
        known = sum(record.known is not None for record in records)
        fine = all(record.known or record.outcome in ("right", "unsupported") for record in records)
        counts = [f"{count:,}" if count else "" for count in (*numbers, *([known] if listed else []))]
        table.add_row(cell(name, "" if fine else "red"), *counts)
    return table
