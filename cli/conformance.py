"""`softops conformance`: does a runtime compute the softmax family right?"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .terminal.bar import Bar

if TYPE_CHECKING:
    from softops.conformance import CaseRecord, SuiteReport

    from .terminal.console import Console

WRONG = 1
NOTHING_COMPARED = 3

SHOWN_FAILURES = 10

conformance_app = typer.Typer(rich_markup_mode=None, help="Say whether a runtime computes the family right.")

_LIST = "LIST"
_Ops = Annotated[str | None, typer.Option(metavar=_LIST, help="Operators, with commas [default: all].")]
_Opsets = Annotated[
    str | None,
    typer.Option(metavar=_LIST, help="Opsets, with commas [default: each that changed something]."),
]
_Dtypes = Annotated[str | None, typer.Option(metavar=_LIST, help="Dtypes, with commas [default: all].")]
_Families = Annotated[
    str | None, typer.Option(metavar=_LIST, help="Families of inputs, with commas [default: all].")
]
_Quick = Annotated[bool, typer.Option("--quick", help="Fewer cases, in seconds.")]
_Full = Annotated[bool, typer.Option("--full", help="Many more cases, for the night.")]
_Seed = Annotated[int, typer.Option(metavar="N", min=0, help="What the inputs are made from.")]
_Bound = Annotated[
    str, typer.Option(metavar="NAME", help="Whose bounds: exact (softops's promises), strict, webnn or onnx.")
]
_Report = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Write the report there, in every format.", show_default=False),
]


@conformance_app.callback(invoke_without_command=True)
def _conformance(
    context: typer.Context,
    runtime: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The runtime under test: onnxruntime, openvino, onnx.reference, torch, softops, with options "
            "as in onnxruntime:level=basic; backend:MODULE; or cmd: PROGRAM {model} {inputs} {outputs}.",
            show_default=False,
        ),
    ] = None,
    ops: _Ops = None,
    opsets: _Opsets = None,
    dtypes: _Dtypes = None,
    families: _Families = None,
    report: _Report = None,
    bound: _Bound = "strict",
    seed: _Seed = 0,
    time_limit: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Run it in a process of its own, and stop it when a model takes longer.",
            show_default=False,
        ),
    ] = None,
    jobs: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, help="Over how many processes to spread it; 0 for the processors' number."
        ),
    ] = 0,
    *,
    quick: _Quick = False,
    full: _Full = False,
) -> None:
    """Say whether a runtime computes the softmax family right.

    Runs every operator at every version in every dtype on every family of inputs, and judges the outputs by
    the exact values. The exit code is 0 when all is right or known, 1 when something is not, 2 when nothing
    could be run, and 3 when nothing was compared.
    """
    if context.invoked_subcommand is not None:
        return
    if runtime is None:
        typer.echo(context.get_help())
        return
    from softops.conformance import run

    _check_folder(report)
    bar = _CountingBar()
    with bar:
        found = run(
            runtime,
            ops=_parts(ops),
            opsets=_numbers(opsets),
            dtypes=_parts(dtypes),
            families=_parts(families),
            quick=quick,
            full=full,
            seed=seed,
            bound=bound,  # type: ignore[arg-type]  # run says what it may be
            time_limit=time_limit,
            jobs=jobs,
            progress=bar.add,
        )
    _finish(found, report)


@conformance_app.command()
def dump(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder.", show_default=False)],
    ops: _Ops = None,
    opsets: _Opsets = None,
    dtypes: _Dtypes = None,
    families: _Families = None,
    seed: _Seed = 0,
    *,
    quick: _Quick = False,
    full: _Full = False,
) -> None:
    """Write the models and inputs of the cases, for a runtime that is elsewhere.

    Run each model there on its inputs, save the outputs beside them, and bring the folder back for
    `softops conformance check DIR`. README.txt in the folder says how.
    """
    from softops.conformance.cases.grid import cases
    from softops.conformance.runtimes.saved import dump as dump_cases

    listed = cases(
        ops=_parts(ops),
        opsets=_numbers(opsets),
        dtypes=_parts(dtypes),
        families=_parts(families),
        depth="quick" if quick else "full" if full else "default",
        seed=seed,
    )
    with Bar() as bar:
        done = iter(range(1, len(listed) + 1))
        count = dump_cases(listed, directory, advance=lambda: bar(next(done), len(listed)))
    typer.echo(f"{count} cases in {directory}; README.txt there says what to do with them.")


@conformance_app.command()
def check(
    directory: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="A folder of `dump`, with outputs in it.", show_default=False),
    ],
    report: _Report = None,
    bound: _Bound = "strict",
) -> None:
    """Judge the outputs that were saved in a folder of `dump`. Exit codes are those of `conformance`."""
    from softops.conformance.runtimes.saved import SavedRuntime, saved_cases
    from softops.conformance.suite.suite import run_cases

    _check_folder(report)
    runtime, listed = SavedRuntime(directory), saved_cases(directory)
    bar = _CountingBar()
    with bar:
        found = run_cases(runtime, listed, bound=bound, progress=bar.add)  # type: ignore[arg-type]
    _finish(found, report)


class _CountingBar(Bar):
    """A bar that counts, before it, the cases that are not right."""

    def __init__(self) -> None:
        self._wrong = 0

    def add(self, done: int, total: int, record: "CaseRecord") -> None:
        """Go on by a case."""
        self._wrong += record.outcome not in ("right", "unsupported")
        self(done, total, f"{self._wrong} not right")


def _check_folder(directory: Path | None) -> None:
    """Refuse a folder that no report can be written into, before minutes are spent on one."""
    if directory is None:
        return
    there = directory.absolute()
    while not there.exists():
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        message = f"expected a folder that can be written to (got {directory}); name another with --report"
        raise ValueError(message)


def _finish(found: "SuiteReport", directory: Path | None) -> None:
    from .terminal.console import Console

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

    from .terminal.console import shown

    console.print(shown(found.heading), "", soft_wrap=True)
    console.print(_table(found), "")
    for text in (*found.notes, *(f"vanished: {why}" for why in found.vanished)):
        console.print(f"Note: {shown(text)}", soft_wrap=True)
    kinds: dict[tuple[str, ...], list[CaseRecord]] = {}
    for record in found.unexpected:
        kind = (record.domain, record.op, record.outcome, record.verdict or record.message)
        kinds.setdefault(kind, []).append(record)
    for record, *others in list(kinds.values())[:SHOWN_FAILURES]:
        more = f" (and {len(others):,} like it)" if others else ""
        told = "\n    ".join(filter(None, (record.message, tolerances(record))))
        console.print(
            f"[red]{record.outcome.capitalize()}:[/red] {shown(record.id)}{more}\n    {shown(told)}",
            soft_wrap=True,
        )
    if len(kinds) > SHOWN_FAILURES:
        console.print(f"… and {len(kinds) - SHOWN_FAILURES} more kinds")
    counts = found.counts
    listed = sum(record.known is not None for record in found.cases)
    parts = [f"{count:,} {outcome}" for outcome, count in counts.items() if count]
    if listed:
        parts.append(f"{listed:,} of these known to deviate")
    verdict = "[green]passes[/green]" if found.passed else "[red]does not pass[/red]"
    if not found.compared:
        verdict = "[red]was not compared[/red]"
    name = shown(f"{found.runtime} {found.runtime_version}".strip())
    console.print(f"{name} {verdict}: {', '.join(parts)}, in {found.seconds:.0f} s.", soft_wrap=True)


def _table(found: "SuiteReport") -> Any:
    """Return outcomes by operator and version."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from .terminal.console import cell

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


def _parts(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _numbers(text: str | None) -> list[int] | None:
    parts = _parts(text)
    if parts is None:
        return None
    for part in parts:
        if not part.isdecimal():
            message = f"expected opsets as numbers (got {part!r}); write for instance --opsets 12,13"
            raise ValueError(message)
    return [int(part) for part in parts]
