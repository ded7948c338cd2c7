"""
``python -m tools.runtimes FOLDER --docs docs/runtimes.md``: the state of the family across runtimes.

Each runtime of `tools.runtimes.table` is installed by pip in an environment of its own below the folder, with this
softops, and judged there. What is found is kept in ``tools/runtimes/runs``, and the page made from all that is kept:
with ``--only`` the others stay as they are, without a folder nothing is run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.results import write_atomically

from .page import render
from .runs import RUNS, made, read, write
from .runs import again as reread
from .table import ENTRIES

DEPTHS = ("quick", "default", "full")


def run(
    folder: Annotated[
        Path | None, typer.Argument(help="Where environments are made, and reports and issues written.")
    ] = None,
    *,
    only: Annotated[str, typer.Option(help="Runtimes, with commas; all by default.")] = "",
    depth: Annotated[str, typer.Option(help=f"One of {', '.join(DEPTHS)}.")] = "quick",
    docs: Annotated[Path | None, typer.Option(help="Write the page there; printed by default.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Run nothing: read the reports again.")] = False,
    runs: Annotated[Path, typer.Option(help="Where the runs are kept.")] = RUNS,
) -> None:
    """Install and judge runtimes, and write the page."""
    names = [name.strip() for name in only.split(",") if name.strip()] or [entry.name for entry in ENTRIES]
    unknown = set(names) - {entry.name for entry in ENTRIES}
    if unknown or depth not in DEPTHS:
        known = ", ".join(entry.name for entry in ENTRIES)
        message = (
            f"expected runtimes among {known} and a depth of {', '.join(DEPTHS)} (got {only!r}, {depth!r})"
        )
        raise SystemExit(message)
    if folder is not None:
        folder = folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        for entry in ENTRIES:
            if entry.name in names:
                kept = read(entry.name, runs)
                found = reread(entry, folder, kept) if again and kept else made(entry, folder, depth)
                write(found, runs)
                typer.echo(f"{entry.name} {found.version or found.problem}: {found.seconds:.0f} s", err=True)
    kept = {entry.name: found for entry in ENTRIES if (found := read(entry.name, runs)) is not None}
    text = render(kept)
    if docs is None:
        typer.echo(text)
    else:
        write_atomically(docs, text)


if __name__ == "__main__":
    typer.run(run)
