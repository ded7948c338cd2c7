"""``python -m tools.coverage``: which operators, versions and dtypes are right, in softops and beside it."""

from __future__ import annotations

import shlex
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from benchmarks.results import write_atomically
from softops.opset import operators

from .coverage_differences import differences, outcomes
from .coverage_page import Coverage, page
from .coverage_probes import outcome, probe
from .coverage_runners import runners
from .coverage_suite import official_tests


def run(
    docs: Annotated[Path | None, typer.Option(help="Write the page there; printed by default.")] = None,
    suite: Annotated[bool, typer.Option(help="Run the official tests of onnx as well.")] = True,
) -> None:
    """Run every operator of the table at every version and dtype, and the official tests, in each runtime."""
    warnings.simplefilter("ignore")  # runtimes warn of the very cases that are put to them
    chosen = runners()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("")

        def say(what: str) -> None:
            progress.update(task, description=what)

        found = {}
        for row in operators():
            for dtype in row.dtypes:
                say(f"{row.name} {dtype}")
                call = probe(row, dtype)
                found[row.name, dtype] = [outcome(row, call, runner) for runner in chosen]
        say("differences")
        differing = [(difference, outcomes(difference, chosen)) for difference in differences()]
        suites = official_tests(chosen, say) if suite else {}
    text = page(
        Coverage(
            command=shlex.join(["python", "-m", "tools.coverage", *sys.argv[1:]]),
            runners=chosen,
            probes=found,
            differences=differing,
            suites=suites,
        )
    )
    if docs:
        write_atomically(docs, text)
    else:
        print(text)


if __name__ == "__main__":
    typer.run(run)
