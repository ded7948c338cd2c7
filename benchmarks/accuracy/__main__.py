"""``python -m benchmarks.accuracy``: how exact the kernels are beside torch, onnxruntime and SciPy."""

import datetime
import platform
import shlex
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ..machine import cpu_name
from ..peers.onnxruntime import OnnxRuntime
from ..peers.scipy import SciPy
from ..peers.softops import Softops
from ..peers.torch import Torch
from ..report.plot import plottable
from .inputs import QUICK, Effort
from .page import Accuracy, print_accuracy, save_accuracy_page
from .results import Score, measure, pairs
from .special import special_cases


def run(
    docs: Annotated[
        Path | None, typer.Option(callback=plottable, help="Write the page, with the plot beside it.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Few short inputs: to see that it runs.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the random inputs.")] = 0,
) -> None:
    """Measure the errors of the kernels and of every installed peer against the exact values."""
    console = Console(width=None if sys.stdout.isatty() else 200)
    warnings.simplefilter("ignore")  # libraries warn of the very cases that are put to them
    everyone = [Torch(), OnnxRuntime(), SciPy()]
    peers = [peer for peer in everyone if peer.available()]
    scores: list[Score] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        chosen = list(pairs())
        task = progress.add_task("accuracy", total=len(chosen) + 1)
        for operator, dtype in chosen:
            progress.update(task, description=f"{operator} {dtype}")
            scores += measure(operator, dtype, peers, QUICK if quick else Effort(), seed)
            progress.advance(task)
        progress.update(task, description="special cases")
        special = special_cases([Softops(), *peers])
    versions = {"softops": version("softops"), "Python": platform.python_version()}
    versions |= {name: version(name) for name in ("numba", "numpy")}
    found = Accuracy(
        date=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        command=shlex.join(["python", "-m", "benchmarks.accuracy", *sys.argv[1:]]),
        cpu=cpu_name(),
        quick=quick,
        versions=versions | {peer.name: peer.version for peer in peers},
        libraries=("softops", *(peer.name for peer in peers)),
        absent=tuple(peer.name for peer in everyone if peer not in peers),
        scores=tuple(scores),
        special=tuple(special),
    )
    print_accuracy(found, console)
    if docs:
        save_accuracy_page(found, docs)


if __name__ == "__main__":
    typer.run(run)
