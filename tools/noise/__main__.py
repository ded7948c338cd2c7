"""The commands: calibrate, faults, size."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from .entry import Entry
from .made import made_entries
from .packages import entries_in
from .page import write_section

app = typer.Typer(help="Measures what the page on rounding noise claims.", no_args_is_help=True)

Folder = Annotated[
    Path, typer.Argument(help="Models of others, in folders of the packages they are from.", exists=True)
]
Docs = Annotated[Path | None, typer.Option(help="Write the section on that page; printed by default.")]
Seeds = Annotated[int, typer.Option(help="How many seeds.", min=1)]
First = Annotated[int, typer.Option(help="The first of them; constants were chosen on seeds below 2000.")]
Samples = Annotated[int, typer.Option(help="Noisy runs for a model's noise.", min=2)]
Only = Annotated[str, typer.Option(help="Models alone whose name has one of these words, between commas.")]


@app.command()
def calibrate(
    folder: Folder,
    docs: Docs = None,
    seeds: Seeds = 20,
    first: First = 2000,
    samples: Samples = 8,
    only: Only = "",
) -> None:
    """Compare right runtimes with the noise of every model."""
    from .calibrate import calibrated, section

    numbers = range(first, first + seeds)
    _measure(
        *(folder, only, numbers, docs, "calibrate"),
        lambda entry, told: calibrated(entry, numbers, samples, told),
        lambda rows: section(rows, numbers, samples),
    )


@app.command()
def faults(
    folder: Folder,
    docs: Docs = None,
    seeds: Seeds = 20,
    first: First = 2000,
    samples: Samples = 8,
    only: Only = "",
) -> None:
    """Plant faults in every model, and count which are found."""
    from .planted import planted, section

    numbers = range(first, first + seeds)
    _measure(
        *(folder, only, numbers, docs, "faults"),
        lambda entry, told: planted(entry, numbers, samples, told),
        lambda found: section(found, numbers, samples),
    )


@app.command()
def size(docs: Docs = None, samples: Samples = 8) -> None:
    """Take the time and the memory of a model as large as BERT base."""
    from .size import measured, section

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("BERT base", total=None)
        found = measured(samples, lambda done, total: progress.update(task, completed=done, total=total))
    if docs is None:
        print(section(found))
    else:
        write_section(docs, "size", _command("size", docs, folder=False), section(found))


def _measure(
    folder: Path,
    only: str,
    seeds: Sequence[int],
    docs: Path | None,
    name: str,
    work: Callable[[Entry, Callable[[], None]], Any],
    section: Callable[[list[Any]], str],
) -> None:
    """
    Do the work for each model, with a bar for the models and one for the seeds of each.

    A page is written after each model: all of them take an hour, and what is done by then stays where it is stopped.
    """
    found: list[Any] = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        models = progress.add_task("models", total=None)
        words = only.split(",")
        entries = [*made_entries(words), *entries_in(folder, words)]
        if not entries:
            message = f"expected models to measure (got none named {only!r} in {folder}); unpack some there"
            raise typer.BadParameter(message)
        progress.update(models, total=len(entries))
        for entry in entries:
            with _bar(progress, entry.name, len(seeds)) as told:
                found.append(work(entry, told))
            progress.console.print(f"{entry.name}: {found[-1].said}", markup=False)
            progress.advance(models)
            if docs is not None:
                write_section(docs, name, _command(name, docs), section(found))
    if docs is None:
        print(section(found))


@contextmanager
def _bar(progress: Progress, name: str, total: int) -> Iterator[Callable[[], None]]:
    task = progress.add_task(name, total=total)
    yield lambda: progress.advance(task)
    progress.remove_task(task)


def _command(name: str, docs: Path, *, folder: bool = True) -> str:
    parts = ["python", "-m", "tools.noise", name, *(["FOLDER"] if folder else [])]
    return shlex.join([*parts, "--docs", f"docs/{docs.name}"])


if __name__ == "__main__":
    app()
