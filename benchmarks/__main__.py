"""``python -m benchmarks``: time the kernels beside every peer that is installed."""

import datetime
import os
import platform
import shlex
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .calls import call_figures
from .first_call import OPERATORS, first_call_figures
from .fused.runner import run_tasks
from .fused.runner import select as select_tasks
from .machine import compiled_for, cpu_name, of_processor
from .peers.peer import Peer
from .report.plot import plottable, save_plot
from .report.table import print_results
from .results import Figure, Results, Row, write_atomically
from .runner import PEERS, cores, run_rows, select
from .timing import QUICK, Method


def _method(quick: bool, rounds: int | None) -> Method:
    base = QUICK if quick else Method()
    return Method(rounds or base.rounds, base.round_seconds, base.rest_seconds, base.patience)


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)


def _versions(peers: list[Peer]) -> dict[str, str]:
    found = {"softops": version("softops"), "Python": platform.python_version()}
    found |= {name: version(name) for name in ("numba", "llvmlite", "numpy")}
    return found | {peer.name: peer.version for peer in peers}


def command_line(arguments: Sequence[str]) -> str:
    """The command as the page shows it: where files lie on this machine is left out."""

    def shown(argument: str) -> str:
        option, equals, value = argument.rpartition("=")
        inside = not Path(value).is_absolute() and ".." not in Path(value).parts
        return argument if inside else option + equals + Path(value).name

    return shlex.join(["python", "-m", "benchmarks", *map(shown, arguments)])


def run(
    only: Annotated[
        list[str] | None, typer.Option(help="Part of a workload's name; may be repeated.")
    ] = None,
    threads: Annotated[
        list[int] | None, typer.Option(min=1, help="Threads; may be repeated. Default: 1 and all.")
    ] = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="Rounds a library gets.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Few short rounds: to see that it runs.")] = False,
    json: Annotated[Path | None, typer.Option(help="Write the results as JSON.")] = None,
    plot: Annotated[
        Path | None, typer.Option(callback=plottable, help="Draw the ratios; the ending names the format.")
    ] = None,
    docs: Annotated[
        Path | None,
        typer.Option(callback=plottable, help="Write the page, with the committed runs of other machines."),
    ] = None,
) -> None:
    """Time the kernels beside every installed peer.

    Besides the workloads there are figures whose names begin with "call:", "first call:" and "import:".
    """
    console = Console(width=None if sys.stdout.isatty() else 200)
    patterns, method = only or [], _method(quick, rounds)
    counts = sorted(set(threads or (1, cores())))
    if counts[-1] > cores():
        message = f"expected at most {cores()} threads, the cores of this machine (got {counts[-1]})"
        raise typer.BadParameter(message, param_hint="--threads")
    workloads, tasks = select(patterns), select_tasks(patterns)
    everyone = [peer() for peer in PEERS if workloads or tasks]
    peers = [peer for peer in everyone if peer.available()]
    absent = tuple(peer.name for peer in everyone if peer not in peers)
    if absent:
        console.print(f"Not installed, so not timed: {', '.join(absent)}.")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    rows: list[Row] = []
    figures: list[Figure] = []
    stopped = False
    with _progress(console) as progress:
        try:
            task = progress.add_task("workloads", total=len(workloads) * len(counts))
            for row in run_rows(workloads, counts, peers, method):
                rows.append(row)
                progress.update(task, advance=1, description=row.workload)
            task = progress.add_task("fused", total=len(tasks) * len(counts))
            for row in run_tasks(tasks, counts, method):
                rows.append(row)
                progress.update(task, advance=1, description=row.workload)
            task = progress.add_task("calls and first calls", total=None)
            figures.extend(call_figures(patterns, method))
            operators, repeats = (("softmax",), 1) if quick else (OPERATORS, 3)
            for figure in first_call_figures(patterns, operators=operators, repeats=repeats):
                figures.append(figure)
                progress.update(task, advance=1, description=figure.name)
        except KeyboardInterrupt:
            stopped = True
    if not rows and not figures and not stopped:
        message = f"nothing is named like {', '.join(patterns)}; run with --quick to see the names"
        raise typer.BadParameter(message, param_hint="--only")
    results = Results(
        date=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        command=command_line(sys.argv[1:]),
        cpu=cpu_name(),
        instruction_set=compiled_for(),
        processor_set=of_processor(),
        cores=cores(),
        load=load,
        rounds=method.rounds,
        threads=tuple(counts),
        versions=_versions(peers),
        absent=absent,
        rows=tuple(rows),
        figures=tuple(figures),
    )
    print_results(results, console)
    if results.busy:
        console.print(results.busy, style="yellow")
    if stopped:
        console.print("Stopped; no file was written.", style="yellow")
        raise typer.Exit(130)
    if json:
        write_atomically(json, results.to_json())
    if plot:
        save_plot(results, plot)
    if docs:
        from .page import save_page, with_committed

        save_page(with_committed(results), docs)


if __name__ == "__main__":
    typer.run(run)
