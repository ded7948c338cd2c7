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
First = Annotated[int, typer.Option(help="The first of them; constants were chosen on 0 to 9.")]
Samples = Annotated[int, typer.Option(help="Noisy runs for a model's noise.", min=2)]
Only = Annotated[str, typer.Option(help="Models alone whose name has this in it.")]


@app.command()
def calibrate(
    folder: Folder,
    docs: Docs = None,
    seeds: Seeds = 20,
    first: First = 1000,
    samples: Samples = 8,
    only: Only = "",
) -> None:
    """Compare right runtimes with the noise of every model."""
    from .calibrate import calibrated, section

    numbers = range(first, first + seeds)
    rows = list(_each(folder, only, numbers, lambda entry, told: calibrated(entry, numbers, samples, told)))
    write_section(docs, "calibration", _command("calibrate", docs), section(rows, numbers, samples))


@app.command()
def faults(
    folder: Folder,
    docs: Docs = None,
    seeds: Seeds = 20,
    first: First = 1000,
    samples: Samples = 8,
    only: Only = "",
) -> None:
    """Plant faults in every model, and count which are found."""
    from .planted import planted, section

    numbers = range(first, first + seeds)
    found = list(_each(folder, only, numbers, lambda entry, told: planted(entry, numbers, samples, told)))
    write_section(docs, "faults", _command("faults", docs), section(found, numbers, samples))


@app.command()
def size(docs: Docs = None, samples: Samples = 8) -> None:
    """Take the time and the memory of a model as large as BERT base."""
    from .size import measured, section

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("BERT base", total=None)
        found = measured(samples, lambda done, total: progress.update(task, completed=done, total=total))
    write_section(docs, "size", _command("size", docs, folder=False), section(found))


def _each(
    folder: Path, only: str, seeds: Sequence[int], work: Callable[[Entry, Callable[[], None]], Any]
) -> Iterator[Any]:
    """Yield what becomes of each model, with a bar for the models and one for the seeds of each."""
    with Progress(console=Console(stderr=True), transient=True) as progress:
        models = progress.add_task("models", total=None)
        entries = [*made_entries(only), *entries_in(folder, only)]
        if not entries:
            message = f"expected models to measure (got none named {only!r} in {folder}); unpack some there"
            raise typer.BadParameter(message)
        progress.update(models, total=len(entries))
        for entry in entries:
            with _bar(progress, entry.name, len(seeds)) as told:
                found = work(entry, told)
            progress.console.print(f"{entry.name}: {found.said}", markup=False)
            yield found
            progress.advance(models)


@contextmanager
def _bar(progress: Progress, name: str, total: int) -> Iterator[Callable[[], None]]:
    task = progress.add_task(name, total=total)
    yield lambda: progress.advance(task)
    progress.remove_task(task)


def _command(name: str, docs: Path | None, *, folder: bool = True) -> str:
    parts = ["python", "-m", "tools.noise", name, *(["FOLDER"] if folder else [])]
    return shlex.join([*parts, "--docs", "docs/noise.md" if docs is None else f"docs/{docs.name}"])


if __name__ == "__main__":
    app()
